//! The layer in a service written with axum.
#![allow(clippy::unwrap_used)]

use axum::{Router, body::Body, routing::get};
use http::{Request, StatusCode};
use tower::ServiceExt;
use towergate_bot_detection::BotDetectionLayer;

async fn ask(agent: &str) -> (StatusCode, String) {
    let layer = BotDetectionLayer::new().allow(["^Googlebot/"]).unwrap().deny(["^curl/", "^Wget/"]).unwrap();
    let app: Router = Router::new().route("/", get(|| async { "people" })).layer(layer);
    let request = Request::get("/").header("user-agent", agent).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_is_reached_by_people_and_by_bots_that_may() {
    for agent in ["Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "Googlebot/2.1"] {
        assert_eq!(ask(agent).await, (StatusCode::OK, "people".into()));
    }
}

#[tokio::test]
async fn others_are_refused() {
    for agent in ["curl/8.5.0", "Wget/1.21", "Twitterbot/1.0"] {
        let (status, body) = ask(agent).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{agent}");
        assert!(body.contains("\"message\":\"Forbidden\""), "{body}");
    }
}
