//! A reading of HTTP/1 requests of the tests' own, by the letter of RFC 9112.
//!
//! What the gateway sends is held against the strict reading: whoever reads it otherwise is not our concern. What a client
//! sends is held against the tolerant one, which allows what the RFC allows a server to overlook.

/// A request read to its last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    /// The method.
    pub method: String,
    /// The target as written; bytes above 127 appear as the Latin-1 character.
    pub target: String,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The lines after the last chunk, names in lower case.
    pub trailers: Vec<(String, String)>,
}

impl Exact {
    /// The values of all lines with this name, given in lower case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// The requests in a connection's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The complete ones.
    pub whole: Vec<Exact>,
    /// How many bytes of one more have come.
    pub unfinished: usize,
    /// What is wrong with the bytes after the complete ones.
    pub wrong: Option<String>,
}

impl Reading {
    /// By the letter: CRLF, one Host, one framing, chunks without extensions.
    pub fn strict(bytes: &[u8]) -> Self {
        Self::of(bytes, false)
    }

    /// A line may end with LF alone, CR and LF may come before a request (nginx skips both), any minor version means 1.1, chunks may have extensions, the same length
    /// may be there twice. Chunks count more than a length, and nothing counts after a request with both.
    pub fn tolerant(bytes: &[u8]) -> Self {
        Self::of(bytes, true)
    }

    fn of(bytes: &[u8], tolerant: bool) -> Self {
        let mut reading = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut cursor = Cursor { left: rest, tolerant, is_last: false };
            match cursor.request() {
                Ok(request) => {
                    let is_last = cursor.is_last;
                    reading.whole.push(request);
                    if is_last {
                        return reading;
                    }
                }
                Err(Stop::Unfinished) => {
                    reading.unfinished = rest.len();
                    return reading;
                }
                Err(Stop::Wrong(why)) => {
                    let start = String::from_utf8_lossy(&rest[..rest.len().min(200)]).into_owned();
                    reading.wrong = Some(format!("{why}, in {start:?}"));
                    return reading;
                }
            }
            rest = cursor.left;
        }
        reading
    }
}

enum Stop {
    Unfinished,
    Wrong(String),
}

fn wrong<T>(why: &str, bytes: &[u8]) -> Result<T, Stop> {
    Err(Stop::Wrong(format!("{why}: {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(100)]))))
}

struct Cursor<'a> {
    left: &'a [u8],
    tolerant: bool,
    /// Nothing that follows can be trusted.
    is_last: bool,
}

/// How a body ends.
enum End {
    After(usize),
    Chunked,
}

impl<'a> Cursor<'a> {
    fn request(&mut self) -> Result<Exact, Stop> {
        if self.tolerant {
            let blanks = self.left.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.left = &self.left[blanks..];
        }
        let line = self.line()?;
        let [method, target, version] = words(line)?;
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return wrong("not a method", method);
        }
        if target.is_empty() || !target.iter().all(|byte| matches!(byte, 0x21..=0x7e | 0x80..)) {
            return wrong("not a target", target);
        }
        let version = match version {
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9', rest @ ..]
                if self.tolerant && rest.iter().all(u8::is_ascii_digit) =>
            {
                b"HTTP/1.1"
            }
            b"HTTP/1.1" | b"HTTP/1.0" => version,
            _ => return wrong("not a version", version),
        };
        let headers = self.fields()?;
        let hosts = headers.iter().filter(|(name, _)| name == "host").count();
        if hosts > 1 || (hosts == 0 && version == b"HTTP/1.1") {
            return wrong("one Host is needed", line);
        }
        let mut request = Exact { method: text(method), target: text(target), headers, body: vec![], trailers: vec![] };
        match self.end(&request, version)? {
            End::After(length) => request.body = self.take(length)?.to_vec(),
            End::Chunked => self.chunks(&mut request)?,
        }
        Ok(request)
    }

    fn fields(&mut self) -> Result<Vec<(String, String)>, Stop> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return wrong("no colon", line);
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
                return wrong("not a name", line);
            }
            if !value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)) {
                return wrong("not a value", line);
            }
            fields.push((text(name).to_ascii_lowercase(), text(value)));
        }
    }

    fn chunks(&mut self, request: &mut Exact) -> Result<(), Stop> {
        loop {
            let line = self.line()?;
            let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let is_end =
                line.get(digits).is_none() || (self.tolerant && line[digits..].trim_ascii_start().starts_with(b";"));
            let size = usize::from_str_radix(&text(&line[..digits]), 16).ok().filter(|_| is_end);
            match size {
                None => return wrong("not a chunk size", line),
                Some(0) => break,
                Some(size) => request.body.extend_from_slice(self.take(size)?),
            }
            if !self.line()?.is_empty() {
                return wrong("more than the chunk's data", line);
            }
        }
        request.trailers = self.fields()?;
        match request.trailers.iter().find(|(name, _)| is_forbidden_in_trailers(name)) {
            Some((name, _)) if !self.tolerant => wrong("not for trailers", name.as_bytes()),
            _ => Ok(()),
        }
    }

    fn end(&mut self, request: &Exact, version: &[u8]) -> Result<End, Stop> {
        let mut lengths = request.all("content-length");
        if self.tolerant {
            lengths.dedup();
        }
        match (lengths.as_slice(), request.all("transfer-encoding").as_slice()) {
            ([], []) => Ok(End::After(0)),
            ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map(End::After).or_else(|_| wrong("a length beyond all measure", length.as_bytes()))
            }
            (lengths, [coding]) if coding.eq_ignore_ascii_case("chunked") && version == b"HTTP/1.1" => {
                self.is_last = !lengths.is_empty();
                if self.is_last && !self.tolerant { wrong("two framings", b"") } else { Ok(End::Chunked) }
            }
            both => wrong("unclear framing", format!("{both:?}").as_bytes()),
        }
    }

    /// The next line without its end.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let Some(feed) = self.left.iter().position(|byte| *byte == b'\n') else {
            return Err(Stop::Unfinished);
        };
        let (line, rest) = self.left.split_at(feed + 1);
        self.left = rest;
        let line = match (line.strip_suffix(b"\r\n"), line.strip_suffix(b"\n")) {
            (Some(line), _) => line,
            (None, Some(line)) if self.tolerant => line,
            _ => return wrong("a line that ends without CRLF", line),
        };
        if line.contains(&b'\r') { wrong("CR inside a line", line) } else { Ok(line) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.left.split_at_checked(count).ok_or(Stop::Unfinished)?;
        self.left = rest;
        Ok(taken)
    }
}

fn words(line: &[u8]) -> Result<[&[u8]; 3], Stop> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    <[&[u8]; 3]>::try_from(words).or_else(|_| wrong("not three words", line))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_forbidden_in_trailers(name: &str) -> bool {
    matches!(name, "content-length" | "transfer-encoding" | "host" | "trailer" | "authorization" | "connection" | "te")
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::Reading;

    #[test]
    fn requests_are_read_one_after_the_other() {
        let reading = Reading::strict(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloPUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
              3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\nGET /c HTTP/1.1\r\nHost:",
        );
        let targets: Vec<_> =
            reading.whole.iter().map(|request| (request.target.as_str(), request.body.as_slice())).collect();
        assert_eq!(targets, [("/a", &b"hello"[..]), ("/b", b"abc")]);
        assert_eq!(reading.whole[1].trailers, [("x-sum".to_owned(), "1".to_owned())]);
        assert_eq!((reading.unfinished, reading.wrong), (22, None));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_wrong() {
        for bytes in [
            "GET / HTTP/1.1\nHost: x\n\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n A: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: y\r\n\r\n",
        ] {
            assert!(Reading::strict(bytes.as_bytes()).wrong.is_some(), "{bytes:?}");
        }
    }

    #[test]
    fn the_tolerant_reading_overlooks_what_a_server_may() {
        let reading = Reading::tolerant(
            b"\r\nPOST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3 ;a=b\r\nabc\r\n0\r\n\r\n",
        );
        assert_eq!((reading.whole.len(), reading.wrong), (1, None));
    }
}
