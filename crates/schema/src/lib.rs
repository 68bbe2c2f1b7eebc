#![doc = include_str!("../README.md")]
//!
//! # Where to look
//! * [`Record::complete`]: defaults and problems; [`fields`] and [`message`] shape these as Kong's Admin API does.
//! * [`Record::describe`], [`Record::json_schema`], [`Record::reference`]: the schema for Kong's tools, for editors, for
//!   people.
//! * [`Record::merge`]: changes to a value; [`Record::show_old_names`] and [`Record::deprecations`]: what is going away.
//! * [`checks`] and [`typedefs`]: ready-made checks and fields; [`Field`]: schemas made by hand.
//!
//! # Types
//! `String`, `bool`, integers (their range is checked), `f32`/`f64`, `Uuid`, `Vec` (array), `BTreeSet`/`HashSet` (set),
//! `BTreeMap`/`HashMap` (map), [`Reference`] (foreign key), `serde_json::Value` (any JSON), other types that derive
//! `Schema` (structs are records, enums of plain names are texts, newtypes are what they wrap), and `Option` of these,
//! which can be null. A field that can neither be null nor has a default is required; a record is made of its fields'
//! defaults. Names follow serde's `rename` and `rename_all`; `flatten` and `skip` work too. Documentation comments are
//! the descriptions.
//!
//! # Attributes of a field
//! | written | meaning |
//! | --- | --- |
//! | `required`, `default = 5` | null is refused; what stands for a value that is not given |
//! | `one_of("a", "b")`, `not_one_of(…)`, `eq = x`, `ne = x` | which values; `eq = null` forbids all |
//! | `between(0, 9)`, `gt = 0`, `timestamp` | numbers |
//! | `len_min = 1`, `len_max = 9`, `len_eq = 3` | length in bytes, elements or entries; text is never empty unless `len_min = 0` |
//! | `starts_with = "/"`, `uuid`, `is_regex` | text |
//! | `pattern = "^[A-Z]+$"`, `pattern("…", shown = "^%u+$", message = "…")` | a regular expression that matches; as what it is shown; what is said otherwise |
//! | `not_pattern = "//"`, `not_pattern("//", message = "…")` | one that does not |
//! | `contains = "exp"`, `mutually_exclusive_subsets(["a"], ["b", "c"])` | lists |
//! | `elements(…)`, `keys(…)`, `values(…)` | attributes of what is inside |
//! | `set` | a list without duplicates |
//! | `custom = path` | `fn(&Value) -> Result<(), String>`, such as those in [`checks`] |
//! | `like = path` | type and rules of a ready-made field, such as those in [`typedefs`] |
//! | `message = "…"` | replaces the texts of the rules |
//! | `foreign = "services"` | the collection a [`Reference`] is to |
//! | `referenceable`, `encrypted`, `unique`, `immutable`, `auto` | see [`Field`] |
//! | `deprecated`, `deprecated = "…"`, `deprecated(message = "…", removal_in_version = "…", old_default = x)` | the field is going away |
//! | `name = "…"`, `description = "…"`, `kind = map(string, integer)`, `skip` | override what the Rust field says |
//!
//! # Attributes of a record
//! | written | meaning |
//! | --- | --- |
//! | `at_least_one_of("a", "b")`, `only_one_of(…)`, `mutually_required(…)`, `mutually_exclusive(…)`, `distinct(…)` | what holds between fields; names may have dots |
//! | `mutually_exclusive_sets(["a"], ["b", "c"])` | fields of the one are not set with fields of the other |
//! | `conditional(if_field = "a", if_match(eq = "x"), then_field = "b.c", then_match(required), then_err = "…")` | if one field meets its condition, the other must |
//! | `conditional_at_least_one_of(if_field = "a", if_match(…), then_at_least_one_of("b", "c"), then_err = "…")` | if it does, one of the others is not empty |
//! | `custom = path`, `custom(fields("a", "b"), check = path)` | `fn(&Map<String, Value>) -> Result<(), Vec<Problem>>` on valid fields |
//! | `owner(at_least_one_of("config.a", "config.b"), …)` | checks Kong makes one level further out, see [`Record::owner_check`] |
//! | `shorthand("redis_host", path = "redis.host", kind = string, …)` | an old name, with rules as a field has them |
//! | `shorthand_fn("url", kind = string, expand = path)` | a short form: `fn(Value) -> Result<Map<String, Value>, String>` |
//!
//! # What differs from Kong
//! * Null for a field that has a default and cannot be null counts as *not given*; Kong says `required field missing`.
//! * A problem of an old name is told where it stands (`config.redis_host`), and beside all others; Kong drops the
//!   prefix and stops there.
//! * Every entry of a map is told about in the path; `fields` and `message` show the first on the map itself, as Kong
//!   does.
//! * Patterns and `is_regex` are those of the `regex` crate: no look-around, no back-references.

pub mod checks;
pub mod typedefs;

mod check;
mod checking;
mod complete;
mod describe;
mod field;
mod foreign;
mod json_schema;
mod kinds;
mod lua;
mod manual;
mod path;
mod problem;
mod record;
mod report;
mod rule;
mod shorthand;
mod update;
mod vault;

pub use check::{Check, Condition, Conditional, ConditionalAtLeastOneOf, Custom, RecordCheck};
pub use field::{Bounds, Deprecation, Field, Kind};
pub use foreign::Reference;
pub use kinds::{RecordSchema, Schema, record};
pub use path::{Path, Segment};
pub use problem::{ENTITY, Problem};
pub use record::Record;
pub use report::{fields, message};
pub use rule::{CustomCheck, Expression, Pattern, Rule};
pub use shorthand::{Expand, Shorthand, Target};
pub use towergate_schema_derive::Schema;
pub use vault::is_reference;

/// What the derived code needs; not for others.
#[doc(hidden)]
pub mod __private {
    pub use serde_json;
}
