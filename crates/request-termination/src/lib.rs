#![doc = include_str!("../README.md")]

mod answer;
mod arguments;
mod config;
mod echo;
mod layer;
mod policy;

pub use config::RequestTerminationConfig;
pub use layer::RequestTerminationLayer;
pub use policy::RequestTermination;
