//! The Admin API over a store in memory, asked without a socket.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod api;
mod bodies;
mod changes;
mod expiry;
mod kong;
mod lists;
mod nested;
mod read_only;
mod reference;
mod special;
mod together;
