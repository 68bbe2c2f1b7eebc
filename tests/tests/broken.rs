//! Transfers that break under way: a client never takes a part for the whole, an upstream never gets a part that looks
//! whole, and a pooled connection that broke costs no safe request.

use towergate_tests::{
    Answer, Broken, Gateway, LAST_CHUNK, Received, Reply, Request, SOON, Script, Upstream, chunk, eventually, proxying,
    proxying_to,
};

const MIB: usize = 1 << 20;

/// The start of an answer in each framing, with so many bytes of a larger body.
fn starts(bytes: usize) -> [(&'static str, Vec<u8>); 3] {
    let body = vec![b'x'; bytes];
    let head = Reply::new(200).head_only();
    let length = head.clone().header("Content-Length", &(bytes + 1).to_string()).bytes();
    let chunked = head.clone().header("Transfer-Encoding", "chunked").bytes();
    [
        ("length", [length, body.clone()].concat()),
        ("chunks", if bytes == 0 { chunked } else { [chunked, chunk(&body)].concat() }),
        ("until close", [head.bytes(), body].concat()),
    ]
}

/// The body that had come, which must be the beginning of what was sent.
#[track_caller]
fn assert_broken(what: &str, result: Result<Answer, Broken>, most: usize) {
    match result {
        // Nothing was lost if nothing had been said yet.
        Ok(answer) => assert_eq!(answer.status, 502, "{what}: a whole answer of {} bytes", answer.body.len()),
        Err(broken) => {
            assert!(broken.body.len() <= most && broken.body.iter().all(|byte| *byte == b'x'), "{what}: {}", broken.why)
        }
    }
}

#[test]
fn an_upstream_s_reset_inside_its_answer_is_never_a_clean_end() {
    for bytes in [0, 1, 1000, 8 * MIB] {
        for (framing, start) in starts(bytes) {
            let upstream = Upstream::answering(move |_| Script::raw(start.clone()).then_reset());
            let gateway = Gateway::serving(&proxying(&upstream));
            for _ in 0..3 {
                assert_broken(framing, gateway.connect().try_request(&Request::get("/")), bytes);
            }
        }
    }
}

/// As above, when the client has seen the beginning before the end comes.
#[test]
fn a_reset_after_the_client_has_seen_the_beginning_breaks_the_transfer() {
    for (framing, start) in starts(1000) {
        let gate = towergate_tests::Gate::closed();
        let held = gate.clone();
        let upstream = Upstream::answering(move |_| Script::raw(start.clone()).then_pass(&held).then_reset());
        let gateway = Gateway::serving(&proxying(&upstream));
        let mut connection = gateway.connect();
        connection.send(Request::get("/").bytes());
        let seen = connection.read_until(&"x".repeat(1000));
        gate.open();
        let rest = String::from_utf8_lossy(&connection.drained()).into_owned();
        assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
        assert!(!rest.contains("0\r\n\r\n"), "{framing}: a last chunk after a reset: {rest:?}");
    }
}

#[test]
fn an_answer_until_close_that_is_closed_is_whole() {
    let (_, start) = starts(MIB).into_iter().last().expect("three");
    let upstream = Upstream::answering(move |_| Script::raw(start.clone()).then_close());
    let answer = Gateway::serving(&proxying(&upstream)).get("/");
    assert_eq!((answer.status, answer.body.len()), (200, MIB));
}

/// The upstream breaks while the client is still sending: the client is told, and not with a success.
#[test]
fn an_upstream_that_breaks_inside_an_upload_is_502() {
    for route_fields in ["", "    request_buffering: false\n"] {
        for script in [Script::reset(), Script::close()] {
            let upstream = Upstream::answering(move |_| script.clone().without_reading_the_body());
            let gateway = Gateway::serving(&format!("{}{route_fields}", proxying(&upstream)));
            let mut connection = gateway.connect();
            connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n");
            let piece = chunk(vec![b'x'; 64 << 10]);
            // Until the gateway has answered and does not listen any more, or all is sent.
            let _ =
                (0..64).try_for_each(|_| connection.try_send(&piece)).and_then(|()| connection.try_send(LAST_CHUNK));
            match connection.try_answer() {
                Ok(answer) => assert_eq!(answer.status, 502, "{route_fields}"),
                // The answer may be lost when a client goes on sending to who has closed.
                Err(broken) => assert_eq!(broken.status, None, "{route_fields}"),
            }
        }
    }
}

#[test]
fn an_upload_that_breaks_is_never_whole_at_the_upstream() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!("{}    request_buffering: false\n", proxying(&upstream)));
    for size in [1, 100_000, 2 * MIB] {
        for head in ["Transfer-Encoding: chunked".to_owned(), format!("Content-Length: {}", size + 1)] {
            let before = upstream.count();
            let body = vec![b'x'; size];
            let mut connection = gateway.connect();
            connection.send(format!("POST / HTTP/1.1\r\nHost: gateway.test\r\n{head}\r\n\r\n"));
            connection.send(if head.starts_with('T') { chunk(&body) } else { body });
            eventually(SOON, || upstream.count() > before && upstream.last().body.len() == size);
            drop(connection);
            eventually(SOON, || upstream.open_connections() == 0);
            assert!(!upstream.last().complete, "{head}, {size}");
        }
    }
}

/// How an upstream's pooled connection ends just as the next request is on its way.
fn endings() -> [(&'static str, Script); 4] {
    [
        ("close", Script::close()),
        ("reset", Script::reset()),
        ("close without reading", Script::close().without_reading_the_body()),
        ("reset without reading", Script::reset().without_reading_the_body()),
    ]
}

/// Methods that may be sent again (RFC 9110 section 9.2.2), and those that may not.
const METHODS: [(&str, bool); 8] = [
    ("GET", true),
    ("HEAD", true),
    ("OPTIONS", true),
    ("PUT", true),
    ("DELETE", true),
    ("PROPFIND", true),
    ("POST", false),
    ("PATCH", false),
];

#[test]
fn a_stale_pooled_connection_costs_no_request_that_may_be_sent_again() {
    for (ending, script) in endings() {
        let upstream = Upstream::answering(move |request: &Received| match request.nth {
            0 => Script::echo(),
            _ => script.clone(),
        });
        let document = proxying_to(&upstream.url(), &["retries: 1"]);
        let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
        for (method, is_repeatable) in METHODS {
            // Leaves one connection in the pool, unless the request before has.
            while upstream.requests().last().is_none_or(|request| request.nth != 0) {
                assert_eq!(gateway.get("/").status, 200);
            }
            let before = upstream.count();
            let answer = gateway.send(&Request::new(method, "/again").body("hello"));
            let sent = upstream.count() - before;
            let expected = if is_repeatable { (200, 2) } else { (502, 1) };
            assert_eq!((answer.status, sent), expected, "{method} after {ending}");
        }
    }
}

/// Nothing of the answer that broke is in the answer that came instead.
#[test]
fn a_head_that_breaks_on_a_pooled_connection_is_sent_again_and_leaves_nothing() {
    for partial in ["HTTP/1.1 2", "HTTP/1.1 200 OK\r\nX-Broken: yes\r\nContent-Le"] {
        let upstream = Upstream::answering(move |request: &Received| match request.nth {
            0 => Script::echo(),
            _ => Script::raw(partial).then_close(),
        });
        let document = proxying_to(&upstream.url(), &["retries: 1"]);
        let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
        for n in 0..6 {
            let answer = gateway.get(&format!("/{n}"));
            assert_eq!((answer.status, answer.header("X-Broken")), (200, None), "{partial:?}");
            assert_eq!(answer.json()["path"], format!("/{n}"));
        }
    }
}
