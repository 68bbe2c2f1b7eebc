//! HTTP/2 to upstreams: connections that carry many requests at once, as gRPC needs them.
//!
//! | File | What it is |
//! | --- | --- |
//! | `pool.rs` | which connection a request goes on, and when a new one is made |
//! | `connection.rs` | one connection and the streams it has room for |
//! | `socket.rs` | its socket: tells what happens on it, gives up stalled writes |
//! | `head.rs` | the pseudo-headers of a request |
//! | `send.rs` | one request until the head of its response |
//! | `upload.rs` | the request's body, trailers included |
//! | `answer.rs` | the response's body, trailers included |
//! | `failure.rs` | what the protocol's errors mean to a proxy |
//!
//! The `h2` crate speaks the protocol. hyper's client over it would put a channel and one or two
//! tasks between a request and its stream, and keeps to itself how many streams the peer allows.
//! Here a connection has one task, and a request is driven by its own future; a task more is only
//! needed for a request that goes on after its response has begun.

mod answer;
mod connection;
mod failure;
mod head;
mod pool;
mod send;
mod socket;
mod stall;
mod upload;

pub(crate) use {answer::Answer, connection::Connection, head::head, pool::Pool, send::send};

use std::time::Duration;

use towergate_core::Service;

/// How long a request waits for its upstream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a connection, the exchange of settings included.
    pub(crate) connect: Duration,
    /// For room to send more.
    pub(crate) write: Duration,
    /// For the head of the response once the request is sent, and then for each next part of it.
    pub(crate) read: Duration,
}

impl From<&Service> for Patience {
    fn from(service: &Service) -> Self {
        Self { connect: service.connect_timeout, write: service.write_timeout, read: service.read_timeout }
    }
}
