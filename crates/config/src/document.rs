//! The text of a configuration as a tree in which every key and value knows its line and column.
//!
//! YAML and JSON end up in the same tree, so whatever comes after does not care which was written.
//! The tree is ours: the libraries that read text are known to the modules `yaml` and `json` only.

mod fields;
mod json;
mod limits;
mod scalar;
mod yaml;

use std::fmt;

pub use limits::Limits;
pub(crate) use scalar::reads_as_string;

use crate::source::Source;

/// A place in a text: line and column, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1. 0 means "no place", as for a value that came through an API as parsed JSON.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Position {
    pub(crate) fn new(line: usize, column: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: narrow(line), column: narrow(column) }
    }
}

/// One value of the tree and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub at: Position,
    /// What it is.
    pub value: Value,
}

/// What a [`Node`] holds. Numbers without a fraction are always `Int`, as Lua has only one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    String(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in written order, without duplicate keys.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Where the key begins.
    pub at: Position,
    /// Its text.
    pub name: Box<str>,
}

/// Why a text is not a document: what is wrong and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where reading stopped.
    pub at: Position,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.at.line, self.at.column, self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// Reads `source` as JSON or YAML.
///
/// The ending of its name decides (`.json`; `.yml`, `.yaml`). With any other name JSON is tried
/// first and YAML next, as Kong does with text that reaches it without a file name.
///
/// # Errors
/// [`SyntaxError`] for anything that is not one well-formed document within `limits`.
pub fn parse(source: &Source, limits: &Limits) -> Result<Node, SyntaxError> {
    limits.check_size(source.text.len())?;
    match source.format() {
        Format::Json => json::parse(&source.text, limits),
        Format::Yaml => yaml::parse(&source.text, limits),
        Format::Unknown if !looks_like_json(&source.text) => yaml::parse(&source.text, limits),
        Format::Unknown => {
            json::parse(&source.text, limits).or_else(|in_json| yaml::parse(&source.text, limits).map_err(|_| in_json))
        }
    }
}

/// How a text is to be read, by the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    Unknown,
}

fn looks_like_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '['])
}

impl Node {
    /// A node without a place, from JSON that was parsed elsewhere.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let value = match value {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match n.as_i64() {
                Some(whole) => Value::Int(whole),
                None => scalar::number(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::String(text.as_str().into()),
            Json::Array(items) => Value::List(items.iter().map(Self::from_json).collect()),
            Json::Object(fields) => Value::Map(fields.iter().map(pair_from_json).collect()),
        };
        Self { at: Position::default(), value }
    }

    /// The tree as JSON, without places. Infinite and undefined numbers become `null`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(n) => Json::from(*n),
            Value::Float(n) => Json::from(*n),
            Value::String(text) => Json::from(&**text),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(fields) => Json::Object(fields.iter().map(|(k, v)| (k.name.to_string(), v.to_json())).collect()),
        }
    }

    /// The value under `name`, if this is a mapping that has it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.entry(name).map(|(_, node)| node)
    }

    /// Key and value under `name`, if this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&(Key, Self)> {
        match &self.value {
            Value::Map(fields) => fields.iter().find(|(key, _)| &*key.name == name),
            _ => None,
        }
    }

    /// The text, if this is a text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, if this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

fn pair_from_json((name, value): (&String, &serde_json::Value)) -> (Key, Node) {
    (Key { at: Position::default(), name: name.as_str().into() }, Node::from_json(value))
}
