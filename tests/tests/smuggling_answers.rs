//! Answers of an upstream whose end could be read in two ways, or that nobody asked for: a client gets its own answer, a
//! clean 502, or a transfer that breaks; never bytes that were meant for somebody else or for nobody.

use std::sync::Arc;

use towergate_tests::{
    Answer, Broken, Connection, Gate, Gateway, LAST_CHUNK, Reading, Received, Reply, Request, SOON, Script, Upstream,
    chunk, eventually, proxying_to,
};

/// What follows an answer although nobody asked: another one.
const EXTRA: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";

const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

/// What a client may make of an answer.
#[derive(Clone, Copy, Debug)]
enum May {
    /// Exactly this body.
    Be(&'static str),
    /// This body, or as [`May::Fail`].
    BeOrFail(&'static str),
    /// The gateway's 502 or 504, or a transfer that breaks.
    Fail,
    /// Any answer, as long as the next one is right.
    Vary,
}

use May::{Be, BeOrFail, Fail, Vary};

type Row = (&'static str, Vec<u8>, May);

/// `200` with these lines and these bytes after its head, then an answer that nobody asked for.
fn ok(name: &'static str, lines: &str, rest: &str, may: May) -> Row {
    raw(name, format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{rest}{EXTRA}"), may)
}

fn raw(name: &'static str, bytes: impl Into<Vec<u8>>, may: May) -> Row {
    (name, bytes.into(), may)
}

/// An upstream that plays a row for `/<row>` and describes all other requests, behind a gateway with one worker.
fn playing(scripts: Vec<Script>) -> (Upstream, Gateway) {
    let upstream = Upstream::answering(move |request: &Received| {
        let row = request.path.trim_start_matches('/').parse().ok();
        row.and_then(|row: usize| scripts.get(row).cloned()).unwrap_or_else(Script::echo)
    });
    let document = proxying_to(&upstream.url(), &["retries: 0", "read_timeout: 1000"]);
    let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
    (upstream, gateway)
}

/// Plays each row to a client, then lets others ask.
#[track_caller]
fn hold(method: &str, rows: &[Row], end: fn(Script) -> Script) {
    let (upstream, gateway) = playing(rows.iter().map(|(_, bytes, _)| end(Script::raw(bytes.clone()))).collect());
    let mut failures = Vec::new();
    for (n, (name, _, may)) in rows.iter().enumerate() {
        let mut connection = gateway.connect();
        let answer = connection.try_request(&Request::new(method, &format!("/{n}")));
        let checks = [check(&answer, *may), check_same_client(connection, &answer), check_next_clients(&gateway)];
        failures.extend(checks.into_iter().filter_map(Result::err).map(|why| format!("{name}: {why}")));
    }
    for wire in upstream.wires() {
        failures.extend(Reading::strict(&wire).wrong);
    }
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

fn check(answer: &Result<Answer, Broken>, may: May) -> Result<(), String> {
    let failed = match answer {
        Err(_) => true,
        Ok(answer) => matches!(answer.status, 502 | 504),
    };
    let is_whole = |body: &str| answer.as_ref().is_ok_and(|answer| !failed && answer.body == body.as_bytes());
    let is_right = match may {
        Be(body) => is_whole(body),
        BeOrFail(body) => failed || is_whole(body),
        Fail => failed,
        Vary => true,
    };
    if is_right { Ok(()) } else { Err(format!("{may:?}, but got {answer:?}")) }
}

/// On a connection that is kept, the next answer is the next request's.
fn check_same_client(mut connection: Connection, answer: &Result<Answer, Broken>) -> Result<(), String> {
    match answer {
        Ok(answer) if answer.header("Connection") != Some("close") => {
            match connection.try_request(&Request::get("/same")) {
                Ok(answer) if answer.status == 200 && answer.json()["path"] == "/same" => Ok(()),
                next => Err(format!("the same client got {next:?}")),
            }
        }
        _ => Ok(()),
    }
}

/// Whichever pooled connection they go over. Twice, for the second could get what was left for the first.
fn check_next_clients(gateway: &Gateway) -> Result<(), String> {
    for path in ["/next", "/after"] {
        match gateway.connect().try_request(&Request::get(path)) {
            Ok(answer) if answer.status == 200 && answer.json()["path"] == path => {}
            next => return Err(format!("{path} got {next:?}")),
        }
    }
    Ok(())
}

const STAYS: fn(Script) -> Script = |script| script;
const CLOSES: fn(Script) -> Script = Script::then_close;

// --- framing -----------------------------------------------------------------------------------------------------------------

#[test]
fn a_length_in_an_answer_is_one_number() {
    hold(
        "GET",
        &[
            ok("plain", "Content-Length: 5", "hello", Be("hello")),
            ok("zero", "Content-Length: 0", "", Be("")),
            ok("twice the same", "Content-Length: 5\r\nContent-Length: 5", "hello", BeOrFail("hello")),
            ok("listed the same", "Content-Length: 5, 5", "hello", BeOrFail("hello")),
            ok("leading zeros", "Content-Length: 0005", "hello", BeOrFail("hello")),
            ok("two", "Content-Length: 5\r\nContent-Length: 6", "hello", Fail),
            ok("two, the longer first", "Content-Length: 6\r\nContent-Length: 5", "hello", Fail),
            ok("two, one empty", "Content-Length: 5\r\nContent-Length:", "hello", Fail),
            ok("two listed", "Content-Length: 5, 6", "hello", Fail),
            ok("plus", "Content-Length: +5", "hello", Fail),
            ok("minus", "Content-Length: -5", "hello", Fail),
            ok("hexadecimal", "Content-Length: 0x5", "hello", Fail),
            ok("two words", "Content-Length: 5 5", "hello", Fail),
            ok("a word", "Content-Length: five", "hello", Fail),
            ok("empty", "Content-Length:", "hello", Fail),
            ok("2^64 + 5", "Content-Length: 18446744073709551621", "hello", Fail),
            ok("vertical tab", "Content-Length: \x0b5", "hello", Fail),
            ok("space before the colon", "Content-Length : 5", "hello", BeOrFail("hello")),
            ok("folded", "Content-Length:\r\n 5", "hello", BeOrFail("hello")),
        ],
        STAYS,
    );
}

#[test]
fn an_answer_shorter_than_its_length_is_no_answer() {
    let short = |name, lines: &str, rest: &str| raw(name, format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{rest}"), Fail);
    let te = "Transfer-Encoding: chunked";
    for end in [CLOSES, Script::then_reset as fn(Script) -> Script] {
        hold(
            "GET",
            &[
                short("nothing of 5", "Content-Length: 5", ""),
                short("4 of 5", "Content-Length: 5", "hell"),
                short("5 of 2^63", "Content-Length: 9223372036854775808", "hello"),
                short("no chunk", te, ""),
                short("inside a size", te, "5"),
                short("inside a chunk", te, "5\r\nhel"),
                short("after a chunk", te, "5\r\nhello\r\n"),
                short("inside the last size", te, "5\r\nhello\r\n0"),
                short("before the last line", te, "5\r\nhello\r\n0\r\n"),
                short("inside a trailer", te, "5\r\nhello\r\n0\r\nX-Sum: 1"),
                short("after a trailer", te, "5\r\nhello\r\n0\r\nX-Sum: 1\r\n"),
                raw("inside the head", "HTTP/1.1 200 OK\r\nContent-Le", Fail),
                raw("before the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Fail),
                raw("inside the status line", "HTTP/1.1 20", Fail),
                raw("nothing", "", Fail),
                raw("after an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", Fail),
            ],
            end,
        );
    }
}

#[test]
fn two_framings_in_an_answer_smuggle_nothing() {
    let te = "Transfer-Encoding: chunked";
    hold(
        "GET",
        &[
            ok("length first", &format!("Content-Length: 5\r\n{te}"), HELLO, BeOrFail("hello")),
            ok("length last", &format!("{te}\r\nContent-Length: 5"), HELLO, BeOrFail("hello")),
            ok("the length covers the next", &format!("{te}\r\nContent-Length: 65"), HELLO, BeOrFail("hello")),
            ok("length zero", &format!("Content-Length: 0\r\n{te}"), HELLO, BeOrFail("hello")),
            ok("two lengths", &format!("Content-Length: 5\r\n{te}\r\nContent-Length: 6"), HELLO, BeOrFail("hello")),
            ok("an invalid length", &format!("Content-Length: x\r\n{te}"), HELLO, BeOrFail("hello")),
        ],
        STAYS,
    );
    // Any other coding goes to the end of the connection (RFC 9112 section 6.3).
    hold(
        "GET",
        &[
            ok("twice chunked", &format!("{te}\r\n{te}"), HELLO, Vary),
            ok("chunked, chunked", "Transfer-Encoding: chunked, chunked", HELLO, Vary),
            ok("gzip, chunked", "Transfer-Encoding: gzip, chunked", HELLO, Vary),
            ok("chunked, identity", "Transfer-Encoding: chunked, identity", HELLO, Vary),
            ok("identity", "Transfer-Encoding: identity", HELLO, Vary),
            ok("identity and a length", "Transfer-Encoding: identity\r\nContent-Length: 5", "hello", Vary),
            ok("xchunked", "Transfer-Encoding: xchunked", HELLO, Vary),
            ok("xchunked and a length", "Transfer-Encoding: xchunked\r\nContent-Length: 5", "hello", Vary),
            ok("comma", "Transfer-Encoding: ,chunked", HELLO, Vary),
            ok("space before the colon", "Transfer-Encoding : chunked", HELLO, Vary),
            ok("empty", "Transfer-Encoding:", HELLO, Vary),
            ok("vertical tab", "Transfer-Encoding: \x0bchunked", HELLO, Fail),
            ok("folded", "Transfer-Encoding:\r\n chunked", HELLO, Vary),
            raw("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n{te}\r\n\r\n{HELLO}{EXTRA}"), Vary),
            raw(
                "HTTP/1.0 and a length",
                format!("HTTP/1.0 200 OK\r\n{te}\r\nContent-Length: 5\r\n\r\nhello{EXTRA}"),
                Vary,
            ),
        ],
        CLOSES,
    );
}

#[test]
fn bad_chunks_in_an_answer_break_it() {
    let chunked = |name, rest: &str, may| ok(name, "Transfer-Encoding: chunked", rest, may);
    let extension = |length: usize| format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(length));
    hold(
        "GET",
        &[
            chunked("plain", HELLO, Be("hello")),
            chunked("0x", "0x5\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("plus", "+5\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("minus", "-5\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("underscore", "5_\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("empty", "\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("no digit", "g\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("2^64 - 1", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("longer than its data", "4\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("shorter than its data", "6\r\nhello\r\n0\r\n\r\n", Fail),
            chunked("nothing after the data", "5\r\nhello0\r\n\r\n", Fail),
            chunked("letters after the data", "5\r\nhelloXX0\r\n\r\n", Fail),
            chunked("CR after the data", "5\r\nhello\r0\r\n\r\n", Fail),
            chunked("LF after the data", "5\r\nhello\n0\r\n\r\n", BeOrFail("hello")),
            chunked("LF after the size", "5\nhello\r\n0\r\n\r\n", BeOrFail("hello")),
            chunked("extension", "5;a=b\r\nhello\r\n0;c\r\n\r\n", BeOrFail("hello")),
            chunked("LF in an extension", "5;a\nhello\r\n0\r\n\r\n", BeOrFail("hello")),
            chunked("an extension of 100 KiB", &extension(100 << 10), BeOrFail("hello")),
            chunked("trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", BeOrFail("hello")),
            chunked("framing in trailers", "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", BeOrFail("hello")),
            chunked("a trailer without a colon", "5\r\nhello\r\n0\r\nX-Sum\r\n\r\n", BeOrFail("hello")),
            chunked("NUL in a trailer", "5\r\nhello\r\n0\r\nX-Sum: \0\r\n\r\n", BeOrFail("hello")),
        ],
        STAYS,
    );
}

// --- heads ---------------------------------------------------------------------------------------------------------------------

#[test]
fn a_head_that_is_none_is_502() {
    let head = |name, head: &str, may| raw(name, format!("{head}\r\nContent-Length: 5\r\n\r\nhello{EXTRA}"), may);
    hold(
        "GET",
        &[
            head("plain", "HTTP/1.1 200 OK", Be("hello")),
            head("no reason", "HTTP/1.1 200", BeOrFail("hello")),
            head("no reason, but a space", "HTTP/1.1 200 ", Be("hello")),
            head("Latin-1 reason", "HTTP/1.1 200 \u{e4}", BeOrFail("hello")),
            head("four digits", "HTTP/1.1 2000 OK", Fail),
            head("two digits", "HTTP/1.1 20 OK", Fail),
            head("no digits", "HTTP/1.1 OK", Fail),
            head("signed", "HTTP/1.1 +200 OK", Fail),
            head("000", "HTTP/1.1 000 OK", Fail),
            head("HTTP/2.0", "HTTP/2.0 200 OK", Fail),
            head("HTTP/0.9", "HTTP/0.9 200 OK", Fail),
            head("ICY", "ICY 200 OK", Fail),
            head("lower case", "http/1.1 200 OK", Fail),
            head("no version", "200 OK", Fail),
            head("a request", "GET / HTTP/1.1\r\nHost: x", Fail),
            head("NUL in the reason", "HTTP/1.1 200 O\0K", Fail),
            head("NUL before", "\0HTTP/1.1 200 OK", Fail),
            head("text", "hello", Fail),
            head("an empty line before", "\r\nHTTP/1.1 200 OK", BeOrFail("hello")),
            head("LF", "HTTP/1.1 200 OK\nX-A: b", BeOrFail("hello")),
            head("CR in the reason", "HTTP/1.1 200 O\rK", Fail),
            head("NUL in a value", "HTTP/1.1 200 OK\r\nX-A: b\0c", Fail),
            head("NUL in a name", "HTTP/1.1 200 OK\r\nX\0A: b", Fail),
            head("CR in a value", "HTTP/1.1 200 OK\r\nX-A: b\rc", Fail),
            head("CR before framing", "HTTP/1.1 200 OK\r\nX-A: b\rTransfer-Encoding: chunked", Fail),
            head("escape in a value", "HTTP/1.1 200 OK\r\nX-A: b\x1bc", Fail),
            head("no colon", "HTTP/1.1 200 OK\r\nX-A", Fail),
            head("no name", "HTTP/1.1 200 OK\r\n: b", Fail),
            head("a space in a name", "HTTP/1.1 200 OK\r\nX A: b", Fail),
            head("folded", "HTTP/1.1 200 OK\r\nX-A: b\r\n c", BeOrFail("hello")),
            head("folded first line", "HTTP/1.1 200 OK\r\n X-A: b", BeOrFail("hello")),
        ],
        STAYS,
    );
}

#[test]
fn a_head_without_end_is_502() {
    let long = |name, length: usize, may| {
        raw(name, format!("HTTP/1.1 200 OK\r\nX-A: {}\r\nContent-Length: 5\r\n\r\nhello", "a".repeat(length)), may)
    };
    let many = |count: usize| -> String { (0..count).map(|n| format!("X-N-{n}: aaaaaaaaaaaaaaaa\r\n")).collect() };
    let headers =
        |name, count, may| raw(name, format!("HTTP/1.1 200 OK\r\n{}Content-Length: 5\r\n\r\nhello", many(count)), may);
    hold(
        "GET",
        &[
            long("4 KiB", 4 << 10, Be("hello")),
            long("64 KiB", 64 << 10, BeOrFail("hello")),
            long("4 MiB", 4 << 20, Fail),
            headers("60 lines", 60, Be("hello")),
            headers("1000 lines", 1_000, BeOrFail("hello")),
            headers("100,000 lines", 100_000, Fail),
            raw("never ends", format!("HTTP/1.1 200 OK\r\n{}", many(100_000)), Fail),
            raw("a line that never ends", format!("HTTP/1.1 200 OK\r\nX-A: {}", "a".repeat(4 << 20)), Fail),
            raw("a reason that never ends", format!("HTTP/1.1 200 {}", "a".repeat(4 << 20)), Fail),
            raw("stops inside", "HTTP/1.1 200 OK\r\nX-A: b", Fail),
        ],
        STAYS,
    );
}

#[test]
fn interim_answers_are_no_answers() {
    let interim =
        |name, before: &str, may| raw(name, format!("{before}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), may);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    hold(
        "GET",
        &[
            interim("100", "HTTP/1.1 100 Continue\r\n\r\n", Be("hello")),
            interim("102", "HTTP/1.1 102 Processing\r\n\r\n", Be("hello")),
            interim("103", hints, Be("hello")),
            interim("199", "HTTP/1.1 199 Whatever\r\n\r\n", BeOrFail("hello")),
            interim("three", &hints.repeat(3), Be("hello")),
            interim("100,000", &hints.repeat(100_000), BeOrFail("hello")),
            interim("with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", BeOrFail("hello")),
            interim("with a body", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello", Fail),
            interim("chunked", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Fail),
            raw("for ever", "HTTP/1.1 100 Continue\r\n\r\n".repeat(200_000), Fail),
        ],
        STAYS,
    );
}

/// RFC 9110 section 15.2.2: only a client that asked may be answered so. A tunnel would let its bytes through unseen.
#[test]
fn a_switch_nobody_asked_for_is_502() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let rows = [
        raw("101", switch, Fail),
        raw("101 and an answer", format!("{switch}{EXTRA}"), Fail),
        raw("101 without a protocol", format!("HTTP/1.1 101 Switching Protocols\r\n\r\n{EXTRA}"), Fail),
        raw("101 with a body", format!("HTTP/1.1 101 X\r\nContent-Length: 5\r\n\r\nhello{EXTRA}"), Fail),
        raw("101 after 100", format!("HTTP/1.1 100 Continue\r\n\r\n{switch}"), Fail),
    ];
    for end in [STAYS, CLOSES, Script::then_tunnel as fn(Script) -> Script] {
        hold("GET", &rows, end);
    }
}

/// RFC 9112 section 6.3, whatever the headers say.
#[test]
fn answers_without_a_body_have_none() {
    let with = |name, status: &str, lines: &str, rest: &str| {
        raw(name, format!("HTTP/1.1 {status}\r\n{lines}\r\n\r\n{rest}{EXTRA}"), BeOrFail(""))
    };
    let rows = |status: &'static str| {
        [
            with("a length", status, "Content-Length: 5", ""),
            with("a length and a body", status, "Content-Length: 5", "hello"),
            with("a length of what follows", status, "Content-Length: 47", ""),
            with("chunked", status, "Transfer-Encoding: chunked", ""),
            with("chunked and a body", status, "Transfer-Encoding: chunked", HELLO),
            with("nothing said", status, "X-A: b", ""),
            with("nothing said, a body", status, "X-A: b", "hello"),
        ]
    };
    hold("GET", &rows("204 No Content"), STAYS);
    hold("GET", &rows("304 Not Modified"), STAYS);
    hold("HEAD", &rows("200 OK"), STAYS);
    hold("HEAD", &rows("404 Not Found"), STAYS);
}

// --- what nobody asked for -------------------------------------------------------------------------------------------------------

/// All kinds of leftovers, sent together with the answer.
#[test]
fn what_follows_an_answer_at_once_reaches_nobody() {
    let tails: [(&'static str, Vec<u8>); 8] = [
        ("an answer", EXTRA.into()),
        ("two answers", EXTRA.repeat(2).into()),
        ("the start of an answer", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:".into()),
        ("one letter", "H".into()),
        ("an empty line", "\r\n".into()),
        ("NUL", "\0".into()),
        ("an interim answer", "HTTP/1.1 100 Continue\r\n\r\n".into()),
        ("1 MiB", vec![b'x'; 1 << 20]),
    ];
    let heads = [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", HELLO),
        ("Content-Length: 0\r\nX-Empty: yes", ""),
    ];
    for (lines, body) in heads {
        let whole = if body.is_empty() { Be("") } else { Be("hello") };
        let row = |(name, tail): &(&'static str, Vec<u8>)| {
            raw(name, [format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{body}").as_bytes(), tail].concat(), whole)
        };
        hold("GET", &tails.iter().map(row).collect::<Vec<_>>(), STAYS);
    }
}

/// What comes while the connection waits in the pool is found there before the next request is sent.
#[test]
fn what_comes_on_an_idle_connection_reaches_nobody() {
    for extra in [EXTRA, "H", "\r\n", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
    {
        let (go, gone) = (Gate::closed(), Gate::closed());
        let (wait, tell) = (go.clone(), gone.clone());
        let upstream = Upstream::answering(move |request: &Received| match (request.connection, request.nth) {
            (0, 0) => Script::echo().then_pass(&wait).then_send(extra).then_open(&tell),
            _ => Script::echo(),
        });
        let gateway = Gateway::with(&proxying_to(&upstream.url(), &["retries: 0"]))
            .setting("nginx_worker_processes", "1")
            .start();
        assert_eq!(gateway.get("/first").json()["path"], "/first");
        go.open();
        eventually(SOON, || gone.is_open());
        for path in ["/second", "/third"] {
            let answer = gateway.send(&Request::post(path, "hello"));
            assert_eq!((answer.status, &answer.json()["path"]), (200, &path.into()), "after {extra:?}");
        }
    }
}

/// An answer that comes before the request is complete belongs to it; what is left of the request must not be taken for
/// the next one.
#[test]
fn an_early_answer_leaves_nothing_for_the_next_request() {
    let inside = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for (lines, start, rest) in [
        (format!("Content-Length: {}", 5 + inside.len()), "hello".to_owned(), inside.to_owned()),
        (
            "Transfer-Encoding: chunked".to_owned(),
            "5\r\nhello\r\n".to_owned(),
            format!("{:x}\r\n{inside}\r\n0\r\n\r\n", inside.len()),
        ),
    ] {
        let upstream = Upstream::answering(|request: &Received| match request.path.as_str() {
            "/early" => Script::from(Reply::ok("early")).without_reading_the_body(),
            _ => Script::echo(),
        });
        let document = format!("{}    request_buffering: false\n", proxying_to(&upstream.url(), &["retries: 0"]));
        let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
        let mut connection = gateway.connect();
        connection.send(format!("POST /early HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n\r\n{start}"));
        assert_eq!(connection.answer().text(), "early", "{lines}");
        // The gateway may have closed by now.
        let _ = connection.try_send(&rest);
        let _ = connection.try_send(Request::get("/tail").header("Connection", "close").bytes());
        connection.finish_sending();
        while connection.try_answer().is_ok() {}
        assert_eq!(check_next_clients(&gateway), Ok(()), "{lines}");
        for reading in upstream.wires().iter().map(|wire| Reading::strict(wire)) {
            assert_eq!(reading.wrong, None, "{lines}");
            assert!(reading.whole.iter().all(|request| request.target != "/smuggled"), "{lines}: {reading:?}");
        }
    }
}

/// Many clients at once over few pooled connections, among them some whose upstream misbehaves.
#[test]
fn misbehaving_answers_under_load_reach_only_those_they_are_for() {
    let evil: Vec<Script> = vec![
        Script::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello{EXTRA}")),
        Script::raw(
            [
                Reply::new(200).head_only().header("Transfer-Encoding", "chunked").bytes(),
                chunk("hello"),
                LAST_CHUNK.to_vec(),
                EXTRA.into(),
            ]
            .concat(),
        ),
        Script::raw(format!("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello{EXTRA}")),
        Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello").then_close(),
        Script::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello{EXTRA}")),
    ];
    let count = evil.len();
    let (_upstream, gateway) = playing(evil);
    let gateway = Arc::new(gateway);
    let threads: Vec<_> = (0..8)
        .map(|client| {
            let gateway = Arc::clone(&gateway);
            std::thread::spawn(move || {
                let mut connection = gateway.connect();
                for n in 0..40 {
                    if client % 2 == 0 {
                        let _ = gateway.connect().try_request(&Request::get(&format!("/{}", n % count)));
                        continue;
                    }
                    let path = format!("/own-{client}-{n}");
                    assert_eq!(connection.request(&Request::post(&path, "hello")).json()["path"], path.as_str());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("own answers only");
    }
}
