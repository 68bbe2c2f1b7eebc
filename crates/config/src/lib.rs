//! Kong's declarative configuration and settings *as written*: parse, validate, resolve references.
//!
//! No tokio, no tower: text goes in, a validated [`Config`] or a full report of problems comes out.

pub mod document;
mod source;

pub use document::{Limits, Position};
pub use source::{ReadError, Source, read};
