//! HTTP/2 in cleartext by prior knowledge: what a well-behaved client gets.

use std::time::Duration;

use h2::Reason;
use http::HeaderMap;
use towergate_tests::{
    Connection, Frame, Frames, Gate, Gateway, Http2, LAST_CHUNK, PRODUCT, Received, Reply, Request, SOON, Script,
    Upstream, chunk, code, eventually, get, post, proxying,
};

const MIB: usize = 1 << 20;

/// An upstream that follows `script`, behind a gateway that speaks HTTP/2.
#[track_caller]
fn answering<S: Into<Script>>(script: impl Fn(&Received) -> S + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::answering(script);
    let gateway = Gateway::with(&proxying(&upstream)).with_http2().start();
    (upstream, gateway)
}

/// The same without waiting for bodies.
#[track_caller]
fn streaming<S: Into<Script>>(script: impl Fn(&Received) -> S + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::answering(script);
    let document = format!("{}    request_buffering: false\n", proxying(&upstream));
    (upstream, Gateway::with(&document).with_http2().start())
}

#[track_caller]
fn echoing() -> (Upstream, Gateway) {
    answering(|_| Script::echo())
}

fn megabytes(count: usize) -> Vec<u8> {
    // Neither constant nor of a period that fits a buffer, so that a lost or doubled piece shows.
    (0..count * MIB).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

// --- two protocols on one port -------------------------------------------------------------------------------------------

#[test]
fn one_port_speaks_both() {
    let (upstream, gateway) = echoing();
    assert_eq!(Http2::open(gateway.proxy()).get("/").status, 200);
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(upstream.count(), 2);
}

#[test]
fn without_the_flag_there_is_no_http_2() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let said = connection.drained();
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 "), "{said:?}");
}

#[test]
fn what_only_begins_like_the_preface_is_http_1() {
    let (_upstream, gateway) = echoing();
    for start in ["PRI * HTTP/1.1\r\nHost: gateway.test\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "POST"] {
        let mut connection = gateway.connect();
        for byte in start.as_bytes() {
            connection.send([*byte]);
        }
        if start == "POST" {
            connection.send(" / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(connection.answer().json()["method"], "POST");
        } else {
            assert!(matches!(connection.answer().status, 400 | 505), "{start:?}");
        }
    }
}

/// As for HTTP/1 (RFC 7540's way, which RFC 9113 section 3.1 has given up): the wish is not heard.
#[test]
fn an_upgrade_to_h2c_is_answered_in_http_1() {
    let (upstream, gateway) = echoing();
    let request = Request::get("/")
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAAQAAP__");
    let answer = gateway.send(&request);
    assert_eq!(answer.status, 200);
    let received = upstream.only();
    assert!(!received.headers.has("Upgrade") && !received.headers.has("HTTP2-Settings"), "{:?}", received.headers);
}

// --- requests ------------------------------------------------------------------------------------------------------------

#[test]
fn a_request_reaches_the_upstream_as_one_of_http_1() {
    let (upstream, gateway) = echoing();
    let mut request = get("/a/b?c=d");
    for (name, value) in [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-mine", "1"), ("x-mine", "2")] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    assert_eq!(Http2::open(gateway.proxy()).send(request).status, 200);
    let received = upstream.only();
    assert_eq!((received.method.as_str(), received.path.as_str()), ("GET", "/a/b?c=d"));
    assert_eq!(received.version, "HTTP/1.1");
    let port = gateway.proxy().port().to_string();
    for (name, value) in [
        ("Host", upstream.address().to_string()),
        ("Cookie", "a=1; b=2".to_owned()),
        ("Via", format!("2 {PRODUCT}")),
        ("X-Forwarded-For", "127.0.0.1".to_owned()),
        ("X-Forwarded-Host", "gateway.test".to_owned()),
        ("X-Forwarded-Port", port),
        ("X-Forwarded-Proto", "http".to_owned()),
        ("X-Forwarded-Path", "/a/b".to_owned()),
        ("X-Real-IP", "127.0.0.1".to_owned()),
    ] {
        assert_eq!(received.header(name), Some(value.as_str()), "{name}");
    }
    assert_eq!(received.headers.all("x-mine"), ["1", "2"]);
    assert!(!received.headers.names().iter().any(|name| name.starts_with(':')), "{:?}", received.headers);
    assert!(!received.headers.has("Transfer-Encoding") && !received.headers.has("Content-Length"));
}

#[test]
fn a_body_of_unknown_length_is_sent_on_in_chunks() {
    let (upstream, gateway) = streaming(|_| Script::echo());
    let client = Http2::open(gateway.proxy());
    assert_eq!(client.upload(post("/"), "some").json()["body_bytes"], 4);
    assert_eq!(upstream.only().header("Transfer-Encoding"), Some("chunked"));
    let mut request = post("/");
    request.headers_mut().insert("content-length", "4".parse().unwrap());
    assert_eq!(client.upload(request, "some").json()["body_bytes"], 4);
    assert_eq!(upstream.last().header("Content-Length"), Some("4"));
    assert!(!upstream.last().headers.has("Transfer-Encoding"));
}

#[test]
fn the_host_may_stand_in_either_place_or_in_both_if_they_agree() {
    let (upstream, gateway) = echoing();
    let client = Http2::open(gateway.proxy());
    let with_host = |host: &str| {
        let mut request = get("/");
        request.headers_mut().insert("host", host.parse().unwrap());
        client.send(request).status
    };
    assert_eq!(with_host("Gateway.test"), 200);
    assert_eq!(upstream.last().header("X-Forwarded-Host"), Some("gateway.test"));
    assert_eq!([with_host("other.test"), with_host("gateway.test:80"), with_host("")], [400, 400, 400]);
    assert_eq!(upstream.count(), 1);
    assert_eq!(client.get("/").status, 200, "the connection goes on");
}

#[test]
fn paths_are_normalised_as_in_http_1() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace("[\"/\"]", "[\"/open\"]");
    let gateway = Gateway::with(&document).with_http2().start();
    let client = Http2::open(gateway.proxy());
    assert_eq!(client.get("/closed/../open/%61").json()["path"], "/open/a");
    assert_eq!(client.get("/open/../closed").status, 404);
    assert_eq!(client.get("/open/%00").status, 400);
    assert_eq!(client.get("/open/../../x").status, 400);
}

#[test]
fn what_is_too_long_is_refused_and_the_connection_goes_on() {
    let (upstream, gateway) = echoing();
    let client = Http2::open(gateway.proxy());
    let with = |lines: usize, length: usize| {
        let mut request = get("/");
        for line in 0..lines {
            let name: http::HeaderName = format!("x-{line}").parse().unwrap();
            request.headers_mut().insert(name, "v".repeat(length).parse().unwrap());
        }
        client.send(request).status
    };
    assert_eq!(client.get(&format!("/{}", "a".repeat(8200))).status, 414);
    assert_eq!(with(1, 8200), 400);
    assert_eq!(with(250, 1), 431);
    assert_eq!(with(20, 4000), 431, "more than the header list may be long");
    assert_eq!(upstream.count(), 0);
    assert_eq!(with(8, 4000), 200);
}

// --- responses -----------------------------------------------------------------------------------------------------------

#[test]
fn a_response_has_no_headers_of_one_connection() {
    let (_upstream, gateway) = answering(|_| {
        Reply::ok("body")
            .header("Connection", "close, X-Listed")
            .header("Keep-Alive", "timeout=5")
            .header("Proxy-Connection", "close")
            .header("Upgrade", "h2c")
            .header("X-Listed", "1")
            .header("X-Mine", "1")
            .header("Server", "theirs")
    });
    let answer = Http2::open(gateway.proxy()).get("/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
    for name in ["Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "X-Listed", "Transfer-Encoding"] {
        assert!(!answer.headers.has(name), "{name}: {:?}", answer.headers);
    }
    for (name, value) in [("X-Mine", "1"), ("Server", "theirs"), ("Content-Length", "4")] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("Via"), Some(format!("1.1 {PRODUCT}").as_str()), "the version spoken upstream");
}

#[test]
fn answers_of_the_gateways_own_are_those_of_http_1() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace("[\"/\"]", "[\"/tls\"]") + "    protocols: [https]\n";
    let gateway = Gateway::with(&document).with_http2().start();
    let client = Http2::open(gateway.proxy());
    let nowhere = client.get("/");
    assert_eq!((nowhere.status, nowhere.message().as_str()), (404, "no Route matched with those values"));
    assert_eq!(nowhere.header("Server"), Some(PRODUCT));
    let upgrade = client.get("/tls");
    assert_eq!((upgrade.status, upgrade.message().as_str()), (426, "Please use HTTPS protocol"));
    assert!(!upgrade.headers.has("Connection") && !upgrade.headers.has("Upgrade"), "{:?}", upgrade.headers);
    let mut trace = get("/");
    *trace.method_mut() = http::Method::TRACE;
    assert_eq!(client.send(trace).status, 405);
    assert_eq!(client.get("/").status, 404);
}

#[test]
fn answers_without_a_body_end_at_their_head() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let (_upstream, gateway) = answering(move |_| Reply::new(status).head_only().header("ETag", "x"));
        let mut request = get("/");
        *request.method_mut() = method.parse().unwrap();
        let answer = Http2::open(gateway.proxy()).send(request);
        assert_eq!((answer.status, answer.header("ETag"), answer.body.len()), (status, Some("x"), 0), "{method}");
    }
}

#[test]
fn a_response_that_breaks_off_is_broken_for_the_client() {
    let (_upstream, gateway) = answering(|_| {
        let head = Reply::new(200).head_only().header("Content-Length", "100").bytes();
        Script::raw([head, b"half".to_vec()].concat()).then_close()
    });
    let client = Http2::open(gateway.proxy());
    let error = client.try_send(get("/")).unwrap_err();
    assert!(error.is_reset() && error.reason() != Some(Reason::NO_ERROR), "{error}");
    assert!(!client.is_ended());
}

// --- many at a time ------------------------------------------------------------------------------------------------------

#[test]
fn a_hundred_requests_are_served_at_a_time() {
    let gate = Gate::closed();
    let held = gate.clone();
    let (upstream, gateway) = answering(move |request| Script::from(Reply::ok(request.path.clone())).behind(&held));
    let client = Http2::open(gateway.proxy());
    let streams: Vec<_> = (0..100).map(|n| client.start(get(&format!("/{n}"))).unwrap()).collect();
    eventually(SOON, || upstream.count() == 100);
    gate.open();
    for (n, stream) in streams.into_iter().enumerate() {
        assert_eq!(stream.answer().unwrap().text(), format!("/{n}"));
    }
}

#[test]
fn a_request_that_is_stuck_holds_up_no_other() {
    let (_upstream, gateway) = answering(|request| match request.path.as_str() {
        "/stuck" => Script::hang(),
        _ => Script::echo(),
    });
    let client = Http2::open(gateway.proxy());
    let mut stuck = client.start_upload(post("/stuck")).unwrap();
    stuck.send("some", false);
    for _ in 0..10 {
        assert_eq!(client.get("/").status, 200);
    }
}

#[test]
fn a_large_download_leaves_room_for_others() {
    let body = megabytes(32);
    let (_upstream, gateway) = answering(move |request| match request.path.as_str() {
        "/large" => Reply::ok(body.clone()),
        _ => Reply::ok("small"),
    });
    let client = Http2::open(gateway.proxy());
    let mut large = client.start(get("/large")).unwrap();
    assert_eq!(large.head().unwrap().status(), 200);
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "small");
    }
    assert!(large.rest().unwrap() == megabytes(32));
}

// --- bodies --------------------------------------------------------------------------------------------------------------

#[test]
fn large_bodies_pass_whole_both_ways_in_little_memory() {
    let body = megabytes(16);
    let answered = body.clone();
    let (upstream, gateway) = answering(move |_| Reply::ok(answered.clone()));
    let before = gateway.peak_memory();
    let client = Http2::open(gateway.proxy());
    let answer = client.upload(post("/"), body.clone());
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "the answer differs, it has {} bytes", answer.body.len());
    assert!(upstream.only().body == body, "the upload differs, it has {} bytes", upstream.only().body.len());
    let grown = gateway.peak_memory().saturating_sub(before);
    assert!(grown < 8 << 20, "memory has grown by {grown} bytes");
}

#[test]
fn a_client_that_reads_slowly_costs_little_memory() {
    let body = megabytes(16);
    let (upstream, gateway) = answering(move |_| Reply::ok(body.clone()));
    let before = gateway.peak_memory();
    // Its connection window is large, the windows of its streams are small.
    let client = Http2::open_with(gateway.proxy(), |builder| {
        builder.initial_window_size(65_535).initial_connection_window_size(1 << 30);
    });
    let mut streams: Vec<_> = (0..20).map(|_| client.start(get("/")).unwrap()).collect();
    for stream in &mut streams {
        assert_eq!(stream.head().unwrap().status(), 200);
    }
    eventually(SOON, || upstream.count() == 20);
    let grown = gateway.peak_memory().saturating_sub(before);
    assert!(grown < 16 << 20, "memory has grown by {grown} bytes");
    let mut last = streams.pop().unwrap();
    assert!(last.rest().unwrap() == megabytes(16));
}

#[test]
fn an_upstream_that_reads_slowly_costs_little_memory() {
    let gate = Gate::closed();
    let held = gate.clone();
    let (upstream, gateway) =
        streaming(move |_| Script::from(Reply::ok("done")).behind(&held).without_reading_the_body().then_hang());
    let before = gateway.peak_memory();
    let client = Http2::open(gateway.proxy());
    let mut stream = client.start_upload(post("/")).unwrap();
    stream.send(megabytes(16), true);
    eventually(SOON, || upstream.count() == 1);
    assert_eq!(client.start(get("/")).map(|_| ()).ok(), Some(()));
    gate.open();
    assert_eq!(stream.head().unwrap().status(), 200);
    let grown = gateway.peak_memory().saturating_sub(before);
    assert!(grown < 8 << 20, "memory has grown by {grown} bytes");
}

#[test]
fn a_piece_reaches_the_client_before_the_answer_is_complete() {
    let gate = Gate::closed();
    let held = gate.clone();
    let (_upstream, gateway) = answering(move |_| {
        let head = Reply::new(200).head_only().header("Transfer-Encoding", "chunked").bytes();
        Script::raw([head, chunk("first")].concat())
            .then_pass(&held)
            .then_send([&chunk("second")[..], LAST_CHUNK].concat())
    });
    let client = Http2::open(gateway.proxy());
    let mut stream = client.start(get("/")).unwrap();
    assert_eq!(stream.head().unwrap().status(), 200);
    assert_eq!(stream.piece().unwrap().unwrap(), "first");
    gate.open();
    assert_eq!(stream.piece().unwrap().unwrap(), "second");
    assert!(stream.piece().is_none());
}

#[test]
fn an_upload_reaches_the_upstream_before_it_is_complete() {
    let (upstream, gateway) = streaming(|_| Script::echo());
    let client = Http2::open(gateway.proxy());
    let mut stream = client.start_upload(post("/")).unwrap();
    stream.send("first", false);
    eventually(SOON, || upstream.requests().last().is_some_and(|request| request.body == b"first"));
    stream.send("second", true);
    assert_eq!(stream.answer().unwrap().json()["body_bytes"], 11);
}

#[test]
fn an_early_answer_to_an_upload_reaches_the_client() {
    let (_upstream, gateway) = streaming(|request| match request.method.as_str() {
        "POST" => Script::from(Reply::new(413).body("too much").header("Connection", "close"))
            .without_reading_the_body()
            .then_hang(),
        _ => Script::echo(),
    });
    let client = Http2::open(gateway.proxy());
    let mut stream = client.start_upload(post("/")).unwrap();
    stream.send("start", false);
    assert_eq!(stream.head().unwrap().status(), 413);
    assert_eq!(stream.piece().unwrap().unwrap(), "too much");
    // Nobody reads the rest, and it is not the client's fault (RFC 9113 section 8.1).
    assert_eq!(stream.reset_by_peer(), Reason::NO_ERROR);
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn a_body_longer_than_allowed_is_refused() {
    let upstream = Upstream::echo();
    let setup = Gateway::with(&proxying(&upstream)).with_http2().setting("nginx_http_client_max_body_size", "10");
    let gateway = setup.start();
    let client = Http2::open(gateway.proxy());
    assert_eq!(client.upload(post("/"), "0123456789").status, 200);
    let mut told = post("/");
    told.headers_mut().insert("content-length", "11".parse().unwrap());
    for request in [told, post("/")] {
        let mut stream = client.start_upload(request).unwrap();
        stream.send("0123456789+", true);
        assert_eq!(stream.answer().unwrap().status, 413);
    }
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn trailers_of_a_request_are_not_for_an_upstream_of_http_1() {
    let (upstream, gateway) = echoing();
    let client = Http2::open(gateway.proxy());
    let mut stream = client.start_upload(post("/")).unwrap();
    stream.send("body", false);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-trailer", "1".parse().unwrap());
    stream.send_trailers(trailers);
    assert_eq!(stream.answer().unwrap().json()["body_bytes"], 4);
    assert!(!upstream.only().headers.has("x-trailer"));
}

/// As in Kong, where only gRPC has them.
#[test]
fn trailers_of_a_response_of_http_1_are_not_passed_on() {
    let (_upstream, gateway) = answering(|_| {
        let head =
            Reply::new(200).head_only().header("Transfer-Encoding", "chunked").header("Trailer", "x-sum").bytes();
        Script::raw([head, chunk("body"), b"0\r\nX-Sum: 42\r\n\r\n".to_vec()].concat())
    });
    let client = Http2::open(gateway.proxy());
    let mut stream = client.start(get("/")).unwrap();
    assert_eq!(stream.head().unwrap().status(), 200);
    assert_eq!(stream.rest().unwrap(), b"body");
    assert_eq!(stream.trailers().unwrap(), None);
}

// --- who leaves ----------------------------------------------------------------------------------------------------------

#[test]
fn a_request_taken_back_ends_the_one_to_the_upstream() {
    let (upstream, gateway) = answering(|request| match request.path.as_str() {
        "/head" => {
            let head = Reply::new(200).head_only().header("Content-Length", "1000000").bytes();
            Script::raw([head, b"some".to_vec()].concat()).then_hang()
        }
        "/none" => Script::hang(),
        _ => Script::echo(),
    });
    let client = Http2::open(gateway.proxy());
    let none = client.start(get("/none")).unwrap();
    let mut head = client.start(get("/head")).unwrap();
    assert_eq!(head.head().unwrap().status(), 200);
    eventually(SOON, || upstream.open_connections() == 2);
    none.cancel();
    eventually(SOON, || upstream.open_connections() == 1);
    head.cancel();
    eventually(SOON, || upstream.open_connections() == 0);
    assert_eq!(client.get("/").status, 200);
}

/// Whatever the code says: half an upload is none.
#[test]
fn an_upload_that_is_taken_back_is_never_a_whole_one() {
    let (upstream, gateway) = streaming(|_| Script::echo());
    for code in [code::NO_ERROR, code::CANCEL] {
        let mut client = Frames::open(gateway.proxy(), &[]);
        client.send_all([Frame::post(1, "/"), Frame::data(1, *b"half", false)]);
        eventually(SOON, || upstream.requests().last().is_some_and(|request| request.body == b"half"));
        client.send_all([Frame::reset(1, code)]);
        client.settle();
        eventually(SOON, || upstream.open_connections() == 0);
        assert!(!upstream.last().complete, "{code}: {:?}", upstream.last());
    }
}

#[test]
fn a_client_that_goes_away_ends_all_its_requests() {
    let (upstream, gateway) = answering(|_| Script::hang());
    let client = Http2::open(gateway.proxy());
    let streams: Vec<_> = (0..10).map(|_| client.start(get("/")).unwrap()).collect();
    eventually(SOON, || upstream.open_connections() == 10);
    drop(streams);
    drop(client);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn a_drain_finishes_what_has_begun_and_takes_nothing_new() {
    let gate = Gate::closed();
    let held = gate.clone();
    let (upstream, mut gateway) = answering(move |request| match request.path.as_str() {
        "/greeting" => Script::echo(),
        _ => Script::echo().behind(&held),
    });
    let (busy, idle) = (Http2::open(gateway.proxy()), Http2::open(gateway.proxy()));
    // Before the drain the gateway has heard of this connection, too.
    assert_eq!(idle.get("/greeting").status, 200);
    let streams: Vec<_> = (0..3).map(|n| busy.start(get(&format!("/{n}"))).unwrap()).collect();
    eventually(SOON, || upstream.count() == 4);
    gateway.signal("TERM");
    idle.ended().expect("an idle connection ends in peace");
    // The client has been told not to ask for more, and its own library keeps to that.
    eventually(SOON, || busy.start(get("/late")).is_err());
    gate.open();
    for stream in streams {
        assert_eq!(stream.answer().unwrap().status, 200);
    }
    busy.ended().expect("the connection ends in peace");
    let exit = gateway.end();
    assert!(exit.status.success(), "{exit:?}");
    assert!(exit.took < Duration::from_secs(5), "{exit:?}");
}

#[test]
fn a_drain_does_not_wait_for_a_client_that_does_not_leave() {
    let (_upstream, mut gateway) = echoing();
    // It has spoken HTTP/2 and listens no more, so it never hears that it should leave.
    let mut silent = Connection::open(gateway.proxy());
    silent.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert_eq!(Http2::open(gateway.proxy()).get("/").status, 200);
    let exit = gateway.terminate();
    assert!(exit.status.success() && exit.took < Duration::from_secs(6), "{exit:?}");
}

#[test]
fn a_new_configuration_reaches_an_open_connection() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&proxying(&upstream)).with_http2().start();
    let client = Http2::open(gateway.proxy());
    assert_eq!(client.get("/new").status, 200);
    gateway.reload(&proxying(&upstream).replace("[\"/\"]", "[\"/other\"]"));
    eventually(SOON, || client.get("/new").status == 404);
    assert_eq!(client.get("/other").status, 200);
}

#[test]
fn a_connection_ends_in_peace_after_its_last_request() {
    let upstream = Upstream::echo();
    let gateway =
        Gateway::with(&proxying(&upstream)).with_http2().setting("nginx_http_keepalive_requests", "3").start();
    let client = Http2::open(gateway.proxy());
    for _ in 0..3 {
        assert_eq!(client.get("/").status, 200);
    }
    client.ended().expect("the connection ends in peace");
    assert_eq!(upstream.count(), 3);
}

#[test]
fn an_idle_connection_ends_in_peace_and_a_busy_one_goes_on() {
    let (gate, upstream) = (Gate::closed(), Upstream::echo());
    let held = gate.clone();
    let slow = Upstream::answering(move |_| Script::echo().behind(&held));
    let document = format!(
        "{}- {{name: slow, url: {}, routes: [{{name: slow, paths: [/slow]}}]}}\n",
        proxying(&upstream),
        slow.url()
    );
    let gateway = Gateway::with(&document).with_http2().setting("nginx_http_keepalive_timeout", "1s").start();
    let busy = Http2::open(gateway.proxy());
    let stream = busy.start(get("/slow")).unwrap();
    eventually(SOON, || slow.count() == 1);
    let idle = Http2::open(gateway.proxy());
    assert_eq!(idle.get("/").status, 200);
    idle.ended().expect("an idle connection ends in peace");
    assert!(!busy.is_ended());
    gate.open();
    assert_eq!(stream.answer().unwrap().status, 200);
    busy.ended().expect("the connection ends in peace");
}

#[test]
fn a_client_that_is_asked_and_does_not_answer_is_gone() {
    let upstream = Upstream::answering(|_| Script::hang());
    let setup = Gateway::with(&proxying(&upstream)).with_http2();
    let gateway = setup.setting("http2_ping_interval", "100ms").setting("nginx_http_send_timeout", "2s").start();
    let client = Http2::open(gateway.proxy());
    let stream = client.start(get("/")).unwrap();
    eventually(SOON, || upstream.open_connections() == 1);
    let mut deaf = Frames::open(gateway.proxy(), &[]);
    deaf.send(Frame::get(1, "/").bytes());
    eventually(SOON, || upstream.count() == 2);
    // It answers no PING; the other one does.
    deaf.drained();
    eventually(SOON, || upstream.open_connections() == 1);
    assert!(!client.is_ended());
    drop(stream);
}
