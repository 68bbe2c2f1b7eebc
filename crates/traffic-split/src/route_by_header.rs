//! Headers decide which upstream a request goes to.

mod config;
mod policy;

pub use config::{RouteByHeaderConfig, Rule};
pub use policy::RouteByHeader;
