//! Requests whose end could be read in two ways: the upstream gets one well-formed request or none, and what comes after
//! is a request of its own only where the framing says so (RFC 9112 sections 6 and 7).

use towergate_tests::{BOTH, Case, FIRST, NONE, PERHAPS_BOTH, PERHAPS_FIRST, TAIL, hold};

/// Header lines, what follows the head, what may become of it, the body of the first request.
type Row<'a> = (&'static str, &'a str, &'a str, towergate_tests::Allowed, &'a str);

fn rows(rows: &[Row<'_>]) -> Vec<Case> {
    rows.iter().map(|(name, lines, rest, allowed, body)| Case::post(name, lines, rest, allowed, body)).collect()
}

const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

// --- Content-Length --------------------------------------------------------------------------------------------------------

#[test]
fn a_length_is_a_number_that_is_there_once() {
    hold(&rows(&[
        ("plain", "Content-Length: 5", "hello", BOTH, "hello"),
        ("without a space", "Content-Length:5", "hello", BOTH, "hello"),
        ("with spaces around", "Content-Length: \t5 \t", "hello", BOTH, "hello"),
        ("lower case", "content-length: 5", "hello", BOTH, "hello"),
        ("zero", "Content-Length: 0", "", BOTH, ""),
        ("leading zeros", "Content-Length: 0005", "hello", PERHAPS_BOTH, "hello"),
        ("many leading zeros", "Content-Length: 00000000000000000000000000005", "hello", PERHAPS_BOTH, "hello"),
        ("twice the same", "Content-Length: 5\r\nContent-Length: 5", "hello", PERHAPS_BOTH, "hello"),
        ("twice in other case", "Content-Length: 5\r\ncontent-length: 5", "hello", PERHAPS_BOTH, "hello"),
        ("listed the same", "Content-Length: 5, 5", "hello", PERHAPS_BOTH, "hello"),
        ("longer then shorter", "Content-Length: 6\r\nContent-Length: 5", "hello", NONE, ""),
        ("shorter then longer", "Content-Length: 5\r\nContent-Length: 6", "hello", NONE, ""),
        ("zero then five", "Content-Length: 0\r\nContent-Length: 5", "hello", NONE, ""),
        ("five then zero", "Content-Length: 5\r\nContent-Length: 0", "hello", NONE, ""),
        ("five then nothing", "Content-Length: 5\r\nContent-Length:", "hello", NONE, ""),
        ("apart", "Content-Length: 5\r\nX-Between: 1\r\nContent-Length: 50", "hello", NONE, ""),
        ("listed differently", "Content-Length: 5, 6", "hello", NONE, ""),
        ("listed with nothing", "Content-Length: 5,", "hello", NONE, ""),
        ("nothing listed first", "Content-Length: ,5", "hello", NONE, ""),
        ("listed without comma", "Content-Length: 5 5", "hello", NONE, ""),
        ("plus", "Content-Length: +5", "hello", NONE, ""),
        ("minus", "Content-Length: -5", "hello", NONE, ""),
        ("minus zero", "Content-Length: -0", "", NONE, ""),
        ("hexadecimal", "Content-Length: 0x5", "hello", NONE, ""),
        ("hexadecimal digit", "Content-Length: a", "0123456789", NONE, ""),
        ("octal", "Content-Length: 0o5", "hello", NONE, ""),
        ("fraction", "Content-Length: 5.0", "hello", NONE, ""),
        ("exponent", "Content-Length: 5e0", "hello", NONE, ""),
        ("underscore inside", "Content-Length: 1_0", "0123456789", NONE, ""),
        ("parameter", "Content-Length: 5;a=b", "hello", NONE, ""),
        ("quoted", "Content-Length: \"5\"", "hello", NONE, ""),
        ("empty", "Content-Length:", "", NONE, ""),
        ("a space", "Content-Length: ", "", NONE, ""),
        ("a word", "Content-Length: five", "hello", NONE, ""),
        ("a digit of another script", "Content-Length: \u{665}", "hello", NONE, ""),
        ("vertical tab before", "Content-Length: \x0b5", "hello", NONE, ""),
        ("form feed after", "Content-Length: 5\x0c", "hello", NONE, ""),
        ("NUL after", "Content-Length: 5\x00", "hello", NONE, ""),
        ("NUL inside", "Content-Length: 5\x000", "hello", NONE, ""),
        ("2^64 + 5", "Content-Length: 18446744073709551621", "hello", NONE, ""),
        ("2^128 + 5", "Content-Length: 340282366920938463463374607431768211461", "hello", NONE, ""),
        ("a hundred digits", &format!("Content-Length: {}", "9".repeat(100)), "hello", NONE, ""),
    ]));
}

#[test]
fn a_name_that_looks_like_content_length_is_not_it() {
    hold(&rows(&[
        ("underscore", "Content_Length: 5", "", BOTH, ""),
        ("one letter more", "Content-Lengths: 5", "", BOTH, ""),
        ("space before the colon", "Content-Length : 5", "hello", NONE, ""),
        ("tab before the colon", "Content-Length\t: 5", "hello", NONE, ""),
        ("NUL in the name", "Content-Length\x00: 5", "hello", NONE, ""),
        ("a space inside", "Content Length: 5", "hello", NONE, ""),
        ("after a space", " Content-Length: 5", "", PERHAPS_BOTH, ""),
        ("after a tab", "X-A: b\r\n\tContent-Length: 5", "", PERHAPS_BOTH, ""),
        ("in a folded line", "Content-Length:\r\n 5", "hello", PERHAPS_BOTH, "hello"),
        ("folded to another number", "Content-Length: 5\r\n 0", "hello", NONE, ""),
        ("without a colon", "Content-Length 5", "hello", NONE, ""),
    ]));
}

// --- Transfer-Encoding -----------------------------------------------------------------------------------------------------

#[test]
fn chunked_is_the_only_coding() {
    hold(&rows(&[
        ("plain", "Transfer-Encoding: chunked", HELLO, BOTH, "hello"),
        ("upper case", "TRANSFER-ENCODING: CHUNKED", HELLO, BOTH, "hello"),
        ("without a space", "Transfer-Encoding:chunked", HELLO, BOTH, "hello"),
        ("spaces around", "Transfer-Encoding: \tchunked \t", HELLO, PERHAPS_BOTH, "hello"),
        ("comma after", "Transfer-Encoding: chunked,", HELLO, NONE, ""),
        ("comma before", "Transfer-Encoding: ,chunked", HELLO, NONE, ""),
        ("comma and space before", "Transfer-Encoding: , chunked", HELLO, NONE, ""),
        ("a letter before", "Transfer-Encoding: xchunked", HELLO, NONE, ""),
        ("a letter after", "Transfer-Encoding: chunkedx", HELLO, NONE, ""),
        ("cut off", "Transfer-Encoding: chunke", HELLO, NONE, ""),
        ("twice listed", "Transfer-Encoding: chunked, chunked", HELLO, NONE, ""),
        ("identity", "Transfer-Encoding: identity", HELLO, NONE, ""),
        ("identity, chunked", "Transfer-Encoding: identity, chunked", HELLO, NONE, ""),
        ("chunked, identity", "Transfer-Encoding: chunked, identity", HELLO, NONE, ""),
        ("gzip, chunked", "Transfer-Encoding: gzip, chunked", HELLO, NONE, ""),
        ("chunked, gzip", "Transfer-Encoding: chunked, gzip", HELLO, NONE, ""),
        ("gzip", "Transfer-Encoding: gzip", HELLO, NONE, ""),
        ("a parameter", "Transfer-Encoding: chunked;q=1", HELLO, NONE, ""),
        ("a quoted parameter", "Transfer-Encoding: chunked;a=\", identity\"", HELLO, NONE, ""),
        ("quoted", "Transfer-Encoding: \"chunked\"", HELLO, NONE, ""),
        ("quoted otherwise", "Transfer-Encoding: 'chunked'", HELLO, NONE, ""),
        ("a space inside", "Transfer-Encoding: chun ked", HELLO, NONE, ""),
        ("two words", "Transfer-Encoding: chunked chunked", HELLO, NONE, ""),
        ("another script's k", "Transfer-Encoding: chun\u{212a}ed", HELLO, NONE, ""),
        ("vertical tab before", "Transfer-Encoding: \x0bchunked", HELLO, NONE, ""),
        ("vertical tab after", "Transfer-Encoding: chunked\x0b", HELLO, NONE, ""),
        ("form feed before", "Transfer-Encoding: \x0cchunked", HELLO, NONE, ""),
        ("NUL after", "Transfer-Encoding: chunked\x00", HELLO, NONE, ""),
        ("bare CR before", "Transfer-Encoding: \rchunked", HELLO, NONE, ""),
        ("empty", "Transfer-Encoding:", HELLO, NONE, ""),
        ("two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", HELLO, NONE, ""),
        ("chunked line, identity line", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", HELLO, NONE, ""),
        ("identity line, chunked line", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", HELLO, NONE, ""),
        ("empty line first", "Transfer-Encoding:\r\nTransfer-Encoding: chunked", HELLO, NONE, ""),
        ("folded", "Transfer-Encoding:\r\n chunked", HELLO, PERHAPS_BOTH, "hello"),
        ("folded to a list", "Transfer-Encoding: chunked\r\n , identity", HELLO, NONE, ""),
        ("folded to a list with tab", "Transfer-Encoding: identity,\r\n\tchunked", HELLO, NONE, ""),
    ]));
}

#[test]
fn a_name_that_looks_like_transfer_encoding_is_not_it() {
    hold(&rows(&[
        ("underscore", "Transfer_Encoding: chunked\r\nContent-Length: 5", "hello", BOTH, "hello"),
        ("no dash", "TransferEncoding: chunked\r\nContent-Length: 5", "hello", BOTH, "hello"),
        ("a letter before", "X-Transfer-Encoding: chunked\r\nContent-Length: 5", "hello", BOTH, "hello"),
        ("space before the colon", "Transfer-Encoding : chunked", HELLO, NONE, ""),
        ("tab before the colon", "Transfer-Encoding\t: chunked", HELLO, NONE, ""),
        ("space before the colon, with a length", "Transfer-Encoding : chunked\r\nContent-Length: 5", HELLO, NONE, ""),
        ("NUL in the name", "Transfer-Encoding\x00: chunked\r\nContent-Length: 5", "hello", NONE, ""),
        ("vertical tab in the name", "\x0bTransfer-Encoding: chunked\r\nContent-Length: 5", "hello", NONE, ""),
        ("two colons", "Transfer-Encoding:: chunked", HELLO, NONE, ""),
        ("after a space", " Transfer-Encoding: chunked\r\nContent-Length: 5", "hello", PERHAPS_BOTH, "hello"),
        ("folded", "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5", "hello", PERHAPS_BOTH, "hello"),
        ("after a bare CR", "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5", "hello", NONE, ""),
        ("after a bare LF", "X-A: b\nTransfer-Encoding: chunked", HELLO, PERHAPS_BOTH, "hello"),
    ]));
}

// --- both --------------------------------------------------------------------------------------------------------------------

#[test]
fn what_follows_a_request_with_two_framings_is_not_trusted() {
    let te = "Transfer-Encoding: chunked";
    hold(&rows(&[
        ("length first", &format!("Content-Length: 15\r\n{te}"), HELLO, PERHAPS_FIRST, "hello"),
        ("length last", &format!("{te}\r\nContent-Length: 15"), HELLO, PERHAPS_FIRST, "hello"),
        ("the length ends earlier", &format!("Content-Length: 3\r\n{te}"), HELLO, PERHAPS_FIRST, "hello"),
        ("the length ends later", &format!("Content-Length: 80\r\n{te}"), HELLO, PERHAPS_FIRST, "hello"),
        ("length zero first", &format!("Content-Length: 0\r\n{te}"), HELLO, PERHAPS_FIRST, "hello"),
        ("length zero last", &format!("{te}\r\nContent-Length: 0"), HELLO, PERHAPS_FIRST, "hello"),
        ("no chunk", &format!("Content-Length: 6\r\n{te}"), "0\r\n\r\nX", PERHAPS_FIRST, ""),
        ("lengths around", &format!("Content-Length: 5\r\n{te}\r\nContent-Length: 5"), HELLO, PERHAPS_FIRST, "hello"),
        (
            "different lengths around",
            &format!("Content-Length: 5\r\n{te}\r\nContent-Length: 6"),
            HELLO,
            PERHAPS_FIRST,
            "hello",
        ),
        ("an invalid length", &format!("Content-Length: x\r\n{te}"), HELLO, PERHAPS_FIRST, "hello"),
        ("identity and a length", "Transfer-Encoding: identity\r\nContent-Length: 5", "hello", NONE, ""),
        ("unknown and a length", "Transfer-Encoding: xchunked\r\nContent-Length: 5", "hello", NONE, ""),
        ("list and a length", "Transfer-Encoding: chunked, identity\r\nContent-Length: 5", "hello", NONE, ""),
        ("empty and a length", "Transfer-Encoding:\r\nContent-Length: 5", "hello", NONE, ""),
        ("comma and a length", "Transfer-Encoding: ,\r\nContent-Length: 5", "hello", NONE, ""),
        (
            "listed in Connection",
            &format!("Connection: Transfer-Encoding\r\nContent-Length: 5\r\n{te}"),
            HELLO,
            PERHAPS_FIRST,
            "hello",
        ),
        (
            "length listed in Connection",
            &format!("Connection: Content-Length\r\nContent-Length: 5\r\n{te}"),
            HELLO,
            PERHAPS_FIRST,
            "hello",
        ),
    ]));
}

#[test]
fn http_1_0_has_no_chunks() {
    let old = |name, lines: &str, rest: &str, allowed| {
        let head = format!("POST /first HTTP/1.0\r\nHost: gateway.test\r\n{lines}\r\n\r\n");
        Case::raw(name, format!("{head}{rest}{TAIL}"), allowed)
    };
    hold(&[
        old("length", "Content-Length: 5\r\nConnection: keep-alive", "hello", PERHAPS_BOTH).with_body("hello"),
        old("chunked", "Transfer-Encoding: chunked", HELLO, NONE),
        old("chunked and keep-alive", "Connection: keep-alive\r\nTransfer-Encoding: chunked", HELLO, NONE),
        old("chunked and a length", "Transfer-Encoding: chunked\r\nContent-Length: 5", HELLO, NONE),
        old("a length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked", HELLO, NONE),
        old("identity", "Transfer-Encoding: identity\r\nContent-Length: 5", "hello", NONE),
        old("closes by default", "Content-Length: 5", "hello", FIRST).with_body("hello"),
    ]);
}

// --- chunks ------------------------------------------------------------------------------------------------------------------

fn chunked(name: &'static str, rest: &str, allowed: towergate_tests::Allowed, body: &str) -> Case {
    Case::post(name, "Transfer-Encoding: chunked", rest, allowed, body)
}

#[test]
fn a_chunk_has_as_many_bytes_as_it_says() {
    hold(&[
        chunked("plain", HELLO, BOTH, "hello"),
        chunked("two", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", BOTH, "hello"),
        chunked("none", "0\r\n\r\n", BOTH, ""),
        chunked("upper case digits", "A\r\n0123456789\r\n0\r\n\r\n", BOTH, "0123456789"),
        chunked("lower case digits", "a\r\n0123456789\r\n0\r\n\r\n", BOTH, "0123456789"),
        chunked("leading zeros", "0005\r\nhello\r\n0000\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("line ends in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", BOTH, "\r\n\r\n"),
        chunked("0x", "0x5\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("plus", "+5\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("minus", "-5\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("minus zero", "-0\r\n\r\n", NONE, ""),
        chunked("underscore after", "5_\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("underscore before", "_5\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("space before", " 5\r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("space after", "5 \r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("tab after", "5\t\r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("space inside", "5 5\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("vertical tab after", "5\x0b\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("NUL after", "5\x00\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("empty", "\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("no digit", "g\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("a quoted digit", "\"5\"\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("2^68 + 5", "100000000000000005\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("2^128 + 5", "100000000000000000000000000000005\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("longer than its data", "4\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("shorter than its data", "6\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("nothing after the data", "5\r\nhello0\r\n\r\n", NONE, ""),
        chunked("letters after the data", "5\r\nhelloXX0\r\n\r\n", NONE, ""),
        chunked("CR after the data", "5\r\nhello\r0\r\n\r\n", NONE, ""),
        chunked("two line ends after the data", "5\r\nhello\r\n\r\n0\r\n\r\n", NONE, ""),
        chunked("LF after the data", "5\r\nhello\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("LF after the size", "5\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("LF everywhere", "5\nhello\n0\n\n", PERHAPS_BOTH, "hello"),
        chunked("CR after the size", "5\rhello\r\n0\r\n\r\n", NONE, ""),
        chunked("CR CR LF after the size", "5\r\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("LF CR after the size", "5\n\rhello\r\n0\r\n\r\n", NONE, ""),
    ]);
}

#[test]
fn an_extension_hides_nothing() {
    let long = |length: usize| format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(length));
    let many = format!("{}0\r\n\r\n", "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(2_000));
    hold(&[
        chunked("name", "5;a\r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("name and value", "5;a=b\r\nhello\r\n0;c=d\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("spaces", "5 ; a = b\r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("quoted", "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("empty", "5;\r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("LF in it", "5;a\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        // Whoever skips to CRLF takes the data for a part of the extension.
        chunked("LF in it, with another chunk behind", "2;\nxx\r\n0\r\n\r\n", PERHAPS_BOTH, "xx"),
        chunked("CR in it", "5;a\rb\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("NUL in it", "5;a\x00\r\nhello\r\n0\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("LF quoted in it", "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("CRLF quoted in it", "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", NONE, ""),
        chunked("8 KiB", &long(8 << 10), PERHAPS_BOTH, "hello"),
        chunked("100 KiB", &long(100 << 10), PERHAPS_BOTH, "hello"),
        chunked("many", &many, PERHAPS_BOTH, &"x".repeat(2_000)),
    ]);
}

#[test]
fn trailers_are_no_headers_and_no_requests() {
    let with = |trailers: &str| format!("5\r\nhello\r\n0\r\n{trailers}\r\n");
    let many: String = (0..5_000).map(|n| format!("X-N-{n}: aaaaaaaaaaaaaaaaaaaa\r\n")).collect();
    hold(&[
        chunked("one", &with("X-Sum: 1\r\n"), BOTH, "hello"),
        chunked("Content-Length", &with("Content-Length: 500\r\n"), PERHAPS_BOTH, "hello"),
        chunked("Transfer-Encoding", &with("Transfer-Encoding: chunked\r\n"), PERHAPS_BOTH, "hello"),
        chunked("Host", &with("Host: evil.test\r\n"), PERHAPS_BOTH, "hello"),
        chunked("Connection", &with("Connection: close, Host\r\n"), PERHAPS_BOTH, "hello"),
        chunked("Authorization", &with("Authorization: Basic eDp5\r\n"), PERHAPS_BOTH, "hello"),
        chunked("Trailer", &with("Trailer: Host\r\n"), PERHAPS_BOTH, "hello"),
        chunked("no colon", &with("GET /smuggled HTTP/1.1\r\n"), PERHAPS_BOTH, "hello"),
        chunked("no name", &with(": x\r\n"), PERHAPS_BOTH, "hello"),
        chunked("space before the colon", &with("X-Sum : 1\r\n"), PERHAPS_BOTH, "hello"),
        chunked("folded", &with("X-Sum: 1\r\n 2\r\n"), PERHAPS_BOTH, "hello"),
        chunked("NUL", &with("X-Sum: \x001\r\n"), PERHAPS_BOTH, "hello"),
        chunked("LF", &with("X-Sum: 1\n"), PERHAPS_BOTH, "hello"),
        chunked("LF LF before the end", "5\r\nhello\r\n0\r\nX-Sum: 1\n\n", PERHAPS_BOTH, "hello"),
        chunked("CR alone", "5\r\nhello\r\n0\r\nX-Sum: 1\rX-B: 2\r\n\r\n", PERHAPS_BOTH, "hello"),
        chunked("5000", &with(&many), PERHAPS_BOTH, "hello"),
        chunked("100 KiB", &with(&format!("X-Sum: {}\r\n", "a".repeat(100 << 10))), PERHAPS_BOTH, "hello"),
    ]);
}

// --- requests inside bodies, bodies that end early -----------------------------------------------------------------------------

#[test]
fn a_request_inside_a_body_is_a_body() {
    let inside = TAIL.replace("/tail", "/smuggled");
    let length = format!("Content-Length: {}", inside.len());
    let chunk = format!("{:x}\r\n{inside}\r\n0\r\n\r\n", inside.len());
    let with = |method: &str, lines: &str, rest: &str| {
        format!("{method} /first HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n\r\n{rest}{TAIL}")
    };
    let mut cases = Vec::new();
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "HEAD"] {
        cases.push(Case::raw(method, with(method, &length, &inside), BOTH).with_body(inside.as_str()));
        cases.push(
            Case::raw(method, with(method, "Transfer-Encoding: chunked", &chunk), BOTH).with_body(inside.as_str()),
        );
    }
    hold(&cases);
}

#[test]
fn a_body_that_ends_early_is_never_a_whole_request() {
    let post = |name, lines: &str, rest: &str| {
        let head = format!("POST /first HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n\r\n");
        Case::raw(name, format!("{head}{rest}"), NONE).cut()
    };
    let te = "Transfer-Encoding: chunked";
    hold(&[
        Case::raw("inside the request line", "POST /fir", NONE).cut(),
        Case::raw("inside the head", "POST /first HTTP/1.1\r\nHost: gateway.test\r\nContent-Le", NONE).cut(),
        Case::raw("before the empty line", "GET /first HTTP/1.1\r\nHost: gateway.test\r\n", NONE).cut(),
        Case::raw("inside the empty line", "GET /first HTTP/1.1\r\nHost: gateway.test\r\n\r", NONE).cut(),
        post("before the body", "Content-Length: 5", ""),
        post("inside the body", "Content-Length: 5", "hell"),
        post("a body of 4 GiB", "Content-Length: 4294967301", "hello"),
        post("a body of 2^63 - 1", "Content-Length: 9223372036854775807", "hello"),
        post("the tail is a part of the body", "Content-Length: 500", TAIL),
        post("before the first chunk", te, ""),
        post("inside a size", te, "5"),
        post("inside the line end of a size", te, "5\r"),
        post("inside an extension", te, "5;a"),
        post("inside a chunk", te, "5\r\nhel"),
        post("after a chunk's data", te, "5\r\nhello"),
        post("after a chunk", te, "5\r\nhello\r\n"),
        post("a chunk of 2^64 - 5", te, "fffffffffffffffb\r\nhello\r\n0\r\n\r\n"),
        post("a chunk of 2^63", te, "8000000000000000\r\nhello\r\n0\r\n\r\n"),
        post("inside the last size", te, "5\r\nhello\r\n0"),
        post("before the trailers", te, "5\r\nhello\r\n0\r\n"),
        post("inside a trailer", te, "5\r\nhello\r\n0\r\nX-Sum: 1"),
        post("after a trailer", te, "5\r\nhello\r\n0\r\nX-Sum: 1\r\n"),
        post("inside the last line end", te, "5\r\nhello\r\n0\r\n\r"),
    ]);
}
