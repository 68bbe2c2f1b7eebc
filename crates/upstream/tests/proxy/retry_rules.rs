//! A request that brings rules for its attempts: what logs, gates and bodies see of them, and gRPC.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use tower::ServiceExt;
use towergate_core::{Attempt, Body, Context, Protocol, RetryRules, Service};

use crate::{
    gate::Notes,
    h2_peer::{Call, H2Upstream, trailers},
    http2::message,
    support::{Gateway, OK, Upstream, balanced, get, request, text, tries, upload, with_body, within},
};

const UNAVAILABLE: &str = "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nnever";

fn on_503() -> RetryRules {
    RetryRules { statuses: vec![StatusCode::SERVICE_UNAVAILABLE], ..RetryRules::default() }
}

/// Sends a request that brings these rules, while the test plays the upstream.
fn spawn<B>(
    gateway: &Gateway,
    rules: RetryRules,
    request: Request<B>,
) -> (Arc<Context>, tokio::task::JoinHandle<Response<Body>>)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<towergate_core::BoxError>,
{
    let (cx, request) = gateway.context(request);
    assert!(cx.set_retries(Arc::new(rules)) && !cx.set_retries(Arc::default()), "the first rules count");
    let proxy = gateway.proxy.clone();
    (cx, tokio::spawn(async move { within(proxy.oneshot(request)).await.unwrap() }))
}

#[tokio::test]
async fn each_attempt_is_in_the_tries_and_told_to_the_gate() {
    let upstream = Upstream::bind().await;
    let service = Service { retries: 1, ..balanced(&[upstream.address]) };
    let gateway = Gateway::to(service);
    let notes = Notes::default();
    let (cx, call) = {
        let (cx, call) = spawn(&gateway, on_503(), get("/"));
        assert!(cx.set_gate(Box::new(notes.clone())));
        (cx, call)
    };
    let mut peer = upstream.accept().await;
    peer.until("\r\n\r\n").await;
    peer.send(UNAVAILABLE).await;
    // Its answer has come whole, so its connection is used again.
    peer.until("\r\n\r\n").await;
    peer.send(OK).await;
    let response = call.await.unwrap();
    assert_eq!((response.status().as_u16(), text(response).await.as_str()), (200, "ok"));
    let port = upstream.address.port();
    assert_eq!(tries(&cx), [(port, 503), (port, 200)]);
    let told: Vec<_> = notes.told().into_iter().map(|(_, attempt)| attempt).collect();
    let answered = |status| Some(Attempt::Answered(status));
    assert_eq!(told, [answered(StatusCode::SERVICE_UNAVAILABLE), answered(StatusCode::OK)]);
    assert!(!upstream.is_called().await);
}

#[tokio::test]
async fn a_hedge_that_loses_is_given_up_and_told_so() {
    let (slow, fast) = (Upstream::bind().await, Upstream::bind().await);
    let rules = RetryRules { hedge_after: Some(Duration::from_millis(20)), ..RetryRules::default() };
    for _ in 0..4 {
        let gateway = Gateway::to(Service { retries: 1, ..balanced(&[slow.address, fast.address]) });
        let notes = Notes::default();
        let (cx, call) = spawn(&gateway, rules.clone(), get("/"));
        assert!(cx.set_gate(Box::new(notes.clone())));
        let (mut loser, mut winner) = (slow.accept().await, fast.accept().await);
        loser.until("\r\n\r\n").await;
        winner.until("\r\n\r\n").await;
        winner.send(OK).await;
        assert_eq!(text(call.await.unwrap()).await, "ok");
        assert_eq!(tries(&cx), [(fast.address.port(), 200)]);
        let mut told = notes.told();
        told.sort_by_key(|(_, attempt)| attempt.is_some());
        let of = |upstream: &Upstream, attempt| (upstream.address.to_string(), attempt);
        assert_eq!(told, [of(&slow, None), of(&fast, Some(Attempt::Answered(StatusCode::OK)))]);
    }
}

#[tokio::test]
async fn a_body_that_has_gone_by_is_not_sent_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(Service { retries: 3, ..balanced(&[upstream.address]) });
    let large = Bytes::from(vec![b'x'; 70_000]);
    let rules = RetryRules { hedge_after: Some(Duration::from_millis(20)), ..on_503() };
    let (sender, body) = upload();
    let (cx, call) = spawn(&gateway, rules, with_body("PUT", body));
    sender.send(Ok(large)).await.unwrap();
    let mut peer = upstream.accept().await;
    peer.until("x").await;
    // What is beyond the first 64 KiB and comes when those have gone is not kept.
    sender.send(Ok(Bytes::from_static(b"the rest"))).await.unwrap();
    drop(sender);
    peer.until("0\r\n\r\n").await;
    peer.send(UNAVAILABLE).await;
    assert_eq!(call.await.unwrap().status(), 503);
    assert_eq!((tries(&cx).len(), upstream.is_called().await), (1, false));
}

#[tokio::test]
async fn a_small_body_is_sent_again_whole() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(Service { retries: 1, ..balanced(&[upstream.address]) });
    let (_, call) = spawn(&gateway, on_503(), request("PUT", "hello"));
    let mut peer = upstream.accept().await;
    for answer in [UNAVAILABLE, OK] {
        peer.until("hello").await;
        peer.send(answer).await;
    }
    assert_eq!(call.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_grpc_call_follows_its_rules_too() {
    let upstream = H2Upstream::answering(|mut call: Call| async move {
        let (body, _) = call.body().await;
        let status = if call.number == 1 { 503 } else { 200 };
        let response = Response::builder().status(status).body(()).unwrap();
        let mut stream = call.respond.send_response(response, false).unwrap();
        stream.send_data(body.into(), false).unwrap();
        stream.send_trailers(trailers("0")).unwrap();
    })
    .await;
    let service = Service { protocol: Protocol::Grpc, retries: 1, ..balanced(&[upstream.address]) };
    let gateway = Gateway::to(service);
    let rules = RetryRules { methods: Some(vec![Method::POST]), ..on_503() };
    let (cx, call) = spawn(&gateway, rules, message("hello"));
    let response = call.await.unwrap();
    assert_eq!((response.status().as_u16(), text(response).await.as_str()), (200, "hello"));
    let port = upstream.address.port();
    assert_eq!(tries(&cx), [(port, 503), (port, 200)]);
}

#[tokio::test]
async fn a_deadline_takes_back_what_is_under_way() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(Service { retries: 5, ..balanced(&[upstream.address]) });
    let rules = RetryRules { deadline: Some(Duration::from_millis(100)), ..RetryRules::default() };
    let (cx, call) = spawn(&gateway, rules, get("/"));
    let mut peer = upstream.accept().await;
    peer.until("\r\n\r\n").await;
    assert_eq!(call.await.unwrap().status(), 504);
    assert_eq!((tries(&cx), cx.fault()), (vec![(upstream.address.port(), 504)], Some(towergate_core::Fault::Timeout)));
}
