//! What may stand in one place: a type, rules, a default.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    record::Record,
    rule::{CustomCheck, Expression, Pattern, Rule},
};

/// The type of a value, in Kong's words.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Text; not empty unless a rule says otherwise.
    String,
    /// Any number.
    Number,
    /// A whole number (`1.0` is one too) that fits the Rust type behind it.
    Integer(Bounds),
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array(Box<Field>),
    /// A list without duplicates.
    Set(Box<Field>),
    /// Keys and values.
    Map(Box<Field>, Box<Field>),
    /// Named fields. Shared, because a schema is copied when plugins specialise it.
    Record(Arc<Record>),
    /// A reference to an entity of this collection (`services`), see [`crate::Reference`].
    Foreign(&'static str),
    /// Any JSON.
    Any,
}

/// What the Rust type behind an integer can hold; both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least value.
    pub min: i128,
    /// The greatest value.
    pub max: i128,
}

impl Bounds {
    /// Everything an `i64` holds.
    pub const ALL: Self = Self { min: i64::MIN as i128, max: i64::MAX as i128 };
}

/// How a field that is going away is spoken of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Deprecation {
    /// What to use instead.
    pub message: String,
    /// The version that removes it.
    pub removal_in_version: Option<String>,
    /// A value that is not worth a warning, because it was the default.
    pub old_default: Option<Value>,
}

impl Deprecation {
    /// Going away, and what to use instead.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The version that removes it.
    #[must_use]
    pub fn removed_in(mut self, version: impl Into<String>) -> Self {
        self.removal_in_version = Some(version.into());
        self
    }

    /// A value that is not worth a warning.
    #[must_use]
    pub fn old_default(mut self, value: impl Into<Value>) -> Self {
        self.old_default = Some(value.into());
        self
    }
}

/// What may stand in one place: a type, rules in Kong's order, a default, and what is said about it.
#[derive(Debug, Clone)]
pub struct Field {
    /// The type.
    pub kind: Kind,
    /// Kong's `required`: null is refused.
    pub required: bool,
    /// Whether the place can hold null (an `Option` in Rust). Where it cannot, null is taken for *not given*.
    pub nullable: bool,
    /// The value when none is given.
    pub default: Option<Value>,
    /// The rules, in the order in which they are checked.
    pub rules: Vec<Rule>,
    /// The text that replaces those of the rules.
    pub message: Option<String>,
    /// What the field means.
    pub description: Option<String>,
    /// The field is going away.
    pub deprecation: Option<Deprecation>,
    /// `{vault://…}` stands for a secret that is read at run time.
    pub referenceable: bool,
    /// The value is a secret to be encrypted at rest.
    pub encrypted: bool,
    /// No two entities may have the same value.
    pub unique: bool,
    /// Set once, never changed.
    pub immutable: bool,
    /// Made by the gateway when not given (`id`, `created_at`): missing is no problem here.
    pub auto: bool,
}

impl Field {
    /// A place for values of a type, without any rule.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            required: false,
            nullable: false,
            default: None,
            rules: Vec::new(),
            message: None,
            description: None,
            deprecation: None,
            referenceable: false,
            encrypted: false,
            unique: false,
            immutable: false,
            auto: false,
        }
    }

    /// Text.
    #[must_use]
    pub const fn string() -> Self {
        Self::new(Kind::String)
    }

    /// A number.
    #[must_use]
    pub const fn number() -> Self {
        Self::new(Kind::Number)
    }

    /// A whole number.
    #[must_use]
    pub const fn integer() -> Self {
        Self::new(Kind::Integer(Bounds::ALL))
    }

    /// `true` or `false`.
    #[must_use]
    pub const fn boolean() -> Self {
        Self::new(Kind::Boolean)
    }

    /// A list.
    #[must_use]
    pub fn array(element: Self) -> Self {
        Self::new(Kind::Array(Box::new(element)))
    }

    /// A list without duplicates.
    #[must_use]
    pub fn set_of(element: Self) -> Self {
        Self::new(Kind::Set(Box::new(element)))
    }

    /// Keys and values.
    #[must_use]
    pub fn map(key: Self, value: Self) -> Self {
        Self::new(Kind::Map(Box::new(key), Box::new(value)))
    }

    /// A nested record.
    #[must_use]
    pub fn record(record: Record) -> Self {
        Self::new(Kind::Record(Arc::new(record)))
    }

    /// A reference to an entity of the collection.
    #[must_use]
    pub const fn foreign_key(collection: &'static str) -> Self {
        Self::new(Kind::Foreign(collection))
    }

    /// Any JSON, null included.
    #[must_use]
    pub const fn any() -> Self {
        Self::new(Kind::Any).nullable()
    }

    /// Refuses null.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self.nullable = false;
        self
    }

    /// The place can hold null.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self.required = false;
        self
    }

    /// The value when none is given.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// Adds a rule at its place in Kong's order; it replaces one of the same kind, except that
    /// patterns and custom checks add up.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.apply(rule);
        self
    }

    pub(crate) fn apply(&mut self, rule: Rule) {
        if !rule.is_repeatable() {
            self.rules.retain(|present| present.rank() != rule.rank());
        }
        let place = self.rules.partition_point(|present| present.rank() <= rule.rank());
        self.rules.insert(place, rule);
    }

    /// Is one of these.
    #[must_use]
    pub fn one_of<V: Into<Value>>(self, options: impl IntoIterator<Item = V>) -> Self {
        self.rule(Rule::OneOf(options.into_iter().map(Into::into).collect()))
    }

    /// Is none of these.
    #[must_use]
    pub fn not_one_of<V: Into<Value>>(self, options: impl IntoIterator<Item = V>) -> Self {
        self.rule(Rule::NotOneOf(options.into_iter().map(Into::into).collect()))
    }

    /// Lies between the two, both included.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        self.rule(Rule::Between(low, high))
    }

    /// Has at least this many bytes, elements or entries.
    #[must_use]
    pub fn len_min(self, least: usize) -> Self {
        self.rule(Rule::LenMin(least))
    }

    /// Begins with this text.
    #[must_use]
    pub fn starts_with(self, prefix: impl Into<String>) -> Self {
        self.rule(Rule::StartsWith(prefix.into()))
    }

    /// Matches a regular expression; `message` replaces `invalid value: …`.
    ///
    /// # Panics
    /// If the expression is not valid. It is a constant of the program: whoever builds the schema once in a debug build
    /// sees it.
    #[must_use]
    pub fn pattern(self, expression: &str, message: Option<&str>) -> Self {
        let pattern = Pattern { regex: constant(expression), shown: None, message: message.map(str::to_owned) };
        self.rule(Rule::Match(pattern))
    }

    /// Like [`Field::pattern`], and shows `shown` (Kong's own Lua pattern) in `GET /schemas/…`.
    ///
    /// # Panics
    /// As [`Field::pattern`].
    #[must_use]
    pub fn pattern_as(self, expression: &str, shown: &str, message: Option<&str>) -> Self {
        let shown = Some(shown.to_owned());
        self.rule(Rule::Match(Pattern { regex: constant(expression), shown, message: message.map(str::to_owned) }))
    }

    /// Does not match a regular expression; `message` replaces `invalid value: …`.
    ///
    /// # Panics
    /// As [`Field::pattern`].
    #[must_use]
    pub fn not_pattern(self, expression: &str, message: Option<&str>) -> Self {
        let pattern = Pattern { regex: constant(expression), shown: None, message: message.map(str::to_owned) };
        self.rule(Rule::NotMatch(pattern))
    }

    /// Adds a check written in Rust. It sees values of the right type only.
    #[must_use]
    pub fn custom(self, check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static) -> Self {
        let check: CustomCheck = Arc::new(check);
        self.rule(Rule::Custom(check))
    }

    /// Replaces the texts of the rules.
    #[must_use]
    pub fn message(mut self, text: impl Into<String>) -> Self {
        self.message = Some(text.into());
        self
    }

    /// Says what the field means.
    #[must_use]
    pub fn describe(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Marks it as going away.
    #[must_use]
    pub fn deprecated(mut self, deprecation: Deprecation) -> Self {
        self.deprecation = Some(deprecation);
        self
    }

    /// Accepts `{vault://…}`.
    #[must_use]
    pub const fn referenceable(mut self) -> Self {
        self.referenceable = true;
        self
    }

    /// Is a secret to be encrypted at rest.
    #[must_use]
    pub const fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    /// Is unique among its kind.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Is set once.
    #[must_use]
    pub const fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }

    /// Is made by the gateway when not given.
    #[must_use]
    pub const fn auto(mut self) -> Self {
        self.auto = true;
        self
    }

    /// Turns a list into a set.
    #[must_use]
    pub fn set(mut self) -> Self {
        self.kind = match self.kind {
            Kind::Array(element) => Kind::Set(element),
            other => other,
        };
        self
    }

    /// Changes what the elements of a list, set or map are.
    #[must_use]
    pub fn elements(mut self, change: impl FnOnce(Self) -> Self) -> Self {
        if let Kind::Array(element) | Kind::Set(element) = &mut self.kind {
            **element = change((**element).clone());
        }
        self
    }

    /// Changes what the keys of a map are.
    #[must_use]
    pub fn keys(mut self, change: impl FnOnce(Self) -> Self) -> Self {
        if let Kind::Map(key, _) = &mut self.kind {
            **key = change((**key).clone());
        }
        self
    }

    /// Changes what the values of a map are.
    #[must_use]
    pub fn values(mut self, change: impl FnOnce(Self) -> Self) -> Self {
        if let Kind::Map(_, value) = &mut self.kind {
            **value = change((**value).clone());
        }
        self
    }

    /// Says what it is a reference to.
    #[must_use]
    pub fn foreign(mut self, collection: &'static str) -> Self {
        self.kind = Kind::Foreign(collection);
        self
    }

    /// Gives it another type.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Takes type, rules and flags of a ready-made field, see [`crate::typedefs`]. What was said before of default,
    /// description and flags stays; so does whether it can be null, and a whole number still has to fit.
    #[must_use]
    pub fn like(self, other: Self) -> Self {
        let kind = match (self.kind, other.kind) {
            (Kind::Integer(own), Kind::Integer(_)) => Kind::Integer(own),
            (_, kind) => kind,
        };
        Self {
            kind,
            nullable: self.nullable,
            required: (self.required || other.required) && !self.nullable,
            default: self.default.or(other.default),
            rules: other.rules,
            message: other.message,
            description: self.description.or(other.description),
            deprecation: self.deprecation.or(other.deprecation),
            referenceable: self.referenceable || other.referenceable,
            encrypted: self.encrypted || other.encrypted,
            unique: self.unique || other.unique,
            immutable: self.immutable || other.immutable,
            auto: self.auto || other.auto,
        }
    }

    /// The nested record, if it is one.
    #[must_use]
    pub fn as_record(&self) -> Option<&Record> {
        match &self.kind {
            Kind::Record(record) => Some(record),
            _ => None,
        }
    }
}

fn constant(expression: &str) -> Arc<Expression> {
    Arc::new(Expression::constant(expression))
}
