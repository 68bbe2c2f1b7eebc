//! Canary releases: a part of the requests meets a new version.

mod config;
mod policy;

pub use config::{CanaryConfig, CanaryHash};
pub use policy::Canary;
