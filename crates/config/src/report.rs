//! Everything that is wrong with a configuration, for people and for programs.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value, json};
use towergate_schema::Path;

use crate::declarative::item::Item;
use crate::declarative::syntax::{Complaint, Complaints, Stage};
use crate::document::Position;
use crate::excerpt::excerpt;
use crate::lua_text;
use crate::source::Source;

/// All problems of a configuration that was refused.
///
/// `Display` is for terminals: each problem with its file, line, column and path, in Kong's words,
/// with the lines of the text and a hint where there is one. The other methods give the parts of
/// Kong's answer to `POST /config`.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    problems: Vec<Problem>,
    fields: Value,
    flattened: Vec<Value>,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name of the source.
    pub source: String,
    /// Where in it; line 0 when the configuration came as parsed JSON.
    pub at: Position,
    /// The path from the top of the document, `services[3].routes[0].paths[1]`; empty when the
    /// text cannot be read.
    pub path: String,
    /// What is wrong, in Kong's words.
    pub message: String,
    /// What we add to them.
    pub hint: Option<String>,
    excerpt: String,
}

impl Report {
    /// The problems, in the order of the text.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Kong's `fields`: the problems nested as the configuration is.
    #[must_use]
    pub fn fields(&self) -> &Value {
        &self.fields
    }

    /// Kong's `flattened_errors`: the problems of each entity with the entity itself.
    #[must_use]
    pub fn flattened_errors(&self) -> &[Value] {
        &self.flattened
    }

    /// Kong's `message`: `declarative config is invalid: {…}`.
    #[must_use]
    pub fn message(&self) -> String {
        format!("declarative config is invalid: {}", lua_text::table(&self.fields))
    }

    /// Kong's error object, the body of the 400 that answers `POST /config`; with
    /// `flattened_errors` if `flatten` (as `?flatten_errors=1` asks for).
    #[must_use]
    pub fn body(&self, flatten: bool) -> Value {
        let mut body = json!({
            "code": 14,
            "name": "invalid declarative configuration",
            "message": self.message(),
            "fields": self.fields,
        });
        if let Some(body) = body.as_object_mut().filter(|_| flatten) {
            body.insert("flattened_errors".to_owned(), Value::Array(self.flattened.clone()));
        }
        body
    }

    pub(crate) fn new(sources: &[Source], items: &[Item<'_>], ids: &[uuid::Uuid], complaints: Complaints) -> Self {
        let mut complaints = complaints.0;
        complaints.sort_by_key(|complaint| (complaint.source, complaint.at));
        Self {
            fields: fields(&complaints),
            flattened: flattened(items, ids, &complaints),
            problems: complaints
                .into_iter()
                .enumerate()
                .map(|(position, complaint)| Problem::new(sources, complaint, position < SHOWN))
                .collect(),
        }
    }
}

impl Problem {
    fn new(sources: &[Source], complaint: Complaint, shown: bool) -> Self {
        let source = sources.get(complaint.source);
        let text = source.filter(|_| shown).map_or("", |source| &source.text);
        Self {
            source: source.map_or_else(String::new, |source| source.name.clone()),
            at: complaint.at,
            path: complaint.path.to_string().trim_end_matches("@entity").trim_end_matches('.').to_owned(),
            excerpt: excerpt(text, complaint.at, complaint.hint.as_deref()),
            message: complaint.message,
            hint: complaint.hint,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.line > 0 {
            write!(f, "{}:{}:{}: ", self.source, self.at.line, self.at.column)?;
        } else if !self.source.is_empty() {
            write!(f, "{}: ", self.source)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) if self.excerpt.is_empty() => write!(f, " ({hint})"),
            _ => Ok(()),
        }
    }
}

/// More than this are counted, not shown, on a terminal.
const SHOWN: usize = 50;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(SHOWN) {
            writeln!(f, "{problem}\n{}", problem.excerpt)?;
        }
        match self.problems.len() {
            1 => f.write_str("1 problem"),
            count if count > SHOWN => write!(f, "{count} problems, the first {SHOWN} are shown"),
            count => write!(f, "{count} problems"),
        }
    }
}

impl std::error::Error for Report {}

/// Problems of the first stage that has any, as Kong has them.
fn fields(complaints: &[Complaint]) -> Value {
    if complaints.iter().any(|complaint| complaint.stage == Stage::Text) {
        let text: Vec<_> = complaints.iter().filter(|c| c.stage == Stage::Text).map(|c| c.message.as_str()).collect();
        return json!({ "error": text.join("; ") });
    }
    let of_fields = complaints.iter().filter(|complaint| complaint.stage == Stage::Field);
    let mut problems: Vec<_> = of_fields.map(|c| (c.path.clone(), c.message.clone())).collect();
    if problems.is_empty() {
        problems = complaints
            .iter()
            .filter_map(|complaint| match &complaint.stage {
                Stage::Together(path) => Some((path.clone(), complaint.message.clone())),
                _ => None,
            })
            .collect();
    }
    let problems: Vec<_> =
        problems.into_iter().map(|(path, text)| towergate_schema::Problem::new(path, text)).collect();
    towergate_schema::fields(&problems)
}

fn flattened(items: &[Item<'_>], ids: &[uuid::Uuid], complaints: &[Complaint]) -> Vec<Value> {
    let mut entries: Vec<(usize, Vec<Value>)> = Vec::new();
    let mut places: HashMap<usize, usize> = HashMap::new();
    for complaint in complaints {
        let Some((item, path)) = &complaint.item else {
            continue;
        };
        let place = *places.entry(*item).or_insert(entries.len());
        if place == entries.len() {
            entries.push((*item, Vec::new()));
        }
        if let Some((_, errors)) = entries.get_mut(place) {
            errors.push(flat_error(path, &complaint.message));
        }
    }
    entries.into_iter().filter_map(|(index, errors)| flat_entity(items, ids, index, errors)).collect()
}

fn flat_error(path: &Path, message: &str) -> Value {
    use towergate_schema::{ENTITY, Segment};
    let mut names = Vec::new();
    for segment in path.segments() {
        match segment {
            Segment::Key(name) if name == ENTITY => {
                return json!({"type": "entity", "message": message});
            }
            Segment::Key(name) => names.push(name.clone()),
            Segment::Index(index) => names.push(index.saturating_add(1).to_string()),
            Segment::Entry(_) => {}
        }
    }
    if names.is_empty() {
        return json!({"type": "entity", "message": message});
    }
    json!({"type": "field", "field": names.join("."), "message": message})
}

fn flat_entity(items: &[Item<'_>], ids: &[uuid::Uuid], index: usize, errors: Vec<Value>) -> Option<Value> {
    let item = items.get(index)?;
    let mut entity = item.own_json();
    if let (Some(parent), Some(fields)) = (item.parent, entity.as_object_mut())
        && let Some(id) = ids.get(parent.item)
    {
        fields.entry(parent.field).or_insert_with(|| json!({ "id": id }));
    }
    let mut flat = Map::new();
    flat.insert("entity_type".to_owned(), item.kind.singular().into());
    if let Some(id) = entity.get("id").and_then(Value::as_str).filter(|id| id.parse::<uuid::Uuid>().is_ok()) {
        flat.insert("entity_id".to_owned(), id.into());
    }
    if let Some(name) = entity.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        flat.insert("entity_name".to_owned(), name.into());
    }
    let tags = entity.get("tags").filter(|tags| tags.as_array().is_some_and(|tags| tags.iter().all(Value::is_string)));
    if let Some(tags) = tags {
        flat.insert("entity_tags".to_owned(), tags.clone());
    }
    flat.insert("entity".to_owned(), entity);
    flat.insert("errors".to_owned(), Value::Array(errors));
    Some(Value::Object(flat))
}
