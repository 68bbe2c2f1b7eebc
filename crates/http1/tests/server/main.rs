//! The server's side of a connection: what a client sends byte by byte, what the service sees of it,
//! and what comes back byte by byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "also for what tests share"
)]

mod body;
mod exchange;
mod fuzz;
mod gone;
mod harness;
mod malformed;
mod memory;
mod oracle;
mod shut_down;
mod upgrade;
