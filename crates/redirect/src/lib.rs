#![doc = include_str!("../README.md")]

mod config;
mod layer;
mod location;
mod policy;

pub use config::RedirectConfig;
pub use layer::RedirectLayer;
pub use policy::Redirect;
