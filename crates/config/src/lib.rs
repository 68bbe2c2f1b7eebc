//! Kong's declarative configuration and settings *as written*: parse, validate, resolve references.
//!
//! No tokio, no tower: text goes in, a validated [`Config`] or a full [`Report`] of problems comes out.
//!
//! * [`parse`] takes YAML or JSON, nested or flat, in one text or several, and a [`Catalog`] of the
//!   plugins there are. All problems are told at once, in Kong's words, each with its line and column.
//! * [`Settings::load`] takes kong.conf and `KONG_*` variables.
//! * [`entities`] are Kong's entities as structs, with their rules.
//!
//! What loads but does nothing yet in this version, or cannot work, comes back as [`Warning`]s.
//!
//! # Example
//! ```
//! use std::collections::HashMap;
//! use towergate_config::{Source, parse};
//!
//! let text = "_format_version: \"3.0\"
//! services:
//! - name: users
//!   url: http://users:3000
//!   routes:
//!   - name: users-api
//!     paths: [/users]
//! ";
//! let no_plugins = HashMap::new();
//! let loaded = parse(vec![Source::new("kong.yml", text)], &no_plugins).unwrap();
//! assert_eq!(loaded.config.services[0].port, 3000);
//! assert_eq!(loaded.config.routes[0].service, Some(loaded.config.services[0].id));
//!
//! let report = parse(vec![Source::new("kong.yml", text.replace("paths", "path"))], &no_plugins).unwrap_err();
//! assert_eq!(
//!     report.problems()[1].to_string(),
//!     "kong.yml:7:5: services[0].routes[0].path: unknown field"
//! );
//! assert_eq!(report.problems()[1].hint.as_deref(), Some("did you mean `paths`?"));
//! ```

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
    Catalog, Kind, Loaded, Options, PluginLookup, PluginSchema, hash, parse, parse_value, parse_value_with, parse_with,
};
pub use document::{Limits, Position};
#[doc(hidden)]
pub use fuzz::fuzz_entry;
pub use report::{Problem, Report};
pub use settings::Settings;
pub use source::{ReadError, Source, read};
pub use vault::Environment;
pub use warning::Warning;
