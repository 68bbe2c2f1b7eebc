#![doc = include_str!("../README.md")]

mod canary;
mod key;
mod layer;
mod route_by_header;
mod weighted;

pub use canary::{Canary, CanaryConfig, CanaryHash};
pub use key::Key;
pub use layer::{Choose, SplitLayer, SplitService};
pub use route_by_header::{RouteByHeader, RouteByHeaderConfig, Rule};
pub use weighted::{HashOn, Split, TrafficSplit, TrafficSplitConfig};
