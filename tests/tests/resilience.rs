//! What happens when upstreams and clients are slow, break, or leave: timeouts, retries, streaming, pooling.

use std::thread;
use std::time::Duration;

use towergate_tests::{
    BlackHole, Gate, Gateway, LAST_CHUNK, Port, Received, Reply, Request, SOON, Script, Upstream,
    chunk, eventually, proxying, proxying_to,
};

const MIB: usize = 1 << 20;

/// The head of a chunked answer, to be followed by chunks.
fn chunked_head() -> Vec<u8> {
    Reply::new(200)
        .head_only()
        .header("Transfer-Encoding", "chunked")
        .bytes()
}

/// A gateway in front of an upstream with these service fields.
fn serving(upstream: &Upstream, service_fields: &[&str]) -> Gateway {
    Gateway::serving(&proxying_to(&upstream.url(), service_fields))
}

/// A service on several balanced addresses.
fn balanced(addresses: &[std::net::SocketAddr], service_fields: &[&str]) -> String {
    let targets: String = addresses
        .iter()
        .map(|address| format!("  - {{target: '{address}'}}\n"))
        .collect();
    format!(
        "{}upstreams:\n- name: group\n  targets:\n{targets}",
        proxying_to("http://group", service_fields)
    )
}

fn megabytes(count: usize) -> Vec<u8> {
    // Neither constant nor of a period that fits a buffer, so that a lost or doubled piece shows.
    (0..count * MIB)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect()
}

// --- timeouts ------------------------------------------------------------------------------------------------------------

#[test]
fn a_connect_timeout_is_kept_to() {
    let hole = BlackHole::open();
    let url = format!("http://{}", hole.address());
    let answer =
        Gateway::serving(&proxying_to(&url, &["retries: 0", "connect_timeout: 500"])).get("/");
    assert_eq!(answer.status, 504);
    assert!(
        (500..1_500).contains(&answer.took.as_millis()),
        "{:?}",
        answer.took
    );
}

#[test]
fn each_attempt_has_its_own_connect_timeout() {
    let hole = BlackHole::open();
    let url = format!("http://{}", hole.address());
    let answer =
        Gateway::serving(&proxying_to(&url, &["retries: 2", "connect_timeout: 300"])).get("/");
    assert_eq!(answer.status, 504);
    assert!(
        (900..2_500).contains(&answer.took.as_millis()),
        "{:?}",
        answer.took
    );
}

#[test]
fn a_read_timeout_is_kept_to() {
    let upstream = Upstream::answering(|_| Script::hang());
    let answer = serving(&upstream, &["retries: 0", "read_timeout: 500"]).get("/");
    assert_eq!(answer.status, 504);
    assert!(
        (500..1_500).contains(&answer.took.as_millis()),
        "{:?}",
        answer.took
    );
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_read_timeout_counts_between_two_reads_not_in_total() {
    let pause = Duration::from_millis(250);
    let upstream = Upstream::answering(move |_| {
        let start = Script::raw(chunked_head());
        (0..6)
            .fold(start, |script, _| {
                script.then_wait(pause).then_send(chunk("x"))
            })
            .then_send(LAST_CHUNK)
    });
    let answer = serving(&upstream, &["retries: 0", "read_timeout: 1000"]).get("/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "xxxxxx"));
    assert!(
        answer.took > Duration::from_millis(1_000),
        "{:?}",
        answer.took
    );
}

#[test]
fn a_read_timeout_inside_the_body_breaks_the_transfer() {
    let head = Reply::new(200)
        .head_only()
        .header("Content-Length", "10")
        .bytes();
    let upstream = Upstream::answering(move |_| {
        Script::raw([head.clone(), b"abc".to_vec()].concat()).then_hang()
    });
    let gateway = serving(&upstream, &["retries: 0", "read_timeout: 300"]);
    let broken = gateway
        .connect()
        .try_request(&Request::get("/"))
        .unwrap_err();
    assert_eq!(
        (broken.status, broken.body.as_slice()),
        (Some(200), &b"abc"[..])
    );
    assert_eq!(upstream.count(), 1);
}

#[test]
fn a_write_timeout_is_kept_to() {
    let upstream = Upstream::answering(|_| Script::stall());
    let gateway = serving(&upstream, &["retries: 0", "write_timeout: 500"]);
    let answer = gateway.send(&Request::post("/", megabytes(16)));
    assert_eq!((answer.status, upstream.count()), (504, 1));
}

#[test]
fn a_slow_upload_is_no_write_timeout() {
    let upstream = Upstream::echo();
    let document = proxying_to(
        &upstream.url(),
        &["retries: 0", "write_timeout: 300", "read_timeout: 5000"],
    );
    let gateway = Gateway::serving(&format!("{document}    request_buffering: false\n"));
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 4\r\n\r\n");
    for byte in ["a", "b", "c", "d"] {
        // The pause is the subject: the client is slow, the upstream is not.
        thread::sleep(Duration::from_millis(200));
        connection.send(byte);
    }
    assert_eq!(connection.answer().json()["body_bytes"], 4);
}

// --- retries -------------------------------------------------------------------------------------------------------------

/// Which methods are sent again after an upstream broke, when three retries are allowed.
const ATTEMPTS: [(&str, usize); 9] = [
    ("GET", 4),
    ("HEAD", 4),
    ("PUT", 4),
    ("DELETE", 4),
    ("OPTIONS", 4),
    ("PROPFIND", 4),
    ("POST", 1),
    ("PATCH", 1),
    ("LOCK", 1),
];

#[test]
fn a_broken_exchange_is_tried_again_unless_that_could_do_it_twice() {
    for script in [Script::reset(), Script::close()] {
        for (method, attempts) in ATTEMPTS {
            let script = script.clone();
            let upstream = Upstream::answering(move |_| script.clone());
            let answer = serving(&upstream, &["retries: 3"]).send(&Request::new(method, "/"));
            assert_eq!(
                (answer.status, upstream.count()),
                (502, attempts),
                "{method}"
            );
        }
    }
}

#[test]
fn a_read_timeout_is_tried_again() {
    let upstream = Upstream::answering(|_| Script::hang());
    let answer = serving(&upstream, &["retries: 2", "read_timeout: 200"]).get("/");
    assert_eq!((answer.status, upstream.count()), (504, 3));
}

#[test]
fn a_read_timeout_of_a_post_is_not_tried_again() {
    let upstream = Upstream::answering(|_| Script::hang());
    let answer =
        serving(&upstream, &["retries: 2", "read_timeout: 200"]).send(&Request::post("/", "x"));
    assert_eq!((answer.status, upstream.count()), (504, 1));
}

#[test]
fn the_default_is_five_retries() {
    let upstream = Upstream::answering(|_| Script::reset());
    let answer = serving(&upstream, &[]).get("/");
    assert_eq!((answer.status, upstream.count()), (502, 6));
}

#[test]
fn a_retry_that_succeeds_is_a_success() {
    let upstream = Upstream::answering(|request: &Received| match request.connection {
        0 | 1 => Script::reset(),
        _ => Script::echo(),
    });
    let answer = serving(&upstream, &["retries: 2"]).send(&Request::new("PUT", "/x").body("hello"));
    assert_eq!((answer.status, upstream.count()), (200, 3));
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.body == b"hello")
    );
}

#[test]
fn a_retry_goes_to_the_next_target() {
    let [breaking, sound] = [Upstream::answering(|_| Script::reset()), Upstream::echo()];
    let gateway = Gateway::serving(&balanced(
        &[breaking.address(), sound.address()],
        &["retries: 1"],
    ));
    for _ in 0..10 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(sound.count(), 10);
    assert!(breaking.count() > 0);
}

#[test]
fn a_refused_connection_is_tried_elsewhere_whatever_the_method() {
    for method in ["GET", "POST", "PATCH"] {
        let (nobody, sound) = (Port::free(), Upstream::echo());
        let gateway = Gateway::serving(&balanced(
            &[nobody.address(), sound.address()],
            &["retries: 1"],
        ));
        for _ in 0..10 {
            let answer = gateway.send(&Request::new(method, "/").body("hello"));
            assert_eq!(answer.status, 200, "{method}");
        }
        assert!(
            sound
                .requests()
                .iter()
                .all(|request| request.body == b"hello"),
            "{method}"
        );
    }
}

#[test]
fn a_connect_timeout_is_tried_elsewhere() {
    let (hole, sound) = (BlackHole::open(), Upstream::echo());
    let fields = ["retries: 1", "connect_timeout: 200"];
    let gateway = Gateway::serving(&balanced(&[hole.address(), sound.address()], &fields));
    for _ in 0..4 {
        assert_eq!(gateway.send(&Request::post("/", "hello")).status, 200);
    }
}

#[test]
fn the_host_of_a_retry_is_that_of_its_target() {
    let [breaking, sound] = [Upstream::answering(|_| Script::reset()), Upstream::echo()];
    let gateway = Gateway::serving(&balanced(
        &[breaking.address(), sound.address()],
        &["retries: 1"],
    ));
    for _ in 0..4 {
        gateway.get("/");
    }
    for upstream in [breaking, sound] {
        let own = upstream.address().to_string();
        assert!(
            upstream
                .requests()
                .iter()
                .all(|request| request.header("Host") == Some(&own))
        );
    }
}

#[test]
fn error_statuses_are_not_tried_again() {
    for status in [500, 502, 503, 504, 429] {
        let upstream = Upstream::answering(move |_| Reply::new(status));
        assert_eq!(serving(&upstream, &["retries: 3"]).get("/").status, status);
        assert_eq!(upstream.count(), 1, "{status}");
    }
}

#[test]
fn nothing_is_tried_again_once_headers_have_come() {
    let partial = [chunked_head(), chunk("abc")].concat();
    let upstream = Upstream::answering(move |_| Script::raw(partial.clone()).then_reset());
    let gateway = serving(&upstream, &["retries: 3"]);
    let broken = gateway
        .connect()
        .try_request(&Request::get("/"))
        .unwrap_err();
    assert_eq!((broken.status, upstream.count()), (Some(200), 1));
}

#[test]
fn a_streamed_body_is_not_sent_twice() {
    let upstream = Upstream::answering(|_| Script::reset());
    let document = proxying_to(&upstream.url(), &["retries: 3"]);
    let gateway = Gateway::serving(&format!("{document}    request_buffering: false\n"));
    let answer = gateway.send(&Request::new("PUT", "/").body("hello"));
    assert_eq!((answer.status, upstream.count()), (502, 1));
}

#[test]
fn all_attempts_together_do_not_outlive_the_client() {
    let upstream = Upstream::answering(|_| Script::hang());
    let gateway = serving(&upstream, &["retries: 50", "read_timeout: 300"]);
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 2);
    drop(connection);
    eventually(SOON, || upstream.open_connections() == 0);
    let seen = upstream.count();
    assert!(seen < 10, "{seen} attempts for a client that had left");
}

// --- streaming -----------------------------------------------------------------------------------------------------------

#[test]
fn a_chunk_reaches_the_client_before_the_answer_is_complete() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| {
        let start = Script::raw([chunked_head(), chunk("first")].concat());
        start
            .then_pass(&held)
            .then_send([chunk("second"), LAST_CHUNK.to_vec()].concat())
    });
    let gateway = Gateway::serving(&format!(
        "{}    response_buffering: false\n",
        proxying(&upstream)
    ));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    assert_eq!(connection.head(), 200);
    connection.read_until("first");
    gate.open();
    connection.read_until("second");
}

#[test]
fn an_upload_reaches_the_upstream_before_it_is_complete() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!(
        "{}    request_buffering: false\n",
        proxying(&upstream)
    ));
    for head in ["Content-Length: 11", "Transfer-Encoding: chunked"] {
        let piece = |text: &str| {
            if head.starts_with('T') {
                chunk(text)
            } else {
                text.as_bytes().to_vec()
            }
        };
        let mut connection = gateway.connect();
        connection.send(format!(
            "POST / HTTP/1.1\r\nHost: gateway.test\r\n{head}\r\n\r\n"
        ));
        connection.send(piece("first"));
        eventually(SOON, || {
            upstream
                .requests()
                .last()
                .is_some_and(|request| request.body == b"first")
        });
        connection.send(piece("second"));
        if head.starts_with('T') {
            connection.send(LAST_CHUNK);
        }
        assert_eq!(connection.answer().json()["body_bytes"], 11);
    }
}

#[test]
fn a_buffered_upload_reaches_the_upstream_only_when_complete() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send("POST /slow HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 10\r\n\r\nhello");
    for _ in 0..5 {
        assert_eq!(gateway.get("/other").status, 200);
    }
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.path == "/other")
    );
    connection.send("hello");
    assert_eq!(connection.answer().json()["body_bytes"], 10);
}

#[test]
fn large_bodies_pass_whole_both_ways() {
    let body = megabytes(16);
    let answered = body.clone();
    let upstream = Upstream::answering(move |_| Reply::ok(answered.clone()));
    for buffering in ["true", "false"] {
        let document = format!(
            "{}    request_buffering: {buffering}\n",
            proxying(&upstream)
        );
        let answer = Gateway::serving(&document).send(&Request::post("/", body.clone()));
        assert_eq!(answer.status, 200);
        assert!(
            answer.body == body,
            "the answer differs, it has {} bytes",
            answer.body.len()
        );
        assert!(
            upstream.last().body == body,
            "the upload differs, it has {} bytes",
            upstream.last().body.len()
        );
    }
}

#[test]
fn large_chunked_bodies_pass_whole_both_ways() {
    let body = megabytes(4);
    let chunks: Vec<u8> = body
        .chunks(65_000)
        .flat_map(chunk)
        .chain(LAST_CHUNK.to_vec())
        .collect();
    let answered = [chunked_head(), chunks.clone()].concat();
    let upstream = Upstream::answering(move |_| Script::raw(answered.clone()));
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(chunks);
    assert!(connection.answer().body == body);
    assert!(upstream.only().body == body);
}

#[test]
fn an_early_answer_to_an_upload_reaches_the_client() {
    let upstream = Upstream::answering(|_| {
        Script::from(
            Reply::new(413)
                .body("too much")
                .header("Connection", "close"),
        )
        .without_reading_the_body()
        .then_hang()
    });
    let gateway = Gateway::serving(&format!(
        "{}    request_buffering: false\n",
        proxying(&upstream)
    ));
    let mut connection = gateway.connect();
    connection
        .send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 1000000\r\n\r\nstart");
    let answer = connection.answer();
    assert_eq!((answer.status, answer.text().as_str()), (413, "too much"));
}

#[test]
fn interim_answers_do_not_confuse_the_final_one() {
    let upstream = Upstream::answering(|_| {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
        Script::raw(early)
            .then_send(early)
            .then_send(Reply::ok("final").bytes())
    });
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    for _ in 0..2 {
        assert_eq!(connection.request(&Request::get("/")).text(), "final");
    }
}

#[test]
fn answers_without_a_body_end_at_their_head() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let upstream = Upstream::answering(move |_| Reply::new(status).header("ETag", "x"));
        let gateway = Gateway::serving(&proxying(&upstream));
        let mut connection = gateway.connect();
        for _ in 0..2 {
            assert_eq!(
                connection.request(&Request::new(method, "/")).status,
                status
            );
        }
    }
}

#[test]
fn the_length_in_an_answer_to_head_is_kept() {
    let upstream = Upstream::answering(|_| {
        Reply::new(200)
            .head_only()
            .header("Content-Length", "12345")
    });
    let answer = Gateway::serving(&proxying(&upstream)).send(&Request::new("HEAD", "/"));
    assert_eq!(
        (answer.status, answer.header("Content-Length")),
        (200, Some("12345"))
    );
}

// --- who leaves ----------------------------------------------------------------------------------------------------------

#[test]
fn a_client_that_leaves_while_waiting_frees_the_upstream() {
    let upstream = Upstream::answering(|_| Script::hang());
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    drop(connection);
    eventually(Duration::from_secs(1), || upstream.open_connections() == 0);
}

#[test]
fn a_client_that_leaves_inside_its_answer_frees_the_upstream() {
    let start = [chunked_head(), chunk("first")].concat();
    let upstream = Upstream::answering(move |_| Script::raw(start.clone()).then_hang());
    let gateway = Gateway::serving(&format!(
        "{}    response_buffering: false\n",
        proxying(&upstream)
    ));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    connection.head();
    drop(connection);
    eventually(Duration::from_secs(1), || upstream.open_connections() == 0);
}

#[test]
fn a_client_that_leaves_inside_its_upload_sends_no_whole_request() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!(
        "{}    request_buffering: false\n",
        proxying(&upstream)
    ));
    for head in [
        "Content-Length: 100\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let before = upstream.count();
        let mut connection = gateway.connect();
        connection.send(format!("POST / HTTP/1.1\r\nHost: gateway.test\r\n{head}"));
        eventually(SOON, || {
            upstream.count() > before && upstream.last().body == b"hello"
        });
        drop(connection);
        eventually(SOON, || upstream.open_connections() == 0);
        assert!(!upstream.last().complete, "{head:?}");
    }
}

#[test]
fn an_answer_cut_off_by_the_upstream_is_cut_off_for_the_client() {
    let length = Reply::new(200)
        .head_only()
        .header("Content-Length", "10")
        .bytes();
    for start in [
        [length, b"abc".to_vec()].concat(),
        [chunked_head(), chunk("abc")].concat(),
    ] {
        for script in [
            Script::raw(start.clone()).then_reset(),
            Script::raw(start.clone()).then_close(),
        ] {
            let described = format!("{script:?}");
            let upstream = Upstream::answering(move |_| script.clone());
            let gateway = Gateway::serving(&proxying(&upstream));
            let broken = gateway.connect().try_request(&Request::get("/"));
            assert!(broken.is_err(), "a clean end after {described}: {broken:?}");
        }
    }
}

#[test]
fn an_answer_with_a_broken_chunk_is_cut_off_for_the_client() {
    let start = [chunked_head(), chunk("abc"), b"zz\r\n".to_vec()].concat();
    let upstream = Upstream::answering(move |_| Script::raw(start.clone()).then_hang());
    let gateway = Gateway::serving(&proxying(&upstream));
    assert!(gateway.connect().try_request(&Request::get("/")).is_err());
}

#[test]
fn bytes_after_an_answer_reach_nobody() {
    let extra = [Reply::ok("mine").bytes(), Reply::ok("smuggled").bytes()].concat();
    let upstream = Upstream::answering(move |_| Script::raw(extra.clone()));
    let gateway = Gateway::with(&proxying(&upstream))
        .setting("nginx_worker_processes", "1")
        .start();
    for _ in 0..5 {
        assert_eq!(gateway.get("/").text(), "mine");
    }
}

// --- upstream connections ------------------------------------------------------------------------------------------------

#[test]
fn upstream_connections_are_used_again() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&proxying(&upstream))
        .setting("nginx_worker_processes", "1")
        .start();
    for n in 0..20 {
        let request = if n % 2 == 0 {
            Request::get("/")
        } else {
            Request::post("/", "hello")
        };
        assert_eq!(gateway.send(&request).status, 200);
    }
    assert_eq!((upstream.count(), upstream.accepted()), (20, 1));
}

#[test]
fn upstream_connections_are_not_used_again_after_close_or_http_1_0() {
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let scripts = [
        Script::from(Reply::ok("ok").header("Connection", "close")),
        Script::raw(old),
    ];
    for script in scripts {
        let upstream = Upstream::answering(move |_| script.clone());
        let gateway = Gateway::with(&proxying(&upstream))
            .setting("nginx_worker_processes", "1")
            .start();
        for _ in 0..3 {
            assert_eq!(gateway.get("/").text(), "ok");
        }
        assert_eq!(upstream.accepted(), 3);
    }
}

#[test]
fn a_pool_of_size_0_keeps_no_connection() {
    let upstream = Upstream::echo();
    let setup = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1");
    let gateway = setup.setting("upstream_keepalive_pool_size", "0").start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(upstream.accepted(), 3);
}

#[test]
fn a_connection_is_retired_after_its_last_request() {
    let upstream = Upstream::echo();
    let setup = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1");
    let gateway = setup
        .setting("upstream_keepalive_max_requests", "2")
        .start();
    for _ in 0..6 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(upstream.accepted(), 3);
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let upstream = Upstream::echo();
    let setup = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1");
    let gateway = setup
        .setting("upstream_keepalive_idle_timeout", "1")
        .start();
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(upstream.open_connections(), 1);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_pooled_connection_that_went_stale_costs_no_request() {
    // Even without retries: the upstream had closed the connection before this request, so nothing was tried yet.
    let upstream = Upstream::answering(|_| Script::echo().then_close());
    let gateway = Gateway::with(&proxying(&upstream))
        .setting("nginx_worker_processes", "1")
        .start();
    for n in 1..=10 {
        let answer = gateway.send(&Request::post("/", "hello"));
        assert_eq!((answer.status, upstream.count()), (200, n));
        eventually(SOON, || upstream.open_connections() == 0);
    }
}

#[test]
fn a_pooled_connection_that_breaks_under_a_request_is_replaced() {
    // The race of every keep-alive pool: the upstream closes just as the next request is on its way.
    for breaking in [Script::close(), Script::reset()] {
        let upstream = Upstream::answering(move |request: &Received| match request.nth {
            0 => Script::echo(),
            _ => breaking.clone(),
        });
        let document = proxying_to(&upstream.url(), &["retries: 1"]);
        let gateway = Gateway::with(&document)
            .setting("nginx_worker_processes", "1")
            .start();
        for _ in 0..10 {
            assert_eq!(gateway.get("/").status, 200);
        }
    }
}

#[test]
fn concurrent_requests_do_not_mix() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    thread::scope(|scope| {
        for client in 0..16 {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for n in 0..50 {
                    let path = format!("/{client}/{n}");
                    assert_eq!(
                        connection
                            .request(&Request::post(&path, vec![b'x'; n]))
                            .json()["path"],
                        path.as_str()
                    );
                }
            });
        }
    });
    assert_eq!(upstream.count(), 800);
}

#[test]
fn one_hanging_upstream_does_not_delay_another() {
    let [hanging, sound] = [Upstream::answering(|_| Script::hang()), Upstream::echo()];
    let document = format!(
        "{}- name: hanging\n  url: {}\n  routes: [{{paths: [/hang]}}]\n",
        proxying(&sound),
        hanging.url()
    );
    let gateway = Gateway::with(&document)
        .setting("nginx_worker_processes", "1")
        .start();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let mut connection = gateway.connect();
            connection.send(Request::get("/hang").bytes());
            connection
        })
        .collect();
    eventually(SOON, || hanging.count() == waiting.len());
    for _ in 0..20 {
        let answer = gateway.get("/");
        assert!(
            answer.status == 200 && answer.took < Duration::from_secs(1),
            "{:?}",
            answer.took
        );
    }
}
