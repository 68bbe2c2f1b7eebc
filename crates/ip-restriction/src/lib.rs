#![doc = include_str!("../README.md")]

mod addresses;
mod config;
mod layer;
mod policy;

pub use addresses::Addresses;
pub use config::IpRestrictionConfig;
pub use layer::IpRestrictionLayer;
pub use policy::{ClientAddress, IpRestriction};

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::PluginError;
