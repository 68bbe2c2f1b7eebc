//! Kong's declarative configuration and settings *as written*: parse, validate, resolve references.
//!
//! No tokio, no tower: text goes in, a validated [`Config`] or a full [`Report`] of problems comes out.

mod config;
mod declarative;
pub mod document;
pub mod entities;
mod excerpt;
mod export;
mod fuzz;
mod later;
mod lints;
mod lua_text;
mod report;
pub mod settings;
mod source;
mod suggest;
pub mod vault;
mod warning;
mod yaml_text;

pub use config::Config;
pub use declarative::{
    Catalog, Kind, Loaded, Options, PluginLookup, PluginSchema, hash, parse, parse_value,
    parse_value_with, parse_with,
};
pub use document::{Limits, Position};
#[doc(hidden)]
pub use fuzz::fuzz_entry;
pub use report::{Problem, Report};
pub use settings::Settings;
pub use source::{ReadError, Source, read};
pub use vault::Environment;
pub use warning::Warning;
