//! Changes of single entities, as the Admin API makes them: each is completed, checked by itself and
//! against everything else, and refused in Kong's words.

mod certificates;
mod deletion;
mod protocols;
mod references;
mod refusal;
mod restore;
mod unique;

use serde_json::{Map, Value, json};
use towergate_schema::{Path, Problem};
use uuid::Uuid;

pub use refusal::{Code, Refusal};
pub use restore::Restore;

use crate::completion::{Completed, Completion, Way};
use crate::config::{AnyEntity, Config};
use crate::declarative::{Catalog, Kind, Options, PluginLookup};
use crate::entities::{self, Entity};

/// A configuration that is being changed. Nothing of it is in force until [`Edit::finish`] is put there.
pub struct Edit<'a> {
    config: Config,
    completion: Completion<'a>,
    is_writable: bool,
    changed: Vec<Changed>,
}

/// What has become of an entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// All its fields; `None` if it is gone.
    pub entity: Option<Value>,
}

/// Which entity is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The one with this id.
    Id(Uuid),
    /// The one whose [`Kind::endpoint_key`] is this.
    Key(String),
}

impl Named {
    /// An id if `text` has the form of one, otherwise a key.
    #[must_use]
    pub fn new(text: &str) -> Self {
        // Only the long form: a name may well be 32 hexadecimal digits.
        let id = if text.len() == 36 { text.parse().ok() } else { None };
        id.map_or_else(|| Self::Key(text.to_owned()), Self::Id)
    }
}

/// The fields of an entity as a client wrote them.
pub type Written = Map<String, Value>;

impl<'a> Edit<'a> {
    /// Changes of this configuration.
    #[must_use]
    pub fn new(config: Config, catalog: &'a dyn Catalog, options: &'a Options) -> Self {
        let completion = Completion::new(catalog, &options.environment, options.now, true);
        Self { config, completion, is_writable: true, changed: Vec::new() }
    }

    /// Refuses, in Kong's words, whatever would change something and is not wrong for another reason.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.is_writable = false;
        self
    }

    /// The configuration as it is with the changes so far.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The changed configuration, and what has changed in it, in order.
    #[must_use]
    pub fn finish(mut self) -> (Config, Vec<Changed>) {
        // Passwords are hashed now; whoever reads the configuration again must not do it once more.
        self.config.transform = self.config.basicauth_credentials.is_empty();
        (self.config, self.changed)
    }

    /// The entity that is meant, if it is there.
    ///
    /// # Errors
    /// It was not named by its id, and entities of the kind have no other name.
    pub fn find(&self, kind: Kind, named: &Named) -> Result<Option<&dyn Entity>, Refusal> {
        match (named, kind.endpoint_key()) {
            (Named::Id(id), _) => Ok(self.config.by_id(kind, *id)),
            (Named::Key(key), Some(field)) => Ok(self.config.by_text(kind, field, key)),
            (Named::Key(_), None) => Err(Refusal::invalid_primary_key()),
        }
    }

    /// Adds an entity; answers its id.
    ///
    /// # Errors
    /// Everything that is wrong with it, or the first thing elsewhere that it does not go with.
    pub fn insert(&mut self, kind: Kind, mut written: Written) -> Result<Uuid, Refusal> {
        let names = self.take_names(kind, &mut written, None)?;
        self.resolve(kind, &mut written)?;
        let value = self.complete(kind, written, Way::Whole)?;
        self.writable("create", kind, None)?;
        let id = self.keep(kind, value, None)?;
        self.put_names(id, names)?;
        Ok(id)
    }

    /// Puts an entity in the place of the one that is meant, or adds it; answers its id.
    ///
    /// # Errors
    /// As [`Edit::insert`].
    pub fn upsert(&mut self, kind: Kind, named: &Named, mut written: Written) -> Result<Uuid, Refusal> {
        let present = self.find(kind, named)?.map(|entity| (entity.id(), entity.to_json()));
        match (&present, named) {
            (Some((id, present)), _) => {
                written.insert("id".to_owned(), json!(id));
                let created = written.entry("created_at").or_insert(Value::Null);
                if created.is_null() {
                    *created = present.get("created_at").cloned().unwrap_or_default();
                }
            }
            (None, Named::Id(id)) => drop(written.insert("id".to_owned(), json!(id))),
            (None, Named::Key(_)) => {}
        }
        if let (Named::Key(key), Some(field)) = (named, kind.endpoint_key()) {
            written.insert(field.to_owned(), json!(key));
        }
        let id = present.map(|(id, _)| id);
        let names = self.take_names(kind, &mut written, id)?;
        self.resolve(kind, &mut written)?;
        let value = self.complete(kind, written, Way::Whole)?;
        self.writable("create or update", kind, Some(named))?;
        let id = self.keep(kind, value, id)?;
        self.put_names(id, names)?;
        Ok(id)
    }

    /// Lays a change over the entity that is meant; answers its id.
    ///
    /// # Errors
    /// There is none, or as [`Edit::insert`].
    pub fn update(&mut self, kind: Kind, named: &Named, mut change: Written) -> Result<Uuid, Refusal> {
        let present = self.find(kind, named)?.map(|entity| (entity.id(), entity.to_json()));
        let Some((id, present)) = present else { return Err(Refusal::not_found(kind, named)) };
        let names = self.take_names(kind, &mut change, Some(id))?;
        self.resolve(kind, &mut change)?;
        change.insert("id".to_owned(), json!(id));
        let keeps_password = change.get("password").is_none_or(Value::is_null);
        let merged = self.merged(kind, change, &present)?;
        // What is hashed already is not hashed again.
        self.completion.transform = !(kind == Kind::BasicauthCredentials && keeps_password);
        let value = self.complete(kind, merged, Way::Changed);
        self.completion.transform = true;
        let value = value?;
        self.writable("update", kind, Some(named))?;
        self.keep(kind, value, Some(id))?;
        self.put_names(id, names)?;
        Ok(id)
    }

    /// Takes out the entity that is meant and what belongs to it. It need not be there.
    ///
    /// # Errors
    /// Another entity needs it.
    pub fn delete(&mut self, kind: Kind, named: &Named) -> Result<(), Refusal> {
        let Some(id) = self.find(kind, named)?.map(Entity::id) else { return Ok(()) };
        self.writable("remove", kind, Some(named))?;
        self.remove(kind, id)
    }

    /// Whether an entity by itself could be added: completed and checked, but not compared with others.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn validate(&mut self, kind: Kind, written: Written) -> Result<(), Refusal> {
        self.complete(kind, written, Way::Whole).map(drop)
    }

    fn merged(&self, kind: Kind, change: Written, present: &Value) -> Result<Written, Refusal> {
        let name = change.get("name").and_then(Value::as_str).or_else(|| present.get("name")?.as_str());
        let own = match (kind, self.completion.catalog.plugin(name.unwrap_or_default())) {
            (Kind::Plugins, PluginLookup::Known(schema)) => Some(schema.entity()),
            _ => None,
        };
        let record = own.as_ref().unwrap_or_else(|| entities::record(kind));
        let mut change = Value::Object(change);
        let immutable = record.immutable_changes(&change, present);
        if !immutable.is_empty() {
            return Err(Refusal::schema_violation(&immutable));
        }
        record.expand_old_names(&mut change);
        let Value::Object(mut merged) = record.merge(&change, present) else { return Ok(Map::new()) };
        if record.named("updated_at").is_some() {
            merged.insert("updated_at".to_owned(), json!(self.completion.now));
        }
        Ok(merged)
    }

    fn complete(&mut self, kind: Kind, written: Written, way: Way) -> Result<Written, Refusal> {
        let Completed { value, problems, .. } = self.completion.complete(kind, written, way, None);
        match value {
            Value::Object(value) if problems.is_empty() => Ok(value),
            _ => Err(Refusal::schema_violation(&problems)),
        }
    }

    /// Compares a completed entity with all others and keeps it. `own` is the id of the one it replaces.
    fn keep(&mut self, kind: Kind, value: Written, own: Option<Uuid>) -> Result<Uuid, Refusal> {
        let typed = self.completion.typed(kind, Value::Object(value));
        let entity = typed.map_err(|problems| Refusal::schema_violation(&problems))?;
        self.check_protocols(&entity)?;
        self.check_unique(&entity, own)?;
        self.check_links(entity.entity())?;
        self.check_authorities(&entity)?;
        let (id, shown) = (entity.entity().id(), entity.entity().to_json());
        self.changed.push(Changed { kind, id, entity: Some(shown) });
        match own {
            Some(_) => self.config.put(entity),
            None => self.config.push(entity),
        }
        Ok(id)
    }

    /// Kong only finds out when a request is on its way that an authority is not there.
    fn check_authorities(&self, entity: &AnyEntity) -> Result<(), Refusal> {
        let AnyEntity::Services(service) = entity else { return Ok(()) };
        let ids = service.ca_certificates.iter().flatten().enumerate();
        let problems: Vec<_> = ids
            .filter(|(_, id)| self.config.by_id(Kind::CaCertificates, **id).is_none())
            .map(|(index, id)| {
                let text = format!("invalid reference 'ca_certificates: {id}' (no such entry in 'ca_certificates')");
                Problem::new(Path::root().key("ca_certificates").index(index), text)
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(Refusal::schema_violation(&problems)) }
    }

    fn writable(&self, operation: &str, kind: Kind, named: Option<&Named>) -> Result<(), Refusal> {
        if self.is_writable { Ok(()) } else { Err(Refusal::unsupported(operation, kind, named)) }
    }
}
