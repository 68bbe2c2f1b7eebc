//! Compressed responses through the real gateway: off unless asked for, and then only what may be.

use std::io::Read;

use towergate_tests::{
    Answer, Bulk, Delimiting, Gate, Gateway, LAST_CHUNK, Reply, Request, Script, Upstream, answering, chunk, proxying,
};

const ON: &[(&str, &str)] = &[("compression", "zstd, br, gzip")];

/// Text that compresses well, and is long enough for the default.
fn text() -> String {
    "the quick brown fox jumps over the lazy dog. ".repeat(200)
}

fn plain() -> Reply {
    Reply::ok(text()).header("Content-Type", "text/plain")
}

fn asking(accept: &str) -> Request {
    Request::get("/").header("Accept-Encoding", accept)
}

/// What a client gets that accepts this, from an upstream that answers so.
#[track_caller]
fn compressed(settings: &[(&str, &str)], accept: &str, reply: Reply) -> Answer {
    let (_upstream, gateway) = answering(settings, move |_| reply.clone());
    gateway.send(&asking(accept))
}

/// As much of a body as can be decoded.
fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut reader: Box<dyn Read + '_> = match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(bytes)),
        "br" => Box::new(brotli::Decompressor::new(bytes, 4096)),
        "zstd" => Box::new(zstd::Decoder::new(bytes).expect("a decoder")),
        other => panic!("no coding: {other}"),
    };
    let (mut plain, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        plain.extend_from_slice(&piece[..count]);
    }
    plain
}

#[test]
fn nothing_is_compressed_unless_asked_for() {
    for settings in [&[][..], &[("compression", "off")], &[("compression", "off"), ("nginx_proxy_gzip", "on")]] {
        let answer = compressed(settings, "gzip, br, zstd", plain().header("ETag", "\"x\""));
        assert_eq!(answer.text(), text());
        assert_eq!((answer.header("Vary"), answer.header("ETag")), (None, Some("\"x\"")));
        assert_eq!(answer.header("Content-Length"), Some(text().len().to_string().as_str()));
    }
}

#[test]
fn each_coding_reaches_the_client_whole() {
    let given = plain().header("ETag", "\"x\"").header("Vary", "Origin").header("Accept-Ranges", "bytes");
    for (accept, coding) in
        [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip, br", "br"), ("gzip, br;q=0.5", "gzip")]
    {
        let answer = compressed(ON, accept, given.clone());
        assert_eq!(answer.header("Content-Encoding"), Some(coding), "{accept}");
        assert_eq!(decoded(coding, &answer.body), text().as_bytes(), "{accept}");
        assert_eq!((answer.header("Content-Length"), answer.header("Transfer-Encoding")), (None, Some("chunked")));
        assert_eq!((answer.header("ETag"), answer.header("Accept-Ranges")), (Some("W/\"x\""), None));
        assert_eq!(answer.headers.all("Vary").join(", ").to_lowercase(), "origin, accept-encoding");
        assert!(answer.body.len() < text().len() / 10, "{} bytes", answer.body.len());
    }
}

#[test]
fn bodies_of_all_framings_are_compressed() {
    let head = Reply::new(200).head_only().header("Content-Type", "application/json");
    let chunked = head.clone().header("Transfer-Encoding", "chunked").bytes();
    for script in [
        Script::raw([chunked, chunk(text()), LAST_CHUNK.to_vec()].concat()),
        Script::raw([head.bytes(), text().into_bytes()].concat()).then_close(),
    ] {
        let (_upstream, gateway) = answering(ON, move |_| script.clone());
        let mut connection = gateway.connect();
        for _ in 0..2 {
            let answer = connection.request(&asking("gzip"));
            assert_eq!(decoded("gzip", &answer.body), text().as_bytes());
        }
    }
}

/// The upstream decides for itself what it makes of the client's wish.
#[test]
fn the_upstream_sees_the_client_s_accept_encoding() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&proxying(&upstream)).setting("compression", "gzip").start();
    for accept in ["gzip;q=0.5, br", "identity"] {
        gateway.send(&asking(accept));
        assert_eq!(upstream.last().header("Accept-Encoding"), Some(accept));
    }
}

#[test]
fn what_must_stay_as_it_is_does() {
    for reply in [
        plain().header("Content-Encoding", "br"),
        plain().header("Cache-Control", "no-transform"),
        plain().header("Content-Digest", "sha-256=:x:"),
        Reply::ok(text()).header("Content-Type", "image/png"),
        Reply::ok(text()).header("Content-Type", "text/event-stream"),
        Reply::ok(text()).header("Content-Type", "application/grpc"),
        Reply::ok(text()),
        Reply::ok("short").header("Content-Type", "text/plain"),
        Reply::new(206).header("Content-Type", "text/plain").header("Content-Range", "bytes 0-8999/10000").body(text()),
    ] {
        let bytes = String::from_utf8_lossy(&reply.bytes()).chars().take(150).collect::<String>();
        let body = if bytes.contains("Content-Length: 5\r") { "short".to_owned() } else { text() };
        let answer = compressed(ON, "gzip, br, zstd", reply);
        assert_eq!((answer.text(), answer.header("Vary")), (body, None), "{bytes}");
    }
}

#[test]
fn answers_without_a_body_stay_as_they_are() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let head = Reply::new(status).head_only().header("Content-Type", "text/plain").header("ETag", "\"x\"");
        let (_upstream, gateway) = answering(ON, move |_| head.clone().header("Content-Length", "9000"));
        let mut connection = gateway.connect();
        for _ in 0..2 {
            let answer = connection.request(&Request::new(method, "/").header("Accept-Encoding", "gzip"));
            assert_eq!((answer.status, answer.header("Content-Encoding")), (status, None), "{method}");
            assert_eq!((answer.header("ETag"), answer.body.len()), (Some("\"x\""), 0), "{method}");
        }
    }
}

#[test]
fn clients_that_want_none_get_none_but_caches_are_told() {
    for accept in ["identity", "gzip;q=0", "deflate", "identity;q=0"] {
        let answer = compressed(ON, accept, plain());
        assert_eq!((answer.status, answer.text()), (200, text()), "{accept}");
        assert_eq!(answer.header("Vary"), Some("accept-encoding"), "{accept}");
    }
    let (_upstream, gateway) = answering(ON, |_| plain());
    let answer = gateway.send_raw("GET / HTTP/1.0\r\nHost: gateway.test\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(answer.text(), text());
}

#[test]
fn what_has_come_is_sent_while_the_rest_is_awaited() {
    for (settings, content_type) in [
        (ON, "application/x-ndjson"),
        (&[("compression", "gzip, br, zstd"), ("compression_types", "text/event-stream")], "text/event-stream"),
    ] {
        for coding in ["gzip", "br", "zstd"] {
            let gate = Gate::closed();
            let held = gate.clone();
            let head = Reply::new(200).head_only().header("Content-Type", content_type);
            let head = head.header("Transfer-Encoding", "chunked").bytes();
            let (_upstream, gateway) = answering(settings, move |_| {
                let first = [head.clone(), chunk("{\"first\": 1}\n")].concat();
                Script::raw(first)
                    .then_pass(&held)
                    .then_send([chunk("{\"second\": 2}\n"), LAST_CHUNK.to_vec()].concat())
            });
            let mut connection = gateway.connect();
            connection.send(asking(coding).bytes());
            assert_eq!(connection.head(), 200);
            connection.chunks_until(|bytes| match decoded(coding, bytes).as_slice() {
                b"{\"first\": 1}\n" => {
                    gate.open();
                    false
                }
                text => text == b"{\"first\": 1}\n{\"second\": 2}\n",
            });
        }
    }
}

#[test]
fn an_upstream_that_breaks_breaks_the_compressed_transfer() {
    for coding in ["gzip", "br", "zstd"] {
        let start = [plain().head_only().header("Content-Length", "100000").bytes(), text().into_bytes()].concat();
        let (_upstream, gateway) = answering(ON, move |_| Script::raw(start.clone()).then_reset());
        if let Ok(answer) = gateway.connect().try_request(&asking(coding)) {
            assert_eq!(answer.status, 502, "{coding}: a clean end of {} bytes", answer.body.len());
        }
    }
}

#[test]
fn level_length_and_types_are_settings() {
    let settings = [
        ("compression", "gzip"),
        ("compression_level", "9"),
        ("compression_min_length", "10"),
        ("compression_types", "image/*, *+cbor"),
    ];
    for (content_type, length, coded) in
        [("image/bmp", 10, true), ("image/bmp", 9, false), ("application/x+cbor", 10, true), ("text/plain", 10, false)]
    {
        let reply = Reply::ok(vec![b'a'; length]).header("Content-Type", content_type);
        let answer = compressed(&settings, "gzip", reply);
        assert_eq!(answer.headers.has("Content-Encoding"), coded, "{content_type} {length}");
    }
}

/// The directives people have in kong.conf, with nginx's own defaults: `text/html` from 20 bytes on.
#[test]
fn nginx_s_gzip_directives_are_honoured() {
    let on = ("nginx_proxy_gzip", "on");
    let types = ("nginx_proxy_gzip_types", "application/json text/css");
    for (settings, content_type, length, coded) in [
        (&[on][..], "text/html; charset=utf-8", 20, true),
        (&[on], "text/html", 19, false),
        (&[on], "application/json", 5000, false),
        (&[on, types], "application/json", 5000, true),
        (&[on, types], "text/css", 20, true),
        (&[on, types], "text/html", 20, true),
        (&[on, ("nginx_proxy_gzip_min_length", "1000"), ("nginx_proxy_gzip_comp_level", "9")], "text/html", 999, false),
        (&[on, ("nginx_proxy_gzip_min_length", "1000"), ("nginx_proxy_gzip_comp_level", "9")], "text/html", 1000, true),
    ] {
        let reply = Reply::ok(vec![b'a'; length]).header("Content-Type", content_type);
        let answer = compressed(settings, "gzip, br", reply);
        assert_eq!(answer.header("Content-Encoding"), coded.then_some("gzip"), "{settings:?} {content_type} {length}");
    }
}

/// A refusal is an answer like any other.
#[test]
fn refusals_keep_their_words() {
    let upstream = Upstream::echo();
    let document = format!("{}plugins: [{{name: key-auth}}]\n", proxying(&upstream));
    let gateway =
        Gateway::with(&document).setting("compression", "gzip").setting("compression_min_length", "0").start();
    let answer = gateway.send(&asking("gzip"));
    assert_eq!((answer.status, answer.header("Content-Encoding")), (401, Some("gzip")));
    let body = String::from_utf8(decoded("gzip", &answer.body)).expect("text");
    assert!(body.contains("No API key found in request"), "{body}");
}

#[test]
fn a_large_body_is_compressed_in_little_memory() {
    let bytes = 64 << 20;
    let upstream = Bulk::serving(bytes, Delimiting::Length);
    let document = towergate_tests::proxying_to(&upstream.url(), &["retries: 0"]);
    let gateway = Gateway::with(&document).setting("compression", "zstd").setting("compression_level", "fastest");
    let gateway = gateway.setting("compression_types", "text/plain").start();
    let answer = gateway.send(&Request::get("/").header("Accept-Encoding", "zstd"));
    assert_eq!(answer.header("Content-Encoding"), Some("zstd"));
    assert_eq!(decoded("zstd", &answer.body).len() as u64, bytes);
    assert!(gateway.peak_memory() < 32 << 20, "{} MiB", gateway.peak_memory() >> 20);
}

#[test]
fn what_is_wrong_about_it_is_told_at_the_start() {
    for (name, value, reason) in [
        ("compression", "gzip, lzma", "unknown coding 'lzma' (off, gzip, br, zstd)"),
        ("compression_level", "highest", "fastest, balanced, best, or a number from 0 to 22"),
        ("compression_types", "html", "'html' is no media type"),
    ] {
        let upstream = Upstream::echo();
        let setup = Gateway::with(&proxying(&upstream)).setting("compression", "gzip").setting(name, value);
        let failure = setup.fails();
        assert!(failure.stderr.contains(reason), "{}", failure.stderr);
    }
}
