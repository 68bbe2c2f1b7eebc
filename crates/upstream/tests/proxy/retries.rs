//! What is tried again, how often, and where.

use bytes::Bytes;
use towergate_core::{Route, Service, TryState};
use towergate_upstream::ProxySettings;

use crate::support::{
    Gateway, OK, Upstream, balanced, get, refusing, request, route, service, text, tries, uploaded, with_body,
};

#[tokio::test]
async fn a_refused_connection_is_tried_again_for_any_method() {
    for method in ["GET", "POST", "PATCH", "LOCK"] {
        for retries in [0, 2] {
            let gateway = Gateway::to(Service { retries, ..service(refusing().await) });
            let (cx, response) = gateway.call(request(method, "hello")).await;
            assert_eq!(response.status(), 502, "{method}");
            let attempts: Vec<_> = cx.records.tries().unwrap().iter().copied().collect();
            assert_eq!(attempts.len() as u32, retries + 1, "{method}");
            assert!(attempts.iter().all(|attempt| attempt.state == TryState::Failed && attempt.code == 502));
        }
    }
}

#[tokio::test]
async fn after_sending_only_what_may_be_repeated_is_tried_again() {
    for (method, attempts) in
        [("GET", 3), ("HEAD", 3), ("PUT", 3), ("DELETE", 3), ("QUERY", 3), ("POST", 1), ("PATCH", 1), ("LOCK", 1)]
    {
        let upstream = Upstream::bind().await;
        let gateway = Gateway::to(Service { retries: 2, ..service(upstream.address) });
        let call = gateway.spawn(request(method, "hello"));
        for attempt in 0..attempts {
            let mut peer = upstream.accept().await;
            peer.until("hello").await;
            match attempt {
                0 => drop(peer),
                1 => peer.reset(),
                _ => peer.send("HTTP/1.1 20").await,
            }
        }
        let (cx, response) = call.await.unwrap();
        assert_eq!(response.status(), 502, "{method}");
        assert_eq!(tries(&cx).len(), attempts, "{method}");
        assert!(!upstream.is_called().await, "{method}");
    }
}

#[tokio::test]
async fn a_later_attempt_goes_to_another_target() {
    let upstream = Upstream::bind().await;
    let dead = refusing().await;
    for _ in 0..4 {
        let gateway = Gateway::to(Service { retries: 1, ..balanced(&[dead, upstream.address]) });
        let call = gateway.spawn(request("POST", "hello"));
        let mut peer = upstream.accept().await;
        peer.until("hello").await;
        peer.send(OK).await;
        let (cx, response) = call.await.unwrap();
        assert_eq!(response.status(), 200);
        let tries = tries(&cx);
        assert!(
            tries == [(upstream.address.port(), 200)] || tries == [(dead.port(), 502), (upstream.address.port(), 200)]
        );
    }
}

#[tokio::test]
async fn statuses_are_never_tried_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    for status in [500, 502, 503, 504] {
        let call = gateway.spawn(get("/"));
        let response = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        upstream.accept().await.answer(&response).await;
        let (cx, response) = call.await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(text(response).await, "no");
        assert_eq!(tries(&cx), [(upstream.address.port(), status)]);
    }
}

#[tokio::test]
async fn a_body_is_sent_again_as_far_as_it_was_kept() {
    let small: &[&str] = &["hel", "lo"];
    let large: &'static str = Box::leak("x".repeat(70 * 1024).into_boxed_str());
    // The body, whether the route buffers requests, and whether a second attempt can be made.
    for (chunks, request_buffering, again) in
        [(small, true, true), (&[large, "hello"], true, false), (small, false, false), (&[], false, true)]
    {
        let upstream = Upstream::bind().await;
        let route = Route { request_buffering, ..route() };
        let gateway = Gateway::new(service(upstream.address), route, &ProxySettings::default());
        let call = gateway.spawn(with_body("PUT", uploaded(chunks)));
        let end = chunks.last().map_or("\r\n\r\n", |_| "lo");
        let mut first = upstream.accept().await;
        first.until(end).await;
        drop(first);
        if again {
            let mut second = upstream.accept().await;
            let head = second.head().await;
            if request_buffering {
                assert!(head.contains("\r\nContent-Length: 5\r\n"), "{head}");
                assert_eq!(second.until("lo").await, "hello");
            }
            second.send(OK).await;
        }
        assert_eq!(call.await.unwrap().1.status(), if again { 200 } else { 502 });
    }
}

#[tokio::test]
async fn a_large_body_nothing_was_sent_of_goes_to_the_next_target() {
    let upstream = Upstream::bind().await;
    let dead = refusing().await;
    let body = Bytes::from(vec![b'x'; 100 * 1024]);
    for _ in 0..2 {
        let gateway = Gateway::to(balanced(&[dead, upstream.address]));
        let call = gateway.spawn(request("POST", body.clone()));
        let mut peer = upstream.accept().await;
        peer.head().await;
        for _ in 0..100 {
            peer.until(&"x".repeat(1024)).await;
        }
        peer.send(OK).await;
        assert_eq!(call.await.unwrap().1.status(), 200);
    }
}
