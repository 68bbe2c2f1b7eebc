//! The harness of the whole-gateway tests.
//!
//! A test starts the real `towergate` binary ([`Gateway`]) in front of scripted upstreams ([`Upstream`]), speaks to it byte by
//! byte ([`Connection`], [`Request`]), in HTTP/2 by the book ([`Http2`]) or frame by frame ([`Frames`]), and compares what came back ([`Answer`]) and what arrived ([`Received`]) with what Kong
//! documents. Everything here panics with a message for a person when the unexpected happens; only a transfer that breaks is a
//! value ([`Broken`]), because tests ask for it.
//!
//! Nothing sleeps for luck: [`eventually`] waits for a condition, with a limit.

mod answer;
mod binary;
mod black_hole;
mod bulk;
mod case;
mod client;
mod dns_server;
mod document;
mod exchange;
mod fault_proxy;
mod frame;
mod frames;
mod framing;
mod gateway;
mod head;
mod headers;
mod http2;
mod patient;
mod port;
pub mod postgres;
mod prometheus;
mod reading;
mod redis;
mod request;
mod script;
mod setup;
pub mod sockets;
mod tls;
mod tools;
mod trial;
mod upstream;
mod wait;

pub use answer::{Answer, Broken};
pub use binary::binary;
pub use black_hole::BlackHole;
pub use bulk::{Bulk, Delimiting, Pipe, Progress, Transferred};
pub use case::{Allowed, BOTH, Case, FIRST, NONE, PERHAPS_BOTH, PERHAPS_FIRST, PERHAPS_TAIL, TAIL, hold};
pub use client::Connection;
pub use dns_server::DnsServer;
pub use document::{proxying, proxying_to};
pub use exchange::{answering, echoing, forwarded, returned};
pub use fault_proxy::{Fault, FaultProxy};
pub use frame::{Frame, code, flag, kind};
pub use frames::Frames;
pub use gateway::{Exit, Gateway};
pub use headers::Headers;
pub use http2::{Http2, Stream, get, post};
pub use patient::uninterrupted;
pub use port::Port;
pub use postgres::{Database, Postgres};
pub use prometheus::{Prometheus, check_metrics, promtool};
pub use reading::{Exact, Reading};
pub use redis::Redis;
pub use request::Request;
pub use script::{Gate, LAST_CHUNK, Reply, Script, chunk};
pub use setup::{Failure, Setup, run, run_with};
pub use tls::{Authority, Call, Certificate, Handshake, TlsClient, TlsFront};
pub use tokio_tungstenite::tungstenite;
pub use tools::tool;
pub use trial::{Ending, Outcome, Trial};
pub use upstream::{Received, Upstream};
pub use wait::{SOON, eventually, eventually_some};

/// What the gateway calls itself in `Server` and `Via`, where Kong says `kong/<version>`.
pub const PRODUCT: &str = concat!("towergate/", env!("CARGO_PKG_VERSION"));

/// The Kong version whose dialect the Admin API speaks.
pub const KONG_VERSION: &str = "3.9.3";
