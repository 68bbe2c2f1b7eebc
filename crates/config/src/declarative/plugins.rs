//! What a configuration may hold that only others can judge: plugins, certificates.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use towergate_schema::{Field, Record, typedefs};

use super::Kind;
use crate::entities::{self, Certificate};

/// The plugins a configuration may name, and what else is to be known beside Kong's schemas.
pub trait Catalog {
    /// What is known of the plugin called `name`.
    fn plugin(&self, name: &str) -> PluginLookup<'_>;

    /// What is wrong with a credential of this collection, beside what its schema says: the field and
    /// the message.
    fn check_credential(&self, _collection: &str, _credential: &Map<String, Value>) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What is wrong with a certificate and its keys, which this crate cannot read: the field (none
    /// if several do not go together) and the message.
    fn check_certificate(&self, _certificate: &Certificate) -> Vec<(Option<&'static str>, String)> {
        Vec::new()
    }

    /// The SHA-256 of an authority's certificate in hexadecimal, if it can be told.
    ///
    /// # Errors
    /// Why it is not an authority's certificate, or not a valid one.
    fn digest_authority(&self, _certificate: &str) -> Result<Option<String>, String> {
        Ok(None)
    }
}

/// What is known of a plugin.
#[derive(Clone, Copy, Debug)]
pub enum PluginLookup<'a> {
    /// It can be used.
    Known(&'a PluginSchema),
    /// Kong has it; this version does not. It may be configured as long as it is disabled.
    NotYet,
    /// There is no such plugin, or the settings do not enable it.
    Unknown,
}

/// What a plugin says about its configuration.
#[derive(Clone, Debug)]
pub struct PluginSchema {
    /// The record of its `config`.
    pub config: Arc<Record>,
    /// It cannot be scoped to a consumer.
    pub no_consumer: bool,
    /// It cannot be scoped to a group of consumers.
    pub no_consumer_group: bool,
    /// It cannot be scoped to a service.
    pub no_service: bool,
    /// It cannot be scoped to a route.
    pub no_route: bool,
    /// The protocols it may be used with; all of them are the default.
    pub protocols: Vec<&'static str>,
}

impl PluginSchema {
    /// A plugin for HTTP and gRPC that can be scoped in every way.
    #[must_use]
    pub fn new(config: Record) -> Self {
        Self {
            config: Arc::new(config),
            no_consumer: false,
            no_consumer_group: false,
            no_service: false,
            no_route: false,
            protocols: vec!["grpc", "grpcs", "http", "https"],
        }
    }

    /// The schema of the whole plugin entity.
    #[must_use]
    pub fn entity(&self) -> Record {
        let protocols = Field::set_of(Field::string().one_of(self.protocols.iter().copied()))
            .required()
            .default(self.protocols.clone());
        let mut record = entities::record(Kind::Plugins).specialise("config", Arc::clone(&self.config));
        for (forbidden, field, collection) in [
            (self.no_consumer, "consumer", "consumers"),
            (self.no_consumer_group, "consumer_group", "consumer_groups"),
            (self.no_service, "service", "services"),
            (self.no_route, "route", "routes"),
        ] {
            if forbidden {
                record = record.field(field, typedefs::forbidden(collection));
            }
        }
        record.field("protocols", protocols)
    }
}

/// A catalog of schemas by name, for tests and tools.
impl Catalog for HashMap<String, PluginSchema> {
    fn plugin(&self, name: &str) -> PluginLookup<'_> {
        self.get(name).map_or(PluginLookup::Unknown, PluginLookup::Known)
    }
}
