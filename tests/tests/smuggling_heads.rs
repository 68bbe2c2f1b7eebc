//! Heads that could be read in two ways: lines, control bytes, targets, hosts, versions, methods. The upstream gets one
//! well-formed request or none (RFC 9112 sections 2 to 5).

use towergate_tests::{
    BOTH, Case, Ending, FIRST, NONE, PERHAPS_BOTH, PERHAPS_FIRST, PERHAPS_TAIL, Request, TAIL, Trial, chunk, hold,
};

/// A first request as it stands, then the tail.
fn before_tail(name: &'static str, first: impl AsRef<[u8]>, allowed: towergate_tests::Allowed) -> Case {
    Case::raw(name, [first.as_ref(), TAIL.as_bytes()].concat(), allowed)
}

/// `GET /first` with these bytes as header lines.
fn with_lines(name: &'static str, lines: impl AsRef<[u8]>, allowed: towergate_tests::Allowed) -> Case {
    let head = [b"GET /first HTTP/1.1\r\nHost: gateway.test\r\n", lines.as_ref(), b"\r\n\r\n"].concat();
    before_tail(name, head, allowed)
}

/// A request line, with a head that is otherwise right.
fn line(name: &'static str, line: impl AsRef<[u8]>, allowed: towergate_tests::Allowed) -> Case {
    before_tail(name, [line.as_ref(), b"\r\nHost: gateway.test\r\n\r\n"].concat(), allowed)
}

// --- line ends and control bytes -----------------------------------------------------------------------------------------------

/// A server may take LF alone for the end of a line (RFC 9112 section 2.2), and then must do so everywhere. CR alone is
/// never one.
#[test]
fn lines_end_with_crlf() {
    hold(&[
        before_tail("LF after the request line", "GET /first HTTP/1.1\nHost: gateway.test\r\n\r\n", PERHAPS_BOTH),
        before_tail("LF after a header", "GET /first HTTP/1.1\r\nHost: gateway.test\nX-A: b\r\n\r\n", PERHAPS_BOTH),
        before_tail("LF as the empty line", "GET /first HTTP/1.1\r\nHost: gateway.test\r\n\n", PERHAPS_BOTH),
        before_tail("LF everywhere", "GET /first HTTP/1.1\nHost: gateway.test\n\n", PERHAPS_BOTH),
        before_tail("CRLF LF CRLF", "GET /first HTTP/1.1\r\nHost: gateway.test\r\n\nX-A: b\r\n\r\n", PERHAPS_FIRST),
        before_tail("CR after the request line", "GET /first HTTP/1.1\rHost: gateway.test\r\n\r\n", NONE),
        before_tail("CR after a header", "GET /first HTTP/1.1\r\nHost: gateway.test\rX-A: b\r\n\r\n", NONE),
        before_tail("CR everywhere", "GET /first HTTP/1.1\rHost: gateway.test\r\r", NONE),
        before_tail("CR CR LF", "GET /first HTTP/1.1\r\r\nHost: gateway.test\r\r\n\r\r\n", NONE),
        before_tail("LF CR", "GET /first HTTP/1.1\n\rHost: gateway.test\n\r\n\r", NONE),
        with_lines("CR inside a value", "X-A: b\rc", NONE),
        with_lines("CR before a header that matters", "X-A: b\rContent-Length: 5", NONE),
        with_lines("CR at the end of a value", "X-A: b\r", NONE),
        with_lines("LF before a header that matters", "X-A: b\nContent-Length: 0", PERHAPS_BOTH),
        with_lines(
            "LF LF before a request",
            "X-A: b\n\nGET /smuggled HTTP/1.1\nHost: gateway.test\nX-B: c",
            &[&[], &["/first"], &["/first", "/smuggled"], &["/first", "/smuggled", "/tail"]],
        ),
        with_lines("folded", "X-A: b\r\n c", PERHAPS_BOTH),
        with_lines("folded with a tab", "X-A: b\r\n\tc", PERHAPS_BOTH),
        with_lines("folded with nothing", "X-A: b\r\n ", PERHAPS_BOTH),
        before_tail("folded first line", "GET /first HTTP/1.1\r\n Host: gateway.test\r\n\r\n", NONE),
        before_tail("an empty line before", "\r\nGET /first HTTP/1.1\r\nHost: gateway.test\r\n\r\n", PERHAPS_BOTH),
        before_tail("LF before", "\nGET /first HTTP/1.1\r\nHost: gateway.test\r\n\r\n", PERHAPS_BOTH),
        before_tail(
            "ten empty lines before",
            format!("{}GET /first HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n".repeat(10)),
            PERHAPS_BOTH,
        ),
        // nginx skips it like an empty line.
        before_tail("CR before", "\rGET /first HTTP/1.1\r\nHost: gateway.test\r\n\r\n", PERHAPS_BOTH),
        before_tail("an empty line after", "GET /first HTTP/1.1\r\nHost: gateway.test\r\n\r\n\r\n", PERHAPS_BOTH),
    ]);
}

#[test]
fn control_bytes_are_in_no_name_and_no_value() {
    let names: [(&'static str, &[u8]); 16] = [
        ("NUL", b"X-A\x00: b"),
        ("SOH", b"X-\x01A: b"),
        ("space", b"X A: b"),
        ("space at the end", b"X-A : b"),
        ("tab", b"X-A\t: b"),
        ("vertical tab", b"X-A\x0b: b"),
        ("DEL", b"X-A\x7f: b"),
        ("Latin-1", b"X-\xe4: b"),
        ("UTF-8", "X-ä: b".as_bytes()),
        ("empty", b": b"),
        ("only a colon", b":"),
        ("no colon", b"X-A"),
        ("a quote", b"\"X-A\": b"),
        ("a slash", b"X/A: b"),
        ("a bracket", b"X(A): b"),
        ("an equals sign", b"X=A: b"),
    ];
    let values: [(&'static str, &[u8]); 8] = [
        ("NUL in a value", b"X-A: b\x00c"),
        ("NUL before a value", b"X-A: \x00b"),
        ("SOH in a value", b"X-A: b\x01c"),
        ("backspace in a value", b"X-A: b\x08c"),
        ("escape in a value", b"X-A: b\x1bc"),
        ("vertical tab in a value", b"X-A: b\x0bc"),
        ("form feed in a value", b"X-A: b\x0cc"),
        ("DEL in a value", b"X-A: b\x7fc"),
    ];
    let fine: [(&'static str, &[u8]); 4] = [
        ("tab in a value", b"X-A: b\tc"),
        ("Latin-1 in a value", b"X-A: \xe4"),
        ("UTF-8 in a value", "X-A: ä".as_bytes()),
        ("empty value", b"X-A:"),
    ];
    let refused = names.iter().chain(&values).map(|(name, lines)| with_lines(name, lines, NONE));
    hold(&refused.chain(fine.iter().map(|(name, lines)| with_lines(name, lines, BOTH))).collect::<Vec<_>>());
}

// --- the request line ------------------------------------------------------------------------------------------------------------

#[test]
fn a_request_line_has_three_words() {
    hold(&[
        line("plain", "GET /first HTTP/1.1", BOTH),
        line("two spaces before the target", "GET  /first HTTP/1.1", PERHAPS_BOTH),
        line("two spaces before the version", "GET /first  HTTP/1.1", PERHAPS_BOTH),
        line("space at the end", "GET /first HTTP/1.1 ", PERHAPS_BOTH),
        line("space before", " GET /first HTTP/1.1", PERHAPS_BOTH),
        line("tab before", "\tGET /first HTTP/1.1", PERHAPS_BOTH),
        line("tabs between", "GET\t/first\tHTTP/1.1", PERHAPS_BOTH),
        line("vertical tab between", "GET\x0b/first HTTP/1.1", NONE),
        line("form feed between", "GET /first\x0cHTTP/1.1", NONE),
        line("NUL between", "GET\x00/first HTTP/1.1", NONE),
        line("NUL before", "\x00GET /first HTTP/1.1", NONE),
        line("CR between", "GET /first\rHTTP/1.1", NONE),
        line("no-break space between", b"GET\xa0/first HTTP/1.1", NONE),
        line("two targets", "GET /first /smuggled HTTP/1.1", NONE),
        line("two versions", "GET /first HTTP/1.1 HTTP/1.1", NONE),
        line("a word after", "GET /first HTTP/1.1 x", NONE),
        line("no space before the target", "GET/first HTTP/1.1", NONE),
        line("no space before the version", "GET /firstHTTP/1.1", NONE),
        line("no target", "GET HTTP/1.1", NONE),
        line("no method", "/first HTTP/1.1", NONE),
        line("only a method", "GET", NONE),
        line("empty", "", NONE),
        line("a request inside", "GET /first HTTP/1.1\nGET /smuggled HTTP/1.1", NONE),
        line("two request lines", "GET /first HTTP/1.1\r\nGET /smuggled HTTP/1.1", NONE),
        line("a header as request line", "Host: gateway.test", NONE),
        line("an answer", "HTTP/1.1 200 OK", NONE),
    ]);
}

/// HTTP/0.9 and later versions have no place here; a higher minor version is read as 1.1 (RFC 9110 section 2.5).
#[test]
fn a_version_is_1_0_or_1_1() {
    hold(&[
        line("0.9", "GET /first HTTP/0.9", NONE),
        line("1.2", "GET /first HTTP/1.2", PERHAPS_BOTH),
        line("1.9", "GET /first HTTP/1.9", PERHAPS_BOTH),
        line("1.10", "GET /first HTTP/1.10", PERHAPS_BOTH),
        line("1", "GET /first HTTP/1", NONE),
        line("1.", "GET /first HTTP/1.", NONE),
        line(".1", "GET /first HTTP/.1", NONE),
        line("01.1", "GET /first HTTP/01.1", NONE),
        line("1.01", "GET /first HTTP/1.01", PERHAPS_BOTH),
        line("1,1", "GET /first HTTP/1,1", NONE),
        line("1.1 with a letter", "GET /first HTTP/1.1x", NONE),
        line("1.1.1", "GET /first HTTP/1.1.1", NONE),
        line("+1.1", "GET /first HTTP/+1.1", NONE),
        line("2.0", "GET /first HTTP/2.0", NONE),
        line("2", "GET /first HTTP/2", NONE),
        line("3.0", "GET /first HTTP/3.0", NONE),
        line("lower case", "GET /first http/1.1", NONE),
        line("mixed case", "GET /first HtTP/1.1", NONE),
        line("space before the slash", "GET /first HTTP /1.1", NONE),
        line("space after the slash", "GET /first HTTP/ 1.1", NONE),
        line("another protocol", "GET /first ICAP/1.0", NONE),
        line("backslash", "GET /first HTTP\\1.1", NONE),
        before_tail("no version", "GET /first\r\n\r\n", NONE),
        before_tail("no version, LF", "GET /first\n", NONE),
        before_tail("no version, but headers", "GET /first\r\nHost: gateway.test\r\n\r\n", NONE),
        Case::raw("the preface of HTTP/2", format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{TAIL}"), NONE),
        Case::raw("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), NONE),
    ]);
}

#[test]
fn a_method_is_a_token() {
    hold(&[
        line("lower case", "get /first HTTP/1.1", PERHAPS_BOTH),
        line("mixed case", "Get /first HTTP/1.1", PERHAPS_BOTH),
        line("with a dash", "M-SEARCH /first HTTP/1.1", PERHAPS_BOTH),
        line("with an underscore", "GET_ /first HTTP/1.1", PERHAPS_BOTH),
        line("with a digit", "GET2 /first HTTP/1.1", PERHAPS_BOTH),
        line("all signs of a token", "!#$%&'*+-.^_`|~ /first HTTP/1.1", PERHAPS_BOTH),
        line("at sign", "GET@ /first HTTP/1.1", NONE),
        line("comma", "GET,POST /first HTTP/1.1", NONE),
        line("colon", "GET: /first HTTP/1.1", NONE),
        line("bracket", "G(ET) /first HTTP/1.1", NONE),
        line("quote", "\"GET\" /first HTTP/1.1", NONE),
        line("Latin-1", b"G\xc4T /first HTTP/1.1", NONE),
        line("DEL", "GET\x7f /first HTTP/1.1", NONE),
        line("8 KiB", format!("{} /first HTTP/1.1", "A".repeat(8 << 10)), NONE),
        line("TRACE", "TRACE /first HTTP/1.1", PERHAPS_TAIL),
        line("CONNECT with a path", "CONNECT /first HTTP/1.1", PERHAPS_TAIL),
        line("CONNECT", "CONNECT gateway.test:80 HTTP/1.1", PERHAPS_TAIL),
        line("CONNECT with a full URL", "CONNECT http://gateway.test:80/first HTTP/1.1", PERHAPS_TAIL),
    ]);
    let body = |name, head: &str| {
        before_tail(name, format!("{head}\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"), PERHAPS_TAIL)
    };
    hold(&[body("TRACE with a body", "TRACE /first HTTP/1.1"), body("CONNECT with a body", "CONNECT x:80 HTTP/1.1")]);
}

#[test]
fn a_target_is_a_path_or_a_url() {
    hold(&[
        line("no slash", "GET first HTTP/1.1", NONE),
        line("asterisk", "GET * HTTP/1.1", NONE),
        line("a host", "GET gateway.test HTTP/1.1", NONE),
        line("a host and port", "GET gateway.test:80 HTTP/1.1", NONE),
        line("backslash", "GET \\first HTTP/1.1", NONE),
        line("a question mark", "GET ?first HTTP/1.1", NONE),
        line("a URL without a host", "GET http:///first HTTP/1.1", NONE),
        line("only a scheme", "GET http:// HTTP/1.1", NONE),
        line("one slash after the scheme", "GET http:/first HTTP/1.1", NONE),
        line("a URL", "GET http://gateway.test/first HTTP/1.1", BOTH),
        line("a URL with https", "GET https://gateway.test/first HTTP/1.1", PERHAPS_BOTH),
        line("a URL with another scheme", "GET ftp://gateway.test/first HTTP/1.1", PERHAPS_BOTH),
        line("a URL with a user", "GET http://user@gateway.test/first HTTP/1.1", PERHAPS_BOTH),
        line("a URL with another host", "GET http://other.test/first HTTP/1.1", BOTH),
        line("a URL with two ports", "GET http://gateway.test:80:80/first HTTP/1.1", NONE),
        line("NUL", "GET /first\x00 HTTP/1.1", NONE),
        line("SOH", "GET /fi\x01rst HTTP/1.1", NONE),
        line("DEL", "GET /fi\x7frst HTTP/1.1", NONE),
        line("tab", "GET /fi\trst HTTP/1.1", NONE),
        line("encoded NUL", "GET /first%00 HTTP/1.1", NONE),
        line("a fragment", "GET /first#x HTTP/1.1", PERHAPS_BOTH),
        line("above the root", "GET /../first HTTP/1.1", NONE),
        line("8 KiB", format!("GET /{} HTTP/1.1", "a".repeat(8 << 10)), NONE),
        line("64 KiB", format!("GET /{} HTTP/1.1", "a".repeat(64 << 10)), NONE),
        line("1 MiB", format!("GET /{} HTTP/1.1", "a".repeat(1 << 20)), NONE),
    ]);
}

/// What is encoded stays so: an upstream that splits its request line at spaces sees one line.
#[test]
fn encoded_line_ends_in_a_target_stay_encoded() {
    let trial = Trial::with("");
    for target in ["/a%0d%0aX-Evil:%20x", "/a%20HTTP/1.1%0d%0a%0d%0aGET%20/smuggled", "/a?b=%0d%0a%0d%0a", "/a?b=%20c"]
    {
        let request = Request::get(target).header("Connection", "close").bytes();
        let outcome = trial.send(&request, Ending::AfterAnswers(1)).unwrap();
        assert!(outcome.requests.len() == 1 || outcome.refusal == Some(400), "{target}: {outcome:?}");
        for request in outcome.requests {
            let decoded = request.target.replace("%0D", "\r").replace("%0A", "\n");
            assert!(!decoded.contains(['\r', '\n', ' ']) || decoded != request.target, "{:?}", request.target);
            assert!(request.all("x-evil").is_empty(), "{request:?}");
        }
    }
}

// --- Host --------------------------------------------------------------------------------------------------------------------------

#[test]
fn a_host_is_there_once_and_is_a_host() {
    let hosts =
        |name, lines: &str, allowed| before_tail(name, format!("GET /first HTTP/1.1\r\n{lines}\r\n\r\n"), allowed);
    hold(&[
        hosts("none", "X-A: b", NONE),
        hosts("two", "Host: gateway.test\r\nHost: evil.test", NONE),
        hosts("two the same", "Host: gateway.test\r\nHost: gateway.test", NONE),
        hosts("two in other case", "Host: gateway.test\r\nhOST: evil.test", NONE),
        hosts("two, one empty", "Host: gateway.test\r\nHost:", NONE),
        hosts("two apart", "Host: gateway.test\r\nX-A: b\r\nHost: evil.test", NONE),
        hosts("space before the colon", "Host : gateway.test", NONE),
        hosts("after a space", "X-A: b\r\n Host: gateway.test", NONE),
        hosts("folded", "Host: gateway.test\r\n evil.test", NONE),
        hosts("folded before", "Host:\r\n gateway.test", PERHAPS_BOTH),
        hosts("two listed", "Host: gateway.test, evil.test", NONE),
        hosts("two words", "Host: gateway.test evil.test", NONE),
        hosts("a user", "Host: gateway.test@evil.test", NONE),
        hosts("a path", "Host: gateway.test/first", NONE),
        hosts("a backslash", "Host: gateway.test\\evil.test", NONE),
        hosts("a query", "Host: gateway.test?evil.test", NONE),
        hosts("a fragment", "Host: gateway.test#evil.test", NONE),
        hosts("two ports", "Host: gateway.test:80:81", NONE),
        hosts("a port that is none", "Host: gateway.test:x", NONE),
        hosts("a port that is too large", "Host: gateway.test:65536", NONE),
        hosts("NUL", "Host: gateway.test\x00.evil.test", NONE),
        hosts("tab", "Host: gateway.test\tevil.test", NONE),
        hosts("empty", "Host:", PERHAPS_BOTH),
        hosts("a port", "Host: gateway.test:8000", BOTH),
        hosts("listed in Connection", "Host: gateway.test\r\nConnection: Host", BOTH),
    ]);
}

/// RFC 9112 section 3.2.2: the host of the target counts, and what is forwarded says the same.
#[test]
fn the_host_of_a_url_is_the_only_one_that_is_forwarded() {
    let trial = Trial::with("    preserve_host: true\n");
    for (lines, refusable) in [
        ("Host: evil.test", false),
        ("Host: gateway.test", false),
        ("Host: evil.test\r\nHost: gateway.test", true),
        ("Host: evil.test:80", false),
    ] {
        let bytes = format!("GET http://gateway.test/first HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n");
        let outcome = trial.send(bytes.as_bytes(), Ending::AfterAnswers(1)).unwrap();
        assert!(refusable || outcome.requests.len() == 1, "{lines:?}: {outcome:?}");
        for request in outcome.requests {
            assert_eq!(request.all("host"), ["gateway.test"], "{lines:?}");
            assert!(!format!("{:?}", request.headers).contains("evil"), "{lines:?}: {request:?}");
        }
    }
}

// --- headers about the connection -----------------------------------------------------------------------------------------------------

#[test]
fn a_connection_list_changes_no_framing_and_no_host() {
    let body = |name, list: &str, rest: &str| {
        let lines = format!("Connection: {list}\r\n{rest}");
        Case::post(name, &lines, "hello", BOTH, "hello")
    };
    let length = "Content-Length: 5";
    hold(&[
        body("Content-Length", "Content-Length", length),
        body("keep-alive, Content-Length", "keep-alive, Content-Length", length),
        body("lower case", "content-length", length),
        body("Host", "Host", length),
        body("all", "Host, Content-Length, Transfer-Encoding, Connection, Via", length),
        body("two lines", "Content-Length\r\nConnection: Host", length),
        body("empty entries", ",, ,Content-Length,,", length),
    ]);
    let chunked = |name, list: &str| {
        let lines = format!("Connection: {list}\r\nTransfer-Encoding: chunked");
        Case::post(name, &lines, "5\r\nhello\r\n0\r\n\r\n", BOTH, "hello")
    };
    hold(&[
        chunked("Transfer-Encoding, chunked", "Transfer-Encoding"),
        chunked("TE, chunked", "TE, Trailer"),
        chunked("keep-alive, chunked", "keep-alive, Transfer-Encoding, Host"),
    ]);
    let closes = Case::post(
        "close, Content-Length",
        "Connection: close, Content-Length\r\nContent-Length: 5",
        "hello",
        FIRST,
        "hello",
    );
    hold(&[closes]);
}

/// Whether the wish is passed on or not: as long as nobody has answered 101, what follows is HTTP.
#[test]
fn an_upgrade_that_is_not_granted_is_an_ordinary_request() {
    let settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA";
    hold(&[
        with_lines("h2c", format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}"), PERHAPS_BOTH),
        with_lines("h2c without settings", "Connection: Upgrade\r\nUpgrade: h2c", PERHAPS_BOTH),
        with_lines("h2c not listed", format!("Upgrade: h2c\r\n{settings}"), PERHAPS_BOTH),
        with_lines(
            "h2c settings twice",
            format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}\r\n{settings}"),
            PERHAPS_BOTH,
        ),
        with_lines("websocket", "Connection: Upgrade\r\nUpgrade: websocket", PERHAPS_BOTH),
        with_lines("websocket, h2c", "Connection: Upgrade\r\nUpgrade: websocket, h2c", PERHAPS_BOTH),
        with_lines("two", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c", PERHAPS_BOTH),
        with_lines("TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.2", PERHAPS_BOTH),
        with_lines("nothing", "Connection: Upgrade\r\nUpgrade:", PERHAPS_BOTH),
        Case::post(
            "websocket with a body",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5",
            "hello",
            PERHAPS_BOTH,
            "hello",
        ),
        Case::post(
            "h2c with a chunked body",
            &format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n{settings}\r\nTransfer-Encoding: chunked"),
            "5\r\nhello\r\n0\r\n\r\n",
            PERHAPS_BOTH,
            "hello",
        ),
    ]);
    for request in ["", "Sec-WebSocket-Version: 777\r\n"] {
        // The shape of the known attack on proxies that open the tunnel by themselves: an upgrade the upstream refuses.
        let lines = format!(
            "{request}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        );
        hold(&[with_lines("a refused websocket", lines, PERHAPS_BOTH)]);
    }
}

#[test]
fn expectations_change_no_framing() {
    let length = "Content-Length: 5";
    hold(&[
        Case::post(
            "100-continue, body at once",
            &format!("Expect: 100-continue\r\n{length}"),
            "hello",
            PERHAPS_BOTH,
            "hello",
        ),
        Case::post("upper case", &format!("Expect: 100-CONTINUE\r\n{length}"), "hello", PERHAPS_BOTH, "hello"),
        Case::post(
            "twice",
            &format!("Expect: 100-continue\r\nExpect: 100-continue\r\n{length}"),
            "hello",
            PERHAPS_BOTH,
            "hello",
        ),
        Case::post(
            "listed twice",
            &format!("Expect: 100-continue, 100-continue\r\n{length}"),
            "hello",
            PERHAPS_BOTH,
            "hello",
        ),
        Case::post("unknown", &format!("Expect: 200-ok\r\n{length}"), "hello", PERHAPS_BOTH, "hello"),
        Case::post("with another", &format!("Expect: x 100-continue\r\n{length}"), "hello", PERHAPS_BOTH, "hello"),
        Case::post("folded", &format!("Expect:\r\n 100-continue\r\n{length}"), "hello", PERHAPS_BOTH, "hello"),
        Case::post("vertical tab", &format!("Expect: \x0b100-continue\r\n{length}"), "hello", NONE, ""),
        Case::post("empty", &format!("Expect:\r\n{length}"), "hello", PERHAPS_BOTH, "hello"),
        Case::post("no body", "Expect: 100-continue\r\nContent-Length: 0", "", PERHAPS_BOTH, ""),
        Case::post("no length", "Expect: 100-continue", "", PERHAPS_BOTH, ""),
        Case::post(
            "chunked",
            "Expect: 100-continue\r\nTransfer-Encoding: chunked",
            "5\r\nhello\r\n0\r\n\r\n",
            PERHAPS_BOTH,
            "hello",
        ),
        with_lines("on GET", "Expect: 100-continue", PERHAPS_BOTH),
        with_lines("on GET with a length", "Expect: 100-continue\r\nContent-Length: 0", PERHAPS_BOTH),
        before_tail(
            "HEAD",
            format!("HEAD /first HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{length}\r\n\r\nhello"),
            PERHAPS_BOTH,
        )
        .with_body("hello"),
        before_tail(
            "HTTP/1.0",
            format!("POST /first HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\n{length}\r\n\r\nhello"),
            PERHAPS_FIRST,
        )
        .with_body("hello"),
    ]);
}

// --- many and long lines --------------------------------------------------------------------------------------------------------------

#[test]
fn what_comes_after_a_long_line_counts_or_nothing_does() {
    let long = |length: usize| "a".repeat(length);
    let many = |count: usize| (0..count).map(|n| format!("X-N-{n}: v\r\n")).collect::<String>();
    let hello = "5\r\nhello\r\n0\r\n\r\n";
    let te = "Transfer-Encoding: chunked";
    hold(&[
        Case::post("a value of 7 KiB", &format!("X-A: {}\r\n{te}", long(7 << 10)), hello, BOTH, "hello"),
        Case::post("a value of 9 KiB", &format!("X-A: {}\r\n{te}", long(9 << 10)), hello, PERHAPS_BOTH, "hello"),
        Case::post("a value of 64 KiB", &format!("X-A: {}\r\n{te}", long(64 << 10)), hello, PERHAPS_BOTH, "hello"),
        Case::post("a value of 1 MiB", &format!("X-A: {}\r\n{te}", long(1 << 20)), hello, NONE, ""),
        Case::post("a name of 9 KiB", &format!("{}: b\r\n{te}", long(9 << 10)), hello, PERHAPS_BOTH, "hello"),
        Case::post("a name of 64 KiB", &format!("{}: b\r\n{te}", long(64 << 10)), hello, NONE, ""),
        Case::post("a length after 100 headers", &format!("{}Content-Length: 5", many(100)), "hello", BOTH, "hello"),
        Case::post(
            "a length after 300 headers",
            &format!("{}Content-Length: 5", many(300)),
            "hello",
            PERHAPS_BOTH,
            "hello",
        ),
        Case::post("chunked after 5000 headers", &format!("{}{te}", many(5000)), hello, NONE, ""),
        Case::post(
            "a length after 9 KiB, another before",
            &format!("Content-Length: 0\r\nX-A: {}\r\nContent-Length: 5", long(9 << 10)),
            "hello",
            NONE,
            "",
        ),
        Case::post(
            "a length of 9 KiB",
            &format!("Content-Length: {}5", "0".repeat(9 << 10)),
            "hello",
            PERHAPS_BOTH,
            "hello",
        ),
        with_lines("spaces of 9 KiB", format!("X-A: {}b", " ".repeat(9 << 10)), PERHAPS_BOTH),
        with_lines("a connection list of 7 KiB", format!("Connection: {}", "x,".repeat(3 << 10)), BOTH),
    ]);
}

// --- many requests ----------------------------------------------------------------------------------------------------------------------

#[test]
fn pipelined_requests_of_all_framings_stay_apart() {
    let trial = Trial::with("");
    let post = |n: usize, lines: &str, body: &[u8]| {
        let head = format!("POST /{n} HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n\r\n");
        [head.as_bytes(), body].concat()
    };
    let inside = format!("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n{TAIL}");
    let bytes: Vec<u8> = (0..30)
        .flat_map(|n| match n % 5 {
            0 => Request::get(&format!("/{n}")).bytes(),
            1 => post(n, &format!("Content-Length: {}", inside.len()), inside.as_bytes()),
            2 => post(n, "Transfer-Encoding: chunked", &[chunk(&inside), b"0\r\n\r\n".to_vec()].concat()),
            3 => post(n, "Content-Length: 0", b""),
            _ => post(n, "Transfer-Encoding: chunked", b"0\r\nX-Sum: 1\r\n\r\n"),
        })
        .collect();
    let outcome = trial.send(&bytes, Ending::AfterAnswers(30)).unwrap();
    let expected: Vec<String> = (0..30).map(|n| format!("/{n}")).collect();
    assert_eq!(outcome.targets(), expected);
    for (n, request) in outcome.requests.iter().enumerate() {
        assert_eq!(request.body, if matches!(n % 5, 1 | 2) { inside.as_bytes() } else { b"" }, "{n}");
    }
}

/// However the bytes are cut into pieces, they are the same requests.
#[test]
fn pieces_on_the_wire_change_nothing() {
    let trial = Trial::with("");
    let bytes = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n\
         POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nworld{TAIL}"
    );
    for size in [1, 2, 3, 7, 50] {
        let before = trial.upstream().count();
        let mut connection = trial.gateway().connect();
        for piece in bytes.as_bytes().chunks(size) {
            connection.send(piece);
        }
        for path in ["/a", "/b", "/tail"] {
            assert_eq!(connection.answer().json()["path"], path, "pieces of {size}");
        }
        let bodies: Vec<_> =
            trial.upstream().requests().split_off(before).into_iter().map(|request| request.body).collect();
        assert_eq!(bodies, [&b"hello"[..], b"world", b""], "pieces of {size}");
    }
}
