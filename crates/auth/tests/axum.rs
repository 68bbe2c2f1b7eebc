//! The layers in services written with axum.
#![cfg(all(feature = "basic", feature = "hmac"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::{
    Extension, Router,
    body::Body,
    routing::{get, post},
};
use data_encoding::BASE64;
use http::{Request, StatusCode};
use tower::{ServiceBuilder, ServiceExt};
use towergate_auth::{
    AclLayer, BasicAuth, BasicAuthLayer, HmacAuth, HmacAuthLayer, KeyAuth, KeyAuthLayer, hash_password,
};
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

/// bob in no group and alice in staff, both with a password and a secret.
fn people() -> Arc<Directory> {
    let mut alice = Consumer::named("alice");
    alice.acl_groups = ["staff"].into_iter().collect();
    let mut accounts = Directory::builder().consumer(alice).consumer(Consumer::named("bob"));
    let hash = hash_password("open sesame").unwrap();
    for name in ["alice", "bob"] {
        let consumer = Consumer::named(name).id;
        let password = BasicAuth::secret(&hash).unwrap();
        accounts.add_credential(BasicAuth::CREDENTIALS, Uuid::new_v4(), consumer, name, password, None);
        let secret = HmacAuth::secret(*b"a secret");
        accounts.add_credential(HmacAuth::CREDENTIALS, Uuid::new_v4(), consumer, name, secret, None);
    }
    Arc::new(accounts.build())
}

async fn status(app: &Router, headers: &[(&str, String)]) -> StatusCode {
    let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, value));
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn passwords_and_groups_go_together() {
    let layers = ServiceBuilder::new().layer(BasicAuthLayer::new(people())).layer(AclLayer::allow(["staff"]));
    let app = Router::new().route("/", get(|| async { "the books" })).layer(layers);
    let login = |login: &str| [("authorization", format!("Basic {}", BASE64.encode(login.as_bytes())))];
    assert_eq!(status(&app, &login("alice:open sesame")).await, StatusCode::OK);
    assert_eq!(status(&app, &login("bob:open sesame")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&app, &login("alice:wrong")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signed_requests_reach_the_handler() {
    let app = Router::new().route("/", get(|| async { "signed" })).layer(HmacAuthLayer::new(people()));
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let signed = |text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret");
        let signature = BASE64.encode(hmac::sign(&key, text.as_bytes()).as_ref());
        let line =
            format!(r#"hmac username="alice", algorithm="hmac-sha256", headers="date", signature="{signature}""#);
        [("date", date.clone()), ("authorization", line)]
    };
    assert_eq!(status(&app, &signed(&format!("date: {date}"))).await, StatusCode::OK);
    assert_eq!(status(&app, &signed("date: another")).await, StatusCode::UNAUTHORIZED);
}
