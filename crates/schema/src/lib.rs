//! Kong's schema language for Rust types: validation with Kong's words, defaults, and schemas as data.
//!
//! # Example
//! ```
//! use serde::Deserialize;
//! use serde_json::json;
//! use towergate_schema::{RecordSchema, Schema, message};
//!
//! #[derive(Debug, Deserialize, Schema)]
//! struct KeyAuth {
//!     /// Names under which a key is looked for.
//!     #[schema(required, default = ["apikey"])]
//!     key_names: Vec<String>,
//!     /// Refuses ports that are none.
//!     #[schema(between(0, 65535))]
//!     port: Option<u16>,
//! }
//!
//! let record = KeyAuth::record();
//! let mut value = json!({});
//! assert!(record.complete(&mut value).is_empty());
//! assert_eq!(value, json!({"key_names": ["apikey"], "port": null}));
//!
//! let problems = record.complete(&mut json!({"port": 70000, "prot": 1}));
//! assert_eq!(
//!     message(&problems),
//!     "2 schema violations (port: value should be between 0 and 65535; prot: unknown field)"
//! );
//! ```

mod check;
mod complete;
mod field;
mod foreign;
mod kinds;
mod lua;
mod path;
mod problem;
mod record;
mod report;
mod rule;
mod shorthand;
mod vault;

pub use check::{Check, Condition, Conditional, ConditionalAtLeastOneOf, Custom, RecordCheck};
pub use field::{Bounds, Deprecation, Field, Kind};
pub use foreign::Reference;
pub use kinds::{RecordSchema, Schema, record};
pub use path::{Path, Segment};
pub use problem::{ENTITY, Problem};
pub use record::Record;
pub use report::{fields, message};
pub use rule::{CustomCheck, Pattern, Rule};
pub use shorthand::{Expand, Shorthand, Target};
pub use towergate_schema_derive::Schema;
pub use vault::is_reference;

/// What the derived code needs; not for others.
#[doc(hidden)]
pub mod __private {
    pub use serde_json;
}
