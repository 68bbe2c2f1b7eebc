//! In an axum service: who the client is, and who the caller.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    routing::get,
};
use http::{HeaderName, Request, StatusCode, header};
use tower::ServiceExt;
use towergate_auth::{KeyAuth, KeyAuthLayer};
use towergate_axum::{Caller, ClientLayer, matched_path};
use towergate_core::{Consumer, Context, Directory};
use uuid::Uuid;

fn accounts() -> Arc<Directory> {
    let mut accounts = Directory::builder();
    for (name, key) in [("alice", "alices-key"), ("guest", "nobodys")] {
        let consumer = Consumer::named(name);
        let owner = consumer.id;
        accounts.add_consumer(consumer);
        accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::from_u128(7), owner, key, None, None);
    }
    Arc::new(accounts.build())
}

fn described(caller: &Caller) -> String {
    let name = caller.name().unwrap_or("?");
    format!("{name} {} {:?}", caller.is_anonymous(), caller.credential_id().map(|id| id.as_u128()))
}

fn keys() -> KeyAuthLayer {
    KeyAuthLayer::new(accounts()).names([HeaderName::from_static("x-api-key")])
}

async fn ask(app: Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 9999).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn with_key(key: &str) -> Request<Body> {
    Request::get("/").header("x-api-key", key).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_handler_reads_who_calls() {
    let app = || Router::new().route("/", get(async |caller: Caller| described(&caller))).layer(keys());
    assert_eq!(ask(app(), with_key("alices-key")).await, (StatusCode::OK, "alice false Some(7)".into()));
    assert_eq!(ask(app(), with_key("wrong")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn someone_let_in_without_a_key_is_an_anonymous_caller() {
    let anonymous =
        Router::new().route("/", get(async |caller: Caller| described(&caller))).layer(keys().anonymous("guest"));
    let request = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(ask(anonymous, request).await, (StatusCode::OK, "guest true None".into()));
}

#[tokio::test]
async fn without_authentication_there_is_no_caller() {
    let required = Router::new().route("/", get(async |caller: Caller| described(&caller)));
    let request = || Request::get("/").header(header::ACCEPT, "application/json").body(Body::empty()).unwrap();
    let (status, body) = ask(required, request()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("\"message\":\"Unauthorized\""), "{body}");
    let optional = Router::new().route("/", get(async |caller: Option<Caller>| caller.is_none().to_string()));
    assert_eq!(ask(optional, request()).await, (StatusCode::OK, "true".into()));
}

#[tokio::test]
async fn layers_and_handlers_know_the_client() {
    let handler = async |Extension(cx): Extension<Arc<Context>>| {
        format!("{:?} {:?} {}", cx.client.address, cx.client.port, cx.client.trusted)
    };
    let layer = ClientLayer::new().trusted_proxies(["10.0.0.0/8".parse().unwrap()]);
    let app = Router::new().route("/", get(handler)).layer(layer);
    for (peer, forwarded, seen) in [
        (Some("192.0.2.1:4711"), None, "Some(192.0.2.1) Some(4711) false"),
        (Some("192.0.2.1:4711"), Some("203.0.113.9"), "Some(192.0.2.1) Some(4711) false"),
        (Some("10.0.0.1:80"), Some("198.51.100.1, 203.0.113.9"), "Some(203.0.113.9) None true"),
        (Some("10.0.0.1:80"), None, "Some(10.0.0.1) Some(80) true"),
        (Some("[::ffff:10.0.0.1]:80"), Some("203.0.113.9"), "Some(203.0.113.9) None true"),
        (None, Some("203.0.113.9"), "None None false"),
    ] {
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        }
        if let Some(forwarded) = forwarded {
            request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
        }
        assert_eq!(ask(app.clone(), request).await, (StatusCode::OK, seen.into()), "{peer:?} {forwarded:?}");
    }
}

#[tokio::test]
async fn the_matched_route_is_its_template() {
    let handler = async |request: axum::extract::Request| {
        let (head, _) = request.into_parts();
        matched_path(&head).unwrap_or("none").to_owned()
    };
    let app = Router::new().route("/orders/{id}", get(handler));
    let request = Request::get("/orders/7").body(Body::empty()).unwrap();
    assert_eq!(ask(app, request).await, (StatusCode::OK, "/orders/{id}".into()));
}
