//! HTTP/2 upstreams that are too slow.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use h2::server;
use http_body_util::BodyExt;
use tokio::sync::Notify;
use towergate_core::{Body, Service};

use crate::{
    frames::FramePeer,
    h2_peer::{Call, H2Upstream, given_up, grpc, trailers},
    http2::{call, message},
    support::{Gateway, Upstream, chunk, text, tries, upload, within},
};

// Half of it must be more than a busy machine is ever late.
const SHORT: Duration = Duration::from_millis(300);

fn impatient(service: Service) -> Service {
    Service { connect_timeout: SHORT, write_timeout: SHORT, read_timeout: SHORT, retries: 0, ..service }
}

#[tokio::test]
async fn an_upstream_that_accepts_and_says_nothing_is_no_connection() {
    let upstream = Upstream::bind().await;
    let (cx, response) = Gateway::to(impatient(grpc(upstream.address))).call(message("hello")).await;
    assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (504, &"4".parse().unwrap()));
    assert_eq!(tries(&cx), [(upstream.address.port(), 504)]);
}

#[tokio::test]
async fn a_call_that_is_not_answered_times_out_and_is_given_up() {
    let gone = Arc::new(Notify::new());
    let goes = gone.clone();
    let upstream = H2Upstream::answering(move |mut call: Call| {
        let gone = gone.clone();
        async move {
            assert_eq!(call.given_up().await, h2::Reason::CANCEL);
            gone.notify_one();
        }
    })
    .await;
    let (cx, response) = Gateway::to(impatient(upstream.service())).call(message("hello")).await;
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["grpc-message"], "The upstream server is timing out");
    assert_eq!(tries(&cx).len(), 1, "a POST that was sent is not repeated");
    within(goes.notified()).await;
}

#[tokio::test]
async fn while_the_client_still_sends_the_upstream_owes_nothing() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        let (body, _) = call.body().await;
        call.answer(body);
    })
    .await;
    let (sender, body) = upload();
    let answer = Gateway::to(impatient(upstream.service())).spawn(call(body));
    for _ in 0..2 {
        tokio::time::sleep(SHORT * 2).await;
        sender.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
    }
    drop(sender);
    assert_eq!(text(within(answer).await.unwrap().1).await, "xx");
}

#[tokio::test]
async fn a_response_that_stalls_breaks_off() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        let mut stream = call.head();
        for _ in 0..3 {
            tokio::time::sleep(SHORT / 2).await;
            stream.send_data(Bytes::from_static(b"x"), false).unwrap();
        }
        given_up(&mut stream).await;
    })
    .await;
    let mut body = Gateway::to(impatient(upstream.service())).call(message("hello")).await.1.into_body();
    for _ in 0..3 {
        assert_eq!(chunk(&mut body).await.unwrap().unwrap(), "x", "each part has the whole limit");
    }
    let error = chunk(&mut body).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("the upstream sent nothing for {SHORT:?}"));
    assert!(chunk(&mut body).await.is_none());
}

#[tokio::test]
async fn an_upstream_that_takes_no_more_times_out() {
    for after_the_head in [false, true] {
        let mut builder = server::Builder::new();
        builder.initial_window_size(10);
        let upstream = H2Upstream::set_up(builder, move |mut call: Call| async move {
            match after_the_head {
                false => call.given_up().await,
                true => given_up(&mut call.head()).await,
            };
        })
        .await;
        let service = Service { read_timeout: Duration::from_secs(60), ..impatient(upstream.service()) };
        let gateway = Gateway::to(service);
        let body = call(Body::from(Bytes::from_static(b"more than ten bytes")));
        let (_, response) = gateway.call(body).await;
        match after_the_head {
            false => assert_eq!(response.status(), 504),
            true => {
                let error = chunk(&mut response.into_body()).await.unwrap().unwrap_err();
                assert_eq!(error.to_string(), format!("the upstream took nothing for {SHORT:?}"));
            }
        }
    }
}

#[tokio::test]
async fn a_connection_whose_peer_is_gone_is_not_used_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(impatient(grpc(upstream.address)));
    let first = gateway.spawn(message("hello"));
    let mut silent = FramePeer::accept(&upstream).await;
    silent.request().await;
    assert_eq!(within(first).await.unwrap().1.status(), 504);
    let second = gateway.spawn(message("hello"));
    let mut peer = FramePeer::accept(&upstream).await;
    let stream = peer.request().await;
    peer.answer(stream, b"ok").await;
    assert_eq!(text(within(second).await.unwrap().1).await, "ok");
}

#[tokio::test]
async fn one_slow_call_does_not_end_the_others_on_its_connection() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        if call.number == 1 {
            call.given_up().await;
            return;
        }
        let mut stream = call.head();
        for _ in 0..6 {
            tokio::time::sleep(SHORT / 2).await;
            stream.send_data(Bytes::from_static(b"x"), false).unwrap();
        }
        stream.send_trailers(trailers("0")).unwrap();
    })
    .await;
    let gateway = Gateway::to(impatient(upstream.service()));
    let slow = gateway.spawn(message("slow"));
    while upstream.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let steady = gateway.spawn(message("steady"));
    assert_eq!(within(slow).await.unwrap().1.status(), 504);
    let steady = within(steady).await.unwrap().1;
    assert_eq!(within(steady.into_body().collect()).await.unwrap().to_bytes(), "xxxxxx");
    assert_eq!(upstream.connections(), 1);
}
