//! Heads of requests and responses.

use http::{Request, StatusCode};
use tokio::io::AsyncWriteExt;
use towergate_core::{Body, Matched, Protocol, Route, Service};
use towergate_http1::Spelling;
use towergate_upstream::ProxySettings;

use crate::support::{self, Gateway, OK, Upstream, balanced, get, refusing, request, route, service, text};

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
            "GET /a/b?x=%41&&y HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive\r\nX-Real-IP: 192.0.2.7\r\n\
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
async fn the_path_is_the_routers_and_the_query_the_clients() {
    let upstream = Upstream::bind().await;
    for (asked, path, sent) in [
        ("/x/y?a=1", "/base/y", "/base/y?a=1"),
        ("/x/y?", "/y", "/y?"),
        ("/x/y", "/y", "/y"),
        ("/x?a=/?b", "/%20", "/%20?a=/?b"),
        ("/x?", "", "/x?"),
        ("http://client.test", "/", "/"),
    ] {
        let mut gateway = Gateway::to(service(upstream.address));
        gateway.matched = Matched { upstream_path: path.into(), ..Matched::default() };
        let call = gateway.spawn(get(asked));
        let head = upstream.accept().await.answer(OK).await;
        assert!(head.starts_with(&format!("GET {sent} HTTP/1.1\r\n")), "{head}");
        call.await.unwrap();
    }
}

#[tokio::test]
async fn host_is_the_targets_or_the_clients() {
    let upstream = Upstream::bind().await;
    let target = upstream.address.to_string();
    for (preserve_host, uri, host, sent) in [
        (false, "/", Some("Client.test:8000"), target.as_str()),
        (true, "/", Some("Client.test:8000"), "Client.test:8000"),
        (true, "http://authority.test:81/", Some("authority.test:81"), "authority.test:81"),
        (true, "/", None, target.as_str()),
    ] {
        let gateway =
            Gateway::new(service(upstream.address), Route { preserve_host, ..route() }, &ProxySettings::default());
        let mut request = Request::get(uri).body(Body::Empty).unwrap();
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        let call = gateway.spawn(request);
        let head = upstream.accept().await.answer(OK).await;
        assert!(head.contains(&format!("\r\nHost: {sent}\r\n")), "{head}");
        assert_eq!(head.matches("\r\nHost:").count(), 1);
        call.await.unwrap();
    }
}

#[tokio::test]
async fn host_follows_the_target_from_attempt_to_attempt() {
    let (dead, upstream) = (refusing().await, Upstream::bind().await);
    for _ in 0..2 {
        let gateway = Gateway::to(balanced(&[dead, upstream.address]));
        let call = gateway.spawn(get("/"));
        let head = upstream.accept().await.answer(OK).await;
        assert!(head.contains(&format!("\r\nHost: {}\r\n", upstream.address)), "{head}");
        assert_eq!(call.await.unwrap().1.status(), 200);
    }
}

#[tokio::test]
async fn a_response_keeps_its_headers_but_those_of_the_connection() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let call = gateway.spawn(get("/"));
    upstream
        .accept()
        .await
        .answer(
            "HTTP/1.1 404 Gone Fishing\r\nServer: old\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: close, X-Hop\r\n\
             X-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nno",
        )
        .await;
    let (_, response) = call.await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let headers: Vec<_> = response.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
    assert_eq!(headers, ["server: old", "set-cookie: a=1", "set-cookie: b=2", "content-length: 2"]);
    assert_eq!(text(response).await, "no");
}

#[tokio::test]
async fn names_are_spelled_as_they_came_in_both_directions() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    let mut asking = get("/");
    let mut spelling = Spelling::new();
    for written in ["user-AGENT", "ACCEPT"] {
        let name = http::HeaderName::try_from(written).unwrap();
        asking.headers_mut().insert(&name, "1".parse().unwrap());
        spelling.remember(&name, written.into());
    }
    asking.headers_mut().insert("x-usual", "1".parse().unwrap());
    asking.extensions_mut().insert(spelling);
    let call = gateway.spawn(asking);
    let mut peer = upstream.accept().await;
    let head = peer.answer("HTTP/1.1 204 No Content\r\nX-Usual: 1\r\nSERVER: old\r\n\r\n").await;
    assert!(head.contains("\r\nuser-AGENT: 1\r\nACCEPT: 1\r\nX-Usual: 1\r\n"), "{head}");
    let (_, response) = call.await.unwrap();
    let spelling = response.extensions().get::<Spelling>().unwrap();
    assert_eq!(spelling.of(&http::header::SERVER), Some(&b"SERVER"[..]));
    assert_eq!(spelling.of(&"x-usual".parse().unwrap()), None);
}

#[tokio::test]
async fn interim_responses_are_passed_over_and_an_unasked_change_of_protocol_is_refused() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(Service { retries: 0, ..service(upstream.address) });
    let call = gateway.spawn(get("/"));
    upstream.accept().await.answer(&format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{OK}")).await;
    assert_eq!(call.await.unwrap().1.status(), 200);

    let mut asking = get("/");
    asking.headers_mut().insert("connection", "upgrade".parse().unwrap());
    asking.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    let call = gateway.spawn(asking);
    let mut peer = upstream.accept().await;
    let head =
        peer.answer("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert!(!head.contains("Upgrade"), "{head}");
    assert_eq!(call.await.unwrap().1.status(), 502);
}

#[tokio::test]
async fn what_cannot_be_proxied_is_answered_in_kongs_words() {
    let upstream = Upstream::bind().await;
    for (service, status, message) in [
        (
            Service { protocol: Protocol::Tcp, ..service(upstream.address) },
            502,
            "An invalid response was received from the upstream server",
        ),
        (
            Service { retries: 0, ..service(refusing().await) },
            502,
            "An invalid response was received from the upstream server",
        ),
        (Service { host: "no name.invalid".into(), ..service(upstream.address) }, 503, "name resolution failed"),
        (balanced(&[]), 503, "failure to get a peer from the ring-balancer"),
    ] {
        let (cx, response) = Gateway::to(service).call(get("/")).await;
        assert_eq!(response.status(), status);
        assert!(!cx.is_proxied());
        assert!(text(response).await.contains(message));
    }
    assert!(!upstream.is_called().await);
}

#[tokio::test]
async fn a_route_without_service_says_so() {
    let mut gateway = Gateway::to(service(refusing().await));
    gateway.plan = Default::default();
    let (_, response) = gateway.call(request("POST", "x")).await;
    assert_eq!(response.status(), 503);
    assert!(text(response).await.contains("no Service found with those values"));
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_bad_gateway_and_not_asked_for_again() {
    let upstream = Upstream::bind().await;
    let gateway = Gateway::to(service(upstream.address));
    for nonsense in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let call = gateway.spawn(get("/"));
        let mut peer = upstream.accept().await;
        peer.answer(nonsense).await;
        let (cx, response) = call.await.unwrap();
        assert_eq!(response.status(), 502, "{nonsense:?}");
        assert_eq!(support::tries(&cx).len(), 1);
        peer.closed().await;
    }
}

#[tokio::test]
async fn a_response_may_have_as_many_header_lines_as_a_request() {
    let lines = |count: usize| (0..count).map(|number| format!("X-{number}: 1\r\n")).collect::<String>();
    for (count, status) in [(199, 200), (2_000, 502)] {
        let upstream = Upstream::bind().await;
        let call = Gateway::to(service(upstream.address)).spawn(get("/"));
        let head = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nok", lines(count));
        upstream.accept().await.answer(&head).await;
        assert_eq!(call.await.unwrap().1.status(), status, "{count} lines");
    }
}

#[tokio::test]
async fn interim_responses_without_end_are_no_answer() {
    let upstream = Upstream::bind().await;
    let call = Gateway::to(service(upstream.address)).spawn(get("/"));
    let mut peer = upstream.accept().await;
    peer.until("\r\n\r\n").await;
    let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
    // Sends until the gateway has had enough.
    support::within(async { while peer.stream.write_all(flood.as_bytes()).await.is_ok() {} }).await;
    assert_eq!(call.await.unwrap().1.status(), 502);
    assert!(!upstream.is_called().await, "a response that is none is no reason to ask again");
}

#[tokio::test]
async fn a_body_of_many_megabytes_in_one_go_is_an_answer() {
    let upstream = Upstream::bind().await;
    let call = Gateway::to(service(upstream.address)).spawn(get("/"));
    let mut peer = upstream.accept().await;
    peer.until("\r\n\r\n").await;
    let size = 16 << 20;
    let answer = [format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"), "x".repeat(size)].concat();
    let sending = tokio::spawn(async move { peer.stream.write_all(answer.as_bytes()).await });
    assert_eq!(text(call.await.unwrap().1).await.len(), size);
    sending.await.unwrap().unwrap();
}
