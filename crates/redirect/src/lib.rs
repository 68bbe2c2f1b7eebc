#![doc = include_str!("../README.md")]

mod config;
mod layer;
mod location;
mod policy;

pub use config::RedirectConfig;
pub use layer::RedirectLayer;
pub use policy::Redirect;

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::PluginError;
