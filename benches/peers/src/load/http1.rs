//! Reading responses of HTTP/1.1, as far as it takes to know where they end.

use std::{io, time::Instant};

use memchr::memmem;

use super::{
    client::{Client, unexpected},
    request::Requests,
    tally::Tally,
};

const HEAD_END: &[u8] = b"\r\n\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One request at a time.
#[derive(Debug)]
pub(super) struct Http1 {
    /// Since when a request is under way.
    began: Option<Instant>,
    is_ok: bool,
    state: State,
    /// The beginning of a head, or the end of what came of chunks.
    rest: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    Body(usize),
    Chunks,
}

impl Client for Http1 {
    const ALPN: &'static [u8] = b"http/1.1";

    fn new(_: usize) -> Self {
        Self { began: None, is_ok: true, state: State::Head, rest: Vec::new() }
    }

    fn is_idle(&self) -> bool {
        self.began.is_none()
    }

    fn ask(&mut self, requests: &mut Requests, now: Instant, out: &mut Vec<u8>) {
        self.began = Some(now);
        out.extend_from_slice(requests.next());
    }

    fn take(&mut self, bytes: &[u8], now: Instant, tally: &mut Tally, _: &mut Vec<u8>) -> io::Result<usize> {
        let is_complete = match self.state {
            State::Head if self.rest.is_empty() => self.take_head(bytes)?,
            State::Head => {
                let mut all = std::mem::take(&mut self.rest);
                all.extend_from_slice(bytes);
                self.take_head(&all)?
            }
            State::Body(left) => self.take_body(left, bytes.len()),
            State::Chunks => self.take_chunks(bytes),
        };
        if is_complete {
            self.state = State::Head;
            let began = self.began.take().unwrap_or(now);
            tally.answered(now.saturating_duration_since(began), self.is_ok);
        }
        Ok(usize::from(is_complete))
    }
}

impl Http1 {
    fn take_head(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let Some(end) = memmem::find(bytes, HEAD_END) else {
            self.rest = bytes.to_vec();
            return Ok(false);
        };
        let (head, body) = bytes.split_at(end + HEAD_END.len());
        self.is_ok = head.starts_with(b"HTTP/1.1 200");
        match framing(head) {
            Some(State::Chunks) => Ok(self.take_chunks(body)),
            Some(State::Body(length)) => Ok(self.take_body(length, body.len())),
            _ => Err(unexpected("a response without a length")),
        }
    }

    fn take_body(&mut self, left: usize, come: usize) -> bool {
        let left = left.saturating_sub(come);
        self.state = State::Body(left);
        left == 0
    }

    fn take_chunks(&mut self, bytes: &[u8]) -> bool {
        self.state = State::Chunks;
        self.rest.extend_from_slice(bytes);
        let is_complete = self.rest.ends_with(LAST_CHUNK);
        let known = if is_complete { self.rest.len() } else { self.rest.len().saturating_sub(LAST_CHUNK.len()) };
        self.rest.drain(..known);
        is_complete
    }
}

fn framing(head: &[u8]) -> Option<State> {
    // The names are told apart without going through every line: heads are read a hundred thousand times a second.
    for (at, _) in head.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = head.get(at + 1..).unwrap_or_default();
        if has_name(line, b"content-length:") {
            let digits = line.get(b"content-length:".len()..).unwrap_or_default();
            let digits = digits.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return std::str::from_utf8(digits).ok()?.trim().parse().ok().map(State::Body);
        }
        if has_name(line, b"transfer-encoding:") {
            return Some(State::Chunks);
        }
    }
    None
}

fn has_name(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After which pieces a response was complete, and how many of them were not good.
    fn read(pieces: &[&[u8]]) -> io::Result<(Vec<usize>, u64)> {
        let (mut client, mut tally, mut complete) = (Http1::new(1), Tally::default(), Vec::new());
        for (number, piece) in pieces.iter().enumerate() {
            if client.take(piece, Instant::now(), &mut tally, &mut Vec::new())? > 0 {
                complete.push(number);
            }
        }
        Ok((complete, tally.errors))
    }

    #[test]
    fn a_response_ends_where_it_says() {
        type Case<'a> = (&'a [&'a [u8]], &'a [usize], u64);
        let table: [Case<'_>; 5] = [
            (&[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"], &[0], 0),
            (&[b"HTTP/1.1 200 OK\r\nContent-Length: 3\r", b"\n\r\n", b"abc"], &[2], 0),
            (&[b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], &[0], 1),
            (&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", b"0\r", b"\n\r\n"], &[2], 0),
            (
                &[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
                &[0, 1],
                0,
            ),
        ];
        for (pieces, complete, errors) in table {
            assert_eq!(read(pieces).unwrap(), (complete.to_vec(), errors));
        }
        assert!(read(&[b"HTTP/1.1 200 OK\r\n\r\n"]).is_err(), "its end would be the connection's");
    }
}
