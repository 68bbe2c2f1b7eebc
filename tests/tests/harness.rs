//! The harness itself: what `Upstream` and `Connection` say of each other must be true before they judge a gateway.

use std::time::Duration;

use towergate_tests::{
    BlackHole, Connection, Gate, LAST_CHUNK, Port, Reply, Request, SOON, Script, Upstream, chunk, eventually,
};

#[test]
fn the_echo_describes_the_request_and_the_record_has_its_bytes() {
    let upstream = Upstream::echo();
    let request = Request::post("/a?b=c", "hello").header("X-Two", "1").header("x-two", "2");
    let answer = Connection::open(upstream.address()).request(&request);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["path"], "/a?b=c");
    assert_eq!(answer.json()["body_bytes"], 5);
    let received = upstream.only();
    assert_eq!(received.headers.all("X-TWO"), ["1", "2"]);
    assert_eq!(received.headers.names(), ["Host", "Content-Length", "X-Two", "x-two"]);
    assert_eq!([received.raw_head, received.body].concat(), request.bytes());
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let upstream = Upstream::echo();
    let mut connection = Connection::open(upstream.address());
    for nth in 0..3 {
        assert_eq!(connection.request(&Request::get("/")).status, 200);
        assert_eq!((upstream.last().connection, upstream.last().nth), (0, nth));
    }
    assert_eq!((upstream.accepted(), upstream.open_connections()), (1, 1));
    drop(connection);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn the_echo_of_head_has_a_length_and_no_body() {
    let upstream = Upstream::echo();
    let mut connection = Connection::open(upstream.address());
    for _ in 0..2 {
        let answer = connection.request(&Request::new("HEAD", "/"));
        assert_eq!((answer.status, answer.header("Content-Length") > Some("0")), (200, true));
    }
}

#[test]
fn bodies_are_read_by_length_by_chunks_and_to_the_end() {
    let head = Reply::new(200).head_only();
    let chunked = head.clone().header("Transfer-Encoding", "chunked").bytes();
    let whole = [chunked, chunk("ab"), chunk("c"), LAST_CHUNK.to_vec()].concat();
    let closed = [head.bytes(), b"abc".to_vec()].concat();
    let scripts = [Reply::ok("abc").into(), Script::raw(whole), Script::raw(closed).then_close()];
    for script in scripts {
        let upstream = Upstream::answering(move |_| script.clone());
        assert_eq!(Connection::open(upstream.address()).request(&Request::get("/")).text(), "abc");
    }
}

#[test]
fn a_chunked_upload_is_decoded_and_visible_before_it_ends() {
    let upstream = Upstream::echo();
    let mut connection = Connection::open(upstream.address());
    connection.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(chunk("first"));
    eventually(SOON, || upstream.requests().first().is_some_and(|request| request.body == b"first"));
    assert!(!upstream.only().complete);
    connection.send([chunk("second"), LAST_CHUNK.to_vec()].concat());
    assert_eq!(connection.answer().json()["body_bytes"], 11);
    assert!(upstream.only().complete);
}

#[test]
fn heads_without_a_body_do_not_wait_for_one() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let upstream = Upstream::answering(move |_| Reply::new(status).header("X-Length", "7"));
        let mut connection = Connection::open(upstream.address());
        for _ in 0..2 {
            assert_eq!(connection.request(&Request::new(method, "/")).status, status);
        }
    }
}

#[test]
fn a_body_that_stops_short_is_broken_whether_closed_or_reset() {
    let partial = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    for script in [Script::raw(partial).then_close(), Script::raw(partial).then_reset()] {
        let upstream = Upstream::answering(move |_| script.clone());
        let broken = Connection::open(upstream.address()).try_request(&Request::get("/")).unwrap_err();
        assert_eq!(broken.status, Some(200));
    }
}

#[test]
fn no_answer_is_broken_whether_closed_or_reset() {
    for script in [Script::close(), Script::reset()] {
        let upstream = Upstream::answering(move |_| script.clone());
        let broken = Connection::open(upstream.address()).try_request(&Request::get("/")).unwrap_err();
        assert_eq!(broken.status, None, "{broken:?}");
    }
}

#[test]
fn interim_answers_are_told_apart() {
    let upstream =
        Upstream::answering(|_| Script::raw("HTTP/1.1 103 Early Hints\r\n\r\n").then_send(Reply::ok("x").bytes()));
    let answer = Connection::open(upstream.address()).request(&Request::get("/"));
    assert_eq!((answer.status, answer.interim), (200, vec![103]));
}

#[test]
fn a_gate_holds_an_answer_until_it_is_opened() {
    let gate = Gate::closed();
    let script = Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na").then_pass(&gate).then_send("b");
    let upstream = Upstream::answering(move |_| script.clone());
    let mut connection = Connection::open(upstream.address());
    connection.send(Request::get("/").bytes());
    assert_eq!(connection.head(), 200);
    assert_eq!(connection.read_until("a"), "a");
    gate.open();
    assert_eq!(connection.read_until("b"), "b");
}

#[test]
fn a_hanging_upstream_sees_its_client_leave() {
    let upstream = Upstream::answering(|_| Script::hang());
    let mut connection = Connection::open(upstream.address());
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    assert_eq!(upstream.open_connections(), 1);
    drop(connection);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_tunnel_sends_back_what_comes() {
    let upstream = Upstream::answering(|_| Script::raw("HTTP/1.1 101 Switching Protocols\r\n\r\n").then_tunnel());
    let mut connection = Connection::open(upstream.address());
    assert_eq!(connection.request(&Request::get("/")).status, 101);
    connection.send("over and out");
    assert_eq!(connection.read_until("out"), "over and out");
}

#[test]
fn a_reserved_port_refuses_connections_and_is_given_out_once() {
    let ports: Vec<Port> = (0..50).map(|_| Port::free()).collect();
    let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 50);
    assert!(Connection::try_open(ports[0].address()).is_err());
}

#[test]
fn a_black_hole_swallows_connection_attempts() {
    let hole = BlackHole::open();
    let attempt = std::net::TcpStream::connect_timeout(&hole.address(), Duration::from_millis(300));
    assert_eq!(attempt.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn the_end_of_an_upstream_frees_its_connections() {
    let upstream = Upstream::answering(|_| Script::hang());
    let mut connection = Connection::open(upstream.address());
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    drop(upstream);
    assert_eq!(connection.drained(), b"");
}
