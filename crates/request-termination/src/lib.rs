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

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::PluginError;
