//! HTTP/1.1 over any stream, driven by the task that uses it: a server connection and a client
//! connection.

pub mod client;
pub mod server;
