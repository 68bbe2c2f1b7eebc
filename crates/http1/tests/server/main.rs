//! The server's side of a connection: what a client sends byte by byte, what the service sees of it,
//! and what comes back byte by byte.

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
