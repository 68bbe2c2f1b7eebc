//! How long the upstream may take.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpSocket;
use towergate_core::{Route, Service};
use towergate_upstream::ProxySettings;

use crate::support::{
    Gateway, OK, Upstream, chunk, get, request, route, service, text, tries, upload, with_body, within,
};

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_silent_upstream_is_a_gateway_timeout() {
    let upstream = Upstream::bind().await;
    for (method, attempts) in [("GET", 2), ("POST", 1)] {
        let service = Service { read_timeout: SHORT, retries: 1, ..service(upstream.address) };
        let gateway = Gateway::to(service);
        let started = Instant::now();
        let call = gateway.spawn(request(method, "hello"));
        for _ in 0..attempts {
            let mut peer = upstream.accept().await;
            peer.until("hello").await;
            peer.closed().await;
        }
        let (cx, response) = call.await.unwrap();
        assert_eq!(response.status(), 504, "{method}");
        assert!(text(response).await.contains("The upstream server is timing out"));
        assert_eq!(tries(&cx), vec![(upstream.address.port(), 504); attempts]);
        let expected = SHORT * attempts as u32;
        assert!((expected..expected + Duration::from_secs(10)).contains(&started.elapsed()));
    }
}

#[tokio::test]
async fn a_timeout_counts_from_the_last_bytes() {
    let upstream = Upstream::bind().await;
    // All pieces together take longer than the timeout, each one far less.
    let service = Service { read_timeout: SHORT * 10, retries: 0, ..service(upstream.address) };
    let gateway = Gateway::to(service);
    let call = gateway.spawn(get("/"));
    let mut peer = upstream.accept().await;
    peer.head().await;
    for piece in ["HTTP/1.1 200 OK\r\n", "Content-", "Length: 2", "\r\n\r\n", "o", "k"] {
        tokio::time::sleep(SHORT * 2).await;
        peer.send(piece).await;
    }
    assert_eq!(text(call.await.unwrap().1).await, "ok");
}

#[tokio::test]
async fn a_response_that_stops_is_an_error_to_the_client() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(Service { read_timeout: SHORT, ..service(upstream.address) });
    let call = gateway.spawn(get("/"));
    let mut peer = upstream.accept().await;
    peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").await;
    let mut body = call.await.unwrap().1.into_body();
    assert_eq!(chunk(&mut body).await.unwrap().unwrap(), "12345");
    let error = chunk(&mut body).await.unwrap().unwrap_err();
    assert!(error.downcast_ref::<towergate_upstream::Error>().unwrap().is_timeout(), "{error}");
    peer.closed().await;
}

#[tokio::test]
async fn a_slow_client_is_not_the_upstreams_fault() {
    let upstream = Upstream::bind().await;
    let service = Service { read_timeout: SHORT, write_timeout: SHORT, retries: 0, ..service(upstream.address) };
    let route = Route { request_buffering: false, ..route() };
    let gateway = Gateway::new(service, route, &ProxySettings::default());
    let (sender, body) = upload();
    let call = gateway.spawn(with_body("POST", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    tokio::time::sleep(SHORT * 3).await;
    within(sender.send(Ok("late".into()))).await.unwrap();
    drop(sender);
    peer.until("0\r\n\r\n").await;
    peer.send(OK).await;
    assert_eq!(call.await.unwrap().1.status(), 200);
}

#[tokio::test]
async fn an_upstream_that_does_not_take_the_request_is_a_gateway_timeout() {
    let upstream = Upstream::bind().await;
    // The upstream owes no answer before it has taken the request.
    let service = Service { write_timeout: SHORT * 3, read_timeout: SHORT, ..service(upstream.address) };
    let gateway = Gateway::to(service);
    let started = Instant::now();
    let call = gateway.spawn(request("PUT", Bytes::from(vec![b'x'; 64 * 1024 * 1024])));
    let _peer = upstream.accept().await;
    let (cx, response) = call.await.unwrap();
    assert_eq!(response.status(), 504);
    assert!(started.elapsed() >= SHORT * 3);
    assert_eq!(tries(&cx).len(), 1, "too much was sent to do it again");
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_a_gateway_timeout() {
    // A queue of one place that is full: further connections are neither taken nor refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, tokio::net::TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue never fills");
    }
    let gateway = Gateway::to(Service { connect_timeout: SHORT, retries: 1, ..service(address) });
    let (cx, response) = gateway.call(request("POST", "hello")).await;
    assert_eq!(response.status(), 504);
    assert_eq!(tries(&cx), [(address.port(), 504), (address.port(), 504)]);
}
