//! Heads of responses, and what they say about the body and the connection.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};

use crate::{
    client::Asked,
    fields::{self, FieldError, Lines},
    find::find,
    spare,
    spelling::Spelling,
};

/// How many header lines a response may have: as many as a request has by default.
const LINES: usize = 200;

/// How many bytes the head of a response may have.
const BYTES: usize = 400 * 1024;

/// The head of a response.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) spelling: Spelling,
    pub(crate) told: Told,
}

/// What the lines of a head say of the body and the connection, noted as they are read, so that nothing needs to be looked
/// up where there is nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    length: Announced,
    coding: bool,
    connection: bool,
    /// Other lines that are about the connection.
    hop: bool,
}

/// What `Content-Length` says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Announced {
    #[default]
    Nothing,
    /// One number in one line.
    Once(u64),
    /// Anything else.
    Otherwise,
}

impl Told {
    fn note(&mut self, name: &HeaderName, value: &[u8]) {
        match *name {
            header::CONTENT_LENGTH => {
                self.length = match (self.length, decimal(value)) {
                    (Announced::Nothing, Some(length)) => Announced::Once(length),
                    _ => Announced::Otherwise,
                };
            }
            header::TRANSFER_ENCODING => self.coding = true,
            header::CONNECTION => self.connection = true,
            header::UPGRADE | header::TE | header::TRAILER => self.hop = true,
            _ => self.hop |= matches!(name.as_str(), "keep-alive" | "proxy-connection"),
        }
    }

    /// Whether nothing was said of the connection, and of the body nothing but how long it is.
    pub(crate) fn is_plain(&self, framing: Framing) -> bool {
        let is_true = match self.length {
            Announced::Nothing => true,
            Announced::Once(length) => framing == Framing::Length(length),
            Announced::Otherwise => false,
        };
        is_true && !(self.coding || self.connection || self.hop)
    }
}

impl ResponseHead {
    /// Whether the other end takes another request on the connection after this one.
    pub(crate) fn keeps_alive(&self) -> bool {
        if self.told.connection { keeps_alive(self.version, &self.headers) } else { self.version == Version::HTTP_11 }
    }
}

/// What is wrong with the head of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// It is no status line and header lines.
    Syntax,
    /// It has more lines or bytes than any head should.
    TooLarge,
    /// Its `Content-Length` is no number, or there are several different ones.
    Length,
    /// Its `Transfer-Encoding` is not just `chunked`, or HTTP/1.0 knows none.
    Coding,
    /// It has both, so that the end of the body is a matter of opinion.
    LengthAndCoding,
}

/// Reads the head of one response after the other from the beginning of a buffer.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    /// How much of the buffer was looked at in vain.
    seen: usize,
    /// Where the lines end that were seen. Kept from head to head.
    ends: Vec<usize>,
}

impl HeadReader {
    /// Takes the next head out of the buffer; `None` while it is not complete. Its map has room for so many lines more.
    pub(crate) fn take_response(
        &mut self,
        buffer: &mut BytesMut,
        room: usize,
    ) -> Result<Option<ResponseHead>, HeadError> {
        if self.seen == 0 {
            skip_empty_lines(buffer);
            if matches!(**buffer, [] | [b'\r']) {
                return Ok(None);
            }
        }
        let Some(end) = self.end(buffer)? else {
            check_beginning(buffer)?;
            return self.wait(buffer);
        };
        let head = read(&buffer.split_to(end).freeze(), &self.ends, room);
        self.seen = 0;
        self.ends.clear();
        head.map(Some)
    }

    /// How much memory it keeps, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.ends.capacity().saturating_mul(size_of::<usize>())
    }

    /// After the end of the connection: what is wrong with a head that is not complete, if anything is.
    pub(crate) fn check_rest(&mut self, buffer: &BytesMut) -> Result<(), HeadError> {
        if matches!(**buffer, [] | [b'\r']) {
            return Ok(());
        }
        check_beginning(buffer)?;
        check_lines(&Bytes::copy_from_slice(buffer))
    }

    /// Where the head ends, if it has come: after its first empty line.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        let mut from = self.seen;
        while let Some(found) = find(b'\n', bytes.get(from..).unwrap_or_default()) {
            let at = from.saturating_add(found);
            from = at.saturating_add(1);
            if matches!(bytes.get(..at), Some([.., b'\n'] | [.., b'\n', b'\r'])) {
                return Ok(at.checked_add(1));
            }
            // The status line is none of the header lines.
            if self.ends.len() > LINES {
                return Err(HeadError::TooLarge);
            }
            self.ends.push(at);
        }
        Ok(None)
    }

    fn wait(&mut self, buffer: &BytesMut) -> Result<Option<ResponseHead>, HeadError> {
        self.seen = buffer.len();
        if self.seen > BYTES { Err(HeadError::TooLarge) } else { Ok(None) }
    }
}

/// Reads a whole head whose lines end there.
fn read(head: &Bytes, ends: &[usize], room: usize) -> Result<ResponseHead, HeadError> {
    let mut lines = lines(head, ends);
    let (version, status) = lines.next().and_then(read_status_line).ok_or(HeadError::Syntax)?;
    if head.len() > BYTES {
        return Err(HeadError::TooLarge);
    }
    let mut headers = spare::headers(ends.len().saturating_add(room)).map_err(|_| HeadError::TooLarge)?;
    let (mut spelling, mut told) = (Spelling::new(), Told::default());
    for line in lines {
        let (written, value) = fields::split(line).ok_or(HeadError::Syntax)?;
        let (name, value) = fields::read(head, written, value, &mut spelling)?;
        told.note(&name, value.as_bytes());
        headers.try_append(name, value).map_err(|_| HeadError::TooLarge)?;
    }
    Ok(ResponseHead { status, version, headers, spelling, told })
}

/// The lines that end there, without their ends.
fn lines<'a>(head: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut from = 0;
    ends.iter().map(move |end| {
        let line = head.get(from..*end).unwrap_or_default();
        from = end.saturating_add(1);
        if let [line @ .., b'\r'] = line { line } else { line }
    })
}

/// `HTTP/1.1 200 OK`, with one space each; the reason may be missing.
fn read_status_line(line: &[u8]) -> Option<(Version, StatusCode)> {
    if line == b"HTTP/1.1 200 OK" {
        return Some((Version::HTTP_11, StatusCode::OK));
    }
    let (version, rest) = line.strip_prefix(BEGINNING)?.split_first()?;
    let version = match version {
        b'1' => Version::HTTP_11,
        b'0' => Version::HTTP_10,
        _ => return None,
    };
    let (code, reason) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
    let is_reason = match reason.split_first() {
        None => true,
        Some((b' ', text)) => text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..)),
        Some(_) => false,
    };
    StatusCode::from_bytes(code).ok().filter(|_| is_reason).map(|status| (version, status))
}

const BEGINNING: &[u8] = b"HTTP/1.";

/// What is no response need not be waited for.
fn check_beginning(bytes: &[u8]) -> Result<(), HeadError> {
    let may_be = match bytes.split_at_checked(memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())) {
        Some((line, [_, ..])) => read_status_line(line.strip_suffix(b"\r").unwrap_or(line)).is_some(),
        _ => bytes.iter().zip(BEGINNING).all(|(byte, known)| byte == known),
    };
    if may_be { Ok(()) } else { Err(HeadError::Syntax) }
}

/// Whether the header lines of a head that breaks off are any, as far as they go.
fn check_lines(head: &Bytes) -> Result<(), HeadError> {
    let mut checked = (HeaderMap::new(), Spelling::new());
    for line in Lines::of(head).skip(1) {
        let (name, value) = fields::split(line).ok_or(HeadError::Syntax)?;
        fields::put(head, name, value, &mut checked.0, &mut checked.1)?;
    }
    // What should have been the empty line.
    let last = memchr::memrchr(b'\n', head).and_then(|at| head.get(at..)?.get(1..));
    if matches!(last, Some([b'\r', _, ..])) { Err(HeadError::Syntax) } else { Ok(()) }
}

/// Takes empty lines away, which may stand before a message (RFC 9112, section 2.2).
fn skip_empty_lines(buffer: &mut BytesMut) {
    let count = |buffer: &[u8]| match buffer {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => 0,
    };
    loop {
        match count(buffer) {
            0 => return,
            skipped => buffer.advance(skipped),
        }
    }
}

/// Where the body of a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// Where the body of a response ends (RFC 9112, section 6.3), in the cases of doubt an error: a
/// mistake would make the rest of one response the beginning of the next.
pub(crate) fn framing(asked: Asked, head: &ResponseHead) -> Result<Framing, HeadError> {
    let status = head.status;
    let bodiless = asked == Asked::Head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || (asked == Asked::Connect && status.is_success());
    if bodiless {
        return Ok(Framing::Empty);
    }
    let coded = head.told.coding && is_chunked(head)?;
    let length = match head.told.length {
        Announced::Nothing => None,
        Announced::Once(length) => Some(length),
        Announced::Otherwise => content_length(&head.headers)?,
    };
    match (coded, length) {
        (true, Some(_)) => Err(HeadError::LengthAndCoding),
        (true, None) => Ok(Framing::Chunked),
        (false, Some(0)) => Ok(Framing::Empty),
        (false, Some(length)) => Ok(Framing::Length(length)),
        (false, None) => Ok(Framing::Close),
    }
}

fn is_chunked(head: &ResponseHead) -> Result<bool, HeadError> {
    let mut lines = head.headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let Some(coding) = lines.next() else { return Ok(false) };
    let only = lines.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if only && head.version == Version::HTTP_11 { Ok(true) } else { Err(HeadError::Coding) }
}

/// What `Content-Length` says; several lines or a list must say the same.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, HeadError> {
    let lines = headers.get_all(header::CONTENT_LENGTH).into_iter();
    let mut said = None;
    for number in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
        let number = decimal(number.trim_ascii()).ok_or(HeadError::Length)?;
        if *said.get_or_insert(number) != number {
            return Err(HeadError::Length);
        }
    }
    Ok(said)
}

/// A number of decimal digits and nothing else.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Whether the other end takes another message on the connection after this one.
pub(crate) fn keeps_alive(version: Version, headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONNECTION).into_iter().peekable();
    if lines.peek().is_none() {
        return version == Version::HTTP_11;
    }
    let says = |token: &[u8]| headers.get_all(header::CONNECTION).iter().any(|line| lists(line, token));
    !says(b"close") && (version == Version::HTTP_11 || says(b"keep-alive"))
}

/// Whether a token is in a comma-separated line.
fn lists(line: &HeaderValue, token: &[u8]) -> bool {
    line.as_bytes().split(|byte| *byte == b',').any(|listed| listed.trim_ascii().eq_ignore_ascii_case(token))
}

impl From<FieldError> for HeadError {
    fn from(error: FieldError) -> Self {
        match error {
            FieldError::Line => Self::Syntax,
            FieldError::TooLarge => Self::TooLarge,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "no status line with header lines",
            Self::TooLarge => "more than 200 header lines or 400 KiB of them",
            Self::Length => "`Content-Length` is no number, or several that differ",
            Self::Coding => "`Transfer-Encoding` that is not just `chunked`",
            Self::LengthAndCoding => "both `Content-Length` and `Transfer-Encoding`",
        })
    }
}

impl std::error::Error for HeadError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str) -> Result<Option<ResponseHead>, HeadError> {
        HeadReader::default().take_response(&mut BytesMut::from(text), 0)
    }

    fn head(lines: &str) -> ResponseHead {
        take(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).unwrap().unwrap()
    }

    #[test]
    fn a_head_is_taken_when_it_is_complete() {
        let text =
            "\r\n\nHTTP/1.1 404 Gone Fishing\r\nServer: a b \r\nX-EMPTY:\r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\n";
        let (mut reader, mut buffer) = (HeadReader::default(), BytesMut::new());
        for byte in text.bytes() {
            assert!(reader.take_response(&mut buffer, 0).unwrap().is_none());
            buffer.extend_from_slice(&[byte]);
        }
        buffer.extend_from_slice(b"body");
        let head = reader.take_response(&mut buffer, 0).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), head.version, &buffer[..]), (404, Version::HTTP_11, &b"body"[..]));
        assert_eq!(head.headers["server"], "a b");
        assert_eq!(head.headers["x-empty"], "");
        assert_eq!(head.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(head.spelling.of(&"x-empty".parse().unwrap()), Some(&b"X-EMPTY"[..]));
        assert_eq!(head.spelling.of(&header::SET_COOKIE), Some(&b"set-cookie"[..]));
        assert_eq!(head.spelling.of(&header::SERVER), None);
    }

    #[test]
    fn what_is_no_head_is_refused() {
        // What can be no response is told before the end of its head has come.
        for text in ["SSH-2.0-OpenSSH_9.6\r\n", "SSH", "HTTP/2", "HTTP/1.1 OK\r\n", "\rHTTP/1.1 2"] {
            let checked = HeadReader::default().check_rest(&BytesMut::from(text));
            assert_eq!((take(text).unwrap_err(), checked), (HeadError::Syntax, Err(HeadError::Syntax)), "{text:?}");
        }
        for text in [
            "SSH-2.0-OpenSSH_9.6\r\n\r\n",
            "HTTP/1.1 200 \u{1}\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 99 No\r\n\r\n",
            "HTTP/1.1 2000 No\r\n\r\n",
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
        ] {
            assert_eq!(take(text).unwrap_err(), HeadError::Syntax, "{text:?}");
        }
        for text in [
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: 1\r\n".repeat(LINES + 1)),
            format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(BYTES)),
        ] {
            assert_eq!(take(&text).unwrap_err(), HeadError::TooLarge);
        }
        assert_eq!(head(&"A: 1\r\n".repeat(LINES)).headers.len(), LINES);
    }

    #[test]
    fn where_a_body_ends() {
        for (method, start, lines, end) in [
            ("GET", "1.1 200", "Content-Length: 5\r\n", Ok(Framing::Length(5))),
            ("GET", "1.1 200", "Content-Length: 5\r\nContent-Length: 5\r\n", Ok(Framing::Length(5))),
            ("GET", "1.1 200", "Content-Length: 5, 5\r\n", Ok(Framing::Length(5))),
            ("GET", "1.1 200", "Content-Length: 007\r\n", Ok(Framing::Length(7))),
            ("GET", "1.1 200", "Content-Length: 18446744073709551615\r\n", Ok(Framing::Length(u64::MAX))),
            ("GET", "1.1 200", "Content-Length: 0\r\n", Ok(Framing::Empty)),
            ("GET", "1.1 200", "Content-Length: 18446744073709551616\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length: 5\r\nContent-Length: 6\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length: 5, 6\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length: 5,\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length: +5\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length: -5\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length: 0x5\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length: 5 5\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Content-Length:\r\n", Err(HeadError::Length)),
            ("GET", "1.1 200", "Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            ("GET", "1.1 200", "transfer-encoding: CHUNKED\r\n", Ok(Framing::Chunked)),
            ("GET", "1.1 200", "Transfer-Encoding: gzip, chunked\r\n", Err(HeadError::Coding)),
            ("GET", "1.1 200", "Transfer-Encoding: gzip\r\n", Err(HeadError::Coding)),
            ("GET", "1.1 200", "Transfer-Encoding: chunked,\r\n", Err(HeadError::Coding)),
            ("GET", "1.1 200", "Transfer-Encoding: chunked;a\r\n", Err(HeadError::Coding)),
            ("GET", "1.1 200", "Transfer-Encoding: identity\r\n", Err(HeadError::Coding)),
            ("GET", "1.1 200", "Transfer-Encoding:\r\n", Err(HeadError::Coding)),
            ("GET", "1.1 200", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(HeadError::Coding)),
            ("GET", "1.0 200", "Transfer-Encoding: chunked\r\n", Err(HeadError::Coding)),
            ("GET", "1.1 200", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(HeadError::LengthAndCoding)),
            ("GET", "1.1 200", "", Ok(Framing::Close)),
            ("GET", "1.0 200", "Content-Length: 5\r\n", Ok(Framing::Length(5))),
            ("HEAD", "1.1 200", "Content-Length: 5\r\n", Ok(Framing::Empty)),
            ("HEAD", "1.1 200", "Transfer-Encoding: chunked\r\n", Ok(Framing::Empty)),
            ("GET", "1.1 100", "Content-Length: 5\r\n", Ok(Framing::Empty)),
            ("GET", "1.1 204", "Content-Length: 5\r\n", Ok(Framing::Empty)),
            ("GET", "1.1 304", "Content-Length: 5\r\n", Ok(Framing::Empty)),
            ("GET", "1.1 205", "", Ok(Framing::Close)),
            ("CONNECT", "1.1 200", "Content-Length: 5\r\n", Ok(Framing::Empty)),
            ("CONNECT", "1.1 403", "Content-Length: 5\r\n", Ok(Framing::Length(5))),
        ] {
            let head = take(&format!("HTTP/{start} X\r\n{lines}\r\n")).unwrap().unwrap();
            assert_eq!(
                framing((&method.parse::<http::Method>().unwrap()).into(), &head),
                end,
                "{method} {start} {lines}"
            );
        }
    }

    #[test]
    fn whether_a_connection_goes_on() {
        for (version, lines, alive) in [
            (Version::HTTP_11, "", true),
            (Version::HTTP_11, "Connection: close\r\n", false),
            (Version::HTTP_11, "Connection: x, Close\r\n", false),
            (Version::HTTP_11, "Connection: x\r\nConnection: close\r\n", false),
            (Version::HTTP_11, "Connection: closed\r\n", true),
            (Version::HTTP_10, "", false),
            (Version::HTTP_10, "Connection: Keep-Alive\r\n", true),
            (Version::HTTP_10, "Connection: keep-alive, close\r\n", false),
        ] {
            assert_eq!(ResponseHead { version, ..head(lines) }.keeps_alive(), alive, "{version:?} {lines}");
        }
    }
}
