//! What happens when upstreams and clients are slow, break, or leave: timeouts, retries, streaming, pooling.

use std::thread;
use std::time::Duration;

use towergate_tests::{
    BlackHole, Gateway, LAST_CHUNK, Port, Received, Reply, Request, SOON, Script, Upstream, chunk, eventually,
    proxying_to,
};

const MIB: usize = 1 << 20;

/// The head of a chunked answer, to be followed by chunks.
fn chunked_head() -> Vec<u8> {
    Reply::new(200).head_only().header("Transfer-Encoding", "chunked").bytes()
}

/// A gateway in front of an upstream with these service fields.
fn serving(upstream: &Upstream, service_fields: &[&str]) -> Gateway {
    Gateway::serving(&proxying_to(&upstream.url(), service_fields))
}

/// A service on several balanced addresses.
fn balanced(addresses: &[std::net::SocketAddr], service_fields: &[&str]) -> String {
    let targets: String = addresses.iter().map(|address| format!("  - {{target: '{address}'}}\n")).collect();
    format!("{}upstreams:\n- name: group\n  targets:\n{targets}", proxying_to("http://group", service_fields))
}

fn megabytes(count: usize) -> Vec<u8> {
    // Neither constant nor of a period that fits a buffer, so that a lost or doubled piece shows.
    (0..count * MIB).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

// --- timeouts ------------------------------------------------------------------------------------------------------------

#[test]
fn a_connect_timeout_is_kept_to() {
    let hole = BlackHole::open();
    let url = format!("http://{}", hole.address());
    let answer = Gateway::serving(&proxying_to(&url, &["retries: 0", "connect_timeout: 500"])).get("/");
    assert_eq!(answer.status, 504);
    assert!((500..5_000).contains(&answer.took.as_millis()), "{:?}", answer.took);
}

#[test]
fn each_attempt_has_its_own_connect_timeout() {
    let hole = BlackHole::open();
    let url = format!("http://{}", hole.address());
    let answer = Gateway::serving(&proxying_to(&url, &["retries: 2", "connect_timeout: 300"])).get("/");
    assert_eq!(answer.status, 504);
    assert!((900..5_000).contains(&answer.took.as_millis()), "{:?}", answer.took);
}

#[test]
fn a_read_timeout_is_kept_to() {
    let upstream = Upstream::answering(|_| Script::hang());
    let answer = serving(&upstream, &["retries: 0", "read_timeout: 500"]).get("/");
    assert_eq!(answer.status, 504);
    assert!((500..5_000).contains(&answer.took.as_millis()), "{:?}", answer.took);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_read_timeout_counts_between_two_reads_not_in_total() {
    let pause = Duration::from_millis(400);
    let upstream = Upstream::answering(move |_| {
        let start = Script::raw(chunked_head());
        (0..6).fold(start, |script, _| script.then_wait(pause).then_send(chunk("x"))).then_send(LAST_CHUNK)
    });
    let answer = serving(&upstream, &["retries: 0", "read_timeout: 2000"]).get("/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "xxxxxx"));
    assert!(answer.took > Duration::from_millis(2_000), "{:?}", answer.took);
}

#[test]
fn a_read_timeout_inside_the_body_breaks_the_transfer() {
    let head = Reply::new(200).head_only().header("Content-Length", "10").bytes();
    let upstream = Upstream::answering(move |_| Script::raw([head.clone(), b"abc".to_vec()].concat()).then_hang());
    let gateway = serving(&upstream, &["retries: 0", "read_timeout: 300"]);
    let broken = gateway.connect().try_request(&Request::get("/")).unwrap_err();
    assert_eq!((broken.status, broken.body.as_slice()), (Some(200), &b"abc"[..]));
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
    let document = proxying_to(&upstream.url(), &["retries: 0", "write_timeout: 300", "read_timeout: 5000"]);
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
            assert_eq!((answer.status, upstream.count()), (502, attempts), "{method}");
        }
    }
}

#[test]
fn a_read_timeout_is_tried_again() {
    let upstream = Upstream::answering(|_| Script::hang());
    let answer = serving(&upstream, &["retries: 2", "read_timeout: 200"]).get("/");
    // It may hear of the last attempt after that was given up.
    eventually(SOON, || upstream.count() >= 3);
    assert_eq!((answer.status, upstream.count()), (504, 3));
}

#[test]
fn a_read_timeout_of_a_post_is_not_tried_again() {
    let upstream = Upstream::answering(|_| Script::hang());
    let answer = serving(&upstream, &["retries: 2", "read_timeout: 200"]).send(&Request::post("/", "x"));
    eventually(SOON, || upstream.count() >= 1);
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
    assert!(upstream.requests().iter().all(|request| request.body == b"hello"));
}

#[test]
fn a_retry_goes_to_the_next_target() {
    let [breaking, sound] = [Upstream::answering(|_| Script::reset()), Upstream::echo()];
    let gateway = Gateway::serving(&balanced(&[breaking.address(), sound.address()], &["retries: 1"]));
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
        let gateway = Gateway::serving(&balanced(&[nobody.address(), sound.address()], &["retries: 1"]));
        for _ in 0..10 {
            let answer = gateway.send(&Request::new(method, "/").body("hello"));
            assert_eq!(answer.status, 200, "{method}");
        }
        assert!(sound.requests().iter().all(|request| request.body == b"hello"), "{method}");
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
    let gateway = Gateway::serving(&balanced(&[breaking.address(), sound.address()], &["retries: 1"]));
    for _ in 0..4 {
        gateway.get("/");
    }
    for upstream in [breaking, sound] {
        let own = upstream.address().to_string();
        assert!(upstream.requests().iter().all(|request| request.header("Host") == Some(&own)));
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
    let broken = gateway.connect().try_request(&Request::get("/")).unwrap_err();
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
    eventually(SOON, || upstream.count() >= 2);
    drop(connection);
    eventually(SOON, || upstream.open_connections() == 0);
    let seen = upstream.count();
    assert!(seen < 20, "{seen} attempts for a client that had left");
}
