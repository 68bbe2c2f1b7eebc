//! Why a change is refused: Kong's error objects.

use serde_json::{Map, Value, json};
use towergate_schema::Problem;
use uuid::Uuid;

use super::Named;
use crate::declarative::Kind;
use crate::lua_text;

/// What kind of refusal it is, by Kong's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// What should be an id is none.
    InvalidPrimaryKey = 1,
    /// A field is wrong.
    SchemaViolation = 2,
    /// There is an entity with this id.
    PrimaryKeyViolation = 3,
    /// A reference leads nowhere, or somebody refers to what was to be deleted.
    ForeignKeyViolation = 4,
    /// Another entity has this value already.
    UniqueViolation = 5,
    /// There is no such entity.
    NotFound = 6,
    /// What should be an `offset` is none.
    InvalidOffset = 7,
    /// The `size` of a page is none.
    InvalidSize = 9,
    /// An argument of the query is wrong.
    InvalidOptions = 11,
    /// Without a database nothing is written.
    OperationUnsupported = 12,
    /// A reference by name leads nowhere.
    ForeignKeysUnresolved = 13,
    /// Somebody needs what was to be deleted.
    ReferencedByOthers = 19,
}

impl Code {
    /// Kong's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidPrimaryKey => "invalid primary key",
            Self::SchemaViolation => "schema violation",
            Self::PrimaryKeyViolation => "primary key violation",
            Self::ForeignKeyViolation => "foreign key violation",
            Self::UniqueViolation => "unique constraint violation",
            Self::NotFound => "not found",
            Self::InvalidOffset => "invalid offset",
            Self::InvalidSize => "invalid size",
            Self::InvalidOptions => "invalid options",
            Self::OperationUnsupported => "operation unsupported",
            Self::ForeignKeysUnresolved => "foreign keys unresolved",
            Self::ReferencedByOthers => "referenced by others",
        }
    }

    /// The HTTP status of an answer with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UniqueViolation => 409,
            Self::NotFound => 404,
            Self::OperationUnsupported => 405,
            _ => 400,
        }
    }
}

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// What kind of refusal it is.
    pub code: Code,
    /// What is wrong, in Kong's words.
    pub message: String,
    /// What is wrong by field, where fields are wrong.
    pub fields: Option<Value>,
}

impl Refusal {
    /// Kong's error object.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({ "code": self.code as u8, "name": self.code.name(), "message": self.message });
        if let (Value::Object(body), Some(fields)) = (&mut body, &self.fields) {
            let name = if self.code == Code::InvalidOptions { "options" } else { "fields" };
            body.insert(name.to_owned(), fields.clone());
        }
        body
    }

    /// Fields are wrong.
    #[must_use]
    pub fn schema_violation(problems: &[Problem]) -> Self {
        let fields = Some(towergate_schema::fields(problems));
        Self { code: Code::SchemaViolation, message: towergate_schema::message(problems), fields }
    }

    /// An argument of the query is wrong.
    #[must_use]
    pub fn invalid_option(name: &str, why: &str) -> Self {
        let message = format!("invalid option ({name}: {why})");
        Self { code: Code::InvalidOptions, message, fields: Some(json!({ name: why })) }
    }

    /// The size of a page is wrong.
    #[must_use]
    pub fn invalid_size(why: &str) -> Self {
        Self { code: Code::InvalidSize, message: why.to_owned(), fields: None }
    }

    /// That is no place to go on from.
    #[must_use]
    pub fn invalid_offset(offset: &str, why: &str) -> Self {
        let message = format!("'{offset}' is not a valid offset: {why}");
        Self { code: Code::InvalidOffset, message, fields: None }
    }

    /// There is no such entity.
    #[must_use]
    pub fn not_found(kind: Kind, named: &Named) -> Self {
        let (with, fields) = match named {
            Named::Id(id) => ("primary key ", json!({ "id": id })),
            Named::Key(key) => ("", json!({ kind.endpoint_key().unwrap_or("id"): key })),
        };
        let message = format!("could not find the entity with {with}'{}'", lua_text::table(&fields));
        Self { code: Code::NotFound, message, fields: Some(fields) }
    }

    /// What should be an id is none.
    #[must_use]
    pub fn invalid_primary_key() -> Self {
        let fields = json!({ "id": "expected a valid UUID" });
        let message = format!("invalid primary key: '{}'", lua_text::table(&fields));
        Self { code: Code::InvalidPrimaryKey, message, fields: Some(fields) }
    }

    pub(super) fn primary_key_violation(id: Uuid) -> Self {
        let fields = json!({ "id": id });
        let message = format!("primary key violation on key '{}'", lua_text::table(&fields));
        Self { code: Code::PrimaryKeyViolation, message, fields: Some(fields) }
    }

    pub(super) fn unique_violation(fields: Map<String, Value>) -> Self {
        let fields = Value::Object(fields);
        let message = format!("UNIQUE violation detected on '{}'", lua_text::table(&fields));
        Self { code: Code::UniqueViolation, message, fields: Some(fields) }
    }

    pub(super) fn no_such_reference(field: &str, of: Kind, id: Uuid) -> Self {
        let key = json!({ "id": id });
        let shown = lua_text::table(&key);
        let message = format!("the foreign key '{shown}' does not reference an existing '{}' entity.", of.name());
        Self { code: Code::ForeignKeyViolation, message, fields: Some(json!({ field: key })) }
    }

    pub(super) fn referenced_by(child: Kind, parent: Kind) -> Self {
        let (child, parent) = (child.name(), parent.name());
        let message = format!("an existing '{child}' entity references this '{parent}' entity");
        Self { code: Code::ForeignKeyViolation, message, fields: Some(json!({ "@referenced_by": child })) }
    }

    pub(super) fn needed(authority: Uuid, by: Kind, id: Uuid) -> Self {
        let message = format!("ca certificate {authority} is still referenced by {} (id = {id})", by.name());
        Self { code: Code::ReferencedByOthers, message, fields: None }
    }

    /// `fields` are the fields that name others, each with the names that lead nowhere.
    pub(super) fn unresolved(fields: Map<String, Value>) -> Self {
        let named = fields.iter().flat_map(|(field, names)| {
            let names = names.as_object().into_iter().flatten();
            names.map(move |(name, why)| format!("{field}.{name}: {}", why.as_str().unwrap_or_default()))
        });
        let texts: Vec<_> = named.collect();
        let message = match texts.as_slice() {
            [only] => format!("foreign key unresolved ({only})"),
            _ => format!("{} foreign keys unresolved ({})", texts.len(), texts.join("; ")),
        };
        Self { code: Code::ForeignKeysUnresolved, message, fields: Some(Value::Object(fields)) }
    }

    pub(super) fn unsupported(operation: &str, kind: Kind, named: Option<&Named>) -> Self {
        let by = match (named, kind.endpoint_key()) {
            (Some(Named::Key(_)), Some(field)) => format!(" by '{field}'"),
            _ => String::new(),
        };
        let message = format!("cannot {operation} '{}' entities{by} when not using a database", kind.name());
        Self { code: Code::OperationUnsupported, message, fields: None }
    }
}
