//! The layer in a service written with axum.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{net::SocketAddr, num::NonZeroU32};

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use http::{HeaderName, Request, StatusCode};
use tower::ServiceExt;
use towergate_ratelimit::{
    Key, PeriodLimits, Quota, RateLimitLayer, ResponseRateLimitLayer, ResponseRatelimitingConfig,
};

const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();

#[tokio::test]
async fn a_limit_by_api_key() {
    let limit = RateLimitLayer::fixed([Quota::per_day(TWO)]).by(Key::header(HeaderName::from_static("x-api-key")));
    let app: Router = Router::new().route("/", get(|| async { "orders" })).layer(limit);
    let mut statuses = Vec::new();
    for key in ["a", "a", "b", "a"] {
        let request = Request::get("/").header("x-api-key", key).body(Body::empty()).unwrap();
        statuses.push(app.clone().oneshot(request).await.unwrap().status());
    }
    assert_eq!(statuses, [StatusCode::OK, StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
}

#[tokio::test]
async fn the_address_that_axum_knows() {
    let by_address = Key::function(|_, head| {
        let ConnectInfo(address) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(address.ip().to_string())
    });
    let limit = RateLimitLayer::sliding([Quota::per_day(NonZeroU32::MIN)]).by(by_address);
    let app: Router = Router::new().route("/", get(|| async { "orders" })).layer(limit);
    let mut statuses = Vec::new();
    for address in ["192.0.2.1:1000", "192.0.2.2:1000", "192.0.2.1:2000"] {
        // As `into_make_service_with_connect_info` does.
        let known = ConnectInfo(address.parse::<SocketAddr>().unwrap());
        let request = Request::get("/").extension(known).body(Body::empty()).unwrap();
        statuses.push(app.clone().oneshot(request).await.unwrap().status());
    }
    assert_eq!(statuses, [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
}

#[tokio::test]
async fn a_handler_says_what_its_answer_costs() {
    let limits = [("units".to_owned(), PeriodLimits { day: Some(3.0), ..PeriodLimits::default() })].into();
    let config = ResponseRatelimitingConfig { limits, ..ResponseRatelimitingConfig::default() };
    let dear = get(|| async { ([("x-kong-limit", "units=2")], "orders") });
    let app: Router = Router::new().route("/", dear).layer(ResponseRateLimitLayer::new(config).unwrap());
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let response = app.clone().oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert!(!response.headers().contains_key("x-kong-limit"), "it is nobody else's");
        statuses.push(response.status());
    }
    assert_eq!(statuses, [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
}
