//! Stopping and reloading while much is under way: long downloads and open WebSockets.

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use towergate_tests::sockets::{Sockets, open};
use towergate_tests::tungstenite::Message;
use towergate_tests::{Gate, Gateway, Reply, Request, SOON, Script, Upstream, eventually, proxying, proxying_to};

const MIB: usize = 1 << 20;

/// A body that shows a lost or doubled piece.
fn body(mib: usize) -> Vec<u8> {
    (0..mib * MIB).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

fn refuses(gateway: &Gateway) -> bool {
    TcpStream::connect(gateway.proxy()).is_err()
}

/// Reads what is left of a body of so many bytes, slowly at first.
fn read_slowly(mut stream: TcpStream, length: usize) -> Vec<u8> {
    let mut received = Vec::new();
    let mut bytes = vec![0; 64 * 1024];
    while received.len() < length {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend_from_slice(&bytes[..count]),
        }
        if received.len() < length / 2 {
            thread::sleep(Duration::from_millis(5));
        }
    }
    received
}

#[test]
fn downloads_are_finished_on_sigterm() {
    let gate = Gate::closed();
    let held = gate.clone();
    let whole = body(16);
    let rest = whole[MIB..].to_vec();
    let first = whole[..MIB].to_vec();
    let head = Reply::new(200).head_only().header("Content-Length", &whole.len().to_string()).bytes();
    let upstream = Upstream::answering(move |_| {
        Script::raw([head.clone(), first.clone()].concat()).then_pass(&held).then_send(rest.clone())
    });
    let mut gateway = Gateway::serving(&proxying(&upstream));
    let mut idle = gateway.connect();
    let mut downloads: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
    for connection in &mut downloads {
        connection.send(Request::get("/").bytes());
        connection.head();
    }
    gateway.signal("TERM");
    eventually(SOON, || refuses(&gateway));
    assert_eq!(idle.drained(), b"", "idle connections are closed");
    assert!(gateway.is_running());
    gate.open();
    for connection in downloads {
        let begun = connection.buffered().to_vec();
        let received = [begun.clone(), read_slowly(connection.sender(), whole.len() - begun.len())].concat();
        assert!(received == whole, "{} of {} bytes", received.len(), whole.len());
    }
    let exit = gateway.end();
    assert_eq!(exit.status.code(), Some(0), "{}", gateway.log());
    assert!(!gateway.log().contains("cut off"), "{}", gateway.log());
}

#[test]
fn uploads_are_finished_on_sigterm() {
    let upstream = Upstream::echo();
    let mut gateway = Gateway::serving(&format!("{}    request_buffering: false\n", proxying(&upstream)));
    let mut connection = gateway.connect();
    connection.send(format!("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: {}\r\n\r\n", 4 * MIB));
    let whole = body(4);
    connection.send(&whole[..MIB]);
    eventually(SOON, || upstream.count() == 1);
    gateway.signal("TERM");
    eventually(SOON, || refuses(&gateway));
    for piece in whole[MIB..].chunks(256 * 1024) {
        connection.send(piece);
        thread::sleep(Duration::from_millis(20));
    }
    let answer = connection.answer();
    assert_eq!((answer.status, answer.header("Connection")), (200, Some("close")));
    assert!(upstream.only().body == whole);
    assert_eq!(gateway.end().status.code(), Some(0));
}

#[test]
fn open_sockets_hold_sigterm_until_they_are_closed() {
    let sockets = Sockets::start();
    let mut gateway = Gateway::serving(&proxying_to(&sockets.url(), &["retries: 0"]));
    let mut open: Vec<_> = (0..10).map(|_| open(gateway.proxy(), "/echo")).collect();
    let mut idle = gateway.connect();
    gateway.signal("TERM");
    let begin = Instant::now();
    eventually(SOON, || refuses(&gateway));
    assert_eq!(idle.drained(), b"", "idle connections are closed");
    while begin.elapsed() < Duration::from_secs(3) {
        for socket in &mut open {
            socket.send(Message::text("still there?")).unwrap();
            assert_eq!(socket.read().unwrap(), Message::text("still there?"));
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert!(gateway.is_running());
    for mut socket in open {
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
    }
    let exit = gateway.end();
    assert_eq!(exit.status.code(), Some(0), "{}", gateway.log());
    assert!(begin.elapsed() < Duration::from_secs(8), "it does not wait for longer than it must");
    assert!(!gateway.log().contains("cut off"), "{}", gateway.log());
}

#[test]
fn sockets_that_stay_open_are_cut_at_the_limit() {
    let sockets = Sockets::start();
    let mut gateway = Gateway::serving(&proxying_to(&sockets.url(), &["retries: 0"]));
    let mut open: Vec<_> = (0..3).map(|_| open(gateway.proxy(), "/echo")).collect();
    let begin = Instant::now();
    gateway.signal("TERM");
    while begin.elapsed() < Duration::from_secs(7) {
        for socket in &mut open {
            socket.send(Message::text("tick")).unwrap();
            socket.read().unwrap();
        }
        thread::sleep(Duration::from_millis(200));
    }
    let exit = gateway.end();
    assert_eq!(exit.status.code(), Some(0), "{}", gateway.log());
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(gateway.log().contains("cut off"), "{}", gateway.log());
    for socket in &mut open {
        assert!(socket.read().is_err());
    }
    eventually(SOON, || sockets.open() == 0);
}

#[test]
fn a_reload_cuts_no_download() {
    let gate = Gate::closed();
    let held = gate.clone();
    let whole = body(8);
    let (first, rest) = (whole[..MIB].to_vec(), whole[MIB..].to_vec());
    let head = Reply::new(200).head_only().header("Content-Length", &whole.len().to_string()).bytes();
    let upstream = Upstream::answering(move |_| {
        Script::raw([head.clone(), first.clone()].concat()).then_pass(&held).then_send(rest.clone())
    });
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    connection.head();
    for round in 0..3 {
        gateway.reload(&format!(
            "_format_version: \"3.0\"\nservices: [{{name: other{round}, url: \"http://127.0.0.1:9\"}}]\n"
        ));
        assert_eq!(gateway.get("/").status, 404);
    }
    gate.open();
    let begun = connection.buffered().to_vec();
    let received = [begun.clone(), read_slowly(connection.sender(), whole.len() - begun.len())].concat();
    assert!(received == whole, "{} of {} bytes", received.len(), whole.len());
}
