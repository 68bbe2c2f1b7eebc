//! Listeners, workers and connections: from an accepted socket to the gateway's stack.

mod accept;
mod activity;
mod answer;
mod config;
mod connection;
mod framing;
mod hop;
mod listener;
mod networks;
mod protocol_check;
mod real_ip;
mod request_body;
mod request_check;
mod routing;
mod stamp;
mod stats;
mod stream;
mod worker;

pub use config::{Limits, RealIp, ServerConfig, Timeouts, Tokens};
pub use listener::{Listen, ListenError, Listeners};
pub use request_body::ClientBodyError;
pub use stats::{Snapshot, Stats};
pub use worker::{Drained, Stack, Workers};
