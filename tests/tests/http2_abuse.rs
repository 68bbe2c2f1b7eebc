//! What a client may do to us in HTTP/2, and where it ends. Whoever exceeds a limit is told to calm down and loses his
//! connection; nobody else notices.

use std::time::{Duration, Instant};

use towergate_tests::{Frame, Frames, Gate, Gateway, SOON, Script, Upstream, code, eventually, flag, kind, proxying};

/// Most requests that a connection may bring and take back.
const BAR: usize = 500;

const HEADER_TABLE_SIZE: u16 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;

#[track_caller]
fn behind(upstream: &Upstream, settings: &[(&str, &str)]) -> Gateway {
    let setup = Gateway::with(&proxying(upstream)).with_http2();
    settings.iter().fold(setup, |setup, (key, value)| setup.setting(key, value)).start()
}

/// The flood is cut, and the next client is served.
#[track_caller]
fn assert_cut(gateway: &Gateway, mut flooding: Frames) {
    assert_eq!(flooding.farewell(), Some(code::ENHANCE_YOUR_CALM));
    assert_served(gateway);
}

#[track_caller]
fn assert_served(gateway: &Gateway) {
    let mut other = Frames::open(gateway.proxy(), &[]);
    other.send(Frame::get(1, "/ok").bytes());
    assert_eq!(other.until_kind(kind::HEADERS, 1).status(), 200);
}

/// Sends the frames of each round, which must not go on for ever.
#[track_caller]
fn flood(gateway: &Gateway, rounds: usize, frames: impl Fn(u32) -> Vec<Frame>) -> Frames {
    let mut flooding = Frames::open(gateway.proxy(), &[]);
    let rounds = u32::try_from(rounds).unwrap();
    for batch in (0..rounds).collect::<Vec<_>>().chunks(100) {
        if !flooding.send_all(batch.iter().flat_map(|round| frames(*round))) {
            break;
        }
    }
    flooding
}

// --- requests taken back -------------------------------------------------------------------------------------------------

#[test]
fn rapid_resets_are_cut() {
    let upstream = Upstream::answering(|request| if request.path == "/ok" { Script::echo() } else { Script::hang() });
    let gateway = behind(&upstream, &[]);
    let reset = |round: u32| vec![Frame::get(2 * round + 1, "/"), Frame::reset(2 * round + 1, code::CANCEL)];
    assert_cut(&gateway, flood(&gateway, 100_000, reset));
    assert!(upstream.count() < BAR, "{} requests reached the upstream", upstream.count());
}

/// A client that waits until its request is under way dodges what counts only those that nobody has looked at.
#[test]
fn resets_one_by_one_are_cut() {
    let upstream = Upstream::answering(|request| if request.path == "/ok" { Script::echo() } else { Script::hang() });
    let gateway = behind(&upstream, &[]);
    let mut flooding = Frames::open(gateway.proxy(), &[]);
    let mut sent = 0;
    for round in 0..5000 {
        let stream = 2 * round + 1;
        if !flooding.send_all([Frame::get(stream, "/"), Frame::ping()]) {
            break;
        }
        // The answer to the PING says that the request was seen.
        let seen = std::iter::from_fn(|| flooding.next_frame()).any(|frame| frame.kind == kind::PING);
        if !seen || !flooding.send_all([Frame::reset(stream, code::CANCEL)]) {
            break;
        }
        sent += 1;
    }
    assert!(sent < BAR, "{sent} requests were taken back");
    assert_served(&gateway);
    eventually(SOON, || upstream.open_connections() <= 1);
}

#[test]
fn who_takes_back_few_of_many_is_not_cut() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[("http2_max_resets", "5"), ("nginx_http_keepalive_requests", "100000")]);
    let mut client = Frames::open(gateway.proxy(), &[]);
    for round in 0..100 {
        let (kept, taken_back) = (4 * round + 1, 4 * round + 3);
        client.send_all([Frame::get(kept, "/"), Frame::get(taken_back, "/"), Frame::reset(taken_back, code::CANCEL)]);
        client.until(|frame| frame.stream == kept && frame.has(flag::END_STREAM) && frame.kind == kind::DATA);
    }
    client.settle();
}

/// A client that makes us reset its streams gains as little (CVE-2025-8671).
#[test]
fn streams_that_we_are_made_to_reset_are_counted() {
    let upstream = Upstream::answering(|request| if request.path == "/ok" { Script::echo() } else { Script::hang() });
    let gateway = behind(&upstream, &[]);
    // A window beyond the largest there is.
    let overflow = |round: u32| vec![Frame::get(2 * round + 1, "/"), Frame::window(2 * round + 1, u32::MAX >> 1)];
    assert_cut(&gateway, flood(&gateway, 100_000, overflow));
    assert!(upstream.count() < BAR, "{} requests reached the upstream", upstream.count());
}

#[test]
fn requests_beyond_the_limit_are_refused_and_then_cut() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |request| match request.path.as_str() {
        "/ok" => Script::echo(),
        _ => Script::echo().behind(&held),
    });
    let gateway =
        behind(&upstream, &[("nginx_http_http2_max_concurrent_streams", "10"), ("http2_max_stream_errors", "20")]);
    let mut client = Frames::open(gateway.proxy(), &[]);
    client.send_all((0..12).map(|round| Frame::get(2 * round + 1, "/")));
    for stream in [21, 23] {
        assert_eq!(client.until_kind(kind::RST_STREAM, stream).code(), code::REFUSED_STREAM);
    }
    eventually(SOON, || upstream.count() == 10);
    client.send_all((12..50).map(|round| Frame::get(2 * round + 1, "/")));
    assert_cut(&gateway, client);
    assert_eq!(upstream.requests().iter().filter(|request| request.path == "/").count(), 10);
    gate.open();
}

// --- frames that cost us more than the client ----------------------------------------------------------------------------

#[test]
fn floods_of_frames_without_data_are_cut() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[]);
    let unknown = Frame::new(0xfa, 0, 0, *b"what is this");
    let table = Frame::settings(&[(HEADER_TABLE_SIZE, 0), (HEADER_TABLE_SIZE, 4096)]);
    for (what, frame) in [
        ("PING", Frame::ping()),
        ("PING that answers none", Frame::new(kind::PING, flag::ACK, 0, *b"any data")),
        ("SETTINGS", Frame::settings(&[])),
        ("SETTINGS that change tables", table),
        ("PRIORITY", Frame::new(kind::PRIORITY, 0, 1, [0, 0, 0, 0, 16])),
        ("WINDOW_UPDATE", Frame::window(0, 1)),
        ("an unknown type", unknown),
    ] {
        let flooding = flood(&gateway, 5_000, |_| vec![frame.clone()]);
        assert_cut(&gateway, flooding);
        eprintln!("{what}: cut");
    }
    let log = gateway.log();
    assert!(log.lines().count() < 50, "a flood must not flood the log:\n{log}");
}

/// Streams that are over can be reset without end.
#[test]
fn a_flood_of_resets_of_nothing_is_cut() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[]);
    let mut flooding = Frames::open(gateway.proxy(), &[]);
    flooding.send(Frame::get(1, "/").bytes());
    flooding.until(|frame| frame.stream == 1 && frame.has(flag::END_STREAM));
    flooding.send_all((0..5_000).map(|_| Frame::reset(1, code::CANCEL)));
    assert_cut(&gateway, flooding);
}

#[test]
fn a_flood_of_empty_data_is_cut() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[]);
    let data = |round| if round == 0 { vec![Frame::post(1, "/")] } else { vec![Frame::data(1, [], false)] };
    assert_cut(&gateway, flood(&gateway, 5_000, data));
    let padded = Frame::new(kind::DATA, flag::PADDED, 1, [3, 0, 0, 0]);
    let data = |round| if round == 0 { vec![Frame::post(1, "/")] } else { vec![padded.clone()] };
    assert_cut(&gateway, flood(&gateway, 5_000, data));
}

#[test]
fn a_flood_of_continuations_is_cut() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[]);
    for fragment in [&[][..], &[0; 1], &[b'a'; 16_000]] {
        let frames = |round: u32| match round {
            0 => vec![Frame::new(kind::HEADERS, flag::END_STREAM, 1, Frame::get(1, "/").payload)],
            // A literal that is longer than all that comes.
            1 => vec![Frame::new(kind::CONTINUATION, 0, 1, [0, 127, 255, 255, 3])],
            _ => vec![Frame::new(kind::CONTINUATION, 0, 1, fragment)],
        };
        let before = gateway.peak_memory();
        let mut flooding = flood(&gateway, 5_000, frames);
        let why = flooding.farewell();
        assert!(matches!(why, Some(code::ENHANCE_YOUR_CALM | code::COMPRESSION_ERROR)), "{why:?}");
        assert_served(&gateway);
        let grown = gateway.peak_memory().saturating_sub(before);
        assert!(grown < 4 << 20, "memory has grown by {grown} bytes");
    }
}

/// A few bytes that stand for much: one field of 4,000 bytes is remembered, then named again and again.
#[test]
fn a_bomb_of_compressed_headers_does_not_unfold() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[]);
    let before = gateway.peak_memory();
    let bomb = |count: usize| {
        let mut block = Frame::get(1, "/").payload;
        block.extend([0x40, 1, b'x', 127, 161, 30]);
        block.extend(vec![b'a'; 4000]);
        block.extend(vec![0xbe; count]);
        Frame::new(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, block)
    };
    let mut client = Frames::open(gateway.proxy(), &[]);
    client.send(bomb(20).bytes());
    assert_eq!(client.until_kind(kind::HEADERS, 1).status(), 431);
    let mut flooding = Frames::open(gateway.proxy(), &[]);
    flooding.send(bomb(12_000).bytes());
    assert_cut(&gateway, flooding);
    assert_eq!(upstream.requests().iter().filter(|request| request.path == "/").count(), 0);
    let grown = gateway.peak_memory().saturating_sub(before);
    assert!(grown < 4 << 20, "memory has grown by {grown} bytes");
}

/// A client that goes on after it was told that the connection has had its last request.
#[test]
fn requests_after_the_last_do_not_go_on_for_ever() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[("nginx_http_keepalive_requests", "10")]);
    let mut client = Frames::open(gateway.proxy(), &[]);
    client.send(Frame::window(0, 1 << 30).bytes());
    let mut answered = 0;
    // It never answers the PING that comes with the GOAWAY, so it may say that it has not heard of it.
    for stream in (1..).step_by(2) {
        if !client.send_all([Frame::get(stream, "/")]) {
            break;
        }
        let is_over = |frame: &Frame| frame.stream == stream && frame.has(flag::END_STREAM) && frame.kind == kind::DATA;
        if !std::iter::from_fn(|| client.next_frame()).any(|frame| is_over(&frame)) {
            break;
        }
        answered += 1;
        assert!(answered < 2000, "it goes on for ever");
    }
    assert!(answered >= 10, "{answered}");
    assert_served(&gateway);
}

// --- those who wait ------------------------------------------------------------------------------------------------------

/// What ends within this time was ended by a timeout of a few hundred milliseconds.
const SHORT: Duration = Duration::from_secs(8);

#[test]
fn a_client_that_never_opens_its_window_is_given_up() {
    let upstream = Upstream::answering(|request| match request.path.as_str() {
        "/large" => towergate_tests::Reply::ok(vec![b'a'; 1 << 20]).into(),
        _ => Script::echo(),
    });
    let gateway = behind(&upstream, &[("nginx_http_send_timeout", "300ms"), ("nginx_worker_processes", "1")]);
    for window in [0, 10, 40_000] {
        let mut client = Frames::open(gateway.proxy(), &[(INITIAL_WINDOW_SIZE, window)]);
        let start = Instant::now();
        client.send(Frame::get(1, "/large").bytes());
        assert_eq!(client.until_kind(kind::HEADERS, 1).status(), 200);
        assert_eq!(client.until_kind(kind::RST_STREAM, 1).code(), code::CANCEL, "a window of {window}");
        assert!(start.elapsed() > Duration::from_millis(290) && start.elapsed() < SHORT, "{:?}", start.elapsed());
        // Only the request is given up; what else the client does is not its fault.
        client.send_all([Frame::settings(&[(INITIAL_WINDOW_SIZE, 65_535)]), Frame::get(3, "/ok")]);
        assert_eq!(client.until_kind(kind::HEADERS, 3).status(), 200);
    }
    eventually(SOON, || upstream.open_connections() <= 1);
}

#[test]
fn a_client_that_takes_a_little_now_and_then_is_served() {
    let upstream = Upstream::answering(|_| towergate_tests::Reply::ok(vec![b'a'; 200_000]));
    let gateway = behind(&upstream, &[("nginx_http_send_timeout", "2s")]);
    let mut client = Frames::open(gateway.proxy(), &[(INITIAL_WINDOW_SIZE, 0)]);
    client.send(Frame::get(1, "/").bytes());
    let mut body = 0;
    while body < 200_000 {
        // The pause is the subject: together longer than the timeout, each far shorter.
        std::thread::sleep(Duration::from_millis(300));
        client.send_all([Frame::window(1, 25_000), Frame::window(0, 25_000)]);
        let window = body + 25_000;
        while body < window.min(200_000) {
            let frame = client.until(|frame| frame.kind == kind::DATA || frame.kind == kind::RST_STREAM);
            assert_eq!(frame.kind, kind::DATA, "after {body} bytes: {frame:?}");
            body += frame.payload.len();
        }
    }
    assert_eq!(body, 200_000);
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let upstream = Upstream::answering(|_| towergate_tests::Reply::ok(vec![b'a'; 32 << 20]));
    let gateway = behind(&upstream, &[("nginx_http_send_timeout", "300ms")]);
    let mut client = Frames::open(gateway.proxy(), &[(INITIAL_WINDOW_SIZE, u32::MAX >> 1)]);
    client.send_all([Frame::window(0, (u32::MAX >> 1) - 65_535), Frame::get(1, "/"), Frame::get(3, "/")]);
    eventually(SOON, || upstream.count() == 2);
    eventually(SHORT, || upstream.open_connections() == 0);
}

#[test]
fn a_body_that_does_not_come_is_a_request_timeout() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[("nginx_http_client_body_timeout", "300ms")]);
    let mut client = Frames::open(gateway.proxy(), &[]);
    client.send_all([Frame::post(1, "/"), Frame::data(1, *b"some", false)]);
    assert_eq!(client.until_kind(kind::HEADERS, 1).status(), 408);
    client.settle();
    client.send(Frame::get(3, "/").bytes());
    assert_eq!(client.until_kind(kind::HEADERS, 3).status(), 200);
}

#[test]
fn a_client_that_says_nothing_or_never_ends_is_let_go() {
    let upstream = Upstream::echo();
    let settings = [("nginx_http_client_header_timeout", "600ms"), ("nginx_http_keepalive_timeout", "600ms")];
    let gateway = behind(&upstream, &settings);
    let half = Frame::new(kind::HEADERS, flag::END_STREAM, 1, Frame::get(1, "/").payload).bytes();
    for (what, bytes) in [
        ("half a preface", b"PRI * HTTP/2.0\r\n".to_vec()),
        ("a preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ] {
        let mut client = Frames::bare(gateway.proxy());
        client.send(bytes);
        client.drained();
        eprintln!("{what}: let go");
    }
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("half a frame", Frame::ping().bytes()[..12].to_vec()),
        ("half a head", half.clone()),
        ("half a frame of a head", half[..20].to_vec()),
    ] {
        let mut client = Frames::open(gateway.proxy(), &[]);
        client.send(bytes);
        client.drained();
        eprintln!("{what}: let go");
    }
}

/// What is no request does not make an idle connection busy.
#[test]
fn pings_do_not_keep_an_idle_connection() {
    let upstream = Upstream::echo();
    let gateway = behind(&upstream, &[("nginx_http_keepalive_timeout", "500ms")]);
    let mut client = Frames::open(gateway.proxy(), &[]);
    client.send(Frame::get(1, "/").bytes());
    client.until(|frame| frame.stream == 1 && frame.has(flag::END_STREAM));
    let start = Instant::now();
    while client.send_all([Frame::ping()]) && start.elapsed() < SHORT {
        std::thread::sleep(Duration::from_millis(50));
        if client.next_frame().is_none() {
            break;
        }
    }
    assert!(start.elapsed() < SHORT, "it goes on for ever");
}
