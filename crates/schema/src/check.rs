//! What must hold between the fields of a record.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    field::{Field, Kind},
    problem::Problem,
    record::Record,
    rule::Rule,
};

/// A check of a whole record written in Rust. The paths of its problems start at the record.
pub type RecordCheck = Arc<dyn Fn(&Map<String, Value>) -> Result<(), Vec<Problem>> + Send + Sync>;

/// What must hold between fields. They are named with dots through nested records.
///
/// A check on a secret that is only known at run time is not made.
#[derive(Debug, Clone)]
pub enum Check {
    /// At least one is not empty.
    AtLeastOneOf(Vec<String>),
    /// Exactly one is not empty.
    OnlyOneOf(Vec<String>),
    /// No two have the same value.
    Distinct(Vec<String>),
    /// All or none are set.
    MutuallyRequired(Vec<String>),
    /// One or none is set.
    MutuallyExclusive(Vec<String>),
    /// Fields of the first list and fields of the second are not set together.
    MutuallyExclusiveSets(Vec<String>, Vec<String>),
    /// If one field meets its condition, the other must meet its own.
    Conditional(Conditional),
    /// If a field meets its condition, at least one of others is not empty.
    ConditionalAtLeastOneOf(ConditionalAtLeastOneOf),
    /// Whatever a function says.
    Custom(Custom),
}

/// If `if_field` meets `if_match`, `then_field` must meet `then_match`.
#[derive(Debug, Clone)]
pub struct Conditional {
    /// The field that decides.
    pub if_field: String,
    /// When it decides.
    pub if_match: Condition,
    /// The field that is then looked at.
    pub then_field: String,
    /// What it must be.
    pub then_match: Condition,
    /// The text instead of `failed conditional validation given value of field '…'`.
    pub then_err: Option<String>,
}

/// If `if_field` meets `if_match`, one of `then` must not be empty; otherwise, if it meets the condition of
/// `otherwise`, one of those.
#[derive(Debug, Clone)]
pub struct ConditionalAtLeastOneOf {
    /// The field that decides.
    pub if_field: String,
    /// When it decides.
    pub if_match: Condition,
    /// The fields of which one must not be empty.
    pub then: Vec<String>,
    /// The text instead of `at least one of these fields must be non-empty: …`.
    pub then_err: Option<String>,
    /// Another condition and its fields and text, looked at when the first is not met.
    pub otherwise: Option<(Condition, Vec<String>, Option<String>)>,
}

/// Rules that take the place of those the field itself has.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Whether null is refused.
    pub required: bool,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The field of the record under these rules.
    pub(crate) resolved: Field,
}

/// A check written in Rust.
#[derive(Clone)]
pub struct Custom {
    /// The fields it looks at: it is made if one of them is there and none has a problem. If there are none, it is
    /// made when the whole record has no problem.
    pub fields: Vec<String>,
    /// The check.
    pub check: RecordCheck,
}

impl Condition {
    /// Whatever meets these rules; a field built with [`Field::any`] serves to write them down.
    #[must_use]
    pub fn new(rules: Field) -> Self {
        Self { required: rules.required, rules: rules.rules, resolved: Field::any() }
    }

    fn resolve(&mut self, record: &Record, name: &str) {
        let mut field = record.at(name).cloned().unwrap_or_else(Field::any);
        // conditions about a list or record look at the whole, whose parts were checked before
        if !matches!(field.kind, Kind::String | Kind::Number | Kind::Integer(_) | Kind::Boolean) {
            field.kind = Kind::Any;
        }
        field.required |= self.required;
        for rule in &self.rules {
            field.apply(rule.clone());
        }
        self.resolved = field;
    }
}

impl Check {
    /// At least one is not empty.
    #[must_use]
    pub fn at_least_one_of(names: &[&str]) -> Self {
        Self::AtLeastOneOf(owned(names))
    }

    /// Exactly one is not empty.
    #[must_use]
    pub fn only_one_of(names: &[&str]) -> Self {
        Self::OnlyOneOf(owned(names))
    }

    /// No two have the same value.
    #[must_use]
    pub fn distinct(names: &[&str]) -> Self {
        Self::Distinct(owned(names))
    }

    /// All or none are set.
    #[must_use]
    pub fn mutually_required(names: &[&str]) -> Self {
        Self::MutuallyRequired(owned(names))
    }

    /// One or none is set.
    #[must_use]
    pub fn mutually_exclusive(names: &[&str]) -> Self {
        Self::MutuallyExclusive(owned(names))
    }

    /// Fields of the one list and fields of the other are not set together.
    #[must_use]
    pub fn mutually_exclusive_sets(first: &[&str], second: &[&str]) -> Self {
        Self::MutuallyExclusiveSets(owned(first), owned(second))
    }

    /// If one field meets its condition, the other must meet its own.
    #[must_use]
    pub fn conditional(if_field: &str, if_match: Field, then_field: &str, then_match: Field) -> Self {
        Self::Conditional(Conditional {
            if_field: if_field.to_owned(),
            if_match: Condition::new(if_match),
            then_field: then_field.to_owned(),
            then_match: Condition::new(then_match),
            then_err: None,
        })
    }

    /// If a field meets its condition, at least one of others is not empty.
    #[must_use]
    pub fn conditional_at_least_one_of(if_field: &str, if_match: Field, then: &[&str]) -> Self {
        Self::ConditionalAtLeastOneOf(ConditionalAtLeastOneOf {
            if_field: if_field.to_owned(),
            if_match: Condition::new(if_match),
            then: owned(then),
            then_err: None,
            otherwise: None,
        })
    }

    /// Whatever a function says of some fields, or of the whole record if none are named.
    #[must_use]
    pub fn custom(
        fields: &[&str],
        check: impl Fn(&Map<String, Value>) -> Result<(), Vec<Problem>> + Send + Sync + 'static,
    ) -> Self {
        Self::Custom(Custom { fields: owned(fields), check: Arc::new(check) })
    }

    /// The text of a conditional check that fails; `%s` in it stands for what Kong puts there.
    #[must_use]
    pub fn with_message(mut self, text: &str) -> Self {
        match &mut self {
            Self::Conditional(check) => check.then_err = Some(text.to_owned()),
            Self::ConditionalAtLeastOneOf(check) => check.then_err = Some(text.to_owned()),
            _ => {}
        }
        self
    }

    /// Looks up the fields the conditions are about.
    pub(crate) fn resolve(mut self, record: &Record) -> Self {
        match &mut self {
            Self::Conditional(check) => {
                check.if_match.resolve(record, &check.if_field);
                check.then_match.resolve(record, &check.then_field);
            }
            Self::ConditionalAtLeastOneOf(check) => {
                check.if_match.resolve(record, &check.if_field);
                if let Some((condition, ..)) = &mut check.otherwise {
                    condition.resolve(record, &check.if_field);
                }
            }
            _ => {}
        }
        self
    }

    /// The fields the check looks at.
    #[must_use]
    pub fn field_names(&self) -> Vec<&str> {
        match self {
            Self::AtLeastOneOf(names)
            | Self::OnlyOneOf(names)
            | Self::Distinct(names)
            | Self::MutuallyRequired(names)
            | Self::MutuallyExclusive(names) => names.iter().map(String::as_str).collect(),
            Self::MutuallyExclusiveSets(first, second) => first.iter().chain(second).map(String::as_str).collect(),
            Self::Conditional(check) => vec![&check.if_field, &check.then_field],
            Self::ConditionalAtLeastOneOf(check) => {
                let otherwise = check.otherwise.iter().flat_map(|(_, names, _)| names);
                std::iter::once(&check.if_field).chain(&check.then).chain(otherwise).map(String::as_str).collect()
            }
            Self::Custom(custom) => custom.fields.iter().map(String::as_str).collect(),
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom").field("fields", &self.fields).finish_non_exhaustive()
    }
}
