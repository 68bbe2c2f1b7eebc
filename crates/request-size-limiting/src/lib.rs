#![doc = include_str!("../README.md")]

mod config;
mod layer;
mod policy;

pub use config::{RequestSizeLimitingConfig, SizeUnit};
pub use layer::RequestSizeLimitingLayer;
pub use policy::RequestSizeLimiting;
