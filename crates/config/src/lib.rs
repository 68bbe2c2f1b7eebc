#![doc = include_str!("../README.md")]
//!
//! # Where to look
//! * [`parse`] takes texts and a [`Catalog`] of the plugins there are; [`Report`] holds all [`Problem`]s.
//! * [`Settings::load`] takes kong.conf and `KONG_*` variables.
//! * [`entities`] are Kong's entities as structs, with their rules.
//! * What loads but does nothing yet in this version, or cannot work, comes back as [`Warning`]s.

mod completion;
mod config;
mod declarative;
pub mod document;
mod edit;
pub mod entities;
mod excerpt;
mod export;
mod fuzz;
mod index;
mod later;
mod lints;
mod list;
mod lua_text;
mod report;
mod secrets;
pub mod settings;
mod source;
mod suggest;
pub mod vault;
mod warning;
mod yaml_text;

pub use config::{AnyEntity, Config};
pub use declarative::{
    Catalog, Foreign, Kind, Loaded, Options, PluginLookup, PluginSchema, hash, parse, parse_entities, parse_value,
    parse_value_with, parse_with,
};
pub use document::{Limits, Position};
pub use edit::{Changed, Code, Edit, Named, Refusal, Restore, Written};
#[doc(hidden)]
pub use fuzz::fuzz_entry;
pub use index::Index;
pub use list::{Difference, Iter, List};
pub use report::{Problem, Report};
pub use settings::Settings;
pub use source::{ReadError, Source, read};
pub use vault::Environment;
pub use warning::Warning;
