//! Orders of a shop, behind three of Towergate's layers: an id for every request, CORS for the
//! shop's pages, and API keys.

use std::sync::Arc;

use axum::{Extension, Json, Router, extract::Path, routing::get};
use http::{HeaderName, Method, StatusCode};
use serde_json::{Value, json};
use tower::ServiceBuilder;
use towergate_auth::{KeyAuth, KeyAuthLayer};
use towergate_core::{Consumer, Context, Directory, PluginError};
use towergate_correlation::{CorrelationIdLayer, Generator};
use towergate_cors::CorsLayer;
use uuid::Uuid;

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
    let layers = ServiceBuilder::new()
        // Outermost, so that refusals of the other two carry the id as well.
        .layer(CorrelationIdLayer::new().header(request_id.clone()).generator(Generator::Uuid).echo(true))
        // Before the keys, because browsers send preflights without any.
        .layer(
            CorsLayer::new()
                .origins(["https://shop.example", r"https://[a-z]+\.shop\.example"])?
                .methods([Method::GET])
                .headers([api_key.clone()])
                .exposed_headers([request_id]),
        )
        .layer(KeyAuthLayer::new(Arc::new(accounts)).names([api_key]).hide_credentials(true));
    Ok(Router::new().route("/orders", get(orders)).route("/orders/{id}", get(order)).layer(layers))
}

/// The orders of whoever asks.
async fn orders(Extension(cx): Extension<Arc<Context>>) -> Json<Value> {
    Json(json!({ "customer": customer(&cx), "orders": [1, 2] }))
}

/// One order of whoever asks.
async fn order(Extension(cx): Extension<Arc<Context>>, Path(id): Path<u32>) -> Result<Json<Value>, StatusCode> {
    match id {
        1 | 2 => Ok(Json(json!({ "customer": customer(&cx), "id": id }))),
        _ => Err(StatusCode::NOT_FOUND),
    }
}

fn customer(cx: &Context) -> Option<&str> {
    cx.consumer()?.username.as_deref()
}
