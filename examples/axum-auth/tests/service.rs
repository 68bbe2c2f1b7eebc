//! The example does what its README says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use axum::body::{Body, to_bytes};
use data_encoding::BASE64URL_NOPAD;
use example_axum_auth::{SECRET, app};
use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

/// A token of RFC 7519 for this issuer, good for so many seconds from now.
fn token(issuer: &str, seconds: i64, secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expires = now.saturating_add_signed(seconds);
    let part = |value: serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(json!({"alg": "HS256"})), part(json!({"iss": issuer, "exp": expires})));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64URL_NOPAD.encode(hmac::sign(&key, signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}

async fn ask(path: &str, header: (&str, &str)) -> (StatusCode, String) {
    let request = Request::get(path).header(header.0, header.1).body(Body::empty()).unwrap();
    let answer = app().unwrap().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 9999).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn clients_come_with_a_key() {
    assert_eq!(ask("/orders", ("x-api-key", "shops-key")).await, (StatusCode::OK, "hello shop".into()));
    let (status, body) = ask("/orders", ("x-api-key", "another")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("Unauthorized"), "{body}");
    assert!(ask("/orders", ("x-nothing", "")).await.1.contains("No API key found in request"));
}

#[tokio::test]
async fn staff_come_with_a_token_and_in_a_group() {
    let bearer = |token: String| format!("Bearer {token}");
    let books = async |line: String| ask("/books", ("authorization", &line)).await;
    assert_eq!(books(bearer(token("alice", 600, SECRET))).await, (StatusCode::OK, "hello alice".into()));
    let (status, body) = books(bearer(token("bob", 600, SECRET))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("You cannot consume this service"), "{body}");
    for refused in [token("alice", -1, SECRET), token("alice", 7200, SECRET), token("alice", 600, "guessed")] {
        assert_eq!(books(bearer(refused)).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(ask("/books", ("x-api-key", "shops-key")).await.0, StatusCode::UNAUTHORIZED, "keys are for orders");
}
