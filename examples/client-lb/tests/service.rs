//! The example does what its README says.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// A server that answers with this, on a port of its own.
async fn server(status: StatusCode, body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/orders", get(async move || (status, body)));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn answers(addresses: &[SocketAddr], requests: usize) -> Vec<(StatusCode, String)> {
    let client = example_client_lb::client(addresses);
    let mut answers = Vec::new();
    for _ in 0..requests {
        let request = Request::get("/orders").body(Full::<Bytes>::default()).unwrap();
        let response = client.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        answers.push((status, String::from_utf8(body.to_vec()).unwrap()));
    }
    answers
}

#[tokio::test]
async fn three_addresses_take_turns() {
    let addresses =
        [server(StatusCode::OK, "a").await, server(StatusCode::OK, "b").await, server(StatusCode::OK, "c").await];
    let mut answers = answers(&addresses, 9).await;
    answers.sort_by(|one, other| one.1.cmp(&other.1));
    let bodies: String = answers.iter().map(|(_, body)| body.as_str()).collect();
    assert_eq!(bodies, "aaabbbccc");
}

#[tokio::test]
async fn what_fails_is_not_seen() {
    let broken = server(StatusCode::INTERNAL_SERVER_ERROR, "broken").await;
    let addresses = [nobody().await, broken, server(StatusCode::OK, "good").await];
    for answer in answers(&addresses, 12).await {
        assert_eq!(answer, (StatusCode::OK, "good".into()));
    }
}

#[tokio::test]
async fn when_all_fail_the_last_answer_is_told() {
    let broken = server(StatusCode::INTERNAL_SERVER_ERROR, "broken").await;
    assert_eq!(answers(&[broken], 1).await, [(StatusCode::INTERNAL_SERVER_ERROR, "broken".into())]);
}
