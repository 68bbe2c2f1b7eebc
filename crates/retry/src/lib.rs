#![doc = include_str!("../README.md")]

mod budget;
mod config;
mod layer;
mod policy;

pub use budget::Budget;
pub use config::{RetryConfig, RetryMethod};
pub use layer::RetryLayer;
pub use policy::Retry;

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::Context;
