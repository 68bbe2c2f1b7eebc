//! The layer in a service written with axum.
#![allow(clippy::unwrap_used)]

use axum::{
    Router,
    body::{Body, Bytes},
    routing::post,
};
use http::{Request, StatusCode};
use tower::ServiceExt;
use towergate_request_size_limiting::RequestSizeLimitingLayer;

fn app() -> Router {
    Router::new().route("/", post(|body: Bytes| async { body })).layer(RequestSizeLimitingLayer::new(5))
}

#[tokio::test]
async fn a_handler_gets_what_is_small_enough() {
    let response = app().oneshot(Request::post("/").body(Body::from("12345")).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await.unwrap(), "12345");
}

#[tokio::test]
async fn the_client_of_a_larger_one_is_told_so() {
    for length in [None, Some("6")] {
        let mut request = Request::post("/").body(Body::from("123456")).unwrap();
        if let Some(length) = length {
            request.headers_mut().insert("content-length", length.parse().unwrap());
        }
        let response = app().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("Request size limit exceeded"));
    }
}
