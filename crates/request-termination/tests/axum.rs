//! The layer in a service written with axum.
#![allow(clippy::unwrap_used)]

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use tower::ServiceExt;
use towergate_request_termination::RequestTerminationLayer;

#[tokio::test]
async fn one_route_may_be_closed() {
    let closed = RequestTerminationLayer::new().message("Back at noon");
    let app: Router = Router::new()
        .route("/closed", get(|| async { "never" }).layer(closed))
        .route("/open", get(|| async { "open" }));
    for (path, status, expected) in [
        ("/closed", StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"Back at noon"}"#),
        ("/open", StatusCode::OK, "open"),
    ] {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await.unwrap(), expected);
    }
}
