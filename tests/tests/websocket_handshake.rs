//! The handshake of a WebSocket byte by byte: what goes upstream, what opens a tunnel, and what does not.

use towergate_tests::{
    Connection, Gateway, Received, Reply, Request, Script, Upstream, answering, echoing, forwarded, proxying,
};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A handshake as RFC 6455 has it.
fn handshake(target: &str) -> Request {
    Request::get(target)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
}

/// The answer to it.
fn switched() -> Reply {
    Reply::new(101)
        .head_only()
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Accept", ACCEPT)
}

/// An upstream that switches on `/ws`, sends back what comes then, and answers other requests as usual.
fn switching() -> (Upstream, Gateway) {
    answering(&[], |request: &Received| match request.path.as_str() {
        "/ws" => Script::from(switched()).then_tunnel(),
        _ => Script::echo(),
    })
}

#[test]
fn the_handshake_goes_upstream_as_kong_sends_it() {
    let (upstream, gateway) = switching();
    let mut connection = gateway.connect();
    connection.send(handshake("/ws").header("Sec-WebSocket-Extensions", "permessage-deflate").bytes());
    let answer = connection.answer();
    assert_eq!((answer.status, answer.reason.as_str()), (101, "Switching Protocols"));
    let received = upstream.only();
    for (name, value) in [
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("X-Forwarded-Proto", "http"),
        ("X-Real-IP", "127.0.0.1"),
    ] {
        assert_eq!(received.header(name), Some(value));
    }
    assert_eq!((received.method.as_str(), received.version.as_str()), ("GET", "HTTP/1.1"));
    for name in ["Content-Length", "Transfer-Encoding"] {
        assert!(!received.headers.has(name), "{name}");
    }
}

#[test]
fn the_answer_reaches_the_client_with_all_it_needs() {
    let (_upstream, gateway) = switching();
    let mut connection = gateway.connect();
    connection.send(handshake("/ws").bytes());
    let answer = connection.answer();
    let connection_words = answer.header("Connection").unwrap_or_default().to_ascii_lowercase();
    assert_eq!(connection_words, "upgrade");
    assert_eq!(answer.header("Upgrade"), Some("websocket"));
    assert_eq!(answer.header("Sec-WebSocket-Accept"), Some(ACCEPT));
    for name in ["Via", "X-Kong-Request-Id", "X-Kong-Upstream-Latency", "X-Kong-Proxy-Latency"] {
        assert!(answer.headers.has(name), "{name}: {:?}", answer.headers);
    }
    for name in ["Content-Length", "Transfer-Encoding", "Keep-Alive"] {
        assert!(!answer.headers.has(name), "{name}: {:?}", answer.headers);
    }
}

/// Whatever comes after the 101 is no HTTP any more.
#[test]
fn raw_bytes_pass_after_the_answer() {
    let (upstream, gateway) = switching();
    let mut connection = gateway.connect();
    connection.send(handshake("/ws").bytes());
    assert_eq!(connection.answer().status, 101);
    for text in ["GET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "\0\r\n\r\n", "0\r\n\r\n"] {
        connection.send(text);
        assert_eq!(connection.read_until(text), text);
    }
    assert_eq!(upstream.count(), 1, "it was no request");
}

#[test]
fn what_the_upstream_sends_together_with_its_answer_arrives() {
    let (_upstream, gateway) =
        answering(&[], |_| Script::raw([switched().bytes(), b"early words".to_vec()].concat()).then_tunnel());
    let mut connection = gateway.connect();
    connection.send(handshake("/ws").bytes());
    assert_eq!(connection.answer().status, 101);
    connection.read_until("early words");
    connection.send("later");
    connection.read_until("later");
}

/// A client that cannot wait: what it sends with its handshake passes once the upstream has agreed.
#[test]
fn what_the_client_sends_too_early_is_kept_until_the_answer() {
    let (_upstream, gateway) = switching();
    let mut connection = gateway.connect();
    connection.send([handshake("/ws").bytes(), b"early words".to_vec()].concat());
    assert_eq!(connection.answer().status, 101);
    connection.read_until("early words");
}

#[test]
fn either_side_may_finish_and_still_hear_the_other() {
    let (_upstream, gateway) = answering(&[], |_| Script::from(switched()).then_tunnel_once("goodbye"));
    let mut connection = gateway.connect();
    connection.send(handshake("/ws").bytes());
    assert_eq!(connection.answer().status, 101);
    connection.send("hello");
    connection.finish_sending();
    assert_eq!(String::from_utf8_lossy(&connection.drained()), "hellogoodbye");
}

// --- answers that open nothing -----------------------------------------------------------------------------------------

/// The shape of smuggling through a pretended upgrade: the gateway believes in a tunnel, the upstream does not.
#[test]
fn another_answer_is_an_answer_and_what_follows_is_requests() {
    for reply in [
        Reply::ok("no"),
        Reply::new(404),
        Reply::new(426)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13"),
        Reply::new(403).body("no"),
    ] {
        let expected = reply.clone();
        let (upstream, gateway) = answering(&[], move |request: &Received| match request.path.as_str() {
            "/ws" => Script::from(expected.clone()),
            _ => Script::echo(),
        });
        let mut connection = gateway.connect();
        // As if the tunnel were open already.
        connection.send([handshake("/ws").bytes(), Request::get("/second").bytes()].concat());
        let refusal = connection.answer();
        assert_ne!(refusal.status, 101);
        assert_eq!(connection.answer().json()["path"], "/second");
        let second = upstream.last();
        assert!(second.headers.has("X-Forwarded-For"), "a request of its own: {second:?}");
        assert!(!second.headers.has("Upgrade"), "{second:?}");
        assert_eq!(upstream.count(), 2);
        assert_eq!(connection.request(&Request::get("/third")).json()["path"], "/third");
    }
}

#[test]
fn a_switch_that_nobody_asked_for_is_no_answer() {
    let (upstream, gateway) = answering(&[], |_| Script::from(switched()).then_tunnel());
    for request in [
        Request::get("/"),
        Request::post("/", "body"),
        Request::get("/").header("Upgrade", "websocket"),
        Request::get("/").header("Connection", "Upgrade"),
    ] {
        let answer = gateway.send(&request);
        assert_eq!(answer.status, 502, "{request:?}");
        assert!(
            answer.text().starts_with("An invalid response was received from the upstream server"),
            "{}",
            answer.text()
        );
        assert!(!answer.headers.has("Upgrade"));
    }
    // None of them is used again.
    towergate_tests::eventually(towergate_tests::SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_switch_to_something_else_is_no_answer() {
    for reply in [
        Reply::new(101).head_only().header("Connection", "Upgrade").header("Upgrade", "h2c"),
        Reply::new(101).head_only().header("Connection", "Upgrade").header("Upgrade", "websocket, h2c"),
        Reply::new(101).head_only().header("Connection", "Upgrade"),
        Reply::new(101).head_only(),
    ] {
        let script = Script::from(reply.clone()).then_tunnel();
        let (_upstream, gateway) = answering(&[], move |_| script.clone());
        let answer = gateway.send(&handshake("/ws"));
        assert_eq!(answer.status, 502, "{reply:?}");
        assert!(!answer.headers.has("Upgrade") && !answer.headers.has("Sec-WebSocket-Accept"));
    }
}

#[test]
fn a_refusal_of_the_gateway_leaves_the_connection_as_it_is() {
    let upstream = Upstream::answering(|_| Script::from(switched()).then_tunnel());
    let gateway = Gateway::serving(&format!("{}plugins: [{{name: key-auth}}]\n", proxying(&upstream)));
    let mut connection = gateway.connect();
    connection.send([handshake("/ws").bytes(), Request::get("/second").bytes()].concat());
    for _ in 0..2 {
        assert_eq!(connection.answer().status, 401);
    }
    assert_eq!(upstream.count(), 0);
    let (_upstream, gateway) = echoing(&[]);
    let mut connection = gateway.connect();
    connection.send(handshake("/x").without_host().bytes());
    assert_eq!(connection.answer().status, 400);
    assert_eq!(connection.drained(), b"");
}

#[test]
fn interim_answers_before_the_switch_are_passed_over() {
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_vec();
    let (_upstream, gateway) =
        answering(&[], move |_| Script::raw([interim.clone(), switched().bytes()].concat()).then_tunnel());
    let mut connection = gateway.connect();
    connection.send(handshake("/ws").bytes());
    assert_eq!(connection.answer().status, 101);
    connection.send("hello");
    connection.read_until("hello");
}

/// A 101 has no body, whatever it says.
#[test]
fn framing_beside_a_switch_is_dropped() {
    let reply = switched().header("Content-Length", "5").header("Transfer-Encoding", "chunked");
    let (_upstream, gateway) =
        answering(&[], move |_| Script::raw([reply.bytes(), b"raw".to_vec()].concat()).then_tunnel());
    let mut connection = gateway.connect();
    connection.send(handshake("/ws").bytes());
    let answer = connection.answer();
    assert_eq!(answer.status, 101);
    assert!(!answer.headers.has("Content-Length") && !answer.headers.has("Transfer-Encoding"));
    assert_eq!(connection.read_until("raw"), "raw");
}

// --- wishes that stay with the gateway ---------------------------------------------------------------------------------

/// Only WebSockets are passed on, as in Kong: `h2c` in the middle of a chain would blind everybody behind it.
#[test]
fn a_wish_for_anything_else_is_not_passed_on() {
    for upgrade in ["h2c", "TLS/1.2, HTTP/1.1", "websocket, h2c", "websocket/13", "websockets", ""] {
        let request = Request::get("/").header("Connection", "Upgrade, HTTP2-Settings").header("Upgrade", upgrade);
        let received = forwarded(&[], &request.header("HTTP2-Settings", "AAMAAABk"));
        assert_eq!(received.header("Connection"), Some("keep-alive"), "{upgrade}");
        for name in ["Upgrade", "HTTP2-Settings"] {
            assert!(!received.headers.has(name), "{upgrade}: {:?}", received.headers);
        }
    }
}

/// A wish is one only if it concerns this connection (RFC 9110, section 7.8), and RFC 6455 asks for GET without a body.
#[test]
fn a_wish_that_is_none_is_not_passed_on() {
    for request in [
        Request::get("/").header("Upgrade", "websocket"),
        Request::get("/").header("Upgrade", "websocket").header("Connection", "close"),
        Request::post("/", "hello").header("Upgrade", "websocket").header("Connection", "Upgrade"),
        Request::new("POST", "/").header("Upgrade", "websocket").header("Connection", "Upgrade"),
        Request::get("/").body("hello").header("Upgrade", "websocket").header("Connection", "Upgrade"),
    ] {
        let received = forwarded(&[], &request);
        assert_eq!(received.header("Connection"), Some("keep-alive"), "{request:?}");
        assert!(!received.headers.has("Upgrade"), "{request:?}");
    }
}

#[test]
fn http_1_0_has_no_wishes() {
    let (upstream, gateway) = echoing(&[]);
    let answer =
        gateway.send_raw("GET / HTTP/1.0\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(answer.status, 200);
    assert!(!upstream.only().headers.has("Upgrade"));
}

#[test]
fn a_wish_may_be_written_in_any_letters_and_beside_others() {
    let (upstream, gateway) = switching();
    for (connection, upgrade) in
        [("upgrade", "WebSocket"), ("keep-alive, Upgrade", "WEBSOCKET"), ("x-private, UPGRADE", "websocket")]
    {
        let mut client = gateway.connect();
        let request = Request::get("/ws").header("Connection", connection).header("Upgrade", upgrade);
        client.send(request.header("X-Private", "1").header("Sec-WebSocket-Key", KEY).bytes());
        assert_eq!(client.answer().status, 101, "{connection}: {upgrade}");
        let received = upstream.last();
        assert_eq!(received.header("Upgrade"), Some("websocket"));
        assert_eq!(received.header("Connection"), Some("keep-alive, Upgrade"));
        assert_eq!(received.headers.has("X-Private"), !connection.contains("x-private"));
    }
}

/// After requests on the same connections, at both ends.
#[test]
fn a_kept_connection_may_switch() {
    let (upstream, gateway) =
        answering(&[("nginx_worker_processes", "1")], |request: &Received| match request.path.as_str() {
            "/ws" => Script::from(switched()).then_tunnel(),
            _ => Script::echo(),
        });
    let mut connection: Connection = gateway.connect();
    for _ in 0..3 {
        assert_eq!(connection.request(&Request::get("/plain")).status, 200);
    }
    connection.send(handshake("/ws").bytes());
    assert_eq!(connection.answer().status, 101);
    connection.send("hello");
    connection.read_until("hello");
    assert_eq!(upstream.accepted(), 1);
    // The connection that has switched is nobody else's.
    assert_eq!(gateway.get("/plain").status, 200);
    assert_eq!(upstream.accepted(), 2);
    drop(connection);
    towergate_tests::eventually(towergate_tests::SOON, || upstream.open_connections() == 1);
}
