//! An Admin API to ask.

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use axum::{Router, body::Body};
use http::{HeaderMap, Request, header, request::Parts};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;
use towergate_admin::{Admin, Configured, Connections, MetricsPage, router};
use towergate_config::{Config, Settings};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Policy, Service, UpstreamHealth, Verdict};
use towergate_runtime::{Base, Control, Destinations, Registry};
use towergate_schema::Schema;
use towergate_store::{Answer as Later, Commit, CommitError, News, Off, Snapshot, Store, StoreError, Version};
use uuid::Uuid;

/// An Admin API.
#[derive(Clone)]
pub(crate) struct Api {
    router: Router,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Api {
    /// One that keeps what is written.
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(Writable(Off::in_memory())))
    }

    /// One without a database.
    pub(crate) fn read_only() -> Self {
        Self::over(Arc::new(Off::in_memory()))
    }

    /// Another node over the same store.
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        let mut registry = Registry::default();
        registry.add_guard::<Limiter>();
        registry.add_guard::<Keys>();
        let handle = tokio::runtime::Handle::current();
        let started = Control::start(registry, Base::default(), Box::new(Nowhere), handle, Config::empty(), 1);
        let control = Arc::new(started.expect("an empty configuration is good").0);
        let configured = Arc::new(Configured::new(control.clone(), store, Version(0)));
        let following = configured.clone();
        tokio::spawn(async move { following.follow().await });
        let admin = Admin {
            control,
            configured,
            settings: Mutex::new(Arc::new(Settings::defaults())),
            node_id: uuid::Uuid::new_v4(),
            connections: Box::new(Connections::default),
            metrics: Box::new(|_| MetricsPage { content_type: "text/plain", text: String::new() }),
            access: Default::default(),
            audit: Default::default(),
            log_levels: Default::default(),
            draining: AtomicBool::default(),
        };
        Self { router: router(Arc::new(admin)) }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("a router never fails");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status, headers, body }
    }

    /// Sends a body of this media type.
    pub(crate) async fn form(&self, method: &str, path: &str, media_type: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, media_type);
        self.send(request.body(Body::from(body.to_owned())).expect("a good request")).await
    }

    pub(crate) async fn write(&self, method: &str, path: &str, body: Value) -> Answer {
        self.form(method, path, "application/json", &body.to_string()).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        self.send(request.expect("a good request")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    /// Adds an entity; answers it.
    pub(crate) async fn add(&self, path: &str, body: Value) -> Value {
        let answer = self.write("POST", path, body).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.body);
        answer.body
    }
}

impl Answer {
    /// Status and Kong's code, name and message.
    pub(crate) fn refusal(&self) -> (u16, u64, &str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (self.status, self.body["code"].as_u64().unwrap_or_default(), text("name"), text("message"))
    }
}

/// A store that says it is a database.
#[derive(Debug)]
pub(crate) struct Writable(pub(crate) Off);

impl Store for Writable {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn load(&self) -> Later<'_, Result<Snapshot, StoreError>> {
        self.0.load()
    }

    fn since(&self, version: Version) -> Later<'_, Result<News, StoreError>> {
        self.0.since(version)
    }

    fn commit(&self, commit: Commit) -> Later<'_, Result<Version, CommitError>> {
        self.0.commit(commit)
    }

    fn changed(&self, since: Version) -> Later<'_, Result<Version, StoreError>> {
        self.0.changed(since)
    }

    fn reachable(&self) -> Later<'_, bool> {
        self.0.reachable()
    }
}

/// Reaches nothing: no request is proxied here.
struct Nowhere;

impl Destinations for Nowhere {
    fn next(&self) -> Box<dyn Destinations> {
        Box::new(Nowhere)
    }

    fn destination(&mut self, _service: &Service) -> Arc<Policy> {
        Arc::new(())
    }

    fn health(&self, _upstream: Uuid) -> Option<UpstreamHealth> {
        Some(UpstreamHealth { is_watched: false, is_healthy: true, targets: Vec::new() })
    }
}

/// A plugin that looks at nothing.
struct Limiter;

#[derive(Debug, Deserialize, Schema)]
#[expect(dead_code, reason = "the schema is what matters here")]
#[schema(shorthand("redis_host", path = "redis.host", kind = string))]
struct Limits {
    /// How many.
    #[schema(required, default = 5)]
    minute: u32,
    /// Where it counts.
    redis: Redis,
}

#[derive(Debug, Deserialize, Schema)]
#[expect(dead_code, reason = "the schema is what matters here")]
struct Redis {
    /// Its host.
    host: Option<String>,
}

impl Plugin for Limiter {
    const NAME: &'static str = "limiter";
    const PRIORITY: i32 = 900;
    type Config = Limits;

    fn new(config: Limits, _: &Env) -> Result<Self, PluginError> {
        match config.minute {
            13 => Err(PluginError::new("minute", "13 is unlucky; any other is fine")),
            _ => Ok(Self),
        }
    }
}

impl Guard for Limiter {
    fn check(&self, _: &Context, _: &mut Parts) -> Verdict {
        Verdict::Pass
    }
}

/// A plugin that cannot be scoped to a consumer.
struct Keys;

#[derive(Debug, Deserialize, Schema)]
#[expect(dead_code, reason = "the schema is what matters here")]
struct Names {
    /// Where keys are.
    #[schema(required, default = ["apikey"])]
    names: Vec<String>,
}

impl Plugin for Keys {
    const NAME: &'static str = "keys";
    const PRIORITY: i32 = 1_000;
    const CONSUMER_SCOPE: bool = false;
    type Config = Names;

    fn new(_: Names, _: &Env) -> Result<Self, PluginError> {
        Ok(Self)
    }
}

impl Guard for Keys {
    fn check(&self, _: &Context, _: &mut Parts) -> Verdict {
        Verdict::Pass
    }
}
