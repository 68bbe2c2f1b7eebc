#![doc = include_str!("../README.md")]

mod access;
mod entry;
mod file;

pub use access::{AccessLog, Format};
pub use entry::write as write_entry;
pub use file::{FileLog, FileLogConfig, Lines, Writer};
