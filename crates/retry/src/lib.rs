#![doc = include_str!("../README.md")]

mod budget;
mod config;
mod layer;
mod policy;

pub use budget::Budget;
pub use config::{RetryConfig, RetryMethod};
pub use layer::RetryLayer;
pub use policy::Retry;
