#![doc = include_str!("../README.md")]
//!
//! # What it answers
//!
//! | path | method | status | what |
//! | --- | --- | --- | --- |
//! | `/` | GET | 200 | the node: versions, plugins, settings with secrets masked |
//! | `/status` | GET | 200 | connections, memory, the hash of the configuration or whether the database answers |
//! | `/metrics` | GET | 200 | all metrics in Prometheus' text format (`text/plain; charset=UTF-8`), or in OpenMetrics' if `Accept` asks for it |
//! | `/services`, `/routes`, … | GET | 200 | a page of the entities of a kind |
//! | | POST | 201 | adds one |
//! | `/services/{name or id}`, `/services/{…}/routes/{…}`, `/routes/{…}/service`, … | GET | 200 | one |
//! | | PUT | 200 | replaces or adds it |
//! | | PATCH | 200 | changes some of its fields |
//! | | DELETE | 204 | it is gone |
//! | all of these | | 400, 404, 409 | what is wrong, as [`Refusal`](towergate_config::Refusal) says it |
//! | | POST, PUT, PATCH, DELETE | 405 | the store is no database |
//! | `/schemas/{kind}`, `/schemas/plugins/{name}` | GET | 200 | what an entity, or a plugin, may say |
//! | `/schemas/{kind}/validate` | POST | 200, 400 | whether an entity would be accepted |
//! | `/tags`, `/tags/{tag}` | GET | 200 | which entity has which tag |
//! | `/endpoints`, `/openapi.json` | GET | 200 | all paths, and everything about them |
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
mod body;
mod change;
mod collections;
mod config;
mod configured;
mod document;
mod endpoints;
mod entities;
mod expired;
mod explain;
mod fixed;
mod groups;
mod in_path;
mod log_level;
mod metrics;
mod node;
mod openapi;
mod others;
mod page;
mod plugin_state;
mod schemas;
mod status;
mod status_api;
mod tags;
mod timers;
mod upstream_health;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use http::HeaderMap;
use towergate_config::Settings;
use towergate_runtime::Control;
use uuid::Uuid;

pub use access::{Access, Peer};
pub use audit::{AuditLog, shown_path};
pub use configured::{ConfigureError, Configured, Held, configuration, each, entities};
pub use expired::forget_expired;
pub use explain::explain_router;
pub use log_level::LogLevels;
pub use metrics::MetricsPage;
pub use status::{Connections, resident_bytes};
pub use status_api::status_router;

/// What the Admin API tells about and acts upon.
pub struct Admin {
    /// What puts configurations into force.
    pub control: Arc<Control>,
    /// The configuration in force as the store has it, and the way to change it.
    pub configured: Arc<Configured>,
    /// The settings in force. Some may change while the gateway runs.
    pub settings: Mutex<Arc<Settings>>,
    /// The id of this node.
    pub node_id: Uuid,
    /// Counts the proxy's connections and requests.
    pub connections: Box<dyn Fn() -> Connections + Send + Sync>,
    /// Writes all metrics for Prometheus, in the format that suits a request with these headers. It may take
    /// long, and is called where that keeps nobody waiting.
    pub metrics: Box<dyn Fn(&HeaderMap) -> MetricsPage + Send + Sync>,
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
    /// The settings in force now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

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
    let limit = match admin.settings().admin_max_body_size {
        Some(limit) => DefaultBodyLimit::max(usize::try_from(limit).unwrap_or(usize::MAX)),
        None => DefaultBodyLimit::disable(),
    };
    endpoints::routed(endpoints::all())
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(limit)
        .layer(middleware::from_fn_with_state(admin.clone(), access::guard))
        .layer(middleware::from_fn_with_state(admin.clone(), audit::note))
        .layer(middleware::from_fn_with_state(admin.clone(), answer::stamp))
        .with_state(admin)
}
