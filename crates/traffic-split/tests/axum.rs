//! The layer between two axum routers.
#![allow(clippy::unwrap_used)]

use axum::{Router, body::Body, routing::get};
use http::Request;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use towergate_traffic_split::{Canary, Key, SplitLayer};

#[tokio::test]
async fn a_new_version_of_a_router_takes_over_for_some() {
    let version = |name: &'static str| Router::<()>::new().route("/version", get(move || async move { name }));
    let canary = Canary::percentage(0.0, Key::Ip).by_header("x-canary".parse().unwrap());
    let app = SplitLayer::new(canary, [version("2")]).layer(version("1"));
    for (header, expected) in [("never", "1"), ("always", "2"), ("", "1")] {
        let request = Request::get("/version").header("x-canary", header).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
    }
}
