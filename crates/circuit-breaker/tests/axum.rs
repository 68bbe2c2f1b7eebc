//! The layer in a service written with axum, and around a client.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use http::{Request, Response, StatusCode};
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
use towergate_circuit_breaker::CircuitBreakerLayer;

#[tokio::test]
async fn a_handler_that_fails_is_left_alone_for_a_while() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let report = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let layer = CircuitBreakerLayer::builder().failure_threshold(NonZeroU32::new(3)).build();
    let app: Router = Router::new().route("/report", get(report).layer(layer)).route("/", get(|| async { "well" }));
    let ask = async |path: &str| app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask("/report").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    let refused = ask("/report").await;
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"30".parse().unwrap())
    );
    let body = axum::body::to_bytes(refused.into_body(), 1024).await.unwrap();
    assert_eq!(body, r#"{"message":"Service temporarily unavailable","circuit_state":"OPEN"}"#);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(ask("/").await.status(), StatusCode::OK, "another route");
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_timeout_stops_calling() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let silent = service_fn(move |_: Request<()>| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<Response<()>, BoxError>>()
    });
    let client = ServiceBuilder::new()
        .layer(CircuitBreakerLayer::builder().failure_threshold(NonZeroU32::new(2)).build())
        .timeout(Duration::from_secs(1))
        .service(silent);
    for _ in 0..2 {
        let error = client.clone().oneshot(Request::new(())).await.unwrap_err();
        assert!(error.is::<tower::timeout::error::Elapsed>(), "the inner error as it is: {error}");
    }
    let refused = client.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!((refused.status(), calls.load(Ordering::SeqCst)), (StatusCode::SERVICE_UNAVAILABLE, 2));
}
