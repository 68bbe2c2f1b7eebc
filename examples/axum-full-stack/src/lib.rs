//! Orders of a shop, behind all the layers a gateway would put in front of it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::Path,
    response::IntoResponse,
    routing::{get, post},
};
use http::{HeaderName, Method, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceBuilder;
use towergate::{auth::KeyAuth, core::PluginError, metrics::Exposition, prelude::*};
use uuid::Uuid;

const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();
const SIXTY: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// Who may use the service: alice and bob, each with a key.
pub fn accounts() -> Directory {
    let mut accounts = Directory::builder();
    for (name, key) in [("alice", "alices-key"), ("bob", "bobs-key")] {
        let consumer = Consumer::named(name);
        let owner = consumer.id;
        accounts.add_consumer(consumer);
        accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::new_v4(), owner, key, None, None);
    }
    accounts.build()
}

/// The service with its layers, the outermost first.
///
/// # Errors
/// None of the origins here; one of your own that is no regular expression.
pub fn app(accounts: Directory) -> Result<Router, PluginError> {
    let request_id = HeaderName::from_static("x-request-id");
    let api_key = HeaderName::from_static("x-api-key");
    let metrics = HttpMetrics::new();
    let layers = ServiceBuilder::new()
        .layer(ClientLayer::new())
        // Sees all that is answered, refusals included.
        .layer(MetricsLayer::new(metrics.clone()).route(matched_path))
        .layer(CompressionLayer::new([Coding::Zstd, Coding::Gzip]).min_length(512))
        // Outside of whatever refuses, so that refusals carry the id as well.
        .layer(CorrelationIdLayer::new().header(request_id.clone()).generator(Generator::Uuid).echo(true))
        // Before the keys, because browsers send preflights without any.
        .layer(
            CorsLayer::new()
                .origins(["https://shop.example", r"https://[a-z]+\.shop\.example"])?
                .methods([Method::GET, Method::POST])
                .headers([api_key.clone(), header::CONTENT_TYPE])
                .exposed_headers([request_id]),
        )
        .layer(KeyAuthLayer::new(Arc::new(accounts)).names([api_key]).hide_credentials(true))
        // Inside of the keys: a limit for each customer, and no body is read of those who are over it.
        .layer(RateLimitLayer::sliding([Quota::per_minute(SIXTY)]).by(Key::consumer()))
        .layer(RequestSizeLimitingLayer::new(10_000));
    // Around the handler that calls another system, and no other: what fails there is not asked for a while.
    let breaker = CircuitBreakerLayer::builder().failure_threshold(FIVE).reset_timeout(Duration::from_secs(30)).build();
    let orders = Router::new()
        .route("/orders", get(orders).post(place))
        .route("/orders/{id}", get(order))
        .route("/orders/{id}/invoice", post(invoice).layer(breaker))
        .layer(layers);
    Ok(orders.route("/metrics", get(async move || page(&metrics))))
}

/// The orders of whoever asks.
async fn orders(caller: Caller) -> Json<Value> {
    Json(json!({ "customer": caller.name(), "orders": [1, 2] }))
}

/// A new one.
async fn place(caller: Caller, Json(order): Json<Value>) -> impl IntoResponse {
    (StatusCode::CREATED, Json(json!({ "customer": caller.name(), "order": order })))
}

/// One order of whoever asks.
async fn order(caller: Caller, Path(id): Path<u32>) -> Result<Json<Value>, StatusCode> {
    match id {
        1 | 2 => Ok(Json(json!({ "customer": caller.name(), "id": id }))),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

/// Needs the bookkeeping, which is down for order 2.
async fn invoice(Path(id): Path<u32>) -> StatusCode {
    if id == 2 { StatusCode::BAD_GATEWAY } else { StatusCode::ACCEPTED }
}

fn page(metrics: &HttpMetrics) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], metrics.page())
}
