//! The layer in a service written with axum.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use http::{Request, StatusCode};
use tower::ServiceExt;
use towergate_ip_restriction::IpRestrictionLayer;

async fn ask(peer: &str) -> (StatusCode, String) {
    let layer = IpRestrictionLayer::new()
        .allow(["192.0.2.0/24", "2001:db8::/32"])
        .unwrap()
        .deny(["192.0.2.66"])
        .unwrap()
        .client_address(|head| head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip()));
    let app: Router = Router::new().route("/", get(|| async { "inside" })).layer(layer);
    let peer: SocketAddr = peer.parse().unwrap();
    let request = Request::get("/").extension(ConnectInfo(peer)).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_is_reached_by_those_who_may() {
    for peer in ["192.0.2.7:5000", "[2001:db8::1]:5000"] {
        assert_eq!(ask(peer).await, (StatusCode::OK, "inside".into()));
    }
}

#[tokio::test]
async fn others_are_told_why_not() {
    for peer in ["192.0.2.66:5000", "198.51.100.1:5000"] {
        let (status, body) = ask(peer).await;
        let address = peer.trim_end_matches(":5000");
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(body.contains(&format!("IP address not allowed: {address}")), "{body}");
    }
}
