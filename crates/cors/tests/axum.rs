//! The layer in a service written with axum.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::{HeaderName, Method, Request, Response, StatusCode};
use tower::ServiceExt;
use towergate_cors::CorsLayer;

async fn send(method: Method, headers: &[(&str, &str)]) -> Response<Body> {
    let layer = CorsLayer::new()
        .origins(["https://shop.test", "https://admin.test"])
        .unwrap()
        .methods([Method::GET, Method::POST])
        .headers([HeaderName::from_static("x-api-key")])
        .exposed_headers([HeaderName::from_static("x-request-id")])
        .max_age(Duration::from_secs(60))
        .credentials(true);
    let app: Router = Router::new().route("/", get(|| async { "orders" })).layer(layer);
    let mut request = Request::builder().method(method);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_layer() {
    let headers = [("origin", "https://admin.test"), ("access-control-request-method", "POST")];
    let response = send(Method::OPTIONS, &headers).await;
    assert_eq!(response.status(), StatusCode::OK);
    let expected = [
        ("access-control-allow-origin", "https://admin.test"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-headers", "x-api-key"),
        ("access-control-max-age", "60"),
    ];
    for (name, value) in expected {
        assert_eq!(response.headers()[name], value);
    }
}

#[tokio::test]
async fn a_page_that_may_reads_the_response() {
    let response = send(Method::GET, &[("origin", "https://shop.test")]).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.test");
    assert_eq!(response.headers()["access-control-expose-headers"], "x-request-id");
    let response = send(Method::GET, &[("origin", "https://evil.test")]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    assert!(!response.headers().contains_key("towergate-cors-note"));
}

#[tokio::test]
async fn an_origin_that_is_no_expression_is_refused() {
    let error = CorsLayer::new().origins(["https://a.test", "["]).unwrap_err();
    assert_eq!(error.to_string(), "origins[1]: '[' is not a valid regex");
}
