//! The example does what its README says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{Request, Response, StatusCode};
use tower::ServiceExt;

async fn ask(app: &Router, method: &str, path: &str, peer: &str) -> Response<Body> {
    let peer = ConnectInfo(peer.parse::<SocketAddr>().unwrap());
    let request = Request::builder().method(method).uri(path).extension(peer);
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn each_address_has_its_own_ten_a_minute() {
    let app = example_axum_ratelimit::app();
    for left in (0..10).rev() {
        let answer = ask(&app, "GET", "/quote", "192.0.2.1:1000").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["x-ratelimit-remaining-minute"], left.to_string());
    }
    let refused = ask(&app, "GET", "/quote", "192.0.2.1:2000").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "another port is the same client");
    assert!(refused.headers().contains_key("retry-after") && refused.headers().contains_key("ratelimit"));
    assert_eq!(ask(&app, "GET", "/quote", "192.0.2.2:1000").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn orders_are_dearer() {
    let app = example_axum_ratelimit::app();
    for _ in 0..3 {
        assert_eq!(ask(&app, "POST", "/orders", "192.0.2.1:1000").await.status(), StatusCode::CREATED);
    }
    let refused = ask(&app, "POST", "/orders", "192.0.2.1:1000").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let body = axum::body::to_bytes(refused.into_body(), 999).await.unwrap();
    assert!(std::str::from_utf8(&body).unwrap().contains("Too many orders"));
    assert_eq!(ask(&app, "GET", "/quote", "192.0.2.1:1000").await.status(), StatusCode::OK, "there is quota left");
}
