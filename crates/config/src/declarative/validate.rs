//! Every entity completed, checked and made into its typed form.

use serde_json::{Map, Value, json};
use towergate_schema::{Path, Problem, Record, Segment};

use super::references::{self, Index, Link};
use super::syntax::{Complaint, Complaints};
use super::top::Top;
use super::unique::Seen;
use super::{Catalog, Entities, Kind, Options, migrate};
use crate::completion::{Completed, Completion, Way};
use crate::config::Config;
use crate::document::Value as Written;
use crate::suggest;
use crate::warning::Warning;

/// What the check of entities looks at.
pub(super) struct Validation<'a> {
    pub(super) entities: &'a Entities<'a>,
    pub(super) index: &'a Index<'a>,
    pub(super) catalog: &'a dyn Catalog,
    pub(super) options: &'a Options,
    pub(super) top: &'a Top,
}

impl Validation<'_> {
    /// All entities; those with problems are left out.
    pub(super) fn run(&self, hash: String, complaints: &mut Complaints, warnings: &mut Vec<Warning>) -> Config {
        let mut config = Config { hash, transform: self.top.transform, ..Config::empty() };
        let Options { environment, now, .. } = self.options;
        let mut completion = Completion::new(self.catalog, environment, *now, self.top.transform);
        let mut seen = Seen::default();
        for position in 0..self.entities.items.len() {
            if let Some((kind, value)) = self.completed(position, &mut completion, complaints, warnings) {
                if kind == Kind::Services {
                    self.check_authorities(position, &value, complaints);
                }
                seen.note(self.entities, position, &value, complaints);
                match completion.typed(kind, Value::Object(value)) {
                    Ok(entity) => config.push(entity),
                    Err(problems) => problems.into_iter().for_each(|Problem { path, message }| {
                        complaints.push(Complaint::of_field(self.entities, position, path, message));
                    }),
                }
            }
        }
        // Passwords are hashed now; whoever reads the configuration again must not do it once more.
        config.transform &= config.basicauth_credentials.is_empty();
        config
    }

    /// An entity completed, if nothing is wrong with it.
    fn completed(
        &self,
        position: usize,
        completion: &mut Completion<'_>,
        complaints: &mut Complaints,
        warnings: &mut Vec<Warning>,
    ) -> Option<(Kind, Map<String, Value>)> {
        let before = complaints.0.len();
        let (kind, value) = self.written(position, complaints)?;
        let Completed { value, problems, remark } =
            completion.complete(kind, value, Way::Whole, self.nested_scope(position));
        if let Some(Problem { path, message }) = remark {
            warnings.push(self.entities.warning(position, &path, message));
        }
        let plugin = value.get("name").and_then(Value::as_str).unwrap_or_default();
        for problem in problems {
            let hint = self.hint(position, completion.record(kind, plugin), &problem);
            let mut complaint = Complaint::of_field(self.entities, position, problem.path, problem.message);
            complaint.hint = hint;
            complaints.push(complaint);
        }
        match value {
            Value::Object(value) if complaints.0.len() == before => Some((kind, value)),
            _ => None,
        }
    }

    /// What is written of an entity, with its id, its references and what the gateway adds itself.
    fn written(&self, position: usize, complaints: &mut Complaints) -> Option<(Kind, Map<String, Value>)> {
        let item = self.entities.items.get(position)?;
        let id = self.entities.ids.get(position)?;
        let Value::Object(mut value) = item.own_json() else {
            return None;
        };
        self.take_remarks(position, &mut value, complaints);
        if self.top.before_3_0 && item.kind == Kind::Routes {
            migrate::paths(&mut value);
        }
        for foreign in item.kind.foreigns() {
            let link = match references::link(self.entities, self.index, position, foreign, complaints) {
                Link::None => Value::Null,
                Link::To(other) => json!({ "id": self.entities.ids.get(other)? }),
                // It was reported; anything that looks like an id keeps it from being reported again.
                Link::Wrong => json!({ "id": id }),
            };
            value.insert(foreign.field.to_owned(), link);
        }
        if value.get("id").is_none_or(Value::is_null) {
            value.insert("id".to_owned(), json!(id));
        }
        Some((item.kind, value))
    }

    /// Takes out the remarks every entity may have.
    fn take_remarks(&self, position: usize, value: &mut Map<String, Value>, complaints: &mut Complaints) {
        let comment = value.shift_remove("_comment").unwrap_or_default();
        if !comment.is_string() && !comment.is_null() {
            let path = Path::root().key("_comment");
            complaints.push(Complaint::of_field(self.entities, position, path, "expected a string"));
        }
        let ignore = value.shift_remove("_ignore").unwrap_or_default();
        if !ignore.is_array() && !ignore.is_null() {
            let path = Path::root().key("_ignore");
            complaints.push(Complaint::of_field(self.entities, position, path, "expected an array"));
        }
    }

    /// What we add to Kong's words.
    fn hint(&self, position: usize, record: &Record, problem: &Problem) -> Option<String> {
        let item = self.entities.items.get(position)?;
        match problem.message.as_str() {
            "unknown field" => meant(record, &problem.path, item.kind),
            "expected a string" => match item.written(&problem.path)?.value {
                Written::Bool(_) => Some("this reads as a boolean; write it in quotes".to_owned()),
                Written::Int(_) | Written::Float(_) => Some("this reads as a number; write it in quotes".to_owned()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The scope a plugin has only by the entity it is nested in.
    fn nested_scope(&self, position: usize) -> Option<&'static str> {
        let item = self.entities.items.get(position)?;
        let field = item.parent?.field;
        item.field(field).is_none().then_some(field)
    }
}

/// The known field that an unknown one is nearest to.
fn meant(record: &Record, path: &Path, kind: Kind) -> Option<String> {
    let (last, around) = path.segments().split_last()?;
    let Segment::Key(name) = last else {
        return None;
    };
    let mut inner = record;
    for segment in around {
        let Segment::Key(name) = segment else {
            return None;
        };
        inner = inner.named(name)?.as_record()?;
    }
    let shorthands = inner.shorthands().iter().map(|short| short.name.as_str());
    let mut known: Vec<&str> = inner.fields().map(|(name, _)| name).chain(shorthands).collect();
    if around.is_empty() {
        for child in Kind::ALL.into_iter().filter(|child| child.nests_in(kind).is_some()) {
            known.push(child.name());
        }
    }
    suggest::nearest(name, known).map(|name| format!("did you mean `{name}`?"))
}
