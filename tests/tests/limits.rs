//! How much and how slowly a client may send, how many may come, and what they are told.

use std::thread;
use std::time::{Duration, Instant};

use towergate_tests::{
    Answer, Broken, Connection, Gate, Gateway, LAST_CHUNK, Request, SOON, Script, Upstream, chunk, echoing, eventually,
    proxying,
};

/// A gateway with one worker and these settings, each by its name in nginx.
#[track_caller]
fn limited(upstream: &Upstream, settings: &[(&str, &str)]) -> Gateway {
    let setup = Gateway::with(&proxying(upstream)).setting("nginx_worker_processes", "1");
    settings.iter().fold(setup, |setup, (name, value)| setup.setting(name, value)).start()
}

/// The refusal that a client reads, or none, if it is closed without one.
fn refusal(result: Result<Answer, Broken>) -> Option<u16> {
    result.ok().map(|answer| answer.status)
}

// --- sizes -----------------------------------------------------------------------------------------------------------------------

/// nginx reads a request line into a buffer of 8 KiB.
#[test]
fn a_request_line_of_8_kib_passes_and_a_longer_one_is_414() {
    let (upstream, gateway) = echoing(&[]);
    let target = |line: usize| format!("/{}", "a".repeat(line - "GET / HTTP/1.1\r\n".len()));
    assert_eq!(gateway.get(&target(8192)).status, 200);
    for length in [8193, 9000, 20_000] {
        assert_eq!(gateway.get(&target(length)).status, 414, "{length}");
    }
    assert_eq!(upstream.count(), 1);
}

#[test]
fn a_header_line_of_8_kib_passes_and_a_longer_one_is_400() {
    let (upstream, gateway) = echoing(&[]);
    let line = |length: usize| Request::get("/").header("X-A", &"a".repeat(length - "X-A: \r\n".len()));
    assert_eq!(gateway.send(&line(8192)).status, 200);
    assert_eq!(gateway.send(&line(8193)).status, 400);
    assert_eq!(upstream.count(), 1);
}

/// nginx has four buffers of 8 KiB beside the first of 1 KiB.
#[test]
fn a_head_of_32_kib_passes_and_one_of_64_kib_does_not() {
    let (upstream, gateway) = echoing(&[]);
    let lines = |count: usize| {
        (0..count).fold(Request::get("/"), |request, n| request.header(&format!("X-N-{n}"), &"a".repeat(3900)))
    };
    assert_eq!(gateway.send(&lines(8)).status, 200);
    let status = gateway.send(&lines(16)).status;
    assert!(matches!(status, 400 | 431), "{status}");
    assert_eq!(upstream.count(), 1);
}

#[test]
fn a_client_that_never_ends_its_head_is_answered_and_not_stored() {
    let (upstream, gateway) = echoing(&[]);
    let before = gateway.peak_memory();
    for piece in ["X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "a"] {
        let mut connection = gateway.connect();
        connection.send("GET / HTTP/1.1\r\nHost: gateway.test\r\n");
        let bytes = piece.repeat((8 << 20) / piece.len());
        let _ = connection.try_send(&bytes);
        // What is still on its way may cost the client its answer.
        assert!(matches!(refusal(connection.try_answer()), None | Some(400 | 431)));
    }
    assert_eq!(upstream.count(), 0);
    assert!(gateway.peak_memory() < before + (4 << 20), "{} before, {} now", before, gateway.peak_memory());
}

#[test]
fn a_chunked_body_over_the_limit_is_413_and_never_whole_at_the_upstream() {
    for route_fields in ["", "    request_buffering: false\n"] {
        let upstream = Upstream::echo();
        let document = format!("{}{route_fields}", proxying(&upstream));
        let gateway = Gateway::with(&document).setting("client_max_body_size", "1k").start();
        let head = "POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = |pieces: &[usize]| -> Vec<u8> {
            let chunks = pieces.iter().flat_map(|size| chunk(vec![b'a'; *size]));
            head.bytes().chain(chunks).chain(LAST_CHUNK.iter().copied()).collect()
        };
        assert_eq!(gateway.send_raw(body(&[1000, 24])).json()["body_bytes"], 1024);
        let whole = upstream.count();
        for pieces in [&[1025][..], &[1024, 1], &[1000, 1000], &[1 << 20]] {
            let answer = gateway.send_raw(body(pieces));
            assert_eq!((answer.status, answer.header("Connection")), (413, Some("close")), "{pieces:?}");
            assert!(answer.text().starts_with("Payload too large"), "{}", answer.text());
        }
        assert!(upstream.requests()[whole..].iter().all(|request| !request.complete));
    }
}

/// Before it sends the body, a client that asks is told whether it may.
#[test]
fn a_length_over_the_limit_is_413_before_the_body_is_sent() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("client_max_body_size", "1k")]);
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 1025\r\nExpect: 100-continue\r\n\r\n");
    let answer = connection.answer();
    assert_eq!((answer.status, answer.interim.as_slice(), upstream.count()), (413, &[][..], 0));
    connection.drained();
}

// --- times -----------------------------------------------------------------------------------------------------------------------

/// What comes until the connection is closed, which must take at least so long from this moment, and no minute.
#[track_caller]
fn until_closed(start: Instant, least: Duration, connection: &mut Connection) -> String {
    let bytes = connection.drained();
    let took = start.elapsed();
    assert!((least..Duration::from_secs(15)).contains(&took), "{took:?}");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A timeout of a second, which is looked for a few times in a second.
const A_SECOND: Duration = Duration::from_millis(800);

/// nginx closes such a connection; an answer 408 is right as well (RFC 9110 section 15.5.9).
#[test]
fn a_client_that_does_not_end_its_head_is_closed() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("nginx_http_client_header_timeout", "1")]);
    for start in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: gateway.test\r\n"] {
        let begun = Instant::now();
        let mut connection = gateway.connect();
        connection.send(start);
        let said = until_closed(begun, A_SECOND, &mut connection);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{start:?}: {said}");
    }
    assert_eq!(upstream.count(), 0);
}

/// The time is for the whole head, however it drips.
#[test]
fn a_client_that_drips_its_head_is_closed() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("nginx_http_client_header_timeout", "1")]);
    let mut connection = gateway.connect();
    connection.send("GET / HTTP/1.1\r\nHost: gateway.test\r\nX-A: ");
    let start = Instant::now();
    // The pause is the subject.
    while connection.try_send("a").is_ok() {
        thread::sleep(Duration::from_millis(50));
        assert!(start.elapsed() < Duration::from_secs(15), "still open after {:?}", start.elapsed());
    }
    assert_eq!(upstream.count(), 0);
}

/// Also a second request's head, whose first bytes end the idle time.
#[test]
fn a_second_head_has_its_time_too() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("nginx_http_client_header_timeout", "1")]);
    let mut connection = gateway.connect();
    assert_eq!(connection.request(&Request::get("/")).status, 200);
    let begun = Instant::now();
    connection.send("GET /second HTTP/1.1\r\n");
    let said = until_closed(begun, Duration::ZERO, &mut connection);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[test]
fn a_client_that_does_not_go_on_with_its_body_is_408() {
    for (route_fields, start) in [
        ("", "Content-Length: 10\r\n\r\nhello"),
        ("", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        ("    request_buffering: false\n", "Content-Length: 10\r\n\r\nhello"),
        ("    request_buffering: false\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ] {
        let upstream = Upstream::echo();
        let document = format!("{}{route_fields}", proxying(&upstream));
        let gateway = Gateway::with(&document).setting("nginx_http_client_body_timeout", "1").start();
        let mut connection = gateway.connect();
        connection.send(format!("POST / HTTP/1.1\r\nHost: gateway.test\r\n{start}"));
        let answer = connection.answer();
        assert_eq!((answer.status, answer.header("Connection")), (408, Some("close")), "{start:?}");
        assert!(answer.took > Duration::from_millis(800), "{:?}", answer.took);
        connection.drained();
        assert!(upstream.requests().iter().all(|request| !request.complete), "{start:?}");
    }
}

/// The time is between two reads.
#[test]
fn a_client_that_drips_its_body_is_served() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("nginx_http_client_body_timeout", "2")]);
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 10\r\n\r\n");
    for _ in 0..10 {
        // The pause is the subject: together longer than the timeout, each far shorter.
        thread::sleep(Duration::from_millis(250));
        connection.send("a");
    }
    assert_eq!(connection.answer().json()["body_bytes"], 10);
}

#[test]
fn an_idle_connection_is_closed_in_peace() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("nginx_http_keepalive_timeout", "1")]);
    let mut connection = gateway.connect();
    let begun = Instant::now();
    assert_eq!(connection.request(&Request::get("/")).status, 200);
    assert_eq!(until_closed(begun, A_SECOND, &mut connection), "");
}

/// The idle time does not count while the upstream thinks.
#[test]
fn a_connection_that_waits_for_its_answer_is_not_idle() {
    let upstream = Upstream::answering(|_| Script::echo().after(Duration::from_millis(1500)));
    let times = ["client_header_timeout", "client_body_timeout", "keepalive_timeout", "send_timeout"];
    let names = times.map(|name| format!("nginx_http_{name}"));
    let gateway = limited(&upstream, &names.each_ref().map(|name| (name.as_str(), "300ms")));
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(gateway.send(&Request::post("/", "hello")).status, 200);
}

// --- counts ----------------------------------------------------------------------------------------------------------------------

#[test]
fn a_connection_brings_as_many_requests_as_it_may() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("nginx_http_keepalive_requests", "3")]);
    let mut connection = gateway.connect();
    for n in 1..=3 {
        let answer = connection.request(&Request::get("/"));
        assert_eq!((answer.status, answer.header("Connection") == Some("close")), (200, n == 3), "{n}");
    }
    assert_eq!(connection.drained(), b"");
    // Pipelined ones beyond it are not answered.
    let mut connection = gateway.connect();
    connection.send(Request::get("/pipelined").bytes().repeat(5));
    for _ in 0..3 {
        assert_eq!(connection.answer().status, 200);
    }
    assert_eq!(connection.drained(), b"");
    assert_eq!(upstream.count(), 6);
}

/// Connections that are being answered, up to `count`.
#[track_caller]
fn busy(gateway: &Gateway, upstream: &Upstream, count: usize) -> Vec<Connection> {
    let before = upstream.count();
    let busy: Vec<Connection> = (0..count)
        .map(|_| {
            let mut connection = gateway.connect();
            connection.send(Request::get("/busy").bytes());
            connection
        })
        .collect();
    eventually(SOON, || upstream.count() == before + count);
    busy
}

fn server_status(gateway: &Gateway, name: &str) -> u64 {
    gateway.ask_admin(&Request::get("/status")).json()["server"][name].as_u64().expect("a number")
}

#[test]
fn connections_beyond_the_limit_are_closed_and_told_once_a_second() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| Script::echo().behind(&held));
    let gateway = limited(&upstream, &[("nginx_events_worker_connections", "4")]);
    gateway.wait_until_empty();
    let mut busy = busy(&gateway, &upstream, 4);
    let start = Instant::now();
    for _ in 0..20 {
        let mut connection = gateway.connect();
        let _ = connection.try_send(Request::get("/").bytes());
        assert_eq!(connection.drained(), b"");
    }
    let told = || gateway.log().matches("nginx_events_worker_connections").count() as u64;
    eventually(SOON, || told() >= 1);
    assert!(told() <= start.elapsed().as_secs() + 1, "{}", gateway.log());
    assert_eq!(server_status(&gateway, "connections_accepted") - server_status(&gateway, "connections_handled"), 20);
    gate.open();
    for connection in &mut busy {
        assert_eq!(connection.answer().status, 200, "those that are served are not disturbed");
    }
    drop(busy);
    gateway.wait_until_empty();
    assert_eq!(gateway.get("/").status, 200);
}

/// As in nginx: who waits between two requests gives way to who has come.
#[test]
fn idle_connections_give_way() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, &[("nginx_events_worker_connections", "4")]);
    gateway.wait_until_empty();
    let mut idle: Vec<Connection> = (0..4).map(|_| gateway.connect()).collect();
    for connection in &mut idle {
        assert_eq!(connection.request(&Request::get("/")).status, 200);
    }
    // The first finds all places taken, and makes them be given up.
    eventually(SOON, || gateway.connect().try_request(&Request::get("/")).is_ok_and(|answer| answer.status == 200));
    for connection in &mut idle {
        assert_eq!(connection.drained(), b"", "closed in peace");
    }
}

/// Nothing is accepted while there is no descriptor left; nothing is lost but time, and the log does not fill.
#[test]
fn a_gateway_without_descriptors_waits_for_some() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| Script::echo().behind(&held));
    let setup = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1").open_files(64);
    let mut gateway = setup.start();
    // More than it can have; those it cannot accept wait in the system's queue.
    let mut clients: Vec<Connection> = (0..100)
        .map(|n| {
            let mut connection = gateway.connect();
            connection.send(Request::get(&format!("/{n}")).bytes());
            connection
        })
        .collect();
    eventually(SOON, || gateway.log().contains("Cannot accept connections"));
    assert!(gateway.is_running());
    gate.open();
    // An accepted client may find no descriptor left for its upstream: 502, and the next has its place.
    for connection in &mut clients {
        if let Ok(answer) = connection.try_answer() {
            assert!(matches!(answer.status, 200 | 502), "{}", answer.status);
        }
        connection.finish_sending();
    }
    drop(clients);
    eventually(SOON, || gateway.connect().try_request(&Request::get("/")).is_ok_and(|answer| answer.status == 200));
    assert!(gateway.log().matches("Cannot accept connections").count() < 20, "{}", gateway.log());
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}
