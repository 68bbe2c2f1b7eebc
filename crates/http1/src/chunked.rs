//! The chunked transfer coding (RFC 9112, section 7.1).

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;

use crate::fields;

/// How many hexadecimal digits a chunk's size may have: those of the largest 64-bit number.
const DIGITS: u32 = 16;

/// How many bytes of chunk extensions one body may have. Nobody uses them, but they must be read.
const EXTENSIONS: usize = 16 * 1024;

/// How many bytes the trailers of one body may have.
const TRAILERS: usize = 16 * 1024;

/// How many trailers a body may have.
const TRAILER_LINES: usize = 100;

/// Takes the coding off a body. It is strict: sizes are hexadecimal digits and nothing else, lines
/// end in CR LF, and what nobody needs (extensions, trailers) is bounded.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
    /// What the current chunk still has, or its size as far as it was read.
    left: u64,
    extensions: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Within the digits of a size, of which so many were read.
    Size(u32),
    /// After them: spaces, of which there may be some before an extension.
    Space,
    Extension,
    /// After the CR of a size's line.
    SizeEnd,
    Data,
    /// After a chunk's data.
    #[default]
    Start,
    DataEnd,
    DataEndLf,
    Trailers,
    Ended,
}

/// What a [`Decoder`] got out of the bytes it was given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Bytes of the body, never none.
    Data(Bytes),
    /// The end of the body, with its trailers if it had any. All bytes of the body are taken.
    End(Option<HeaderMap>),
    /// All bytes that could be used are taken; more are needed.
    More,
}

/// Why bytes are no chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkError {
    /// A chunk's size is no hexadecimal number, too large, or its line does not end in CR LF.
    Size,
    /// More chunk extensions than a body may have, or one with control characters.
    Extension,
    /// A chunk's data does not end where its size said.
    DataEnd,
    /// Trailers that are none, or too many.
    Trailers,
}

impl Decoder {
    /// Takes the next piece out of `buffer`.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, ChunkError> {
        loop {
            match self.state {
                State::Data if buffer.is_empty() => return Ok(Decoded::More),
                State::Data => return Ok(Decoded::Data(self.take_data(buffer))),
                State::Trailers => return self.take_trailers(buffer),
                State::Ended => return Ok(Decoded::End(None)),
                _ => {
                    let Some(byte) = buffer.first().copied() else { return Ok(Decoded::More) };
                    buffer.advance(1);
                    self.state = self.step(byte)?;
                }
            }
        }
    }

    /// Takes the end of a body without trailers, if it is what comes next: so that the last data and
    /// the end need not be asked for one after the other.
    pub(crate) fn take_end(&mut self, buffer: &mut BytesMut) -> bool {
        if self.state == State::DataEnd && buffer.starts_with(ALL_ENDS) {
            buffer.advance(ALL_ENDS.len());
            self.state = State::Ended;
        }
        self.state == State::Ended
    }

    /// How many bytes are known to come before the next chunk's size.
    pub(crate) fn left(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// One byte of what stands around the data.
    fn step(&mut self, byte: u8) -> Result<State, ChunkError> {
        Ok(match (self.state, byte) {
            (State::Start, _) => {
                self.left = 0;
                self.digit(byte, 0)?
            }
            (State::Size(_) | State::Space | State::Extension, b'\r') => State::SizeEnd,
            (State::Size(_) | State::Space, b';') => State::Extension,
            (State::Size(_) | State::Space, b' ' | b'\t') => self.extend(State::Space)?,
            (State::Size(digits), _) => self.digit(byte, digits)?,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.extend(State::Extension)?,
            (State::Extension, _) => return Err(ChunkError::Extension),
            (State::SizeEnd, b'\n') if self.left == 0 => State::Trailers,
            (State::SizeEnd, b'\n') => State::Data,
            (State::DataEnd, b'\r') => State::DataEndLf,
            (State::DataEndLf, b'\n') => State::Start,
            (State::DataEnd | State::DataEndLf, _) => return Err(ChunkError::DataEnd),
            _ => return Err(ChunkError::Size),
        })
    }

    fn digit(&mut self, byte: u8, before: u32) -> Result<State, ChunkError> {
        let digit = char::from(byte).to_digit(16).filter(|_| before < DIGITS).ok_or(ChunkError::Size)?;
        let shifted = self.left.checked_mul(16).ok_or(ChunkError::Size)?;
        self.left = shifted | u64::from(digit);
        Ok(State::Size(before.saturating_add(1)))
    }

    fn extend(&mut self, state: State) -> Result<State, ChunkError> {
        self.extensions = self.extensions.saturating_add(1);
        if self.extensions > EXTENSIONS { Err(ChunkError::Extension) } else { Ok(state) }
    }

    fn take_data(&mut self, buffer: &mut BytesMut) -> Bytes {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 {
            self.state = State::DataEnd;
        }
        buffer.split_to(count).freeze()
    }

    fn take_trailers(&mut self, buffer: &mut BytesMut) -> Result<Decoded, ChunkError> {
        if buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            self.state = State::Ended;
            return Ok(Decoded::End(None));
        }
        match fields::take_section(buffer, TRAILERS, TRAILER_LINES) {
            Ok(Some(trailers)) => {
                self.state = State::Ended;
                Ok(Decoded::End(Some(trailers)))
            }
            Ok(None) => Ok(Decoded::More),
            Err(_) => Err(ChunkError::Trailers),
        }
    }
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "a chunk's size is not a hexadecimal number on a line of its own",
            Self::Extension => "chunk extensions that are too long or have control characters",
            Self::DataEnd => "a chunk does not end where its size says",
            Self::Trailers => "trailers that are not header lines, or too many",
        })
    }
}

impl std::error::Error for ChunkError {}

/// What comes after a chunk's data.
pub(crate) const CHUNK_END: &[u8] = b"\r\n";

/// What comes after the last chunk's data in a body without trailers: the end of both.
pub(crate) const ALL_ENDS: &[u8] = b"\r\n0\r\n\r\n";

/// The last chunk, without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The last chunk, before trailers and an empty line.
pub(crate) const LAST_CHUNK_HEAD: &[u8] = b"0\r\n";

/// Writes what comes before a chunk's data. Without data there is no chunk to write: a size of 0
/// says that the body ends.
pub(crate) fn put_chunk_head(out: &mut impl BufMut, size: usize) {
    let mut line = [0; 18];
    let mut at = line.len();
    let mut rest = size;
    for byte in b"\n\r" {
        at = put_before(&mut line, at, *byte);
    }
    loop {
        let digit = u8::try_from(rest % 16).unwrap_or_default();
        at = put_before(&mut line, at, if digit < 10 { b'0' | digit } else { b'a' - 10 + digit });
        rest /= 16;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(line.get(at..).unwrap_or_default());
}

fn put_before(line: &mut [u8], at: usize, byte: u8) -> usize {
    let at = at.saturating_sub(1);
    if let Some(place) = line.get_mut(at) {
        *place = byte;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All data and the trailers of a body, and how many bytes are left over.
    type Whole = (Vec<u8>, Option<HeaderMap>, usize);

    /// A body that comes in pieces of `step` bytes; `None` if it is not complete.
    fn decode(coded: &[u8], step: usize) -> Result<Option<Whole>, ChunkError> {
        let (mut decoder, mut buffer, mut data) = (Decoder::default(), BytesMut::new(), Vec::new());
        let mut pieces = coded.chunks(step);
        loop {
            match decoder.decode(&mut buffer)? {
                Decoded::Data(bytes) => data.extend_from_slice(&bytes),
                Decoded::End(trailers) => {
                    return Ok(Some((data, trailers, buffer.len() + pieces.map(<[u8]>::len).sum::<usize>())));
                }
                Decoded::More => match pieces.next() {
                    Some(piece) => buffer.extend_from_slice(piece),
                    None => return Ok(None),
                },
            }
        }
    }

    #[test]
    fn the_coding_is_taken_off_however_the_bytes_come() {
        let coded = b"4\r\nWiki\r\n0005;a=\"b;c\"\r\npedia\r\nE \t;x\r\n in\r\n\r\nchunks.\r\n0;y\r\nX-Sum: 1\r\nx-b: 2 \r\n\r\nGET";
        for step in 1..=coded.len() {
            let (data, trailers, left) = decode(coded, step).unwrap().unwrap();
            assert_eq!(data, b"Wikipedia in\r\n\r\nchunks.");
            let trailers = trailers.unwrap();
            assert_eq!((&trailers["x-sum"], &trailers["x-b"]), (&"1".parse().unwrap(), &"2".parse().unwrap()));
            assert_eq!(left, 3, "what comes after the body stays");
        }
        assert_eq!(decode(b"0\r\n\r\n", 5).unwrap().unwrap(), (vec![], None, 0));
    }

    #[test]
    fn a_body_that_stops_is_not_at_its_end() {
        let coded = b"5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n";
        for end in 0..coded.len() {
            assert_eq!(decode(&coded[..end], 3).unwrap(), None, "{end}");
        }
    }

    #[test]
    fn sizes_are_hexadecimal_digits_and_nothing_else() {
        for size in [
            "",
            " 5",
            "+5",
            "-5",
            "0x5",
            "5g",
            "5_0",
            "\u{660}",
            "5\n",
            "5\r\r\n",
            "\r\n",
            ";a",
            "5;\x01",
            "5;a\n",
            "5;\0",
            "5 5",
            "5\x0b",
            "10000000000000000",
            "00000000000000005",
        ] {
            let coded = format!("{size}\r\nhello\r\n0\r\n\r\n");
            assert!(decode(coded.as_bytes(), 1).is_err(), "{size:?}");
        }
        assert_eq!(decode(b"ffffffffffffffff\r\nab", 2), Ok(None));
        assert_eq!(decode(b"0000000000000002\r\nab\r\n0\r\n\r\n", 2).unwrap().unwrap().0, b"ab");
    }

    #[test]
    fn data_ends_where_its_size_says() {
        for coded in
            ["2\r\nabc\r\n0\r\n\r\n", "2\r\na\r\n0\r\n\r\n", "2\r\nab\n0\r\n\r\n", "2\r\nab0\r\n\r\n", "2\r\nab\r\r\n"]
        {
            assert_eq!(decode(coded.as_bytes(), 1), Err(ChunkError::DataEnd), "{coded:?}");
        }
    }

    #[test]
    fn trailers_are_header_lines() {
        for coded in [
            "0\r\nX-A: 1\n\r\n",
            "0\r\nX-A: 1\r\n\n",
            "0\r\nX A: 1\r\n\r\n",
            "0\r\nX-A\r\n\r\n",
            "0\r\n X: 1\r\n\r\n",
            "0\r\n\n",
        ] {
            assert_eq!(decode(coded.as_bytes(), 1), Err(ChunkError::Trailers), "{coded:?}");
        }
    }

    #[test]
    fn what_nobody_needs_is_bounded() {
        let extension = "x".repeat(EXTENSIONS + 1);
        assert_eq!(decode(format!("1;{extension}\r\n").as_bytes(), 100), Err(ChunkError::Extension));
        let chunks = "1;xxxxxxxxxx\r\na\r\n".repeat(EXTENSIONS);
        assert_eq!(decode(chunks.as_bytes(), 100), Err(ChunkError::Extension), "all of a body's count");
        let trailer = "x".repeat(TRAILERS);
        assert_eq!(decode(format!("0\r\nX-A: {trailer}").as_bytes(), 100), Err(ChunkError::Trailers));
        let lines = "X-A: 1\r\n".repeat(TRAILER_LINES + 1);
        assert_eq!(decode(format!("0\r\n{lines}\r\n").as_bytes(), 100), Err(ChunkError::Trailers));
    }

    #[test]
    fn heads_of_chunks_are_hexadecimal() {
        for (size, line) in
            [(1, "1\r\n"), (10, "a\r\n"), (255, "ff\r\n"), (65536, "10000\r\n"), (usize::MAX, "ffffffffffffffff\r\n")]
        {
            let mut out = Vec::new();
            put_chunk_head(&mut out, size);
            assert_eq!(out, line.as_bytes());
        }
    }
}
