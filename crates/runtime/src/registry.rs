//! Which plugins configuration may name, and how each becomes a policy.

use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use towergate_config::{Catalog, PluginLookup, PluginSchema, entities::Certificate};
use towergate_core::{CredentialKind, Env, Guard, Observe, Plugin, PluginError, Policy, ServiceOverride, Shared, Wrap};
use towergate_schema::{Check, Path, Problem, RecordSchema, is_reference};
use towergate_tls::Authority;

use crate::{certificates, credentials, tasks::Start};

/// Where in the stack a plugin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Band {
    /// Told when a request is over.
    Log,
    /// Outside the guards: sees every response.
    Outer,
    /// A guard.
    Guard,
    /// Inside the guards: sees only what all of them let through.
    Inner,
}

/// A plugin that configuration may name.
#[derive(Debug)]
pub struct PluginKind {
    /// Its name.
    pub name: &'static str,
    /// Its PRIORITY: higher runs earlier.
    pub priority: i32,
    /// Where in the stack it stands.
    pub band: Band,
    /// What its configuration may say, and where it may be scoped. Made when it is first asked for: a configuration
    /// uses few plugins.
    pub schema: LazyLock<PluginSchema, Box<dyn FnOnce() -> PluginSchema + Send + Sync>>,
    /// The credentials it looks up.
    pub credentials: Option<CredentialKind>,
    /// The field that lists the authorities whom it trusts to say who clients are.
    pub authorities_field: Option<&'static str>,
    /// Whether it may ask when the parts of a request's way ran.
    pub records_spans: bool,
    /// If it wraps the service: whether it looks at the heads of responses.
    pub sees_heads: bool,
    enabled: bool,
    build: fn(Value, &Env) -> Result<Built, PluginError>,
}

impl PluginKind {
    /// The policy of this (valid, completed) configuration.
    ///
    /// # Errors
    /// What the plugin itself finds wrong with it.
    pub fn build(&self, config: Value, env: &Env) -> Result<Built, PluginError> {
        (self.build)(config, env)
    }
}

/// A policy made of a configuration.
#[derive(Clone)]
pub struct Built {
    pub(crate) policy: BuiltPolicy,
    pub(crate) background: Arc<Start>,
    pub(crate) state: Arc<dyn Fn() -> Option<Value> + Send + Sync>,
    /// Where it may send requests instead of to their service.
    pub(crate) overrides: Arc<[ServiceOverride]>,
}

impl Built {
    fn new<P: Plugin>(plugin: &Arc<P>, policy: BuiltPolicy) -> Self {
        let (beside, seen, overrides) = (plugin.clone(), plugin.clone(), plugin.overrides().into());
        let background: Arc<Start> = Arc::new(move || beside.background());
        let state = Arc::new(move || seen.state());
        Self { policy, background, state, overrides }
    }
}

#[derive(Clone)]
pub(crate) enum BuiltPolicy {
    Guard(Arc<dyn Guard>),
    Observe(Arc<dyn Observe>),
    Wrap(Arc<Policy>),
}

/// All plugins of a gateway: the order within a band is the order in which they run.
#[derive(Debug, Default)]
pub struct Registry {
    kinds: Vec<PluginKind>,
    shared: Shared,
}

/// Kong's bundled plugins that this version does not build yet. Configuration may hold them
/// switched off, so that a complete file can be kept; switched on, they are refused.
const NOT_YET: &[&str] = &[
    "acme",
    "ai-prompt-decorator",
    "ai-prompt-guard",
    "ai-prompt-template",
    "ai-proxy",
    "ai-request-transformer",
    "ai-response-transformer",
    "aws-lambda",
    "azure-functions",
    "grpc-gateway",
    "grpc-web",
    "ldap-auth",
    "oauth2",
    "post-function",
    "pre-function",
    "proxy-cache",
    "request-transformer",
    "response-transformer",
    "session",
    "standard-webhooks",
];

impl Registry {
    /// Adds a guard.
    pub fn add_guard<P>(&mut self)
    where
        P: Plugin + Guard,
        P::Config: DeserializeOwned + RecordSchema,
    {
        self.add::<P>(Band::Guard, |config, env| {
            let policy = Arc::new(made::<P>(config, env)?);
            Ok(Built::new(&policy, BuiltPolicy::Guard(policy.clone())))
        });
    }

    /// Adds a plugin that is told when a request is over.
    pub fn add_log<P>(&mut self)
    where
        P: Plugin + Observe,
        P::Config: DeserializeOwned + RecordSchema,
    {
        self.add::<P>(Band::Log, |config, env| {
            let policy = Arc::new(made::<P>(config, env)?);
            Ok(Built::new(&policy, BuiltPolicy::Observe(policy.clone())))
        });
    }

    /// Adds a wrapping plugin outside or inside the guards.
    pub fn add_wrap<P>(&mut self, band: Band)
    where
        P: Wrap,
        P::Config: DeserializeOwned + RecordSchema,
    {
        self.add::<P>(band, |config, env| {
            let policy = Arc::new(made::<P>(config, env)?);
            Ok(Built::new(&policy, BuiltPolicy::Wrap(policy.clone())))
        });
    }

    fn add<P>(&mut self, band: Band, build: fn(Value, &Env) -> Result<Built, PluginError>)
    where
        P: Plugin,
        P::Config: RecordSchema,
    {
        self.kinds.push(PluginKind {
            name: P::NAME,
            priority: P::PRIORITY,
            band,
            schema: LazyLock::new(Box::new(move || schema::<P>(build))),
            credentials: P::CREDENTIAL_KIND,
            authorities_field: P::AUTHORITIES_FIELD,
            records_spans: P::RECORDS_SPANS,
            sees_heads: P::SEES_HEADS,
            enabled: true,
            build,
        });
    }

    /// Lets configuration name only the plugins that `enabled` says (the setting `plugins`).
    #[must_use]
    pub fn restricted(mut self, enabled: impl Fn(&str) -> bool) -> Self {
        for kind in &mut self.kinds {
            kind.enabled = enabled(kind.name);
        }
        self
    }

    /// Whether this version builds the plugin of this name, enabled or not.
    pub fn has(&self, name: &str) -> bool {
        self.kind(name).is_some()
    }

    /// All plugins, in the order of their bands and within them.
    pub fn kinds(&self) -> &[PluginKind] {
        &self.kinds
    }

    /// What all policies have in common.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The kinds of credentials that these plugins look up.
    pub fn credentials(&self) -> impl Iterator<Item = &CredentialKind> {
        self.kinds.iter().filter_map(|kind| kind.credentials.as_ref())
    }

    /// The plugin of this name.
    pub fn kind(&self, name: &str) -> Option<&PluginKind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

fn schema<P>(build: fn(Value, &Env) -> Result<Built, PluginError>) -> PluginSchema
where
    P: Plugin,
    P::Config: RecordSchema,
{
    let mut schema = PluginSchema::new(P::Config::record().check(buildable(build)));
    schema.no_consumer = !P::CONSUMER_SCOPE;
    schema.no_consumer_group = !P::CONSUMER_SCOPE;
    schema.no_service = !P::SERVICE_SCOPE;
    schema.no_route = !P::ROUTE_SCOPE;
    schema.protocols = P::PROTOCOLS.to_vec();
    schema
}

/// What no schema can say is found by making the policy, when the configuration is read: its place
/// in the text is still known then. A reference to a secret is only followed later, when the policy
/// is made to be used.
fn buildable(build: fn(Value, &Env) -> Result<Built, PluginError>) -> Check {
    Check::custom(&[], move |config| {
        if refers_to_secrets(config.values()) {
            return Ok(());
        }
        let built = build(Value::Object(config.clone()), &Env::default());
        built.map(drop).map_err(|error| vec![Problem::new(path(error.field()), error.message())])
    })
}

fn refers_to_secrets<'a>(values: impl IntoIterator<Item = &'a Value>) -> bool {
    values.into_iter().any(|value| match value {
        Value::String(text) => is_reference(text),
        Value::Array(items) => refers_to_secrets(items),
        Value::Object(fields) => refers_to_secrets(fields.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    })
}

/// The path a plugin writes as `origins[1]` or `redis.host`.
fn path(field: &str) -> Path {
    field.split(['.', '[', ']']).filter(|part| !part.is_empty()).fold(Path::root(), |path, part| match part.parse() {
        Ok(index) => path.index(index),
        Err(_) => path.key(part),
    })
}

fn made<P>(config: Value, env: &Env) -> Result<P, PluginError>
where
    P: Plugin,
    P::Config: DeserializeOwned,
{
    let config = serde_json::from_value(config).map_err(|error| PluginError::new("", error.to_string()))?;
    P::new(config, env)
}

impl Catalog for Registry {
    fn plugin(&self, name: &str) -> PluginLookup<'_> {
        match self.kind(name) {
            Some(kind) if kind.enabled => PluginLookup::Known(&kind.schema),
            Some(_) => PluginLookup::Unknown,
            None if NOT_YET.contains(&name) => PluginLookup::NotYet,
            None => PluginLookup::Unknown,
        }
    }

    fn check_credential(&self, collection: &str, credential: &Map<String, Value>) -> Vec<(String, String)> {
        let kinds = self.credentials().filter(|kind| kind.collection == collection);
        kinds.filter_map(|kind| credentials::check(kind, credential).err()).collect()
    }

    fn check_certificate(&self, certificate: &Certificate) -> Vec<(Option<&'static str>, String)> {
        certificates::identities(certificate).err().unwrap_or_default()
    }

    fn digest_authority(&self, certificate: &str) -> Result<Option<String>, String> {
        let authority = Authority::from_pem(certificate).map_err(|error| error.to_string())?;
        Ok(Some(authority.digest()))
    }
}
