//! Configuration compiled to plans, carried over and swapped atomically under running traffic.
//!
//! [`compile`] is pure: it turns a [`Config`](towergate_config::Config) into a [`Runtime`], or tells
//! every problem. [`Control`] holds the one in force and puts another in its place; workers read
//! theirs through [`Watched`] tables and never wait for it. The [`Registry`] says which plugins
//! there are.
#![doc = include_str!("LIFECYCLE.md")]

mod compile;
mod control;
mod directory;
mod load;
mod problem;
mod registry;
mod resolve;
mod scope;
mod table;
mod tasks;
mod watch;

pub use compile::{Destinations, Runtime, compile};
pub use control::Control;
pub use load::LoadError;
pub use problem::CompileProblem;
pub use registry::{Band, Built, PluginKind, Registry};
pub use table::Table;
pub use watch::{Publisher, Watched};
