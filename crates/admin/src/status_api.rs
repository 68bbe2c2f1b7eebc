//! The Status API: for probes and scrapers, which need not reach the Admin API.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use axum::{Router, body::Bytes, extract::State, middleware, response::Response, routing::get};
use http::StatusCode;
use percent_encoding::percent_decode;
use serde_json::Value;
use towergate_config::Config;

use crate::{Admin, access, answer, answer::message, metrics, status, upstream_health};

/// The Status API of this gateway; what it answers is on the [crate's page](crate).
pub fn status_router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/status", get(status::show))
        .route("/status/", get(status::show))
        .route("/status/dns", get(status::dns))
        .route("/upstreams/{upstream}/health", get(upstream_health::show))
        .route("/upstreams/{upstream}/health/", get(upstream_health::show))
        .route("/status/ready", get(ready).post(set))
        .route("/status/ready/", get(ready).post(set))
        .route("/metrics", get(metrics::show))
        .route("/metrics/", get(metrics::show))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(middleware::from_fn_with_state(admin.clone(), access::guard_pages))
        .layer(middleware::from_fn_with_state(admin.clone(), answer::stamp))
        .with_state(admin)
}

/// Whether this node should get traffic.
async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    match unready(&admin) {
        None => message(StatusCode::OK, "ready"),
        Some(why) => message(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// Why not.
fn unready(admin: &Admin) -> Option<&'static str> {
    if admin.draining.load(Relaxed) {
        return Some("draining");
    }
    // An empty document is a configuration, too, but not one to send traffic to.
    let is_empty = admin.control.current().config.hash == Config::empty().hash;
    is_empty.then_some("no configuration available (empty configuration present)")
}

/// `status=draining` takes this node out of the traffic.
async fn set(State(admin): State<Arc<Admin>>, body: Bytes) -> Response {
    if !asks_to_drain(&body) {
        return message(StatusCode::BAD_REQUEST, "expected status=draining");
    }
    admin.draining.store(true, Relaxed);
    answer::nothing()
}

/// As a form or as JSON.
fn asks_to_drain(body: &[u8]) -> bool {
    let is_form = body.split(|byte| *byte == b'&').any(|pair| percent_decode(pair).eq(*b"status=draining"));
    let said =
        || serde_json::from_slice::<Value>(body).is_ok_and(|value| value.get("status") == Some(&"draining".into()));
    is_form || said()
}
