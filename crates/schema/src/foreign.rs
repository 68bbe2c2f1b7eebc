//! References from one entity to another.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    complete::REQUIRED,
    field::{Field, Kind},
    kinds::Schema,
    path::Trail,
    problem::Problem,
    rule::is_uuid,
};

/// A reference to another entity, as it is written; which collection it is in, the field says.
///
/// Written as `{"id": "…"}`, by the other's own name as `{"name": "…"}` (`username` for consumers and so on), or, in
/// declarative configuration, as a plain text that is an id or such a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By id.
    Id(Uuid),
    /// By the value of another unique field: `{"name": "example"}`.
    Key {
        /// The field, such as `name`.
        field: String,
        /// Its value.
        value: String,
    },
    /// By a plain text that is a name.
    Name(String),
}

impl Reference {
    /// The id, if the reference is by id.
    #[must_use]
    pub const fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Key { .. } | Self::Name(_) => None,
        }
    }

    /// The name, if the reference is not by id.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Id(_) => None,
            Self::Key { value, .. } => Some(value),
            Self::Name(name) => Some(name),
        }
    }

    fn from_text(text: String) -> Self {
        if is_uuid(&text)
            && let Ok(id) = Uuid::parse_str(&text)
        {
            return Self::Id(id);
        }
        Self::Name(text)
    }

    fn from_map(map: &Map<String, Value>) -> Option<Self> {
        if let Some(id) = map.get("id").filter(|id| !id.is_null()) {
            return id.as_str().filter(|id| is_uuid(id)).and_then(|id| Uuid::parse_str(id).ok()).map(Self::Id);
        }
        let (field, value) = key(map)?;
        Some(Self::Key { field: field.to_owned(), value: value.to_owned() })
    }
}

impl From<Uuid> for Reference {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Key { value, .. } => f.write_str(value),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => serializer.collect_map([("id", id.to_string())]),
            Self::Key { field, value } => serializer.collect_map([(field, value)]),
            Self::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::from_text(text)),
            Value::Object(map) => Self::from_map(&map)
                .ok_or_else(|| D::Error::custom("expected a reference: {\"id\": …}, {\"name\": …} or a plain text")),
            other => Err(D::Error::custom(format!("expected a reference, not {other}"))),
        }
    }
}

/// Of any collection; `#[schema(foreign = "services")]` says which.
impl Schema for Reference {
    fn field() -> Field {
        Field::new(Kind::Foreign(""))
    }
}

/// The one named field of a reference that has no id. Only text is looked at, so whole entities are references too
/// if they have but one text.
fn key(map: &Map<String, Value>) -> Option<(&str, &str)> {
    let mut texts = map.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let first = texts.next().filter(|(_, value)| !value.is_empty())?;
    texts.next().is_none().then_some(first)
}

/// Checks a reference that is not null; problems are reported on its `id`, as in Kong.
pub(crate) fn check(value: &Value, trail: Trail<'_>, problems: &mut Vec<Problem>) {
    let message = match value {
        Value::String(text) if text.is_empty() => "length must be at least 1",
        Value::String(_) => return,
        Value::Object(map) => match map.get("id") {
            None if key(map).is_some() => return,
            Some(Value::Null) if key(map).is_some() => return,
            None => "missing primary key",
            Some(Value::Null) => REQUIRED,
            Some(Value::String(id)) if is_uuid(id) => return,
            Some(Value::String(_)) => "expected a valid UUID",
            Some(_) => "expected a string",
        },
        _ => "missing primary key",
    };
    problems.push(Problem::new(trail.key("id").path(), message));
}
