//! What a client gets from, and an upstream sees of, proxied requests: real sockets, every byte written out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "also for what tests share")]

mod bodies;
mod connections;
mod heads;
mod retries;
mod support;
mod timeouts;
mod tls;
