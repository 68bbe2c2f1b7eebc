//! What a client gets from, and an upstream sees of, proxied requests: real sockets, every byte written out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "also for what tests share")]

mod bodies;
mod connections;
mod frames;
mod gate;
mod h2_peer;
mod heads;
mod http2;
mod http2_connections;
mod http2_timeouts;
mod retries;
mod retry_rules;
mod support;
mod timeouts;
mod tls;
