//! The layer in a service written with axum.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use towergate_metrics::{HttpMetrics, MetricsLayer};

fn app(metrics: &HttpMetrics) -> Router {
    let layer = MetricsLayer::new(metrics.clone()).route(|head| head.extensions.get().map(MatchedPath::as_str));
    Router::new()
        .route("/orders/{id}", get(|| async { "an order" }))
        .route("/orders", post(|body: String| async move { (StatusCode::CREATED, body) }))
        .route("/broken", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .layer(layer)
}

async fn send(app: &Router, method: Method, path: &str, body: &'static str) -> Bytes {
    let request = Request::builder().method(method).uri(path).body(Body::new(Full::from(body))).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

#[track_caller]
fn assert_line(metrics: &HttpMetrics, line: &str) {
    let page = metrics.page();
    assert!(page.lines().any(|found| found == line), "{line}\n{page}");
}

#[tokio::test]
async fn requests_are_counted_by_the_template_of_their_route() {
    let metrics = HttpMetrics::new();
    let app = app(&metrics);
    send(&app, Method::GET, "/orders/1", "").await;
    send(&app, Method::GET, "/orders/2", "").await;
    send(&app, Method::POST, "/orders", "12345").await;
    send(&app, Method::GET, "/broken", "").await;
    for line in [
        r#"http_requests_total{route="/orders/{id}",method="GET",status="2xx"} 2"#,
        r#"http_requests_total{route="/orders",method="POST",status="2xx"} 1"#,
        r#"http_requests_total{route="/broken",method="GET",status="5xx"} 1"#,
        r#"http_request_duration_seconds_count{route="/orders/{id}",method="GET"} 2"#,
        r#"http_request_duration_seconds_bucket{route="/orders/{id}",method="GET",le="10"} 2"#,
        r#"http_request_body_bytes_total{route="/orders",method="POST"} 5"#,
        r#"http_response_body_bytes_total{route="/orders",method="POST"} 5"#,
        r#"http_response_body_bytes_total{route="/orders/{id}",method="GET"} 16"#,
        "http_requests_in_flight 0",
    ] {
        assert_line(&metrics, line);
    }
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_response_is_gone() {
    let metrics = HttpMetrics::new();
    let response = app(&metrics).oneshot(Request::get("/orders/1").body(Body::empty()).unwrap()).await.unwrap();
    assert_line(&metrics, "http_requests_in_flight 1");
    drop(response);
    assert_line(&metrics, "http_requests_in_flight 0");
}

#[tokio::test]
async fn who_gets_no_answer_is_counted_too() {
    let metrics = HttpMetrics::new();
    let layer = MetricsLayer::new(metrics.clone());
    let app: Router = Router::new().route("/", get(std::future::pending::<()>)).layer(layer);
    let request = app.oneshot(Request::get("/").body(Body::empty()).unwrap());
    assert!(tokio::time::timeout(Duration::ZERO, request).await.is_err());
    assert_line(&metrics, r#"http_requests_total{route="",method="GET",status="none"} 1"#);
}

#[tokio::test]
async fn clients_cannot_make_up_labels() {
    let metrics = HttpMetrics::with_limit(2);
    let app: Router = Router::new()
        .fallback(|| async {})
        .layer(MetricsLayer::new(metrics.clone()).route(|head| Some(head.uri.path())));
    for path in ["/a", "/b", "/c", "/d"] {
        send(&app, Method::from_bytes(b"BREW").unwrap(), path, "").await;
    }
    let page = metrics.page();
    assert!(page.contains(r#"http_requests_total{route="overflow",method="other",status="2xx"} 2"#), "{page}");
    assert!(!page.contains("BREW") && !page.contains("/c"), "{page}");
}
