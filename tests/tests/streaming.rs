//! Bodies on their way, clients and upstreams that leave under way, and the connections between.

use std::thread;

use towergate_tests::{
    Gate, Gateway, LAST_CHUNK, Received, Reply, Request, SOON, Script, Upstream, chunk, eventually, proxying,
    proxying_to,
};

const MIB: usize = 1 << 20;

/// The head of a chunked answer, to be followed by chunks.
fn chunked_head() -> Vec<u8> {
    Reply::new(200).head_only().header("Transfer-Encoding", "chunked").bytes()
}

fn megabytes(count: usize) -> Vec<u8> {
    // Neither constant nor of a period that fits a buffer, so that a lost or doubled piece shows.
    (0..count * MIB).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

// --- streaming -----------------------------------------------------------------------------------------------------------

#[test]
fn a_chunk_reaches_the_client_before_the_answer_is_complete() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| {
        let start = Script::raw([chunked_head(), chunk("first")].concat());
        start.then_pass(&held).then_send([chunk("second"), LAST_CHUNK.to_vec()].concat())
    });
    let gateway = Gateway::serving(&format!("{}    response_buffering: false\n", proxying(&upstream)));
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
    let gateway = Gateway::serving(&format!("{}    request_buffering: false\n", proxying(&upstream)));
    for head in ["Content-Length: 11", "Transfer-Encoding: chunked"] {
        let piece = |text: &str| {
            if head.starts_with('T') { chunk(text) } else { text.as_bytes().to_vec() }
        };
        let mut connection = gateway.connect();
        connection.send(format!("POST / HTTP/1.1\r\nHost: gateway.test\r\n{head}\r\n\r\n"));
        connection.send(piece("first"));
        eventually(SOON, || upstream.requests().last().is_some_and(|request| request.body == b"first"));
        connection.send(piece("second"));
        if head.starts_with('T') {
            connection.send(LAST_CHUNK);
        }
        assert_eq!(connection.answer().json()["body_bytes"], 11);
    }
}

/// Kong reads a whole upload first, into memory and files; here it goes on as it comes, and no more of it is kept than a
/// retry may need.
#[test]
fn a_large_upload_reaches_the_upstream_as_it_comes_even_when_buffered() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send("POST /slow HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 200000\r\n\r\n");
    connection.send(vec![b'a'; 100_000]);
    eventually(SOON, || upstream.requests().iter().any(|request| request.path == "/slow"));
    connection.send(vec![b'a'; 100_000]);
    assert_eq!(connection.answer().json()["body_bytes"], 200_000);
}

#[test]
fn large_bodies_pass_whole_both_ways() {
    let body = megabytes(16);
    let answered = body.clone();
    let upstream = Upstream::answering(move |_| Reply::ok(answered.clone()));
    for buffering in ["true", "false"] {
        let document = format!("{}    request_buffering: {buffering}\n", proxying(&upstream));
        let answer = Gateway::serving(&document).send(&Request::post("/", body.clone()));
        assert_eq!(answer.status, 200);
        assert!(answer.body == body, "the answer differs, it has {} bytes", answer.body.len());
        assert!(upstream.last().body == body, "the upload differs, it has {} bytes", upstream.last().body.len());
    }
}

#[test]
fn large_chunked_bodies_pass_whole_both_ways() {
    let body = megabytes(4);
    let chunks: Vec<u8> = body.chunks(65_000).flat_map(chunk).chain(LAST_CHUNK.to_vec()).collect();
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
        Script::from(Reply::new(413).body("too much").header("Connection", "close"))
            .without_reading_the_body()
            .then_hang()
    });
    let gateway = Gateway::serving(&format!("{}    request_buffering: false\n", proxying(&upstream)));
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 1000000\r\n\r\nstart");
    let answer = connection.answer();
    assert_eq!((answer.status, answer.text().as_str()), (413, "too much"));
}

#[test]
fn interim_answers_do_not_confuse_the_final_one() {
    let upstream = Upstream::answering(|_| {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
        Script::raw(early).then_send(early).then_send(Reply::ok("final").bytes())
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
            assert_eq!(connection.request(&Request::new(method, "/")).status, status);
        }
    }
}

#[test]
fn the_length_in_an_answer_to_head_is_kept() {
    let upstream = Upstream::answering(|_| Reply::new(200).head_only().header("Content-Length", "12345"));
    let answer = Gateway::serving(&proxying(&upstream)).send(&Request::new("HEAD", "/"));
    assert_eq!((answer.status, answer.header("Content-Length")), (200, Some("12345")));
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
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_client_that_leaves_inside_its_answer_frees_the_upstream() {
    let start = [chunked_head(), chunk("first")].concat();
    let upstream = Upstream::answering(move |_| Script::raw(start.clone()).then_hang());
    let gateway = Gateway::serving(&format!("{}    response_buffering: false\n", proxying(&upstream)));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    connection.head();
    drop(connection);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_client_that_leaves_inside_its_upload_sends_no_whole_request() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!("{}    request_buffering: false\n", proxying(&upstream)));
    for head in ["Content-Length: 100\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let before = upstream.count();
        let mut connection = gateway.connect();
        connection.send(format!("POST / HTTP/1.1\r\nHost: gateway.test\r\n{head}"));
        eventually(SOON, || upstream.count() > before && upstream.last().body == b"hello");
        drop(connection);
        eventually(SOON, || upstream.open_connections() == 0);
        assert!(!upstream.last().complete, "{head:?}");
    }
}

#[test]
fn an_answer_cut_off_by_the_upstream_is_cut_off_for_the_client() {
    let length = Reply::new(200).head_only().header("Content-Length", "10").bytes();
    for start in [[length, b"abc".to_vec()].concat(), [chunked_head(), chunk("abc")].concat()] {
        for script in [Script::raw(start.clone()).then_reset(), Script::raw(start.clone()).then_close()] {
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
    let gateway = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1").start();
    for _ in 0..5 {
        assert_eq!(gateway.get("/").text(), "mine");
    }
}

// --- upstream connections ------------------------------------------------------------------------------------------------

#[test]
fn upstream_connections_are_used_again() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1").start();
    for n in 0..20 {
        let request = if n % 2 == 0 { Request::get("/") } else { Request::post("/", "hello") };
        assert_eq!(gateway.send(&request).status, 200);
    }
    assert_eq!((upstream.count(), upstream.accepted()), (20, 1));
}

#[test]
fn upstream_connections_are_not_used_again_after_close_or_http_1_0() {
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let scripts = [Script::from(Reply::ok("ok").header("Connection", "close")), Script::raw(old)];
    for script in scripts {
        let upstream = Upstream::answering(move |_| script.clone());
        let gateway = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1").start();
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
    let gateway = setup.setting("upstream_keepalive_max_requests", "2").start();
    for _ in 0..6 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(upstream.accepted(), 3);
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let upstream = Upstream::echo();
    let setup = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1");
    let gateway = setup.setting("upstream_keepalive_idle_timeout", "1").start();
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(upstream.open_connections(), 1);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_pooled_connection_that_went_stale_costs_no_request() {
    // Even without retries: the upstream had closed the connection before this request, so nothing was tried yet.
    let upstream = Upstream::answering(|_| Script::echo().then_close());
    let gateway = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", "1").start();
    for n in 1..=10 {
        let answer = gateway.send(&Request::post("/", "hello"));
        assert_eq!((answer.status, upstream.count()), (200, n));
        eventually(SOON, || upstream.open_connections() == 0 && established_to(&upstream) == 0);
    }
}

/// How many connections to an upstream are open at the other end as far as the system knows: on a busy machine the end of one may
/// be on its way for a while.
fn established_to(upstream: &Upstream) -> usize {
    let remote_and_state = format!(":{:04X} 01 ", upstream.address().port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the connections of Linux");
    table.lines().filter(|line| line.contains(&remote_and_state)).count()
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
        let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
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
                    assert_eq!(connection.request(&Request::post(&path, vec![b'x'; n])).json()["path"], path.as_str());
                }
            });
        }
    });
    assert_eq!(upstream.count(), 800);
}

#[test]
fn one_hanging_upstream_does_not_delay_another() {
    let [hanging, sound] = [Upstream::answering(|_| Script::hang()), Upstream::echo()];
    let document =
        format!("{}- name: hanging\n  url: {}\n  routes: [{{paths: [/hang]}}]\n", proxying(&sound), hanging.url());
    let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
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
        assert!(answer.status == 200 && answer.took < SOON, "{:?}", answer.took);
    }
}
