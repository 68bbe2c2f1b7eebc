//! Bodies in both directions: framing, streaming, breaking off.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use towergate_core::{Body, Route};
use towergate_upstream::ProxySettings;

use crate::support::{
    Gateway, OK, Upstream, chunk, get, request, route, service, text, tries, upload, uploaded, with_body, within,
};

fn streaming(upstream: &Upstream) -> Gateway {
    let route = Route { request_buffering: false, ..route() };
    Gateway::new(service(upstream.address), route, &ProxySettings::default())
}

#[tokio::test]
async fn requests_are_framed_by_what_their_body_is() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    // Method, what the client announced, the body, what the upstream reads of it.
    for (method, announced, body, framing) in [
        ("POST", "", "hello", "Content-Length: 5"),
        ("GET", "", "hello", "Content-Length: 5"),
        ("POST", "content-length: 999", "hello", "Content-Length: 5"),
        ("POST", "transfer-encoding: gzip, chunked", "hello", "Content-Length: 5"),
        ("POST", "", "", "Content-Length: 0"),
        ("DELETE", "content-length: 0", "", "Content-Length: 0"),
        ("DELETE", "", "", ""),
        ("GET", "", "", ""),
    ] {
        let mut request = request(method, body);
        if let Some((name, value)) = announced.split_once(": ") {
            request.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        let call = gateway.spawn(request);
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        let lines: Vec<_> = head.lines().filter(|l| l.contains("-Length") || l.contains("-Encoding")).collect();
        assert_eq!(lines, if framing.is_empty() { vec![] } else { vec![framing] }, "{method} {announced}");
        if !body.is_empty() {
            peer.until(body).await;
        }
        peer.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        assert_eq!(call.await.unwrap().1.status(), 204);
    }
}

#[tokio::test]
async fn a_small_body_of_unknown_length_gets_one_unless_it_is_to_stream() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(with_body("PUT", uploaded(&["ab", "", "cde"])));
    let mut peer = upstream.accept().await;
    assert!(peer.head().await.contains("\r\nContent-Length: 5\r\n"));
    peer.until("abcde").await;
    peer.send(OK).await;
    call.await.unwrap();

    for method in ["PUT", "GET"] {
        let gateway = streaming(&upstream);
        let call = gateway.spawn(with_body(method, uploaded(&["ab", "", "cde"])));
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n") && !head.contains("Content-Length"), "{head}");
        assert_eq!(peer.until("0\r\n\r\n").await, "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
        peer.send(OK).await;
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_large_body_of_unknown_length_streams_from_where_it_is_large() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let (sender, body) = upload();
    let call = gateway.spawn(with_body("PUT", body));
    let part = Bytes::from(vec![b'x'; 40 * 1024]);
    for _ in 0..2 {
        within(sender.send(Ok(part.clone()))).await.unwrap();
    }
    let mut peer = upstream.accept().await;
    assert!(peer.head().await.contains("\r\nTransfer-Encoding: chunked\r\n"));
    peer.until("xxxx\r\n").await;
    drop(sender);
    peer.until("\r\n0\r\n\r\n").await;
    peer.send(OK).await;
    assert_eq!(call.await.unwrap().1.status(), 200);
}

#[tokio::test]
async fn chunks_pass_as_they_come_in_both_directions() {
    let upstream = Upstream::bind().await;
    let gateway = streaming(&upstream);
    let (sender, body) = upload();
    let call = gateway.spawn(with_body("POST", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    within(sender.send(Ok("one".into()))).await.unwrap();
    peer.until("3\r\none\r\n").await;
    // The upstream answers before the request is over, and both go on.
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nuno\r\n").await;
    let mut answer = call.await.unwrap().1.into_body();
    assert_eq!(chunk(&mut answer).await.unwrap().unwrap(), "uno");
    within(sender.send(Ok("two".into()))).await.unwrap();
    peer.until("3\r\ntwo\r\n").await;
    peer.send("3\r\ndos\r\n").await;
    assert_eq!(chunk(&mut answer).await.unwrap().unwrap(), "dos");
    drop(sender);
    peer.until("0\r\n\r\n").await;
    peer.send("0\r\nX-Trailer: 1\r\n\r\n").await;
    assert!(chunk(&mut answer).await.is_none(), "trailers are not passed on");
}

#[tokio::test]
async fn responses_are_framed_by_what_their_body_is() {
    let upstream = Upstream::bind().await;
    for (method, response, length, body) in [
        ("GET", "200 OK\r\nContent-Length: 3\r\n\r\nabc", Some("3"), "abc"),
        ("GET", "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", None, "abc"),
        ("GET", "200 OK\r\n\r\nuntil the end", None, "until the end"),
        ("GET", "200 OK\r\nContent-Length: 0\r\n\r\n", Some("0"), ""),
        ("HEAD", "200 OK\r\nContent-Length: 1000\r\n\r\n", Some("1000"), ""),
        ("GET", "304 Not Modified\r\nContent-Length: 1000\r\n\r\n", Some("1000"), ""),
        ("GET", "204 No Content\r\n\r\n", None, ""),
    ] {
        let gateway = Gateway::to(service(upstream.address));
        let call = gateway.spawn(request(method, ""));
        let mut peer = upstream.accept().await;
        peer.answer(&format!("HTTP/1.1 {response}")).await;
        drop(peer);
        let (_, answer) = call.await.unwrap();
        let said = answer.headers().get("content-length").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(said.as_deref(), length, "{method} {response}");
        assert!(!answer.headers().contains_key("transfer-encoding"));
        assert_eq!(text(answer).await, body, "{method} {response}");
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_is_an_error_to_the_client() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    for (framing, reset) in
        [("Content-Length: 10", false), ("Content-Length: 10", true), ("Transfer-Encoding: chunked", false)]
    {
        let call = gateway.spawn(get("/"));
        let mut peer = upstream.accept().await;
        peer.answer(&format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nab")).await;
        let mut body = call.await.unwrap().1.into_body();
        assert!(chunk(&mut body).await.unwrap().is_ok());
        if reset {
            peer.reset();
        } else {
            drop(peer);
        }
        assert!(chunk(&mut body).await.unwrap().is_err(), "{framing}, reset {reset}");
    }
}

#[tokio::test]
async fn an_upstream_is_not_read_faster_than_the_client_reads() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(get("/"));
    let mut peer = upstream.accept().await;
    let total = 64 * 1024 * 1024;
    peer.answer(&format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n")).await;
    let mut body = call.await.unwrap().1.into_body();
    // Nobody reads: what the upstream gets rid of is what sockets hold, far from all.
    let block = vec![b'x'; 64 * 1024];
    let mut written = 0;
    while tokio::time::timeout(Duration::from_millis(300), peer.stream.write_all(&block)).await.is_ok() {
        written += block.len();
        assert!(written < total / 2, "the gateway takes everything in");
    }
    assert!(chunk(&mut body).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_client_is_not_read_faster_than_the_upstream_reads() {
    let upstream = Upstream::bind().await;
    let gateway = streaming(&upstream);
    let (sender, body) = upload();
    let _call = gateway.spawn(with_body("POST", body));
    let _peer = upstream.accept().await;
    let block = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut taken = 0;
    while let Ok(sent) = tokio::time::timeout(Duration::from_millis(300), sender.send(Ok(block.clone()))).await {
        sent.unwrap();
        taken += block.len();
        assert!(taken < 32 * 1024 * 1024, "the gateway takes everything in");
    }
}

#[tokio::test]
async fn a_broken_body_of_the_client_is_its_own_fault() {
    let upstream = Upstream::bind().await;
    for streams in [true, false] {
        let gateway = if streams { streaming(&upstream) } else { Gateway::to(service(upstream.address)) };
        let (sender, body) = upload();
        let call = gateway.spawn(with_body("PUT", body));
        let mut peer = None;
        if streams {
            peer = Some(upstream.accept().await);
        }
        within(sender.send(Err("bad chunk".into()))).await.unwrap();
        let (cx, response) = call.await.unwrap();
        assert_eq!(response.status(), 400);
        assert!(text(response).await.contains("Bad request"));
        match peer {
            Some(peer) => {
                assert_eq!(tries(&cx).len(), 1, "no reason to ask again");
                peer.closed().await;
            }
            None => assert!(!upstream.is_called().await, "a small body is looked at first"),
        }
    }
}

#[tokio::test]
async fn when_the_client_goes_the_upstream_connection_is_closed() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    // Before the response ...
    let call = gateway.spawn(get("/"));
    let mut peer = upstream.accept().await;
    peer.head().await;
    call.abort();
    peer.closed().await;
    // ... within the response ...
    let call = gateway.spawn(get("/"));
    let mut peer = upstream.accept().await;
    peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").await;
    let mut body: Body = call.await.unwrap().1.into_body();
    assert!(chunk(&mut body).await.unwrap().is_ok());
    drop(body);
    peer.closed().await;
    // ... and within the request.
    let (sender, body) = upload();
    let call = streaming(&upstream).spawn(with_body("POST", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    call.abort();
    peer.closed().await;
    assert!(sender.is_closed());
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_over_gets_through() {
    let upstream = Upstream::bind().await;
    let gateway = streaming(&upstream);
    let (sender, body) = upload();
    let call = gateway.spawn(with_body("PUT", body));
    within(sender.send(Ok("the first part".into()))).await.unwrap();
    let mut peer = upstream.accept().await;
    peer.answer("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
    let (_, response) = call.await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(text(response).await, "no");
    // The rest of the request would be taken for the next one.
    peer.closed().await;
}
