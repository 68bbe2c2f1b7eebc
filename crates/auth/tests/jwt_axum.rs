//! The layer `JwtLayer` in a service written with axum.
#![cfg(feature = "jwt")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod tokens;

use std::sync::Arc;

use axum::{Extension, Json, Router, body::Body, routing::get};
use http::{Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokens::Signer;
use tower::ServiceExt;
use towergate_auth::{Algorithm, Jwt, JwtLayer, VerifiedClaims};
use towergate_core::{Consumer, Context, Directory};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Claims {
    plan: String,
    scopes: Vec<String>,
}

fn app(signer: &Signer) -> Router {
    let alice = Consumer::named("alice");
    let mut accounts = Directory::builder().consumer(alice.clone());
    let key = signer.key(Algorithm::ES256).kept();
    accounts.add_credential(Jwt::CREDENTIALS, Uuid::nil(), alice.id, "app", key, None);
    let claims = |Extension(claims): Extension<VerifiedClaims>, Extension(cx): Extension<Arc<Context>>| async move {
        let typed: Claims = claims.deserialize().unwrap();
        Json(json!({"claims": typed, "consumer": cx.consumer().and_then(|consumer| consumer.username.clone())}))
    };
    Router::new()
        .route("/", get(claims))
        .layer(JwtLayer::new(Arc::new(accounts.build())))
        .route("/open", get(|| async { "open" }))
}

async fn get_with(app: Router, uri: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::get(uri);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_reads_the_claims_and_the_consumer() {
    let signer = Signer::new(Algorithm::ES256);
    let token = signer.token(Algorithm::ES256, &json!({"iss": "app", "plan": "gold", "scopes": ["read"]}));
    let (status, body) = get_with(app(&signer), "/", Some(&token)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, r#"{"claims":{"plan":"gold","scopes":["read"]},"consumer":"alice"}"#);
}

#[tokio::test]
async fn others_are_refused_where_the_layer_is() {
    let signer = Signer::new(Algorithm::ES256);
    let refused = (StatusCode::UNAUTHORIZED, r#"{"message":"Unauthorized"}"#.to_owned());
    assert_eq!(get_with(app(&signer), "/", None).await, refused);
    assert_eq!(get_with(app(&signer), "/open", None).await, (StatusCode::OK, "open".into()));
}
