//! What Kong has endpoints for and this gateway has nothing behind: answered as a Kong does that does
//! not use it.

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};

use crate::{
    answer::{message, not_found, nothing},
    endpoints::{Content, Endpoint, Operation},
    status, timers,
};

const WASM: &[&str] = &[
    "/filter-chains",
    "/filter-chains/{filter_chains}",
    "/filter-chains/{filter_chains}/route",
    "/filter-chains/{filter_chains}/service",
    "/routes/{routes}/filter-chains",
    "/routes/{routes}/filter-chains/{filter_chains}",
    "/routes/{routes}/filters/all",
    "/routes/{routes}/filters/enabled",
    "/routes/{routes}/filters/disabled",
    "/services/{services}/filter-chains",
    "/services/{services}/filter-chains/{filter_chains}",
];

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let get = |summary: &str| Operation::new(Method::GET, summary);
    let mut endpoints = vec![
        Endpoint::new("/timers").on(get("Timers: there are none").answers(200, Content::Object), timers::show),
        Endpoint::new("/status/dns").on(get("What the DNS client counts").answers(501, Content::Message), status::dns),
        Endpoint::new("/proxy-cache").on(Operation::new(Method::DELETE, "Forget all of proxy-cache: nothing"), purge),
        Endpoint::new("/cache").on(Operation::new(Method::DELETE, "Empty the cache: there is none"), purge),
        Endpoint::new("/cache/{key}")
            .on(get("What is cached: nothing is").answers(404, Content::Message), cached)
            .on(Operation::new(Method::DELETE, "Forget what is cached: nothing is"), purge),
    ];
    for path in ["/proxy-cache/{key}", "/proxy-cache/{plugins}/caches/{key}"] {
        let show = get("A response proxy-cache holds: none").answers(404, Content::Message);
        let forget = Operation::new(Method::DELETE, "Forget it: there is none").answers(404, Content::Message);
        endpoints.push(Endpoint::new(path).on(show, cached).on(forget, cached));
    }
    for path in ["/clustering/data-planes", "/clustering/status"] {
        let operation = get("Data planes: there are none").answers(400, Content::Message);
        endpoints.push(Endpoint::new(path).on(operation, clustering));
    }
    for path in WASM {
        let operation = get("WebAssembly filters: there are none").answers(400, Content::Message);
        endpoints.push(Endpoint::new(*path).on(operation, wasm));
    }
    endpoints
}

async fn cached() -> Response {
    not_found().await
}

async fn purge() -> Response {
    nothing()
}

async fn clustering() -> Response {
    let text = "this endpoint is only available when Kong is configured to run as Control Plane for the cluster";
    message(StatusCode::BAD_REQUEST, text)
}

async fn wasm() -> Response {
    message(StatusCode::BAD_REQUEST, "this endpoint is only available when wasm is enabled").into_response()
}
