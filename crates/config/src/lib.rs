#![doc = include_str!("../README.md")]
//!
//! # Where to look
//! * [`parse`] takes texts and a [`Catalog`] of the plugins there are; [`Report`] holds all [`Problem`]s.
//! * [`Settings::load`] takes kong.conf and `KONG_*` variables.
//! * [`entities`] are Kong's entities as structs, with their rules.
//! * What loads but does nothing yet in this version, or cannot work, comes back as [`Warning`]s.

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
    Catalog, Kind, Loaded, Options, PluginLookup, PluginSchema, hash, parse, parse_entities, parse_value,
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
