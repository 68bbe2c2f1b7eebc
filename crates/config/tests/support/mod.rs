//! A catalog of a few plugins and short ways to load.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::HashMap;

use towergate_config::{Catalog, Environment, Loaded, Options, PluginLookup, PluginSchema, Report, Source, parse_with};
use towergate_schema::{Field, Record};

/// A fixed moment, so that two loads are equal.
pub(crate) const NOW: i64 = 1_700_000_000;

pub(crate) struct Plugins(HashMap<&'static str, PluginSchema>);

impl Catalog for Plugins {
    fn plugin(&self, name: &str) -> PluginLookup<'_> {
        match self.0.get(name) {
            Some(schema) => PluginLookup::Known(schema),
            None if matches!(name, "jwt" | "rate-limiting" | "prometheus") => PluginLookup::NotYet,
            None => PluginLookup::Unknown,
        }
    }
}

/// Plugins with the fields the tests write; what their real schemas are is their crates' matter.
pub(crate) fn plugins() -> Plugins {
    let texts = || Field::array(Field::string()).nullable();
    let key_auth = Record::new()
        .field("key_names", Field::array(Field::string()).required().default(vec!["apikey"]))
        .field("hide_credentials", Field::boolean().required().default(false));
    let correlation = Record::new()
        .field("header_name", Field::string().nullable().default("Kong-Request-ID"))
        .field(
            "generator",
            Field::string().required().default("uuid#counter").one_of(["uuid", "uuid#counter", "tracker"]),
        )
        .field("echo_downstream", Field::boolean().required().default(false));
    let cors = Record::new()
        .field("origins", texts())
        .field("methods", texts())
        .field("credentials", Field::boolean().required().default(false))
        .field("max_age", Field::number().nullable());
    let redis = Record::new()
        .field("host", Field::string().nullable())
        .field("password", Field::string().nullable().referenceable());
    let limiter = Record::new().field("redis", Field::record(redis)).field("minute", Field::number().nullable());
    Plugins(HashMap::from([
        ("key-auth", PluginSchema { no_consumer: true, ..PluginSchema::new(key_auth) }),
        ("correlation-id", PluginSchema::new(correlation)),
        ("cors", PluginSchema { no_consumer: true, ..PluginSchema::new(cors) }),
        ("limiter", PluginSchema::new(limiter)),
    ]))
}

pub(crate) fn options() -> Options {
    Options { now: NOW, environment: Environment::from_iter([("SECRET", "s3cret")]), ..Options::default() }
}

/// Loads several named texts.
pub(crate) fn load_all(sources: &[(&str, &str)]) -> Result<Loaded, Report> {
    let sources = sources.iter().map(|(name, text)| Source::new(*name, *text)).collect();
    parse_with(sources, &plugins(), &options())
}

/// Loads one text, with the version line before it if it has none, as `kong.yml`.
pub(crate) fn load(text: &str) -> Result<Loaded, Report> {
    load_all(&[("kong.yml", text)])
}
