//! Kong's declarative configuration and settings *as written*: parse, validate, resolve references.
//!
//! No tokio, no tower: text goes in, a validated configuration or a full report of problems comes out.

pub mod document;
pub mod settings;
mod source;
pub mod vault;

pub use document::{Limits, Position};
pub use settings::Settings;
pub use source::{ReadError, Source, read};
pub use vault::Environment;
