#![doc = include_str!("../README.md")]

mod config;
mod layer;
mod patterns;
mod policy;

pub use config::BotDetectionConfig;
pub use layer::BotDetectionLayer;
pub use policy::{BotDetection, Finding};

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::PluginError;
