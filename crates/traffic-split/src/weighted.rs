//! Weights decide which service a request goes to.

mod config;
mod policy;

pub use config::{HashOn, Split, TrafficSplitConfig};
pub use policy::TrafficSplit;
