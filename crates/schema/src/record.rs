//! Named fields and what must hold between them.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use crate::{
    check::Check,
    complete,
    field::{Field, Kind},
    path::Trail,
    problem::Problem,
    shorthand::Shorthand,
};

/// Named fields, checks between them, and older spellings of them.
///
/// Building one compiles its patterns, so callers keep it: [`Record::complete`] is then cheap.
#[derive(Debug, Clone, Default)]
pub struct Record {
    fields: Vec<(String, Field)>,
    index: HashMap<String, usize>,
    checks: Vec<Check>,
    owner_checks: Vec<Check>,
    shorthands: Vec<Shorthand>,
    description: Option<String>,
}

impl Record {
    /// A record without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field, or replaces the one of that name. A field that can neither be null nor has a default is required.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, mut field: Field) -> Self {
        let name = name.into();
        if !field.nullable && field.default.is_none() && !field.auto {
            field.required = true;
        }
        if let Some((_, present)) = self.index.get(&name).and_then(|place| self.fields.get_mut(*place)) {
            *present = field;
        } else {
            self.index.insert(name.clone(), self.fields.len());
            self.fields.push((name, field));
        }
        self
    }

    /// Adds everything another record has: its fields, checks and shorthands.
    #[must_use]
    pub fn flatten(mut self, other: Self) -> Self {
        for (name, field) in other.fields {
            self = self.field(name, field);
        }
        self.checks.extend(other.checks);
        self.owner_checks.extend(other.owner_checks);
        self.shorthands.extend(other.shorthands);
        self
    }

    /// Adds a check between fields. They come first: a conditional check looks them up.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        let check = check.resolve(&self);
        self.checks.push(check);
        self
    }

    /// Adds a check that Kong makes, and reports, one level further out, on the entity whose field this record is:
    /// `rate-limiting` names `config.minute` and reports on the plugin. [`Record::specialise`] puts it there.
    #[must_use]
    pub fn owner_check(mut self, check: Check) -> Self {
        self.owner_checks.push(check);
        self
    }

    /// Adds an older or shorter spelling.
    #[must_use]
    pub fn shorthand(mut self, shorthand: Shorthand) -> Self {
        self.shorthands.push(shorthand);
        self
    }

    /// Says what the record is.
    #[must_use]
    pub fn describe_as(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// This record with one field replaced by a record: a plugin with the configuration of its kind. The checks the
    /// inner record has for its owner are made here.
    #[must_use]
    pub fn specialise(&self, name: &str, inner: Arc<Self>) -> Self {
        let owner_checks = inner.owner_checks.clone();
        let mut field = self.named(name).cloned().unwrap_or_else(|| Field::new(Kind::Any));
        field = Field { kind: Kind::Record(inner), nullable: false, required: true, default: None, ..field };
        let specialised = self.clone().field(name, field);
        owner_checks.into_iter().fold(specialised, Self::check)
    }

    /// The fields in the order in which they were declared.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.fields.iter().map(|(name, field)| (name.as_str(), field))
    }

    /// The field of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Field> {
        self.index.get(name).and_then(|place| self.fields.get(*place)).map(|(_, field)| field)
    }

    /// The field at a dotted path through nested records.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Field> {
        match path.split_once('.') {
            None => self.named(path),
            Some((first, rest)) => self.named(first)?.as_record()?.at(rest),
        }
    }

    /// The checks between fields.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The checks made by the record's owner.
    #[must_use]
    pub fn owner_checks(&self) -> &[Check] {
        &self.owner_checks
    }

    /// The older or shorter spellings.
    #[must_use]
    pub fn shorthands(&self) -> &[Shorthand] {
        &self.shorthands
    }

    /// What the record is.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Completes and checks a value: expands shorthands, fills in defaults (and null for what is neither given nor
    /// required), removes duplicates from sets, writes whole numbers as integers, and finds every problem at once.
    ///
    /// The value is completed as far as possible even when there are problems. A completed value without problems
    /// deserialises into the type the record was derived from, and completing it again changes nothing.
    /// Null where the type cannot hold it counts as *not given*; elsewhere it is a value and stays.
    pub fn complete(&self, value: &mut Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        complete::record(self, value, Trail::ROOT, &mut problems);
        problems
    }
}
