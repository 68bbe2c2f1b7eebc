//! The layer in a service written with axum.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use tower::ServiceExt;
use towergate_redirect::RedirectLayer;

#[tokio::test]
async fn one_route_may_have_moved() {
    let moved = RedirectLayer::to("https://new.test").unwrap().status(StatusCode::FOUND).keep_incoming_path(true);
    let app: Router =
        Router::new().route("/old", get(|| async { "old" }).layer(moved)).route("/here", get(|| async { "here" }));
    for (path, status, location) in
        [("/old?a=b", StatusCode::FOUND, Some("https://new.test/old?a=b")), ("/here", StatusCode::OK, None)]
    {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get("location").map(|value| value.to_str().unwrap()), location);
    }
}
