#![doc = include_str!("../README.md")]
//!
//! # What it answers
//!
//! | path | method | status | what |
//! | --- | --- | --- | --- |
//! | `/` | GET | 200 | the node: versions, plugins, settings with secrets masked |
//! | `/status` | GET | 200 | connections, memory, the hash of the configuration |
//! | `/metrics` | GET | 200 | all metrics in Prometheus' text format, `text/plain; charset=UTF-8` |
//! | `/plugins/{id or instance name}/state` | GET | 200 | what a running plugin tells of itself |
//! | | | 404 | no plugin is called so |
//! | `/upstreams/{name or id}/health` | GET | 200 | how well each target is; with `?balancer_health=1` the whole |
//! | `/upstreams/{…}/targets/{id or host:port}/healthy`, `…/unhealthy`, `…/{address}/healthy`, `…/{address}/unhealthy` | PUT | 204 | decides it, until something else is noticed |
//! | | | 400 | its health is not watched |
//! | | | 404 | there is no such upstream, target or address |
//! | `/config` | GET | 200 | the configuration in force, as YAML in a JSON string |
//! | `/config` | POST | 201 | replaces it; 304 with `?check_hash=1` if it is the same already |
//! | | | 400 | it is wrong: an error object with every problem; the one before stays in force |
//! | | | 413 | it is larger than the setting `nginx_admin_client_max_body_size` |
//! | | | 415 | its media type is none of those `POST /config` reads |
//! | `/debug/node/log-level` | GET | 200 | `{"message":"log level: notice"}` |
//! | `/debug/node/log-level/{level}` | PUT | 200 | another level for `?timeout=` seconds (60): `log level changed`, or `log level is already …` |
//! | | | 400 | `unknown log level: …` |
//! | `/timers` | GET | 200 | Kong's timers, of which there are none |
//! | `/status/dns` | GET | 501 | `not implemented with the legacy DNS client` |
//! | `/explain` | POST | 200 | what would become of a request, without sending it ([`towergate_runtime::ExplainRequest`]) |
//! | | | 400 | what is wrong with the question |
//!
//! Every other answer is JSON. All carry `Server`, `X-Kong-Admin-Latency` (milliseconds; both as the
//! setting `headers` says) and `Access-Control-Allow-Origin`. Any other path is 404
//! `{"message":"Not found"}`, any other method 405 `{"message":"Method not allowed"}`; `HEAD` is
//! answered as `GET`, `OPTIONS` with the methods.
//!
//! The Status API ([`status_router`]) is for probes and scrapers, and changes nothing but its own answer:
//!
//! | path | method | status | what |
//! | --- | --- | --- | --- |
//! | `/status` | GET | 200 | as above |
//! | `/status/ready` | GET | 200 | `{"message":"ready"}` |
//! | | | 503 | why it should get no traffic: `draining`, or no configuration |
//! | | POST | 204 | `status=draining`: not ready from now on |
//! | `/status/dns` | GET | 501 | as above |
//! | `/upstreams/{name or id}/health` | GET | 200 | as above |
//! | `/metrics` | GET | 200 | as above |

mod access;
mod answer;
mod audit;
mod config;
mod document;
mod explain;
mod log_level;
mod metrics;
mod node;
mod plugin_state;
mod status;
mod status_api;
mod timers;
mod upstream_health;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodRouter, get, post, put},
};
use towergate_config::Settings;
use towergate_runtime::Control;
use uuid::Uuid;

pub use access::{Access, Peer};
pub use audit::AuditLog;
pub use explain::explain_router;
pub use log_level::LogLevels;
pub use status::{Connections, resident_bytes};
pub use status_api::status_router;

/// What the Admin API tells about and acts upon.
pub struct Admin {
    /// The configuration in force, and the way to replace it.
    pub control: Arc<Control>,
    /// The settings the gateway was started with.
    pub settings: Arc<Settings>,
    /// The id of this node.
    pub node_id: Uuid,
    /// Counts the proxy's connections and requests.
    pub connections: Box<dyn Fn() -> Connections + Send + Sync>,
    /// Writes all metrics in Prometheus' text format. It may take long, and is called where that
    /// keeps nobody waiting.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Who may use the Admin API. It may change while the gateway runs.
    pub access: Mutex<Arc<Access>>,
    /// Where changes are noted.
    pub audit: AuditLog,
    /// How much the gateway's own log tells.
    pub log_levels: LogLevels,
    /// Whether this node is about to stop, so that it should get no new traffic.
    pub draining: AtomicBool,
}

impl Admin {
    /// Who may use the Admin API now.
    pub(crate) fn access(&self) -> Arc<Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

/// The Kong version whose behaviour is followed: tools choose their dialect by it.
pub const KONG_VERSION: &str = "3.9.3";

/// The Admin API over this gateway.
pub fn router(admin: Arc<Admin>) -> Router {
    let limit = match admin.settings.admin_max_body_size {
        Some(limit) => DefaultBodyLimit::max(usize::try_from(limit).unwrap_or(usize::MAX)),
        None => DefaultBodyLimit::disable(),
    };
    let status = get(status::show).options(answer::options_of_get);
    let metrics = get(metrics::show).options(answer::options_of_get);
    let state = get(plugin_state::show).options(answer::options_of_get);
    let health = get(upstream_health::show).options(answer::options_of_get);
    let decided = |put: MethodRouter<_>| put.options(answer::options_of_put);
    let log_level = get(log_level::show).options(answer::options_of_get);
    let config = get(config::show).post(config::replace).options(answer::options_of_config);
    Router::new()
        .route("/", get(node::show).options(answer::options_of_get))
        .route("/robots.txt", get(answer::robots))
        // A slash at the end does not matter.
        .route("/status", status.clone())
        .route("/status/", status)
        .route("/metrics", metrics.clone())
        .route("/metrics/", metrics)
        .route("/plugins/{plugin}/state", state)
        .route("/upstreams/{upstream}/health", health.clone())
        .route("/upstreams/{upstream}/health/", health)
        .route("/upstreams/{upstream}/targets/{target}/healthy", decided(put(upstream_health::healthy)))
        .route("/upstreams/{upstream}/targets/{target}/unhealthy", decided(put(upstream_health::unhealthy)))
        .route(
            "/upstreams/{upstream}/targets/{target}/{address}/healthy",
            decided(put(upstream_health::healthy_address)),
        )
        .route(
            "/upstreams/{upstream}/targets/{target}/{address}/unhealthy",
            decided(put(upstream_health::unhealthy_address)),
        )
        .route("/timers", get(timers::show).options(answer::options_of_get))
        .route("/status/dns", get(status::dns).options(answer::options_of_get))
        .route("/debug/node/log-level", log_level.clone())
        .route("/debug/node/log-level/", log_level)
        .route("/debug/node/log-level/{level}", decided(put(log_level::set)))
        .route("/debug/cluster/log-level/{level}", decided(put(log_level::set)))
        .route("/explain", post(explain::explain).options(answer::options_of_post))
        .route("/config", config.clone())
        .route("/config/", config)
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(limit)
        .layer(middleware::from_fn_with_state(admin.clone(), access::guard))
        .layer(middleware::from_fn_with_state(admin.clone(), audit::note))
        .layer(middleware::from_fn_with_state(admin.clone(), answer::stamp))
        .with_state(admin)
}
