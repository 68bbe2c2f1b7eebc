//! What a client gets from, and an upstream sees of, proxied requests: real sockets, every byte written out.

mod support;

use support::{Gateway, OK, Upstream, get, request, service, text};

#[tokio::test]
async fn a_request_reaches_the_upstream_and_its_response_the_client() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(get("/a/b?x=%41&&y"));
    let mut peer = upstream.accept().await;
    let head = peer.answer(OK).await;
    let (cx, response) = call.await.unwrap();
    assert_eq!(
        head,
        format!(
            "GET /a/b?x=%41&&y HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive\r\nX-Real-Ip: 192.0.2.7\r\n\
             X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: client.test\r\n\
             X-Forwarded-Port: 8000\r\nX-Forwarded-Path: /a/b\r\nVia: 1.1 kong/3.9.1\r\nX-Kong-Request-Id: {}\r\n\r\n",
            upstream.address, cx.request_id
        )
    );
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().len(), 1, "nothing but what the upstream said: {:?}", response.headers());
    assert!(cx.is_proxied());
    assert!(cx.timing.proxy_latency().is_some() && cx.timing.upstream_latency().is_some());
    assert_eq!(support::tries(&cx), [(upstream.address.port(), 200)]);
    assert_eq!(text(response).await, "ok");
}

#[tokio::test]
async fn a_body_goes_up_and_comes_down() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(request("POST", "hello"));
    let mut peer = upstream.accept().await;
    assert!(peer.head().await.contains("\r\nContent-Length: 5\r\n"));
    peer.until("hello").await;
    peer.send("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    let (_, response) = call.await.unwrap();
    assert_eq!(response.status(), 201);
    assert!(response.headers().is_empty(), "{:?}", response.headers());
    assert_eq!(text(response).await, "abcde");
}
