#![doc = include_str!("../README.md")]

mod balance;
mod consistent_hash;
mod ejection;
mod failover;
mod latency;
mod least_connections;
mod load;
mod pick;
mod round_robin;
mod shares;
mod sticky;
mod tournament;
mod two_choices;

pub use balance::{Balance, BalanceError, BalanceFuture, HashOf, Unhashed};
pub use consistent_hash::{ConsistentHash, hash};
pub use failover::{EveryError, Failed, Failover};
pub use latency::PeakEwma;
pub use least_connections::LeastConnections;
pub use pick::Pick;
pub use round_robin::RoundRobin;
pub use sticky::{Sticky, Stuck};
pub use two_choices::TwoChoices;
