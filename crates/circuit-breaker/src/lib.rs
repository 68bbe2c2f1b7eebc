#![doc = include_str!("../README.md")]

mod circuit;
mod circuits;
mod config;
mod failures;
mod judge;
mod layer;
mod policy;
mod rules;
mod service;
mod state;
mod targets;
mod watch;
mod word;

#[doc = include_str!("LIFECYCLE.md")]
pub mod lifecycle {}

pub use circuit::{Change, Circuit, Refused, Snapshot, State, Ticket, Verdict};
pub use config::{CircuitBreakerConfig, FailureError, Scope};
pub use judge::{EveryError, Judge};
pub use layer::{CircuitBreakerBuilder, CircuitBreakerLayer};
pub use policy::{CircuitBreaker, Clock};
pub use rules::{Reason, Rules};
pub use service::{CircuitBreakerFuture, CircuitBreakerService};
