#![doc = include_str!("../README.md")]
#![doc = include_str!("LIFECYCLE.md")]

mod alike;
mod asked;
mod balancing;
mod base;
mod certificates;
mod compile;
mod concerned;
mod control;
mod credentials;
mod directory;
mod explain;
mod load;
mod loads;
mod order;
mod overrides;
mod plans;
mod policies;
mod problem;
mod registry;
mod resolve;
mod routed;
mod scope;
mod shown;
mod stages;
mod table;
mod tasks;
mod watch;

pub use base::Base;
pub use compile::{Destinations, Runtime, TargetName, compile};
pub use control::{Control, Prepared};
pub use explain::{
    ExplainRequest, Explanation, PassedOver, ShownAnswer, ShownCandidate, ShownPlugin, ShownTarget, ShownUpstream,
};
pub use load::LoadError;
pub use loads::report_load;
pub use problem::CompileProblem;
pub use registry::{Band, Built, PluginKind, Registry};
pub use table::Table;
pub use towergate_core::{AddressHealth, TargetHealth, UpstreamHealth};
pub use watch::{Publisher, Watched};
