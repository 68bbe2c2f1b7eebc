#![doc = include_str!("../README.md")]
//!
//! # What it answers
//!
//! | path | method | status | what |
//! | --- | --- | --- | --- |
//! | `/` | GET | 200 | the node: versions, plugins, settings with secrets masked |
//! | `/status` | GET | 200 | connections, memory, the hash of the configuration |
//! | `/plugins/{id or instance name}/state` | GET | 200 | what a running plugin tells of itself |
//! | | | 404 | no plugin is called so |
//! | `/config` | GET | 200 | the configuration in force, as YAML in a JSON string |
//! | `/config` | POST | 201 | replaces it; 304 with `?check_hash=1` if it is the same already |
//! | | | 400 | it is wrong: an error object with every problem; the one before stays in force |
//! | | | 413 | it is larger than the setting `nginx_admin_client_max_body_size` |
//! | | | 415 | its media type is none of those `POST /config` reads |
//!
//! Every answer is JSON, and carries `Server`, `X-Kong-Admin-Latency` (milliseconds; both as the
//! setting `headers` says) and `Access-Control-Allow-Origin`. Any other path is 404
//! `{"message":"Not found"}`, any other method 405 `{"message":"Method not allowed"}`; `HEAD` is
//! answered as `GET`, `OPTIONS` with the methods.

mod answer;
mod config;
mod document;
mod node;
mod plugin_state;
mod status;

use std::{fmt, sync::Arc};

use axum::{Router, extract::DefaultBodyLimit, middleware, routing::get};
use towergate_config::Settings;
use towergate_runtime::Control;
use uuid::Uuid;

pub use status::Connections;

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
    let state = get(plugin_state::show).options(answer::options_of_get);
    let config = get(config::show).post(config::replace).options(answer::options_of_config);
    Router::new()
        .route("/", get(node::show).options(answer::options_of_get))
        .route("/robots.txt", get(answer::robots))
        // A slash at the end does not matter.
        .route("/status", status.clone())
        .route("/status/", status)
        .route("/plugins/{plugin}/state", state)
        .route("/config", config.clone())
        .route("/config/", config)
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(limit)
        .layer(middleware::from_fn_with_state(admin.clone(), answer::stamp))
        .with_state(admin)
}
