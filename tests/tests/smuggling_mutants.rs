//! Valid requests with a few random faults, the same in every run: whatever they become, the upstream gets well-formed
//! requests that are among those that RFC 9112 sees in the bytes, or none.

use std::thread;

use fastrand::Rng;
use towergate_tests::{Ending, Exact, Outcome, Reading, TAIL, Trial};

/// What is mutated: requests of all framings, two on a connection.
const SEEDS: [&str; 7] = [
    "POST /first HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\n\r\nhello",
    "POST /first HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "PUT /first HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    "GET /first HTTP/1.1\r\nHost: gateway.test\r\nConnection: keep-alive, X-A\r\nX-A: b\r\n\r\n",
    "POST /first HTTP/1.0\r\nHost: gateway.test\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    "GET http://gateway.test/first HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "POST /first HTTP/1.1\r\nHost: gateway.test\r\nExpect: 100-continue\r\nContent-Length: 46\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
];

/// What parsers have stumbled over.
const PIECES: [&str; 34] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\n\n",
    "\0",
    " ",
    "\t",
    "\x0b",
    "\x7f",
    ":",
    ",",
    ";",
    "\"",
    "0",
    "00",
    "5",
    "f",
    "0x",
    "+",
    "-",
    "_",
    "chunked",
    ", identity",
    "0\r\n\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 50\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Host: evil.test\r\n",
    "Connection: Content-Length, Transfer-Encoding, Host\r\n",
    "Upgrade: h2c\r\n",
    "GET /smuggled HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    "\r\n ",
];

fn mutant(random: &mut Rng) -> Vec<u8> {
    let mut bytes = SEEDS[random.usize(..SEEDS.len())].as_bytes().to_vec();
    for _ in 0..random.usize(1..4) {
        mutate(&mut bytes, random);
    }
    [bytes, TAIL.into()].concat()
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Rng) {
    let place = random.usize(..bytes.len());
    let piece = PIECES[random.usize(..PIECES.len())].bytes();
    match random.u8(..8) {
        0 => bytes[place] = random.u8(..),
        1 => bytes[place] ^= 0x20,
        2 => drop(bytes.remove(place)),
        3 => drop(bytes.splice(place..place, piece)),
        4 => drop(bytes.splice(place..=place, piece)),
        // At the beginning of a line, where whole headers go.
        5 | 6 => {
            let line = line_at(bytes, place).start;
            drop(bytes.splice(line..line, piece));
        }
        _ => {
            let line = line_at(bytes, place);
            let copy = bytes[line.clone()].to_vec();
            drop(bytes.splice(line.end..line.end, copy));
        }
    }
}

fn line_at(bytes: &[u8], place: usize) -> std::ops::Range<usize> {
    let start = bytes[..place].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = bytes[place..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| place + end + 1);
    start..end
}

/// The requests at the upstream must be among those that can be seen in the bytes, in their order.
fn check(expected: &[Exact], outcome: &Outcome) -> Result<(), String> {
    let mut expected = expected.iter();
    match outcome.requests.iter().find(|got| !expected.any(|request| is_same(request, got))) {
        Some(got) => Err(format!("forwarded {got:?}")),
        None => Ok(()),
    }
}

fn is_same(sent: &Exact, got: &Exact) -> bool {
    sent.method == got.method && sent.body == got.body && origin_form(&sent.target) == got.target
}

/// The target without scheme, host and fragment; what a URL cannot hold is encoded.
fn origin_form(target: &str) -> String {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.starts_with('/') => rest.find('/').map_or("/", |path| &rest[path..]),
        _ => target,
    };
    path.split('#').next().unwrap_or_default().replace('"', "%22")
}

fn run(seed: u64, count: usize, buffering: &str) -> Vec<String> {
    let trial = Trial::patient(&format!("    request_buffering: {buffering}\n"), "200ms");
    let mut random = Rng::with_seed(seed);
    let mut failures = Vec::new();
    for n in 0..count {
        let bytes = mutant(&mut random);
        let expected = Reading::tolerant(&bytes).whole;
        let most = expected.len().max(1);
        let result = trial.send(&bytes, Ending::AfterAnswers(most));
        if let Err(why) = result.and_then(|outcome| check(&expected, &outcome)) {
            failures.push(format!("seed {seed}, {n}: {why}\n  of {:?}", String::from_utf8_lossy(&bytes)));
        }
    }
    assert!(!trial.gateway().log().contains("panicked"), "{}", trial.gateway().log());
    failures
}

#[test]
fn mutants_become_requests_that_are_in_them_or_none() {
    let threads: Vec<_> = (1..=6)
        .map(|seed| thread::spawn(move || run(seed, 300, if seed % 2 == 0 { "true" } else { "false" })))
        .collect();
    let failures: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}
