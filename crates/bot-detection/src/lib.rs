#![doc = include_str!("../README.md")]

mod config;
mod layer;
mod patterns;
mod policy;

pub use config::BotDetectionConfig;
pub use layer::BotDetectionLayer;
pub use policy::{BotDetection, Finding};
