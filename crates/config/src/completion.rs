//! One entity: defaults filled in, checked, made into its typed form. The declarative loader and the
//! Admin API both come here, so that both say the same.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use towergate_schema::{ENTITY, Path, Problem, Record};
use uuid::Uuid;

use crate::config::AnyEntity;
use crate::declarative::{Catalog, Kind, PluginLookup, ordering};
use crate::entities::{self, Certificate, Plugin};
use crate::secrets;
use crate::vault::Environment;

/// What one entity is completed and checked with.
pub(crate) struct Completion<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) environment: &'a Environment,
    /// Seconds since 1970, for the times that are not given.
    pub(crate) now: i64,
    /// Whether secrets such as passwords are written in plain text and are to be hashed.
    pub(crate) transform: bool,
    plugins: HashMap<String, Record>,
}

/// In whose words problems are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The entity was written as a whole.
    Whole,
    /// It is one that was there, with a change laid over it.
    Changed,
}

/// An entity with everything that could be filled in, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Completed {
    pub(crate) value: Value,
    pub(crate) problems: Vec<Problem>,
    /// What is accepted but will not work.
    pub(crate) remark: Option<Problem>,
}

impl<'a> Completion<'a> {
    pub(crate) fn new(catalog: &'a dyn Catalog, environment: &'a Environment, now: i64, transform: bool) -> Self {
        Self { catalog, environment, now, transform, plugins: HashMap::new() }
    }

    /// Completes an entity whose references are ids already. `nested` is a scope of a plugin that
    /// was not written but comes from where it stands.
    pub(crate) fn complete(
        &mut self,
        kind: Kind,
        mut written: Map<String, Value>,
        way: Way,
        nested: Option<&'static str>,
    ) -> Completed {
        self.fill(kind, &mut written);
        entities::before_completion(kind, &mut written);
        let mut value = Value::Object(written);
        let (mut problems, remark) = match kind {
            Kind::Plugins => self.plugin(&mut value, way, nested),
            kind => (run(entities::record(kind), &mut value, way), None),
        };
        if let (Value::Object(value), true) = (&mut value, problems.is_empty()) {
            entities::after_completion(kind, self.transform, value);
            self.ask_others(kind, value, &mut problems);
        }
        Completed { value, problems, remark }
    }

    /// The schema that an entity of a kind was completed with.
    pub(crate) fn record(&self, kind: Kind, plugin: &str) -> &Record {
        let plugin = if kind == Kind::Plugins { self.plugins.get(plugin) } else { None };
        plugin.unwrap_or_else(|| entities::record(kind))
    }

    /// What the gateway adds itself: an id, times, random texts.
    fn fill(&self, kind: Kind, value: &mut Map<String, Value>) {
        let times = entities::record(kind);
        fill(value, "id", || json!(Uuid::new_v4()));
        for field in ["created_at", "updated_at"].into_iter().filter(|field| times.named(field).is_some()) {
            fill(value, field, || json!(self.now));
        }
        for field in kind.random_field() {
            fill(value, field, || json!(Uuid::new_v4().simple().to_string()));
        }
    }

    fn plugin(&mut self, value: &mut Value, way: Way, nested: Option<&'static str>) -> (Vec<Problem>, Option<Problem>) {
        let name = value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let disabled = value.get("enabled") == Some(&Value::Bool(false));
        let unspecific = entities::record(Kind::Plugins);
        match self.catalog.plugin(&name) {
            PluginLookup::Known(schema) => {
                // Kong refuses to scope some plugins to a consumer and so on, but not where the plugin
                // is nested in one: the parent is only known after the check.
                let nested = nested.and_then(|field| Some((field, std::mem::take(value.get_mut(field)?))));
                let record = self.plugins.entry(name).or_insert_with(|| schema.entity());
                let problems = run(record, value, way);
                if let (Some(fields), Some((field, parent))) = (value.as_object_mut(), nested) {
                    fields.insert(field.to_owned(), parent);
                }
                (problems, None)
            }
            PluginLookup::NotYet if disabled => {
                let text =
                    format!("plugin '{name}' accepted because it is disabled; this version does not build it yet");
                (run(unspecific, value, way), Some(Problem::field("name", text)))
            }
            PluginLookup::NotYet | PluginLookup::Unknown if !name.is_empty() => {
                // Kong's words.
                let text = format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property");
                (vec![Problem::field("name", text)], None)
            }
            PluginLookup::NotYet | PluginLookup::Unknown => {
                if let Some(fields) = value.as_object_mut() {
                    fill(fields, "config", || json!({}));
                }
                (run(unspecific, value, way), None)
            }
        }
    }

    /// What only others can judge.
    fn ask_others(&self, kind: Kind, value: &mut Map<String, Value>, problems: &mut Vec<Problem>) {
        match kind {
            Kind::CaCertificates => self.digest_authority(value, problems),
            // Only the plugin that looks it up can know that.
            kind if kind.is_credential() => {
                let found = self.catalog.check_credential(kind.name(), value);
                problems.extend(found.into_iter().map(|(field, text)| Problem::new(Path::root().key(field), text)));
            }
            _ => {}
        }
    }

    /// Whatever was given as the digest, Kong takes its own.
    fn digest_authority(&self, value: &mut Map<String, Value>, problems: &mut Vec<Problem>) {
        let certificate = value.get("cert").and_then(Value::as_str).unwrap_or_default();
        match self.catalog.digest_authority(certificate) {
            Ok(Some(digest)) => drop(value.insert("cert_digest".to_owned(), Value::String(digest))),
            Ok(None) => {}
            Err(why) => problems.push(Problem::entity(why)),
        }
    }

    /// A completed entity in its typed form, with the secrets that its references lead to.
    pub(crate) fn typed(&self, kind: Kind, value: Value) -> Result<AnyEntity, Vec<Problem>> {
        // The schema lets nothing through that does not fit; if it does, say so and refuse.
        let unfit = |error: serde_json::Error| vec![Problem::new(Path::root(), error.to_string())];
        let mut problems = Vec::new();
        let mut entity = AnyEntity::of(kind, value).map_err(unfit)?;
        match &mut entity {
            AnyEntity::Plugins(plugin) => {
                ordering::check(self.catalog, plugin, &mut problems);
                self.reveal_plugin(plugin, &mut problems);
            }
            AnyEntity::Certificates(certificate) => self.reveal_certificate(certificate, &mut problems),
            _ => {}
        }
        if problems.is_empty() { Ok(entity) } else { Err(problems) }
    }

    fn reveal_plugin(&self, plugin: &mut Plugin, problems: &mut Vec<Problem>) {
        if let PluginLookup::Known(schema) = self.catalog.plugin(&plugin.name) {
            let path = Path::root().key("config");
            let revealed = secrets::revealed(&schema.config, &plugin.config, &path, self.environment, problems);
            plugin.revealed = revealed.map(Box::new);
        }
    }

    /// The catalog looks at what is inside, once it is known.
    fn reveal_certificate(&self, certificate: &mut Certificate, problems: &mut Vec<Problem>) {
        let record = entities::record(Kind::Certificates);
        let shown = serde_json::to_value(&*certificate).unwrap_or_default();
        let revealed = secrets::revealed(record, &shown, &Path::root(), self.environment, problems);
        certificate.revealed = revealed.and_then(|value| serde_json::from_value(value).ok()).map(Box::new);
        if problems.is_empty() {
            for (field, text) in self.catalog.check_certificate(certificate.effective()) {
                problems.push(Problem::new(Path::root().key(field.unwrap_or(ENTITY)), text));
            }
        }
    }
}

fn run(record: &Record, value: &mut Value, way: Way) -> Vec<Problem> {
    match way {
        Way::Whole => record.complete(value),
        Way::Changed => record.complete_update(value),
    }
}

fn fill(value: &mut Map<String, Value>, field: &str, make: impl FnOnce() -> Value) {
    if value.get(field).is_none_or(Value::is_null) {
        value.insert(field.to_owned(), make());
    }
}
