//! The layer in a service written with axum.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::{Extension, Router, body::Body, routing::get};
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use towergate_core::Context;
use towergate_retry::RetryLayer;

#[tokio::test]
async fn each_route_may_have_its_own_rules() {
    let shown = |Extension(cx): Extension<Arc<Context>>| async move {
        cx.retries().and_then(|rules| rules.retries).map_or("as the service says".to_owned(), |n| n.to_string())
    };
    let app: Router = Router::new()
        .route("/orders", get(shown).layer(RetryLayer::new().retries(1)))
        .route("/search", get(shown).layer(RetryLayer::new()));
    for (path, expected) in [("/orders", "1"), ("/search", "as the service says")] {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
    }
}
