//! A client of HTTP/2 that knows as much of it as it takes to ask and to see what was answered (RFC 9113): it writes
//! its own frames, and of headers reads no more than the status.

use std::{io, time::Instant};

use super::{
    Work,
    client::{Client, unexpected},
    request::{Requests, numbered},
    tally::Tally,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is said once: no pushes, and windows so large that no response waits for one.
const SETTINGS: &[u8] = &[0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff];

/// How much the connection's window is opened at a time.
const WINDOW: u32 = 0x4000_0000;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS_TYPE: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// `END_STREAM` of data and headers; `ACK` of settings and pings.
const LAST: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// How long a frame's head is.
const FRAME: usize = 9;

/// The streams of one connection.
#[derive(Debug)]
pub(super) struct Http2 {
    next: u32,
    /// Those under way, and since when.
    streams: Vec<(u32, Instant)>,
    /// The beginning of a frame.
    rest: Vec<u8>,
    /// How much may still come before the connection's window is to be opened again.
    window: u32,
    has_begun: bool,
}

/// A frame that was received.
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl Client for Http2 {
    const ALPN: &'static [u8] = b"h2";

    fn new(streams: usize) -> Self {
        Self { next: 1, streams: Vec::with_capacity(streams), rest: Vec::new(), window: WINDOW, has_begun: false }
    }

    fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    fn ask(&mut self, requests: &mut Requests, now: Instant, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.extend_from_slice(PREFACE);
            out.extend_from_slice(SETTINGS);
            put_frame(out, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        }
        put_frame(out, HEADERS, END_HEADERS | LAST, self.next, requests.next());
        self.streams.push((self.next, now));
        self.next = self.next.wrapping_add(2);
    }

    fn take(&mut self, bytes: &[u8], now: Instant, tally: &mut Tally, out: &mut Vec<u8>) -> io::Result<usize> {
        let kept;
        let mut bytes = bytes;
        if !self.rest.is_empty() {
            self.rest.extend_from_slice(bytes);
            kept = std::mem::take(&mut self.rest);
            bytes = &kept;
        }
        let mut complete = 0;
        while let Some((frame, rest)) = split_frame(bytes) {
            complete += usize::from(self.take_frame(&frame, now, tally, out)?);
            bytes = rest;
        }
        self.rest = bytes.to_vec();
        Ok(complete)
    }
}

impl Http2 {
    /// Whether the frame completes a response.
    fn take_frame(
        &mut self,
        frame: &Frame<'_>,
        now: Instant,
        tally: &mut Tally,
        out: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let is_ack = frame.flags & LAST != 0;
        match frame.kind {
            SETTINGS_TYPE if !is_ack => put_frame(out, SETTINGS_TYPE, LAST, 0, &[]),
            PING if !is_ack => put_frame(out, PING, LAST, 0, frame.payload),
            GOAWAY => return Err(unexpected("the server leaves")),
            RST_STREAM => return Err(unexpected("a stream was reset")),
            DATA => self.take_window(frame.payload.len(), out),
            HEADERS if !is_good(frame) => return Err(unexpected("an answer other than 200")),
            _ => {}
        }
        let ends = matches!(frame.kind, DATA | HEADERS) && frame.flags & LAST != 0;
        let Some(place) = self.streams.iter().position(|(stream, _)| ends && *stream == frame.stream) else {
            return Ok(false);
        };
        let (_, began) = self.streams.swap_remove(place);
        tally.answered(now.saturating_duration_since(began), true);
        Ok(true)
    }

    fn take_window(&mut self, length: usize, out: &mut Vec<u8>) {
        self.window = self.window.saturating_sub(u32::try_from(length).unwrap_or(u32::MAX));
        if self.window < WINDOW / 2 {
            put_frame(out, WINDOW_UPDATE, 0, 0, &(WINDOW - self.window).to_be_bytes());
            self.window = WINDOW;
        }
    }
}

/// The headers of a request, nothing of which is to be remembered: the same bytes do for every stream.
pub(super) fn head_block(work: &Work, number: usize) -> Vec<u8> {
    // Of the static table (RFC 7541, appendix A): the method GET, and the scheme http or https.
    let mut block = vec![0x82, if work.tls { 0x87 } else { 0x86 }];
    let mut put = |name: &[u8], value: &[u8]| {
        block.extend_from_slice(name);
        // Requests are made of short texts: a length of seven bits is enough.
        block.push(u8::try_from(value.len().min(126)).unwrap_or_default());
        block.extend_from_slice(value.get(..value.len().min(126)).unwrap_or_default());
    };
    put(&[0x04], numbered(&work.path, number).as_bytes());
    put(&[0x01], b"localhost");
    // `user-agent` and `accept` are numbers 58 and 19, of which 15 fit into the first byte.
    put(&[0x0f, 43], b"towergate-peers");
    put(&[0x0f, 4], b"*/*");
    if let Some((name, value)) = numbered(&work.header, number).split_once(": ") {
        let length = u8::try_from(name.len().min(126)).unwrap_or_default();
        put(&[&[0, length][..], name.to_ascii_lowercase().as_bytes()].concat(), value.as_bytes());
    }
    block
}

fn put_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    out.extend_from_slice(length.get(1..).unwrap_or_default());
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn split_frame(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    let ([a, b, c, kind, flags, stream @ ..], rest) = bytes.split_first_chunk::<FRAME>()?;
    let length = u32::from_be_bytes([0, *a, *b, *c]);
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let stream = u32::from_be_bytes(*stream) & 0x7fff_ffff;
    Some((Frame { kind: *kind, flags: *flags, stream, payload }, rest))
}

/// Whether headers begin with the status 200, as number 8 of the static table: every server writes it so.
fn is_good(frame: &Frame<'_>) -> bool {
    let padding = usize::from(frame.flags & PADDED != 0);
    let priority = if frame.flags & PRIORITY != 0 { 5 } else { 0 };
    let block = frame.payload.get(padding + priority..).unwrap_or_default();
    // The size of the dynamic table may be said first.
    let first = block.iter().find(|byte| **byte & 0xe0 != 0x20);
    // Trailers begin with none.
    first == Some(&0x88)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        put_frame(&mut frame, kind, flags, stream, payload);
        frame
    }

    /// A client with two streams under way, and what it says to begin with.
    fn client() -> (Http2, Vec<u8>) {
        let (mut client, mut requests) =
            (Http2::new(2), Requests::new(&Work { protocol: super::super::Protocol::Http2, ..Work::default() }));
        let mut out = Vec::new();
        client.ask(&mut requests, Instant::now(), &mut out);
        client.ask(&mut requests, Instant::now(), &mut out);
        (client, out)
    }

    #[test]
    fn a_connection_begins_with_preface_settings_and_requests() {
        let (client, out) = client();
        let mut rest = out.strip_prefix(PREFACE).unwrap();
        let mut frames = Vec::new();
        while let Some((frame, next)) = split_frame(rest) {
            frames.push((frame.kind, frame.flags, frame.stream));
            rest = next;
        }
        assert!(rest.is_empty());
        assert_eq!(frames, [(4, 0, 0), (8, 0, 0), (1, 5, 1), (1, 5, 3)]);
        assert_eq!(client.streams.len(), 2);
    }

    #[test]
    fn answers_are_counted_where_their_streams_end_however_they_come() {
        let received = [
            frame(SETTINGS_TYPE, 0, 0, &[]),
            frame(HEADERS, END_HEADERS, 1, &[0x20, 0x88, 0x40]),
            frame(HEADERS, END_HEADERS | LAST, 3, &[0x88]),
            frame(DATA, LAST, 1, b"hi"),
        ]
        .concat();
        for step in 1..=received.len() {
            let ((mut client, _), mut tally, mut out) = (client(), Tally::default(), Vec::new());
            let complete: usize = received
                .chunks(step)
                .map(|piece| client.take(piece, Instant::now(), &mut tally, &mut out).unwrap())
                .sum();
            assert_eq!((complete, tally.requests, client.streams.len()), (2, 2, 0), "{step}");
            assert_eq!(out, frame(SETTINGS_TYPE, LAST, 0, &[]), "settings are acknowledged");
        }
    }

    #[test]
    fn whatever_is_no_answer_ends_the_connection() {
        for received in [
            frame(HEADERS, END_HEADERS | LAST, 1, &[0x8d]),
            frame(RST_STREAM, 0, 1, &[0; 4]),
            frame(GOAWAY, 0, 0, &[0; 8]),
        ] {
            let (mut client, _) = client();
            assert!(client.take(&received, Instant::now(), &mut Tally::default(), &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn the_window_is_opened_again_before_it_is_used_up() {
        let (mut client, _) = client();
        let mut out = Vec::new();
        client.take_window(1000, &mut out);
        assert!(out.is_empty());
        client.take_window((WINDOW / 2) as usize, &mut out);
        assert_eq!(out, frame(WINDOW_UPDATE, 0, 0, &(WINDOW / 2 + 1000).to_be_bytes()));
    }

    #[test]
    fn heads_are_as_rfc_7541_has_them() {
        let work = Work { tls: true, path: "/r{n}".into(), header: "Apikey: k".into(), ..Work::default() };
        let expected =
            b"\x82\x87\x04\x03/r7\x01\x09localhost\x0f\x2b\x0ftowergate-peers\x0f\x04\x03*/*\x00\x06apikey\x01k";
        assert_eq!(head_block(&work, 7), expected);
    }
}
