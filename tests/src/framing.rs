//! How the end of a body is known, and taking a body off the wire piece by piece.

use crate::Headers;

/// How a body is framed, and how much of it is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Exactly this many bytes are left.
    Length(usize),
    /// Chunked coding; inside a chunk, this many bytes are left of it.
    Chunked { left: usize },
    /// The last chunk was read, its trailer lines are left.
    Trailers,
    /// All bytes until the other side closes.
    UntilClose,
}

impl Framing {
    /// What the headers say; `otherwise` when they say nothing.
    pub(crate) fn of(headers: &Headers, otherwise: Self) -> Self {
        if headers.all("Transfer-Encoding").iter().any(|value| value.eq_ignore_ascii_case("chunked")) {
            return Self::Chunked { left: 0 };
        }
        match headers.one("Content-Length") {
            Some(length) => Self::Length(length.parse().expect("Content-Length is a number")),
            None => otherwise,
        }
    }

    /// Moves body bytes from `wire` to `body`; true once the body is complete.
    pub(crate) fn take(&mut self, wire: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<bool, String> {
        loop {
            match self {
                Self::Length(left) => {
                    *left -= shift(wire, body, *left);
                    return Ok(*left == 0);
                }
                Self::UntilClose => {
                    body.append(wire);
                    return Ok(false);
                }
                Self::Trailers => {
                    let Some(line) = take_line(wire) else {
                        return Ok(false);
                    };
                    if line.is_empty() {
                        return Ok(true);
                    }
                }
                Self::Chunked { left: 0 } => {
                    let Some(line) = take_line(wire) else {
                        return Ok(false);
                    };
                    *self = match chunk_size(&line)? {
                        0 => Self::Trailers,
                        // The line end after the data belongs to the chunk.
                        size => Self::Chunked { left: size + 2 },
                    };
                }
                Self::Chunked { left } => {
                    *left -= shift(wire, body, left.saturating_sub(2));
                    if *left > 2 || wire.len() < *left {
                        return Ok(false);
                    }
                    let end: Vec<u8> = wire.drain(..*left).collect();
                    if !b"\r\n".ends_with(&end) {
                        return Err(format!("chunk ends with {end:?}"));
                    }
                    *left = 0;
                }
            }
        }
    }
}

/// Moves up to `most` bytes; the number of bytes moved.
fn shift(wire: &mut Vec<u8>, body: &mut Vec<u8>, most: usize) -> usize {
    let count = most.min(wire.len());
    body.extend(wire.drain(..count));
    count
}

fn take_line(wire: &mut Vec<u8>) -> Option<String> {
    let end = wire.windows(2).position(|bytes| bytes == b"\r\n")?;
    let line: Vec<u8> = wire.drain(..end + 2).take(end).collect();
    Some(String::from_utf8_lossy(&line).into_owned())
}

fn chunk_size(line: &str) -> Result<usize, String> {
    let digits = line.split(';').next().unwrap_or_default().trim();
    usize::from_str_radix(digits, 16).map_err(|_| format!("not a chunk size: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::Framing;

    /// The body, whether it is complete, and how many bytes that took.
    type Taken<'a> = (&'a str, bool, usize);

    /// Feeds the bytes one at a time, as a slow sender would.
    fn take(mut framing: Framing, input: &[u8]) -> (String, bool, usize) {
        let (mut wire, mut body, mut taken) = (Vec::new(), Vec::new(), 0);
        for &byte in input {
            wire.push(byte);
            taken += 1;
            if framing.take(&mut wire, &mut body).unwrap() {
                return (String::from_utf8(body).unwrap(), true, taken);
            }
        }
        (String::from_utf8(body).unwrap(), false, taken)
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        let chunked = Framing::Chunked { left: 0 };
        let cases: [(Framing, &[u8], Taken<'_>); 6] = [
            (Framing::Length(3), b"abcdef", ("abc", true, 3)),
            (Framing::Length(3), b"ab", ("ab", false, 2)),
            (Framing::UntilClose, b"abc", ("abc", false, 3)),
            (chunked.clone(), b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\nnext", ("abcd", true, 23)),
            (chunked.clone(), b"3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n", ("abc", true, 25)),
            (chunked, b"a\r\nabc", ("abc", false, 6)),
        ];
        for (framing, input, (body, complete, taken)) in cases {
            assert_eq!(take(framing.clone(), input), (body.to_owned(), complete, taken), "{framing:?} {input:?}");
        }
    }

    #[test]
    fn all_at_once_is_the_same_as_byte_by_byte() {
        let mut wire = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nrest".to_vec();
        let mut body = Vec::new();
        assert_eq!(Framing::Chunked { left: 0 }.take(&mut wire, &mut body), Ok(true));
        assert_eq!((body.as_slice(), wire.as_slice()), (&b"abcde"[..], &b"rest"[..]));
    }
}
