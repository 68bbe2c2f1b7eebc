//! Running the checks between fields: which are made, and what is said.

use serde_json::{Map, Value};

use crate::{
    check::{Check, Condition, Conditional, ConditionalAtLeastOneOf},
    complete::{self, REQUIRED},
    lua,
    path::{Path, Segment, Trail},
    problem::{ENTITY, Problem},
    record::Record,
    vault::is_reference,
};

pub(crate) const REQUIRED_FOR_CHECK: &str = "field required for entity check";
pub(crate) const AT_LEAST_ONE_OF: &str = "at least one of these fields must be non-empty";

impl Check {
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
                replace(problems, before, trail, &[Problem::field(name, REQUIRED_FOR_CHECK)]);
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
            Self::Custom(_) | Self::MutuallyRequired(_) | Self::MutuallyExclusive(_) | Self::MutuallyExclusiveSets(..)
        )
    }

    const fn runs_with_missing_fields(&self) -> bool {
        !matches!(self, Self::OnlyOneOf(_) | Self::Distinct(_) | Self::Conditional(_) | Self::Custom(_))
    }

    /// Fields without which the check cannot be made.
    fn missing(&self, map: &Map<String, Value>) -> Vec<&str> {
        let needed: Vec<&str> = match self {
            Self::OnlyOneOf(_) | Self::Distinct(_) | Self::Custom(_) => self.field_names(),
            Self::Conditional(check) => vec![&check.if_field],
            _ => return Vec::new(),
        };
        needed.into_iter().filter(|name| at(map, name).is_none()).collect()
    }

    /// What is wrong, told from the record.
    fn broken(&self, map: &Map<String, Value>) -> Vec<Problem> {
        let set = |name: &&String| lua::is_nonempty(at(map, name));
        let count = |names: &[String]| names.iter().filter(set).count();
        let unless = |met: bool, text: &str, names: &[String]| {
            if met { Vec::new() } else { vec![Problem::entity(format!("{text}: {}", lua::quoted(names)))] }
        };
        match self {
            Self::AtLeastOneOf(names) => unless(count(names) > 0, AT_LEAST_ONE_OF, names),
            Self::OnlyOneOf(names) => unless(count(names) == 1, "exactly one of these fields must be non-empty", names),
            Self::Distinct(names) => unless(are_distinct(map, names), "values of these fields must be distinct", names),
            Self::MutuallyRequired(names) => {
                let met = count(names) == 0 || count(names) == names.len();
                unless(met, "all or none of these fields must be set", names)
            }
            Self::MutuallyExclusive(names) => {
                unless(count(names) < 2, "only one or none of these fields must be set", names)
            }
            Self::MutuallyExclusiveSets(first, second) => {
                let first: Vec<_> = first.iter().filter(set).collect();
                let second: Vec<_> = second.iter().filter(set).collect();
                if first.is_empty() || second.is_empty() {
                    return Vec::new();
                }
                let (first, second) = (lua::quoted(&first), lua::quoted(&second));
                vec![Problem::entity(format!("these sets are mutually exclusive: ({first}), ({second})"))]
            }
            Self::Conditional(check) => check.broken(map),
            Self::ConditionalAtLeastOneOf(check) => check.broken(map),
            Self::Custom(custom) => (custom.check)(map).err().unwrap_or_default(),
        }
    }
}

impl Condition {
    fn problems(&self, value: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        complete::value(&self.resolved, &mut value.clone(), Trail::ROOT, &mut problems);
        problems
    }

    fn is_met(&self, value: &Value) -> bool {
        self.problems(value).is_empty()
    }
}

impl Conditional {
    fn broken(&self, map: &Map<String, Value>) -> Vec<Problem> {
        if !self.if_match.is_met(at(map, &self.if_field).unwrap_or(&Value::Null)) {
            return Vec::new();
        }
        let value = at(map, &self.then_field).unwrap_or(&Value::Null);
        let missing = self.then_match.required && value.is_null();
        let mut problems =
            if missing { vec![Problem::new(Path::root(), REQUIRED)] } else { self.then_match.problems(value) };
        if problems.is_empty() {
            return problems;
        }
        let place = Path::dotted(&self.then_field);
        problems = problems.into_iter().map(|problem| problem.under(&place)).collect();
        let text = match &self.then_err {
            Some(text) if !missing => text.replace("%s", &self.if_field),
            _ => format!("failed conditional validation given value of field '{}'", self.if_field),
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
        let text = text.as_ref().map_or_else(|| format!("{AT_LEAST_ONE_OF}: {list}"), |text| text.replace("%s", &list));
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
    at(map, name).and_then(Value::as_str).is_some_and(is_reference)
        && record.at(name).is_some_and(|field| field.referenceable)
}

/// Whether a field the check looks at has a problem. Like Kong, this sees fields of the record itself only; a check
/// that names no fields sees them all.
fn has_problem(found: &[Problem], names: &[&str], depth: usize) -> bool {
    let first = |problem: &Problem| match problem.path.segments().get(depth) {
        Some(Segment::Key(name)) => names.contains(&name.as_str()),
        _ => false,
    };
    if names.is_empty() { !found.is_empty() } else { found.iter().any(first) }
}

fn are_distinct(map: &Map<String, Value>, names: &[String]) -> bool {
    let values: Vec<_> = names.iter().filter_map(|name| at(map, name)).filter(|v| lua::is_nonempty(Some(v))).collect();
    let is_double =
        |(position, value): (usize, &&Value)| values.iter().take(position).any(|other| lua::same(other, value));
    !values.iter().enumerate().any(is_double)
}

/// Reports a problem of a check. On a field it takes the place of what was reported there before, as in Kong.
fn replace(problems: &mut Vec<Problem>, before: usize, trail: Trail<'_>, found: &[Problem]) {
    for problem in found {
        let problem = problem.clone().under(&trail.path());
        let is_entity = matches!(problem.path.segments().last(), Some(Segment::Key(name)) if name == ENTITY);
        let same_place = problems.iter().skip(before).position(|present| present.path == problem.path);
        match same_place.and_then(|offset| problems.get_mut(before + offset)) {
            Some(present) if !is_entity => *present = problem,
            _ => problems.push(problem),
        }
    }
}
