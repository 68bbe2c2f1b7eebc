//! Keeping connections and using them again.

use std::time::Duration;

use towergate_core::Service;
use towergate_upstream::ProxySettings;

use crate::support::{Gateway, OK, Peer, Upstream, get, request, route, service, text, tries, within};

fn with(upstream: &Upstream, settings: ProxySettings) -> Gateway {
    Gateway::new(service(upstream.address), route(), &settings)
}

/// One request and its response, to the end.
async fn serve(gateway: &Gateway, peer: &mut Peer, response: &str) {
    let call = gateway.spawn(get("/"));
    peer.answer(response).await;
    text(call.await.unwrap().1).await;
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(get("/"));
    let mut peer = upstream.accept().await;
    peer.answer(OK).await;
    text(call.await.unwrap().1).await;
    for response in [
        OK,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        OK,
    ] {
        serve(&gateway, &mut peer, response).await;
    }
    let call = gateway.spawn(request("POST", "hello"));
    peer.until("hello").await;
    peer.send(OK).await;
    text(call.await.unwrap().1).await;
    assert!(!upstream.is_called().await);
}

#[tokio::test]
async fn a_connection_whose_response_was_not_read_to_the_end_is_not_used_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(get("/"));
    let mut first = upstream.accept().await;
    first.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").await;
    drop(call.await.unwrap());
    let call = gateway.spawn(get("/"));
    upstream.accept().await.answer(OK).await;
    assert_eq!(text(call.await.unwrap().1).await, "ok");
    first.closed().await;
}

#[tokio::test]
async fn what_comes_unasked_on_an_idle_connection_is_never_taken_for_an_answer() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(get("/"));
    let mut first = upstream.accept().await;
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    first.answer(&format!("{OK}{poison}")).await;
    assert_eq!(text(call.await.unwrap().1).await, "ok");
    let call = gateway.spawn(get("/"));
    upstream.accept().await.answer(OK).await;
    assert_eq!(text(call.await.unwrap().1).await, "ok");
}

#[tokio::test]
async fn limits_of_the_pool_are_kept() {
    let settings = ProxySettings::default;
    for (settings, response, served) in [
        (ProxySettings { pool_size: 0, ..settings() }, OK, 1),
        (ProxySettings { max_requests: 2, ..settings() }, OK, 2),
        (settings(), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 1),
        (settings(), "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 1),
    ] {
        let upstream = Upstream::bind().await;
        let gateway = with(&upstream, settings);
        let call = gateway.spawn(get("/"));
        let mut peer = upstream.accept().await;
        peer.answer(response).await;
        text(call.await.unwrap().1).await;
        for _ in 1..served {
            serve(&gateway, &mut peer, response).await;
        }
        peer.closed().await;
    }
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let upstream = Upstream::bind().await;
    let gateway = with(&upstream, ProxySettings { idle_timeout: Duration::from_millis(100), ..Default::default() });
    let mut peers = Vec::new();
    let calls: Vec<_> = (0..2).map(|_| gateway.spawn(get("/"))).collect();
    for _ in &calls {
        let mut peer = upstream.accept().await;
        peer.answer(OK).await;
        peers.push(peer);
    }
    for call in calls {
        text(call.await.unwrap().1).await;
    }
    for peer in peers {
        peer.closed().await;
    }
}

#[tokio::test]
async fn the_connection_used_last_is_used_next() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let (first, second) = (gateway.spawn(get("/")), gateway.spawn(get("/")));
    let (mut a, mut b) = (upstream.accept().await, upstream.accept().await);
    a.head().await;
    b.head().await;
    // One after the other, so that it is known which came back last.
    a.send(OK).await;
    let mut calls = [first, second];
    let (at, ()) = within(async {
        loop {
            if let Some(at) = calls.iter().position(|call| call.is_finished()) {
                break (at, ());
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    text((&mut calls[at]).await.unwrap().1).await;
    b.send(OK).await;
    text((&mut calls[1 - at]).await.unwrap().1).await;
    serve(&gateway, &mut b, OK).await;
    assert!(!upstream.is_called().await);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_no_attempt() {
    let upstream = Upstream::bind().await;
    // Whether the upstream closes while idle or just when the next request has been sent.
    for (method, while_idle) in [("GET", true), ("GET", false), ("PUT", false), ("POST", true)] {
        let gateway = Gateway::to(Service { retries: 0, ..service(upstream.address) });
        let call = gateway.spawn(get("/"));
        let mut old = upstream.accept().await;
        old.answer(OK).await;
        text(call.await.unwrap().1).await;
        let call = if while_idle {
            drop(old);
            // Time for the gateway to learn of it: news from a later connection come after it.
            let _later = tokio::net::TcpStream::connect(upstream.address).await.unwrap();
            upstream.accept().await;
            gateway.spawn(request(method, "hello"))
        } else {
            let call = gateway.spawn(request(method, "hello"));
            old.until("hello").await;
            drop(old);
            call
        };
        let mut fresh = upstream.accept().await;
        fresh.until("hello").await;
        fresh.send(OK).await;
        let (cx, response) = call.await.unwrap();
        assert_eq!(text(response).await, "ok", "{method} {while_idle}");
        assert_eq!(tries(&cx), [(upstream.address.port(), 200)], "{method} {while_idle}");
    }
}

#[tokio::test]
async fn a_post_the_upstream_may_have_seen_is_not_sent_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(get("/"));
    let mut old = upstream.accept().await;
    old.answer(OK).await;
    text(call.await.unwrap().1).await;
    let call = gateway.spawn(request("POST", "hello"));
    old.until("hello").await;
    drop(old);
    let (cx, response) = call.await.unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(tries(&cx).len(), 1);
    assert!(!upstream.is_called().await);
}
