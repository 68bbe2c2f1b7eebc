//! The client connection against peers scripted byte by byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_enum_variant,
    reason = "also for what tests share"
)]

mod connection;
mod fuzz;
mod oracle;
mod requests;
mod responses;
mod support;
mod timeouts;
