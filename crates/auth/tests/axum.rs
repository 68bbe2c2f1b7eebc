//! The layer in a service written with axum.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use axum::{Extension, Router, body::Body, routing::post};
use http::{Request, StatusCode};
use tower::ServiceExt;
use towergate_auth::{KeyAuth, KeyAuthLayer};
use towergate_core::{Consumer, Context, Directory};
use uuid::Uuid;

fn app() -> Router {
    let alice = Consumer::named("alice");
    let mut accounts = Directory::builder().consumer(alice.clone());
    accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::nil(), alice.id, "alices-key", None, None);
    let layer = KeyAuthLayer::new(Arc::new(accounts.build())).in_body(true).hide_credentials(true);
    let echo = |Extension(cx): Extension<Arc<Context>>, body: String| async move {
        format!("{:?} {body}", cx.consumer().and_then(|consumer| consumer.username.as_deref()))
    };
    Router::new().route("/", post(echo)).layer(layer).route("/open", post(|| async { "open" }))
}

async fn send(uri: &str, body: &str) -> (StatusCode, String) {
    let request = Request::post(uri).header("content-type", "application/x-www-form-urlencoded");
    let response = app().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_reads_the_consumer_and_the_body_without_the_key() {
    assert_eq!(send("/", "a=1&apikey=alices-key").await, (StatusCode::OK, "Some(\"alice\") a=1".into()));
    assert_eq!(send("/?apikey=alices-key", "a=1").await, (StatusCode::OK, "Some(\"alice\") a=1".into()));
}

#[tokio::test]
async fn others_are_refused_where_the_layer_is() {
    let (status, body) = send("/", "a=1").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("No API key found in request"));
    assert_eq!(send("/open", "").await, (StatusCode::OK, "open".into()));
}
