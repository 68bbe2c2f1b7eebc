//! WebSockets through the gateway, with a library at both ends: what passes, how it ends, and for how long it may be silent.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use towergate_tests::sockets::{Sockets, open, try_open};
use towergate_tests::tungstenite::client::IntoClientRequest;
use towergate_tests::tungstenite::protocol::{
    CloseFrame, Message,
    frame::{
        Frame,
        coding::{CloseCode, Data, OpCode},
    },
};
use towergate_tests::tungstenite::{Error, error::ProtocolError};
use towergate_tests::{Gateway, Request, SOON, Upstream, eventually, proxying_to};

/// A gateway in front of a WebSocket server, with these service fields.
fn serving(sockets: &Sockets, fields: &[&str]) -> Gateway {
    Gateway::serving(&proxying_to(&sockets.url(), &[&["retries: 0"], fields].concat()))
}

/// A library's word for a connection that ended without the words that should end it.
fn is_cut(error: &Error) -> bool {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => true,
        Error::Io(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof),
        _ => false,
    }
}

// --- messages ------------------------------------------------------------------------------------------------------------

#[test]
fn messages_of_all_kinds_and_sizes_come_back() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/echo");
    for size in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
        // Neither constant nor of a period that fits a buffer, so that a lost or doubled piece shows.
        let bytes: Vec<u8> = (0..size).map(|n| b'a' + u8::try_from(n % 23).unwrap()).collect();
        let text = String::from_utf8(bytes.clone()).unwrap();
        for message in [Message::text(text), Message::binary(bytes)] {
            socket.send(message.clone()).unwrap();
            assert!(socket.read().unwrap() == message, "{size} bytes");
        }
    }
    socket.send(Message::text("größer als ☃ 𝄞")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("größer als ☃ 𝄞"));
}

#[test]
fn a_large_message_comes_back_whole() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/echo");
    let bytes: Vec<u8> = (0..12 << 20).map(|n: u32| u8::try_from(n % 251).unwrap()).collect();
    socket.send(Message::binary(bytes.clone())).unwrap();
    assert!(socket.read().unwrap() == Message::binary(bytes));
}

#[test]
fn fragments_and_what_stands_between_them_pass() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/echo");
    let part = |text: &'static str, kind, last| Message::Frame(Frame::message(text, OpCode::Data(kind), last));
    socket.send(part("one, ", Data::Text, false)).unwrap();
    socket.send(part("two, ", Data::Continue, false)).unwrap();
    socket.send(Message::Ping("between".into())).unwrap();
    socket.send(part("three", Data::Continue, true)).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("between".into()));
    assert_eq!(socket.read().unwrap(), Message::text("one, two, three"));
}

#[test]
fn pings_are_answered_by_the_upstream() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/echo");
    for payload in ["", "x", "a payload that comes back"] {
        socket.send(Message::Ping(payload.into())).unwrap();
        assert_eq!(socket.read().unwrap(), Message::Pong(payload.into()));
    }
}

#[test]
fn the_protocol_among_those_offered_is_the_upstreams_choice() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let lines = [("Sec-WebSocket-Protocol", "chat.v2, chat.v1"), ("Origin", "https://example.com"), ("Cookie", "a=1")];
    let (_socket, answer) = try_open(gateway.proxy(), "/echo", &lines).unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat.v2");
    let handshake = sockets.handshakes().remove(0);
    for (name, value) in lines {
        assert_eq!(handshake[name], value);
    }
}

// --- endings -------------------------------------------------------------------------------------------------------------

#[test]
fn a_client_may_close_with_a_code() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/echo");
    let goodbye = CloseFrame { code: CloseCode::Library(4000), reason: "enough".into() };
    socket.close(Some(goodbye.clone())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Close(Some(goodbye)), "the upstream's answer to it");
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    eventually(SOON, || sockets.open() == 0);
}

#[test]
fn an_upstream_may_close_with_a_code() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/leave");
    socket.send(Message::text("hello")).unwrap();
    let goodbye = CloseFrame { code: CloseCode::Library(4001), reason: "done".into() };
    assert_eq!(socket.read().unwrap(), Message::Close(Some(goodbye)));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    eventually(SOON, || sockets.open() == 0);
}

#[test]
fn an_upstream_that_dies_ends_the_client() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/die");
    socket.send(Message::text("hello")).unwrap();
    let error = socket.read().unwrap_err();
    assert!(is_cut(&error), "{error:?}");
    // Nothing of it stays behind.
    open(gateway.proxy(), "/echo").send(Message::text("again")).unwrap();
}

#[test]
fn a_client_that_dies_ends_the_upstream() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    for linger in [None, Some(Duration::ZERO)] {
        let mut socket = open(gateway.proxy(), "/echo");
        socket.send(Message::text("hello")).unwrap();
        socket.read().unwrap();
        assert_eq!(sockets.open(), 1);
        towergate_tests::sockets::linger(&socket, linger);
        drop(socket);
        eventually(SOON, || sockets.open() == 0);
    }
}

// --- silence -------------------------------------------------------------------------------------------------------------

/// Kong's `read_timeout` and `write_timeout` also bound the silence of a WebSocket.
#[test]
fn a_silent_socket_ends_with_the_services_timeout_and_one_in_use_does_not() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &["read_timeout: 1000", "write_timeout: 1000"]);
    let mut busy = open(gateway.proxy(), "/echo");
    let mut silent = open(gateway.proxy(), "/echo");
    let begin = Instant::now();
    // Longer than the timeout, and until the silent one is gone.
    while begin.elapsed() < Duration::from_millis(2500) || sockets.open() > 1 {
        assert!(begin.elapsed() < SOON, "the silent one is still there");
        busy.send(Message::text("tick")).unwrap();
        assert_eq!(busy.read().unwrap(), Message::text("tick"));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(sockets.open(), 1);
    let error = silent.read().unwrap_err();
    assert!(is_cut(&error), "{error:?}");
    drop(busy);
    eventually(SOON, || sockets.open() == 0);
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    let sockets = Sockets::start();
    let settings = Gateway::with(&proxying_to(&sockets.url(), &["read_timeout: 1000", "write_timeout: 1000"]))
        .setting("nginx_http_send_timeout", "1s");
    let gateway = settings.start();
    let _socket = open(gateway.proxy(), "/flood");
    eventually(SOON, || sockets.open() == 1);
    eventually(SOON, || sockets.open() == 0);
    eventually(SOON, || open_connections(&gateway) == 0);
}

#[test]
fn an_upstream_that_reads_nothing_is_cut() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &["read_timeout: 1000", "write_timeout: 1000"]);
    let mut socket = open(gateway.proxy(), "/deaf");
    let error = loop {
        match socket.send(Message::binary(vec![1; 64 * 1024])) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    let Error::Io(error) = error else { panic!("{error:?}") };
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error:?}");
}

/// A handshake is a request like any other as long as it has no answer.
#[test]
fn an_upstream_that_does_not_answer_the_handshake_is_a_timeout() {
    let upstream = Upstream::answering(|_| towergate_tests::Script::hang());
    let gateway = Gateway::serving(&proxying_to(&upstream.url(), &["retries: 0", "read_timeout: 500"]));
    let Err(error) = try_open(gateway.proxy(), "/", &[]) else { panic!("opened") };
    let Error::Http(answer) = *error else { panic!("{error:?}") };
    assert_eq!(answer.status(), 504);
}

// --- many ----------------------------------------------------------------------------------------------------------------

/// Connections open at the proxy, as `/status` counts them.
fn open_connections(gateway: &Gateway) -> u64 {
    let status = gateway.ask_admin(&Request::get("/status")).json();
    let server = &status["server"];
    let count = |name: &str| server[name].as_u64().unwrap_or_else(|| panic!("{name} in {server}"));
    assert_eq!(
        count("connections_active"),
        ["reading", "writing", "waiting"].map(|what| count(&format!("connections_{what}"))).iter().sum::<u64>()
    );
    count("connections_active")
}

#[tokio::test]
async fn many_sockets_at_once_do_not_mix() {
    const SOCKETS: usize = 200;
    const MESSAGES: usize = 20;
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut open = Vec::new();
    for _ in 0..SOCKETS {
        let stream = tokio::net::TcpStream::connect(gateway.proxy()).await.unwrap();
        let request = "ws://gateway.test/echo".into_client_request().unwrap();
        open.push(tokio_tungstenite::client_async(request, stream).await.unwrap().0);
    }
    // Each counts as being served.
    eventually(SOON, || gateway.ask_admin(&Request::get("/status")).json()["server"]["connections_writing"] == SOCKETS);
    let talks = open.into_iter().enumerate().map(|(number, mut socket)| {
        tokio::spawn(async move {
            for message in 0..MESSAGES {
                let text = format!("{number}/{message} {}", "x".repeat(number * 17 % 1000));
                socket.send(Message::text(&text)).await.unwrap();
                assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(&text));
            }
            socket.close(None).await.unwrap();
        })
    });
    for talk in talks.collect::<Vec<_>>() {
        talk.await.unwrap();
    }
    eventually(SOON, || sockets.open() == 0);
    eventually(SOON, || open_connections(&gateway) == 0);
}

/// Requests of other clients go on beside it, on the same worker.
#[test]
fn requests_are_served_beside_an_open_socket() {
    let sockets = Sockets::start();
    let upstream = Upstream::echo();
    let document = format!(
        "{}- name: plain\n  url: {}\n  routes:\n  - paths: [/plain]\n",
        proxying_to(&sockets.url(), &[]),
        upstream.url()
    );
    let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
    let mut socket = open(gateway.proxy(), "/echo");
    let mut connection = gateway.connect();
    for n in 0..20 {
        socket.send(Message::text(n.to_string())).unwrap();
        assert_eq!(connection.request(&Request::get("/plain")).status, 200);
        assert_eq!(socket.read().unwrap(), Message::text(n.to_string()));
    }
}

// --- plugins -------------------------------------------------------------------------------------------------------------

#[test]
fn plugins_see_the_handshake_and_its_answer() {
    let sockets = Sockets::start();
    let document = format!(
        "{}plugins:\n- name: key-auth\n- {{name: correlation-id, config: {{header_name: X-Trace, generator: uuid, echo_downstream: true}}}}\n\
         consumers:\n- username: alice\n  keyauth_credentials: [{{key: secret}}]\n",
        proxying_to(&sockets.url(), &[])
    );
    let gateway = Gateway::serving(&document);
    let Err(error) = try_open(gateway.proxy(), "/echo", &[]) else { panic!("opened without a key") };
    let Error::Http(refused) = *error else { panic!("{error:?}") };
    assert_eq!(refused.status(), 401);
    assert!(sockets.handshakes().is_empty());
    let (mut socket, answer) = try_open(gateway.proxy(), "/echo", &[("apikey", "secret")]).unwrap();
    let handshake = sockets.handshakes().remove(0);
    assert_eq!(handshake["x-consumer-username"], "alice");
    assert_eq!(handshake["x-trace"], answer.headers()["x-trace"]);
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
}

/// A reload changes nothing for sockets that are open, even if their route is gone.
#[test]
fn a_reload_leaves_open_sockets_alone() {
    let sockets = Sockets::start();
    let gateway = serving(&sockets, &[]);
    let mut socket = open(gateway.proxy(), "/echo");
    socket.send(Message::text("before")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("before"));
    for round in 0..3 {
        gateway.reload(&format!(
            "_format_version: \"3.0\"\nservices: [{{name: other{round}, url: \"http://127.0.0.1:9\"}}]\n"
        ));
        assert!(
            matches!(try_open(gateway.proxy(), "/echo", &[]).map_err(|e| *e), Err(Error::Http(answer)) if answer.status() == 404)
        );
        socket.send(Message::text("after")).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text("after"));
    }
}
