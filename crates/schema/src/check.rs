//! What must hold between the fields of a record.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    complete::{self, REQUIRED},
    field::{Field, Kind},
    lua,
    path::{Path, Segment, Trail},
    problem::{ENTITY, Problem},
    record::Record,
    rule::Rule,
    vault::is_reference,
};

const REQUIRED_FOR_CHECK: &str = "field required for entity check";

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
    resolved: Field,
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
        Self {
            required: rules.required,
            rules: rules.rules,
            resolved: Field::any(),
        }
    }

    fn resolve(&mut self, record: &Record, name: &str) {
        let mut field = record.at(name).cloned().unwrap_or_else(Field::any);
        // conditions about a list or record look at the whole, whose parts were checked before
        if !matches!(
            field.kind,
            Kind::String | Kind::Number | Kind::Integer(_) | Kind::Boolean
        ) {
            field.kind = Kind::Any;
        }
        field.required |= self.required;
        for rule in &self.rules {
            field.apply(rule.clone());
        }
        self.resolved = field;
    }

    fn problems(&self, value: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        complete::value(
            &self.resolved,
            &mut value.clone(),
            Trail::ROOT,
            &mut problems,
        );
        problems
    }

    fn is_met(&self, value: &Value) -> bool {
        self.problems(value).is_empty()
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
    pub fn conditional(
        if_field: &str,
        if_match: Field,
        then_field: &str,
        then_match: Field,
    ) -> Self {
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
        Self::Custom(Custom {
            fields: owned(fields),
            check: Arc::new(check),
        })
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
            Self::MutuallyExclusiveSets(first, second) => {
                first.iter().chain(second).map(String::as_str).collect()
            }
            Self::Conditional(check) => vec![&check.if_field, &check.then_field],
            Self::ConditionalAtLeastOneOf(check) => {
                let otherwise = check.otherwise.iter().flat_map(|(_, names, _)| names);
                std::iter::once(&check.if_field)
                    .chain(&check.then)
                    .chain(otherwise)
                    .map(String::as_str)
                    .collect()
            }
            Self::Custom(custom) => custom.fields.iter().map(String::as_str).collect(),
        }
    }

    /// Runs the check on a completed record whose fields were checked: their problems are those from `before` on.
    pub(crate) fn run(
        &self,
        record: &Record,
        map: &Map<String, Value>,
        trail: Trail<'_>,
        before: usize,
        problems: &mut Vec<Problem>,
    ) {
        let names = self.field_names();
        if names.iter().any(|name| is_secret(record, map, name)) {
            return;
        }
        let found = problems.get(before..).unwrap_or_default();
        if !self.runs_with_invalid_fields() && has_problem(found, &names, trail.depth()) {
            return;
        }
        // a check that needs its fields says nothing when none of them is there
        let is_present = names.iter().any(|name| at(map, name).is_some());
        if !is_present && !names.is_empty() && !self.runs_with_missing_fields() {
            return;
        }
        let missing = self.missing(map);
        if !missing.is_empty() {
            for name in missing {
                replace(
                    problems,
                    before,
                    trail,
                    &[Problem::field(name, REQUIRED_FOR_CHECK)],
                );
            }
            return;
        }
        for outcome in self.broken(map) {
            replace(problems, before, trail, &[outcome]);
        }
    }

    const fn runs_with_invalid_fields(&self) -> bool {
        !matches!(
            self,
            Self::Custom(_)
                | Self::MutuallyRequired(_)
                | Self::MutuallyExclusive(_)
                | Self::MutuallyExclusiveSets(..)
        )
    }

    const fn runs_with_missing_fields(&self) -> bool {
        !matches!(
            self,
            Self::OnlyOneOf(_) | Self::Distinct(_) | Self::Conditional(_) | Self::Custom(_)
        )
    }

    /// Fields without which the check cannot be made.
    fn missing(&self, map: &Map<String, Value>) -> Vec<&str> {
        let needed: Vec<&str> = match self {
            Self::OnlyOneOf(_) | Self::Distinct(_) | Self::Custom(_) => self.field_names(),
            Self::Conditional(check) => vec![&check.if_field],
            _ => return Vec::new(),
        };
        needed
            .into_iter()
            .filter(|name| at(map, name).is_none())
            .collect()
    }

    /// What is wrong, told from the record.
    fn broken(&self, map: &Map<String, Value>) -> Vec<Problem> {
        let set = |name: &&String| lua::is_nonempty(at(map, name));
        let count = |names: &[String]| names.iter().filter(set).count();
        let unless = |met: bool, text: &str, names: &[String]| {
            if met {
                Vec::new()
            } else {
                vec![Problem::entity(format!("{text}: {}", lua::quoted(names)))]
            }
        };
        match self {
            Self::AtLeastOneOf(names) => unless(count(names) > 0, AT_LEAST_ONE_OF, names),
            Self::OnlyOneOf(names) => unless(
                count(names) == 1,
                "exactly one of these fields must be non-empty",
                names,
            ),
            Self::Distinct(names) => unless(
                are_distinct(map, names),
                "values of these fields must be distinct",
                names,
            ),
            Self::MutuallyRequired(names) => {
                let met = count(names) == 0 || count(names) == names.len();
                unless(met, "all or none of these fields must be set", names)
            }
            Self::MutuallyExclusive(names) => unless(
                count(names) < 2,
                "only one or none of these fields must be set",
                names,
            ),
            Self::MutuallyExclusiveSets(first, second) => {
                let first: Vec<_> = first.iter().filter(set).collect();
                let second: Vec<_> = second.iter().filter(set).collect();
                if first.is_empty() || second.is_empty() {
                    return Vec::new();
                }
                let (first, second) = (lua::quoted(&first), lua::quoted(&second));
                vec![Problem::entity(format!(
                    "these sets are mutually exclusive: ({first}), ({second})"
                ))]
            }
            Self::Conditional(check) => check.broken(map),
            Self::ConditionalAtLeastOneOf(check) => check.broken(map),
            Self::Custom(custom) => (custom.check)(map).err().unwrap_or_default(),
        }
    }
}

const AT_LEAST_ONE_OF: &str = "at least one of these fields must be non-empty";

impl Conditional {
    fn broken(&self, map: &Map<String, Value>) -> Vec<Problem> {
        if !self
            .if_match
            .is_met(at(map, &self.if_field).unwrap_or(&Value::Null))
        {
            return Vec::new();
        }
        let value = at(map, &self.then_field).unwrap_or(&Value::Null);
        let missing = self.then_match.required && value.is_null();
        let mut problems = if missing {
            vec![Problem::new(Path::root(), REQUIRED)]
        } else {
            self.then_match.problems(value)
        };
        if problems.is_empty() {
            return problems;
        }
        let place = Path::dotted(&self.then_field);
        problems = problems
            .into_iter()
            .map(|problem| problem.under(&place))
            .collect();
        let text = match &self.then_err {
            Some(text) if !missing => text.replace("%s", &self.if_field),
            _ => format!(
                "failed conditional validation given value of field '{}'",
                self.if_field
            ),
        };
        problems.push(Problem::entity(text));
        problems
    }
}

impl ConditionalAtLeastOneOf {
    fn broken(&self, map: &Map<String, Value>) -> Vec<Problem> {
        let Some(value) = at(map, &self.if_field) else {
            return Vec::new();
        };
        let (names, text) = if self.if_match.is_met(value) {
            (&self.then, &self.then_err)
        } else if let Some((condition, names, text)) = &self.otherwise
            && condition.is_met(value)
        {
            (names, text)
        } else {
            return Vec::new();
        };
        if names.iter().any(|name| lua::is_nonempty(at(map, name))) {
            return Vec::new();
        }
        let list = lua::quoted(names);
        let text = text.as_ref().map_or_else(
            || format!("{AT_LEAST_ONE_OF}: {list}"),
            |text| text.replace("%s", &list),
        );
        vec![Problem::entity(text)]
    }
}

/// The value at a dotted path; nothing inside null.
fn at<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => map.get(path),
        Some((first, rest)) => at(map.get(first)?.as_object()?, rest),
    }
}

fn is_secret(record: &Record, map: &Map<String, Value>, name: &str) -> bool {
    at(map, name)
        .and_then(Value::as_str)
        .is_some_and(is_reference)
        && record.at(name).is_some_and(|field| field.referenceable)
}

/// Whether a field the check looks at has a problem. Like Kong, this sees fields of the record itself only; a check
/// that names no fields sees them all.
fn has_problem(found: &[Problem], names: &[&str], depth: usize) -> bool {
    let first = |problem: &Problem| match problem.path.segments().get(depth) {
        Some(Segment::Key(name)) => names.contains(&name.as_str()),
        _ => false,
    };
    if names.is_empty() {
        !found.is_empty()
    } else {
        found.iter().any(first)
    }
}

fn are_distinct(map: &Map<String, Value>, names: &[String]) -> bool {
    let values: Vec<_> = names
        .iter()
        .filter_map(|name| at(map, name))
        .filter(|v| lua::is_nonempty(Some(v)))
        .collect();
    let is_double = |(position, value): (usize, &&Value)| {
        values
            .iter()
            .take(position)
            .any(|other| lua::same(other, value))
    };
    !values.iter().enumerate().any(is_double)
}

/// Reports a problem of a check. On a field it takes the place of what was reported there before, as in Kong.
fn replace(problems: &mut Vec<Problem>, before: usize, trail: Trail<'_>, found: &[Problem]) {
    for problem in found {
        let problem = problem.clone().under(&trail.path());
        let is_entity =
            matches!(problem.path.segments().last(), Some(Segment::Key(name)) if name == ENTITY);
        let same_place = problems
            .iter()
            .skip(before)
            .position(|present| present.path == problem.path);
        match same_place.and_then(|offset| problems.get_mut(before + offset)) {
            Some(present) if !is_entity => *present = problem,
            _ => problems.push(problem),
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
