//! Lines on their way to files, written by a thread of their own.

mod config;
mod plugin;
mod target;
mod writer;

pub use self::{
    config::FileLogConfig,
    plugin::FileLog,
    writer::{Lines, Writer, lines_lost},
};
