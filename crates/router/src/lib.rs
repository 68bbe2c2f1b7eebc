#![doc = include_str!("../README.md")]

mod branch;
mod conditions;
mod error;
mod header;
mod host;
mod index;
mod matched;
mod name;
pub mod path;
mod priority;
mod rank;
mod regex;
mod request;
mod router;
mod rule;
mod set;

pub use error::RuleError;
pub use host::{HostError, split_host};
pub use matched::{Captures, Match};
pub use rank::{Ahead, Rank};
pub use request::{Request, Scheme};
pub use router::{Candidate, Router};
pub use rule::{Address, Network, NetworkError, ProtocolError, Protocols, Rule};
