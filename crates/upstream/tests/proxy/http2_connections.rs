//! HTTP/2 connections: shared, kept, given up, and made anew.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use h2::server;
use tokio::sync::Semaphore;
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use towergate_core::{Body, Protocol, Service};
use towergate_upstream::ProxySettings;

use crate::{
    frames::FramePeer,
    h2_peer::{Call, H2Upstream, given_up, grpc},
    http2::{call, message},
    support::{Gateway, Upstream, chunk, refusing, route, text, tries, upload, within},
    tls::Authority,
};

/// An upstream that answers calls when the test lets it.
async fn held(builder: server::Builder) -> (H2Upstream, Arc<Semaphore>, Arc<Semaphore>) {
    let (come, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (comes, goes) = (come.clone(), go.clone());
    let upstream = H2Upstream::set_up(builder, move |mut call: Call| {
        let (come, go) = (come.clone(), go.clone());
        async move {
            come.add_permits(1);
            go.acquire().await.unwrap().forget();
            call.answer("ok");
        }
    })
    .await;
    (upstream, comes, goes)
}

async fn arrived(come: &Semaphore, calls: u32) {
    within(come.acquire_many(calls)).await.unwrap().forget();
}

#[tokio::test]
async fn a_hundred_calls_share_a_connection() {
    let (upstream, come, go) = held(server::Builder::new()).await;
    let gateway = Gateway::to(upstream.service());
    let answers: Vec<_> = (0..100).map(|_| gateway.spawn(message("hello"))).collect();
    arrived(&come, 100).await;
    go.add_permits(100);
    for answer in answers {
        assert_eq!(text(within(answer).await.unwrap().1).await, "ok");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn another_connection_is_made_when_the_peer_allows_no_more_streams() {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(2);
    let (upstream, come, go) = held(builder).await;
    let gateway = Gateway::to(upstream.service());
    let answers: Vec<_> = (0..5).map(|_| gateway.spawn(message("hello"))).collect();
    arrived(&come, 5).await;
    assert_eq!(upstream.connections(), 3, "two streams on each");
    go.add_permits(8);
    for answer in answers {
        assert_eq!(text(within(answer).await.unwrap().1).await, "ok");
    }
    for _ in 0..3 {
        assert_eq!(text(gateway.call(message("hello")).await.1).await, "ok");
    }
    assert_eq!(upstream.connections(), 3, "used again");
}

#[tokio::test]
async fn a_call_that_goodbye_leaves_out_is_made_elsewhere() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(grpc(upstream.address));
    let answer = gateway.spawn(message("hello"));
    let mut peer = FramePeer::accept(&upstream).await;
    peer.request().await;
    peer.goodbye(0).await;
    let mut next = FramePeer::accept(&upstream).await;
    let stream = next.request().await;
    next.answer(stream, b"ok").await;
    let (cx, response) = within(answer).await.unwrap();
    assert_eq!(text(response).await, "ok");
    assert_eq!(tries(&cx).len(), 1, "it was no failed attempt");
}

#[tokio::test]
async fn a_call_that_goodbye_includes_is_finished_and_the_next_goes_elsewhere() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(grpc(upstream.address));
    let first = gateway.spawn(message("one"));
    let mut peer = FramePeer::accept(&upstream).await;
    let stream = peer.request().await;
    peer.goodbye(stream).await;
    // A later call may still have been begun on it; the goodbye says nothing was done about that.
    let second = gateway.spawn(message("two"));
    let mut next = FramePeer::accept(&upstream).await;
    let other = next.request().await;
    next.answer(other, b"two").await;
    assert_eq!(text(within(second).await.unwrap().1).await, "two");
    peer.answer(stream, b"one").await;
    assert_eq!(text(within(first).await.unwrap().1).await, "one");
}

#[tokio::test]
async fn a_stream_that_was_refused_is_begun_again_with_its_whole_body() {
    let upstream = H2Upstream::answering(async |mut call: Call| match call.number {
        1 => {
            assert!(call.chunk().await.unwrap().is_ok());
            call.respond.send_reset(h2::Reason::REFUSED_STREAM);
        }
        _ => {
            let (body, _) = call.body().await;
            call.answer(body);
        }
    })
    .await;
    let gateway = Gateway::to(upstream.service());
    let (sender, body) = upload();
    sender.send(Ok(Bytes::from_static(b"hel"))).await.unwrap();
    let answer = gateway.spawn(call(body));
    sender.send(Ok(Bytes::from_static(b"lo"))).await.unwrap();
    drop(sender);
    let (cx, response) = within(answer).await.unwrap();
    assert_eq!(text(response).await, "hello");
    assert_eq!(tries(&cx).len(), 1, "it was no failed attempt");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_body_that_is_not_kept_is_not_sent_again() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        let mut seen = 0;
        while seen <= 64 * 1024 {
            seen += call.chunk().await.unwrap().unwrap().len();
        }
        call.respond.send_reset(h2::Reason::REFUSED_STREAM);
    })
    .await;
    let (cx, response) = Gateway::to(upstream.service()).call(call(Body::from(Bytes::from(vec![b'x'; 100_000])))).await;
    assert_eq!(response.status(), 502);
    assert_eq!(tries(&cx).len(), 1);
}

#[tokio::test]
async fn an_upstream_that_refuses_every_stream_is_tried_as_often_as_retries_say() {
    let upstream =
        H2Upstream::answering(async |mut call: Call| call.respond.send_reset(h2::Reason::REFUSED_STREAM)).await;
    let service = Service { retries: 2, ..upstream.service() };
    let (cx, response) = Gateway::to(service).call(message("hello")).await;
    assert_eq!(response.status(), 502);
    assert_eq!(tries(&cx).len(), 3);
}

#[tokio::test]
async fn a_connection_that_closes_is_replaced() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(grpc(upstream.address));
    for answer in ["one", "two"] {
        let call = gateway.spawn(message("hello"));
        let mut peer = FramePeer::accept(&upstream).await;
        let stream = peer.request().await;
        peer.answer(stream, answer.as_bytes()).await;
        assert_eq!(text(within(call).await.unwrap().1).await, answer);
        drop(peer);
        // The gateway learns of it when it next looks at the socket, which is before the next call.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_on_a_connection_that_breaks_is_not_repeated() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(grpc(upstream.address));
    let answer = gateway.spawn(message("hello"));
    let mut peer = FramePeer::accept(&upstream).await;
    peer.request().await;
    drop(peer);
    let (cx, response) = within(answer).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (502, &"13".parse().unwrap()));
    assert_eq!(tries(&cx).len(), 1);
    assert!(!upstream.is_called().await);
}

#[tokio::test]
async fn nothing_is_sent_to_what_speaks_no_http2() {
    let upstream = Upstream::bind().await;
    let service = Service { retries: 0, ..grpc(upstream.address) };
    let answer = Gateway::to(service).spawn(message("secret"));
    let mut peer = upstream.accept().await;
    let preface = peer.until("SM\r\n\r\n").await;
    assert_eq!(preface, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let (_, response) = within(answer).await.unwrap();
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn all_who_wait_for_a_connection_are_told_that_there_is_none() {
    let service = Service { retries: 1, ..grpc(refusing().await) };
    let gateway = Gateway::to(service);
    let answers: Vec<_> = (0..20).map(|_| gateway.spawn(message("hello"))).collect();
    for answer in answers {
        let (cx, response) = within(answer).await.unwrap();
        assert_eq!(response.status(), 502);
        assert_eq!(tries(&cx).len(), 2);
    }
}

/// How many connections so many calls, one after the other, take with these settings.
async fn connections_for(calls: usize, settings: ProxySettings) -> usize {
    let upstream = H2Upstream::answering(async |mut call: Call| call.answer("ok")).await;
    let gateway = Gateway::new(upstream.service(), route(), &settings);
    for _ in 0..calls {
        assert_eq!(text(gateway.call(message("hello")).await.1).await, "ok");
    }
    upstream.connections()
}

#[tokio::test]
async fn a_connection_serves_as_many_requests_as_it_may() {
    let up_to = |max_requests| ProxySettings { max_requests, ..ProxySettings::default() };
    assert_eq!(connections_for(5, up_to(2)).await, 3);
    assert_eq!(connections_for(5, up_to(0)).await, 1);
    assert_eq!(connections_for(3, ProxySettings { pool_size: 0, ..ProxySettings::default() }).await, 3);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_one_in_use_is_not() {
    let (upstream, come, go) = held(server::Builder::new()).await;
    let settings = ProxySettings { idle_timeout: Duration::from_millis(50), ..ProxySettings::default() };
    let gateway = Gateway::new(upstream.service(), route(), &settings);
    let answer = gateway.spawn(message("hello"));
    arrived(&come, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(upstream.closed(), 0, "a call is under way");
    go.add_permits(1);
    assert_eq!(text(within(answer).await.unwrap().1).await, "ok");
    within(async {
        while upstream.closed() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn clients_that_do_not_read_hold_up_nobody_else() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        let (asked, _) = call.body().await;
        if asked == b"little" {
            return call.answer("ok");
        }
        let mut stream = call.head();
        // More than may be sent before it is read.
        stream.send_data(Bytes::from(vec![b'x'; 4 << 20]), false).unwrap();
        given_up(&mut stream).await;
    })
    .await;
    let gateway = Gateway::to(upstream.service());
    let mut unread = Vec::new();
    for _ in 0..40 {
        let mut body = gateway.call(message("much")).await.1.into_body();
        assert!(chunk(&mut body).await.unwrap().is_ok());
        unread.push(body);
    }
    assert_eq!(text(gateway.call(message("little")).await.1).await, "ok");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn over_tls_http2_is_agreed_on_and_the_upstream_must_be_who_it_says() {
    let (upstream, authority, other) = (Upstream::bind().await, Authority::new(), Authority::new());
    let mut config = ServerConfig::clone(authority.server("localhost", false).config());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let secure = |tls| {
        let host = "localhost".into();
        Service { protocol: Protocol::Grpcs, host, retries: 0, tls: Some(tls), ..grpc(upstream.address) }
    };
    let gateway = Gateway::to(secure(authority.strict()));
    let answers: Vec<_> = (0..2).map(|_| gateway.spawn(message("hello"))).collect();
    let stream = upstream.accept_tls(&acceptor).await.stream;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    tokio::spawn(async move {
        let mut connection = server::handshake(stream).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            assert_eq!(request.uri().scheme_str(), Some("https"));
            Call { number: 1, request, respond }.answer("ok");
        }
    });
    for answer in answers {
        assert_eq!(text(within(answer).await.unwrap().1).await, "ok");
    }

    let answer = Gateway::to(secure(other.strict())).spawn(message("secret"));
    assert!(upstream.try_accept_tls(&acceptor).await.is_none());
    assert_eq!(within(answer).await.unwrap().1.status(), 502);
}
