//! The layer in a service written with axum.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use axum::{Extension, Router, body::Body, routing::get};
use http::{HeaderName, Request, StatusCode};
use tower::ServiceExt;
use towergate_core::Context;
use towergate_correlation::{CorrelationIdLayer, Generator};

fn app() -> Router {
    let whole = |Extension(cx): Extension<Arc<Context>>| async move {
        cx.correlation_id().unwrap().to_str().unwrap().to_owned()
    };
    let layer = CorrelationIdLayer::new()
        .header(HeaderName::from_static("x-request-id"))
        .generator(Generator::UuidCounter)
        .echo(true);
    Router::new().route("/", get(whole)).layer(layer)
}

#[tokio::test]
async fn a_handler_reads_the_id_that_the_client_gets() {
    for sent in [None, Some("mine")] {
        let mut request = Request::get("/");
        if let Some(id) = sent {
            request = request.header("x-request-id", id);
        }
        let response = app().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let echoed = response.headers()["x-request-id"].clone();
        let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        assert_eq!(body, echoed.as_bytes());
        assert!(sent.is_none_or(|id| echoed == id));
    }
}

#[tokio::test]
async fn paths_that_do_not_exist_get_one_too() {
    let response = app().oneshot(Request::get("/nowhere").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.headers()["x-request-id"].to_str().unwrap().contains('#'));
}
