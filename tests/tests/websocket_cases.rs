//! The case families of the Autobahn test suite, frame by frame: each case is played to a WebSocket server directly and
//! through the gateway, in pieces of several sizes, and what comes back must be the same bytes.
//!
//! The suite itself needs Python 2, which Debian no longer has; these are its families (numbered as there) in our words.
//! Where a case must fail, the server closes: that is what must arrive, not an answer of the gateway's.

use std::net::SocketAddr;

use towergate_tests::sockets::Sockets;
use towergate_tests::{Connection, Gateway, Request, proxying_to};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const LAST: u8 = 0x80;

/// How a case ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// The client says goodbye after it, and all was well.
    Clean,
    /// The server ends it.
    Fails,
}

struct Case {
    name: String,
    frames: Vec<Vec<u8>>,
    end: End,
}

impl Case {
    fn new(name: impl Into<String>, end: End, frames: impl Into<Vec<Vec<u8>>>) -> Self {
        let mut frames = frames.into();
        if end == End::Clean {
            frames.push(frame(LAST | CLOSE, &1000u16.to_be_bytes()));
        }
        Self { name: name.into(), frames, end }
    }

    fn clean(name: impl Into<String>, frames: impl Into<Vec<Vec<u8>>>) -> Self {
        Self::new(name, End::Clean, frames)
    }

    fn fails(name: impl Into<String>, frames: impl Into<Vec<Vec<u8>>>) -> Self {
        Self::new(name, End::Fails, frames)
    }
}

/// A frame of a client: masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=65_535 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn letters(count: usize) -> Vec<u8> {
    (0..count).map(|n| b'a' + u8::try_from(n % 23).unwrap()).collect()
}

/// What a case brings back: all bytes up to the end of the connection.
#[track_caller]
fn play(address: SocketAddr, case: &Case, piece: usize) -> Vec<u8> {
    let mut connection = Connection::open(address);
    let handshake = Request::get("/echo")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    connection.send(handshake.bytes());
    assert_eq!(connection.answer().status, 101, "{}", case.name);
    for bytes in case.frames.concat().chunks(piece) {
        // A server that has seen enough may close before it has seen everything.
        if connection.try_send(bytes).is_err() {
            break;
        }
    }
    connection.drained()
}

/// Plays the cases directly and through the gateway.
#[track_caller]
fn compare(cases: &[Case], pieces: &[usize]) {
    let sockets = Sockets::start();
    let gateway = Gateway::serving(&proxying_to(&sockets.url(), &["retries: 0"]));
    for case in cases {
        let direct = play(sockets.address(), case, usize::MAX);
        if case.end == End::Clean {
            let goodbye = [0x80 | CLOSE, 2, 0x03, 0xe8];
            assert!(direct.ends_with(&goodbye), "{}: the server itself does not end it well", case.name);
        }
        for piece in pieces {
            let through = play(gateway.proxy(), case, *piece);
            assert!(
                direct == through,
                "{} in pieces of {piece}: {} bytes instead of {}",
                case.name,
                through.len(),
                direct.len()
            );
        }
    }
}

#[test]
fn family_1_framing() {
    let sizes = [0, 1, 125, 126, 127, 128, 65_535, 65_536];
    let cases = sizes.iter().flat_map(|size| {
        [(TEXT, "text"), (BINARY, "binary")]
            .map(|(kind, name)| Case::clean(format!("{name} of {size}"), [frame(LAST | kind, &letters(*size))]))
    });
    compare(&cases.collect::<Vec<_>>(), &[usize::MAX, 997]);
}

#[test]
fn family_2_pings_and_pongs() {
    let ping = |payload: &[u8]| frame(LAST | PING, payload);
    let cases = [
        Case::clean("empty ping", [ping(b"")]),
        Case::clean("ping with a payload", [ping(b"Hello, world!")]),
        Case::clean("ping with bytes that are no text", [ping(&[0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb])]),
        Case::clean("ping of 125 bytes", [ping(&[0xfe; 125])]),
        Case::fails("ping of 126 bytes", [ping(&[0xfe; 126])]),
        Case::clean("pong nobody asked for", [frame(LAST | PONG, b"")]),
        Case::clean("pong with a payload nobody asked for", [frame(LAST | PONG, b"unsolicited")]),
        Case::clean("pong nobody asked for, then ping", [frame(LAST | PONG, b"unsolicited"), ping(b"a ping")]),
        Case::clean("ten pings", (0..10).map(|n| ping(format!("payload-{n}").as_bytes())).collect::<Vec<_>>()),
    ];
    compare(&cases, &[usize::MAX, 1]);
}

#[test]
fn family_3_reserved_bits() {
    let mut cases = Vec::new();
    for bits in 1..8u8 {
        for (kind, payload) in [(TEXT, &b"small"[..]), (BINARY, &[0, 0xff]), (PING, b"ping"), (CLOSE, &[3, 0xe8])] {
            let bad = frame(LAST | bits << 4 | kind, payload);
            cases.push(Case::fails(format!("bits {bits} on opcode {kind}"), [bad.clone()]));
            cases.push(Case::fails(
                format!("text, then bits {bits} on opcode {kind}"),
                [frame(LAST | TEXT, b"ok"), bad],
            ));
        }
    }
    compare(&cases, &[usize::MAX]);
}

#[test]
fn family_4_opcodes() {
    let mut cases = Vec::new();
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in [&b""[..], b"reserved opcode payload"] {
            let bad = frame(LAST | opcode, payload);
            cases.push(Case::fails(format!("opcode {opcode}"), [bad.clone()]));
            cases.push(Case::fails(format!("text, then opcode {opcode}"), [frame(LAST | TEXT, b"ok"), bad]));
        }
    }
    compare(&cases, &[usize::MAX]);
}

#[test]
fn family_5_fragmentation() {
    let (begin, middle, end) = (frame(TEXT, b"fragment1"), frame(0, b"fragment2"), frame(LAST, b"fragment3"));
    let ping = frame(LAST | PING, b"ping payload");
    let part = |parts: &[&Vec<u8>]| parts.iter().map(|part| (*part).clone()).collect::<Vec<_>>();
    let cases = [
        Case::fails("a ping in fragments", [frame(PING, b"fragment1")]),
        Case::fails("a pong in fragments", [frame(PONG, b"fragment1")]),
        Case::clean("two fragments", part(&[&begin, &end])),
        Case::clean("three fragments", part(&[&begin, &middle, &end])),
        Case::clean("a ping between", part(&[&begin, &ping, &middle, &ping, &end])),
        Case::clean("empty fragments", [frame(TEXT, b""), frame(0, b""), frame(LAST, b"")]),
        Case::clean(
            "empty fragments around one",
            [frame(TEXT, b""), frame(0, b"middle frame payload"), frame(LAST, b"")],
        ),
        Case::fails("the end of nothing", part(&[&end])),
        Case::fails("the middle of nothing", part(&[&middle])),
        Case::fails("the end of nothing after a message", [frame(LAST | TEXT, b"whole"), end.clone()]),
        Case::fails("a message inside a message", [begin.clone(), frame(LAST | TEXT, b"another")]),
        Case::fails("a beginning inside a message", [begin.clone(), frame(BINARY, b"another")]),
        Case::clean(
            "two messages of two fragments, pings between all",
            part(&[&begin, &ping, &end, &ping, &begin, &ping, &end]),
        ),
    ];
    compare(&cases, &[usize::MAX, 1, 5]);
}

#[test]
fn family_6_utf_8() {
    let text = "Hello-µ@ßöäüàá-UTF-8!! κόσμε 🌍".as_bytes();
    let mut cases = vec![Case::clean("whole", [frame(LAST | TEXT, text)])];
    for cut in 1..text.len() {
        cases.push(Case::clean(format!("cut at {cut}"), [frame(TEXT, &text[..cut]), frame(LAST, &text[cut..])]));
    }
    cases.push(Case::clean(
        "in single bytes",
        text.iter()
            .enumerate()
            .map(|(n, byte)| {
                let first = if n == 0 { TEXT } else { 0 } | if n + 1 == text.len() { LAST } else { 0 };
                frame(first, &[*byte])
            })
            .collect::<Vec<_>>(),
    ));
    for valid in [
        "\u{0}",
        "\u{7f}",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10ffff}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
    ] {
        cases.push(Case::clean(format!("{valid:?}"), [frame(LAST | TEXT, valid.as_bytes())]));
    }
    let invalid: [&[u8]; 14] = [
        &[0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce, 0xbc, 0xce, 0xb5, 0xed, 0xa0, 0x80, 0x65],
        &[0xf8, 0x88, 0x80, 0x80, 0x80],
        &[0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
        &[0xf7, 0xbf, 0xbf, 0xbf],
        &[0xf4, 0x90, 0x80, 0x80],
        &[0x80],
        &[0xbf, 0x80],
        &[0xc0, 0x80],
        &[0xc0, 0xaf],
        &[0xe0, 0x80, 0xaf],
        &[0xed, 0xa0, 0x80],
        &[0xed, 0xbf, 0xbf],
        &[0xfe],
        &[0xff, 0xfe],
    ];
    for bytes in invalid {
        cases.push(Case::fails(format!("{bytes:x?}"), [frame(LAST | TEXT, bytes)]));
        cases.push(Case::fails(format!("{bytes:x?} in the second part"), [frame(TEXT, b"ok"), frame(LAST, bytes)]));
    }
    compare(&cases, &[usize::MAX, 3]);
}

#[test]
fn family_7_closing() {
    let goodbye = |code: u16, reason: &[u8]| frame(LAST | CLOSE, &[&code.to_be_bytes(), reason].concat());
    let text = frame(LAST | TEXT, b"Hello World!");
    let mut cases = vec![
        Case::clean("a message, then goodbye", [text.clone()]),
        Case::fails("goodbye without a code", [frame(LAST | CLOSE, b"")]),
        Case::fails("goodbye with half a code", [frame(LAST | CLOSE, &[3])]),
        Case::fails("goodbye with a reason", [goodbye(1000, b"Hello World!")]),
        Case::fails("goodbye with a long reason", [goodbye(1000, &letters(123))]),
        Case::fails("goodbye with a reason that is too long", [goodbye(1000, &letters(124))]),
        Case::fails("goodbye with a reason that is no text", [goodbye(1000, &[0xce, 0xba, 0xff])]),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        cases.push(Case::fails(format!("goodbye {code}"), [goodbye(code, b"")]));
    }
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(Case::fails(format!("goodbye {code}, which may not be sent"), [goodbye(code, b"")]));
    }
    compare(&cases, &[usize::MAX, 1]);
}

#[test]
fn family_9_limits() {
    let mut cases = Vec::new();
    for kib in [64, 256, 1024, 4096] {
        for (kind, name) in [(TEXT, "text"), (BINARY, "binary")] {
            cases.push(Case::clean(format!("{name} of {kib} KiB"), [frame(LAST | kind, &letters(kib << 10))]));
        }
    }
    for part in [64, 1024, 65_536] {
        let whole = letters(1 << 20);
        let count = whole.len().div_ceil(part);
        let frames = whole
            .chunks(part)
            .enumerate()
            .map(|(n, bytes)| frame(if n == 0 { BINARY } else { 0 } | if n + 1 == count { LAST } else { 0 }, bytes));
        cases.push(Case::clean(format!("1 MiB in fragments of {part}"), frames.collect::<Vec<_>>()));
    }
    compare(&cases, &[usize::MAX, 4093]);
}

/// Client and server take turns, a thousand times for each size.
#[test]
fn family_9_round_trips() {
    let sockets = Sockets::start();
    let gateway = Gateway::serving(&proxying_to(&sockets.url(), &["retries: 0"]));
    let mut socket = towergate_tests::sockets::open(gateway.proxy(), "/echo");
    for size in [0, 16, 64, 256, 1024] {
        let message = towergate_tests::tungstenite::Message::binary(letters(size));
        for _ in 0..1000 {
            socket.send(message.clone()).unwrap();
            assert_eq!(socket.read().unwrap(), message);
        }
    }
}
