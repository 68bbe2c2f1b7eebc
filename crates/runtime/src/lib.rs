#![doc = include_str!("../README.md")]
#![doc = include_str!("LIFECYCLE.md")]

mod asked;
mod base;
mod certificates;
mod compile;
mod control;
mod credentials;
mod directory;
mod load;
mod problem;
mod registry;
mod resolve;
mod scope;
mod table;
mod tasks;
mod watch;

pub use base::Base;
pub use compile::{Destinations, Runtime, compile};
pub use control::Control;
pub use load::LoadError;
pub use problem::CompileProblem;
pub use registry::{Band, Built, PluginKind, Registry};
pub use table::Table;
pub use watch::{Publisher, Watched};
