//! Entries to an HTTP server.

mod config;
mod plugin;

pub use self::{config::HttpLogConfig, plugin::HttpLog};
