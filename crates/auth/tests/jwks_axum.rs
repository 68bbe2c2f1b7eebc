//! The layer `JwksLayer` in a service written with axum.
#![cfg(feature = "jwks")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod issuer;
mod tokens;

use axum::{Extension, Router, body::Body, routing::get};
use http::{Request, StatusCode};
use issuer::{Issuer, jwk};
use serde_json::json;
use tokens::Signer;
use tower::ServiceExt;
use towergate_auth::{Algorithm, JwksLayer, VerifiedClaims};

async fn whoami(Extension(claims): Extension<VerifiedClaims>) -> String {
    claims.text("sub").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_handler_reads_the_claims() {
    let signer = Signer::new(Algorithm::EdDSA);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let layer = JwksLayer::new(issuer.url(), "me", "api").unwrap();
    let refresher = tokio::spawn(layer.keep_fresh());
    let app: Router = Router::new().route("/", get(whoami)).layer(layer);
    let claims = json!({"iss": "me", "aud": "api", "sub": "alice", "exp": 4_102_444_800_u64});
    let token = signer.token_with(Algorithm::EdDSA, &json!({"alg": "EdDSA", "kid": "a"}), &claims);
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await.unwrap(), "alice");
    let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    refresher.abort();
}
