//! Every entity completed, checked and made into its typed form.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use towergate_schema::{Path, Problem, Record, Segment};
use uuid::Uuid;

use super::references::{self, Index, Link};
use super::syntax::{Complaint, Complaints};
use super::top::Top;
use super::unique::Seen;
use super::{Catalog, Entities, Kind, Options, PluginLookup, migrate, ordering};
use crate::config::Config;
use crate::document::Value as Written;
use crate::entities::{self, Plugin};
use crate::suggest;
use crate::vault;
use crate::warning::Warning;

/// What the check of entities looks at.
pub(super) struct Validation<'a> {
    pub(super) entities: &'a Entities<'a>,
    pub(super) index: &'a Index<'a>,
    pub(super) catalog: &'a dyn Catalog,
    pub(super) options: &'a Options,
    pub(super) top: &'a Top,
}

/// The schemas of the plugins met so far, each with the rest of the entity around it.
type Plugins = HashMap<String, Record>;

impl Validation<'_> {
    /// All entities; those with problems are left out.
    pub(super) fn run(&self, hash: String, complaints: &mut Complaints, warnings: &mut Vec<Warning>) -> Config {
        let mut config = Config { hash, transform: self.top.transform, ..Config::empty() };
        let (mut seen, mut plugins) = (Seen::default(), Plugins::new());
        for position in 0..self.entities.items.len() {
            let before = complaints.0.len();
            let Some((kind, mut value)) = self.written(position, complaints) else {
                continue;
            };
            entities::before_completion(kind, &mut value);
            let mut value = Value::Object(value);
            match kind {
                Kind::Plugins => self.plugin(position, &mut value, &mut plugins, complaints, warnings),
                kind => self.complete(position, entities::record(kind), &mut value, complaints),
            }
            let Value::Object(mut value) = value else {
                continue;
            };
            if complaints.0.len() > before {
                continue;
            }
            entities::after_completion(kind, self.top.transform, &mut value);
            match kind {
                Kind::CaCertificates => self.digest_authority(position, &mut value, complaints),
                Kind::Services => self.check_authorities(position, &value, complaints),
                kind if kind.is_credential() => self.check_credential(position, kind, &value, complaints),
                _ => {}
            }
            seen.note(self.entities, position, &value, complaints);
            self.keep(position, kind, Value::Object(value), &mut config, complaints);
        }
        // Passwords are hashed now; whoever reads the configuration again must not do it once more.
        config.transform &= config.basicauth_credentials.is_empty();
        config
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
        fill(&mut value, "id", || json!(id));
        let has_no_update = entities::record(item.kind).named("updated_at").is_none();
        for field in ["created_at", "updated_at"].into_iter().take(if has_no_update { 1 } else { 2 }) {
            fill(&mut value, field, || json!(self.options.now));
        }
        for field in item.kind.random_field() {
            fill(&mut value, field, || json!(Uuid::new_v4().simple().to_string()));
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

    fn complete(&self, position: usize, record: &Record, value: &mut Value, complaints: &mut Complaints) {
        for problem in record.complete(value) {
            let hint = self.hint(position, record, &problem);
            let mut complaint = Complaint::of_field(self.entities, position, problem.path, problem.message);
            complaint.hint = hint;
            complaints.push(complaint);
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

    fn plugin(
        &self,
        position: usize,
        value: &mut Value,
        plugins: &mut Plugins,
        complaints: &mut Complaints,
        warnings: &mut Vec<Warning>,
    ) {
        let name = value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let disabled = value.get("enabled") == Some(&Value::Bool(false));
        match self.catalog.plugin(&name) {
            PluginLookup::Known(schema) => {
                let nested = self.forget_nested_scope(position, value);
                let record = plugins.entry(name).or_insert_with(|| schema.entity());
                self.complete(position, record, value, complaints);
                restore(value, nested);
            }
            PluginLookup::NotYet if disabled => {
                self.complete(position, entities::record(Kind::Plugins), value, complaints);
                let message =
                    format!("plugin '{name}' accepted because it is disabled; this version does not build it yet");
                warnings.push(self.entities.warning(position, &Path::root().key("name"), message));
            }
            PluginLookup::NotYet | PluginLookup::Unknown => {
                if value.get("name").is_some_and(|name| name.as_str().is_some_and(|name| !name.is_empty())) {
                    // Kong's words.
                    let message =
                        format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property");
                    let path = Path::root().key("name");
                    complaints.push(Complaint::of_field(self.entities, position, path, message));
                    return;
                }
                if value.get("config").is_none_or(Value::is_null) {
                    fill_object(value, "config");
                }
                self.complete(position, entities::record(Kind::Plugins), value, complaints);
            }
        }
    }

    /// Kong refuses to scope some plugins to a consumer and so on, but not where the plugin is
    /// nested in one: the parent is only known after the check.
    fn forget_nested_scope(&self, position: usize, value: &mut Value) -> Option<(&'static str, Value)> {
        let item = self.entities.items.get(position)?;
        let field = item.parent?.field;
        if item.field(field).is_some() {
            return None;
        }
        let parent = value.get_mut(field)?;
        Some((field, std::mem::take(parent)))
    }

    /// What only the plugin that looks it up can know of a credential.
    fn check_credential(&self, position: usize, kind: Kind, value: &Map<String, Value>, complaints: &mut Complaints) {
        for (field, message) in self.catalog.check_credential(kind.name(), value) {
            complaints.push(Complaint::of_field(self.entities, position, Path::root().key(&field), message));
        }
    }

    /// Puts a completed entity into the configuration.
    fn keep(&self, position: usize, kind: Kind, value: Value, config: &mut Config, complaints: &mut Complaints) {
        let kept = match kind {
            Kind::Plugins => self.keep_plugin(position, value, config, complaints),
            Kind::Certificates => self.keep_certificate(position, value, config, complaints),
            kind => config.push(kind, value),
        };
        if let Err(error) = kept {
            // The schema lets nothing through that does not fit; if it does, say so and refuse.
            complaints.push(Complaint::of_field(self.entities, position, Path::root(), error.to_string()));
        }
    }

    fn keep_plugin(
        &self,
        position: usize,
        value: Value,
        config: &mut Config,
        complaints: &mut Complaints,
    ) -> serde_json::Result<()> {
        let mut plugin: Plugin = serde_json::from_value(value)?;
        ordering::check(self, position, &plugin, complaints);
        if let PluginLookup::Known(schema) = self.catalog.plugin(&plugin.name) {
            let path = Path::root().key("config");
            plugin.revealed = self.revealed(position, &schema.config, &plugin.config, &path, complaints).map(Box::new);
        }
        config.plugins.push(plugin);
        Ok(())
    }

    /// `value` with the secrets in place of its references, if it has any.
    pub(super) fn revealed(
        &self,
        position: usize,
        record: &Record,
        value: &Value,
        path: &Path,
        complaints: &mut Complaints,
    ) -> Option<Value> {
        let mut revealed = value.clone();
        let mut found = false;
        reveal(record, &mut revealed, path, &mut |path, reference| {
            found = true;
            vault::resolve(reference, &self.options.environment).map_err(|why| {
                complaints.push(Complaint::of_field(self.entities, position, path.clone(), why));
            })
        });
        found.then_some(revealed)
    }
}

/// Replaces the references in the referenceable fields of `value` by what `resolve` makes of them.
fn reveal(
    record: &Record,
    value: &mut Value,
    path: &Path,
    resolve: &mut impl FnMut(&Path, &str) -> Result<String, ()>,
) {
    use towergate_schema::Kind as Type;
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (name, field) in record.fields() {
        let Some(value) = fields.get_mut(name) else {
            continue;
        };
        let path = path.clone().key(name);
        match (&field.kind, value) {
            (Type::Record(inner), value) => reveal(inner, value, &path, resolve),
            (Type::Array(element) | Type::Set(element), Value::Array(items)) if element.referenceable => {
                for (index, item) in items.iter_mut().enumerate() {
                    reveal_one(item, &path.clone().index(index), resolve);
                }
            }
            (Type::Map(_, element), Value::Object(entries)) if element.referenceable => {
                for (key, item) in entries.iter_mut() {
                    reveal_one(item, &path.clone().entry(key.as_str()), resolve);
                }
            }
            (_, value) if field.referenceable => reveal_one(value, &path, resolve),
            _ => {}
        }
    }
}

fn reveal_one(value: &mut Value, path: &Path, resolve: &mut impl FnMut(&Path, &str) -> Result<String, ()>) {
    if let Some(reference) = value.as_str().filter(|text| vault::is_reference(text))
        && let Ok(secret) = resolve(path, reference)
    {
        *value = Value::String(secret);
    }
}

fn fill(value: &mut Map<String, Value>, field: &str, make: impl FnOnce() -> Value) {
    if value.get(field).is_none_or(Value::is_null) {
        value.insert(field.to_owned(), make());
    }
}

fn fill_object(value: &mut Value, field: &str) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(field.to_owned(), json!({}));
    }
}

fn restore(value: &mut Value, scope: Option<(&'static str, Value)>) {
    if let (Some(fields), Some((field, parent))) = (value.as_object_mut(), scope) {
        fields.insert(field.to_owned(), parent);
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
