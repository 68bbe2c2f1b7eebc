//! The entry of the fuzz target on requests that are spoilt here and there.

use proptest::prelude::*;

#[path = "../fuzz_server/mod.rs"]
mod fuzz_server;

pub(crate) use fuzz_server::{Seen, observe};

pub(crate) const WHOLE: [&str; 7] = [
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n",
    "HEAD http://a.example/b HTTP/1.1\nHost: a\n\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n00\r\nX-A: b\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
];

/// Bytes that matter to parsers.
const PIECES: [&[u8]; 24] = [
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\x7f",
    b",",
    b";",
    b"0",
    b"f",
    b"-1",
    b"+5",
    b"\xff",
    b"\r\n ",
    b"chunked",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"HTTP/1.1",
    b"HTTP/2.0",
    b"*",
    b"0\r\n\r\n",
];

pub(crate) fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let requests = prop::collection::vec(prop::sample::select(WHOLE.to_vec()), 1..4);
    let change = (any::<prop::sample::Index>(), prop::sample::select(PIECES.to_vec()), 0usize..4);
    (requests, prop::collection::vec(change, 0..4)).prop_map(|(requests, changes)| {
        let mut bytes = requests.concat().into_bytes();
        for (at, piece, removed) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece.iter().copied());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn spoilt_requests_are_seen_alike_however_they_come(step in any::<u8>(), bytes in spoilt()) {
        fuzz_server::run(&[&[step], &bytes[..]].concat());
    }

    #[test]
    fn anything_is_survived(bytes in any::<Vec<u8>>()) {
        fuzz_server::run(&bytes);
    }
}

#[test]
fn whole_requests_are_seen_as_they_are() {
    let (seen, _) = observe(WHOLE[..4].concat().as_bytes(), 7);
    let bodies: Vec<_> = seen.into_iter().map(|seen| seen.unwrap().body.unwrap()).collect();
    assert_eq!(bodies, [&b""[..], b"", b"hello", b"hello"]);
}
