//! Where a request's head ends, found without reading any of it twice.

use super::{Config, Fault};
use crate::find::find;

/// How many empty bytes (CR and LF) may stand before a request line (RFC 9112, section 2.2).
const BLANK: usize = 256;

/// How far the search for the end of a head has come.
#[derive(Debug, Default)]
pub(super) struct Scan {
    // Where to go on, and where the line that it is in begins.
    at: usize,
    line: usize,
    lines: usize,
    // Empty bytes before the head.
    blank: usize,
    // Where the first lines end.
    ends: [u32; NOTED],
}

/// Of how many lines is noted where they end. There are seldom more, and those are searched for again.
const NOTED: usize = 24;

impl Scan {
    /// How many of the first bytes are empty lines before the head: the caller takes them away.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        if self.at > 0 {
            return Ok(0);
        }
        let count = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.blank = self.blank.saturating_add(count);
        if self.blank > BLANK { Err(Fault::RequestLine) } else { Ok(count) }
    }

    /// The length of the head, its last empty line included; `None` if more bytes are needed.
    /// `bytes` begins where it began before, with more at the end.
    pub(super) fn end(&mut self, bytes: &[u8], config: &Config) -> Result<Option<usize>, Fault> {
        let mut from = self.at;
        while let Some(found) = find(b'\n', bytes.get(from..).unwrap_or_default()) {
            let next = from.saturating_add(found).saturating_add(1);
            from = next;
            let length = next.saturating_sub(self.line);
            if length <= 2 && self.is_empty(bytes, next) {
                return if next > config.head { Err(Fault::HeadTooLarge) } else { Ok(Some(next)) };
            }
            if length > config.line {
                return Err(self.too_large());
            }
            // The request line is not one of the header lines.
            if self.lines > config.header_lines {
                return Err(Fault::TooManyHeaders);
            }
            if let Some(end) = self.ends.get_mut(self.lines) {
                *end = u32::try_from(next).unwrap_or(u32::MAX);
            }
            self.lines = self.lines.saturating_add(1);
            self.line = next;
        }
        self.at = bytes.len();
        let is_too_large = bytes.len() > config.head || bytes.len().saturating_sub(self.line) > config.line;
        if is_too_large { Err(self.too_large()) } else { Ok(None) }
    }

    /// How many header lines the head has whose end was found.
    pub(super) fn header_lines(&self) -> usize {
        self.lines.saturating_sub(1)
    }

    /// The lines of the head whose end was found, without their ends and the empty one.
    pub(super) fn lines<'a>(&'a self, head: &'a [u8]) -> Lines<'a> {
        let ends = self.ends.get(..self.lines).unwrap_or(&self.ends);
        Lines { head, ends: ends.iter(), from: 0, is_all_noted: (1..=NOTED).contains(&self.lines) }
    }

    /// Whether the line that ends before `next`, of one or two bytes, is empty.
    fn is_empty(&self, bytes: &[u8], next: usize) -> bool {
        matches!(bytes.get(self.line..next), Some(b"\n" | b"\r\n"))
    }

    fn too_large(&self) -> Fault {
        if self.lines == 0 { Fault::RequestLineTooLong } else { Fault::HeadTooLarge }
    }
}

/// The lines of a head.
pub(super) struct Lines<'a> {
    head: &'a [u8],
    ends: std::slice::Iter<'a, u32>,
    from: usize,
    /// Whether there is no line but those whose ends are known.
    is_all_noted: bool,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.head.get(self.from..)?;
        let length = match self.ends.next() {
            Some(end) => usize::try_from(*end).ok()?.checked_sub(self.from)?,
            None if self.is_all_noted => return None,
            None => memchr::memchr(b'\n', rest)?.checked_add(1)?,
        };
        self.from = self.from.checked_add(length)?;
        let ([line @ .., b'\r', b'\n'] | [line @ .., b'\n']) = rest.get(..length)? else { return None };
        (!line.is_empty()).then_some(line)
    }
}

/// Whether a request line may begin so: what is no HTTP at all need not be waited for.
pub(super) fn is_beginning(bytes: &[u8]) -> bool {
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    !method.is_empty() && method.iter().all(|byte| is_method_byte(*byte))
}

/// The characters of a method, as in nginx.
pub(super) fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config { line: 20, head: 60, header_lines: 3, ..Config::DEFAULT };

    /// The end of a head that comes in pieces of `step` bytes.
    fn end(bytes: &[u8], step: usize) -> Result<Option<usize>, Fault> {
        let mut scan = Scan::default();
        for end in (step..bytes.len()).step_by(step).chain([bytes.len()]) {
            if let Some(end) = scan.end(&bytes[..end], &CONFIG)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_ends_with_an_empty_line_however_it_comes() {
        let table: [(&[u8], Option<usize>); 7] = [
            (b"GET / HTTP/1.1\r\n\r\nbody", Some(18)),
            (b"GET / HTTP/1.1\n\nbody", Some(16)),
            (b"GET / HTTP/1.1\r\na: b\r\n\r\n\r\n", Some(24)),
            (b"GET / HTTP/1.1\r\na: b\n\r\n", Some(23)),
            (b"GET / HTTP/1.1\r\na: b\r\n", None),
            (b"GET / HTTP/1.1\r\na: b\r\n\r", None),
            (b"GET / HTTP/1.1\r\nx\n\n", Some(19)),
        ];
        for (bytes, expected) in table {
            for step in 1..=bytes.len() {
                assert_eq!(end(bytes, step), Ok(expected), "{step} {:?}", String::from_utf8_lossy(bytes));
            }
        }
    }

    #[test]
    fn what_is_too_large_is_told_as_soon_as_it_is() {
        let table: [(&[u8], Fault); 5] = [
            (b"GET /23456789 HTTP/1.1\r\n", Fault::RequestLineTooLong),
            (b"GET /2345678901234567", Fault::RequestLineTooLong),
            (b"GET / HTTP/1.1\r\naaaaaaaaaaaaaaaaaaaaa", Fault::HeadTooLarge),
            (b"GET / HTTP/1.1\r\na: b\r\na: b\r\na: b\r\na: b\r\n\r\n", Fault::TooManyHeaders),
            (b"GET / HTTP/1.1\r\na: bbbbbbbbbbbbbb\r\na: bbbbbbbbbbbbbb\r\na: bbbbbbbbbb", Fault::HeadTooLarge),
        ];
        for (bytes, fault) in table {
            for step in 1..=bytes.len() {
                assert_eq!(end(bytes, step), Err(fault), "{step} {:?}", String::from_utf8_lossy(bytes));
            }
        }
        assert_eq!(end(b"GET / HTTP/1.1\r\na: b\r\na: b\r\na: b\r\n\r\n", 1), Ok(Some(36)));
    }

    #[test]
    fn lines_are_the_same_noted_or_searched_for() {
        let config = Config { header_lines: 100, head: 1000, ..CONFIG };
        for count in [0, 1, NOTED - 1, NOTED, NOTED + 1, 60] {
            let lines: Vec<_> = (0..count).map(|number| format!("X-{number}: a")).collect();
            let head = format!(
                "{}\r\n\r\nbody\n\n",
                ["GET / HTTP/1.1"].into_iter().chain(lines.iter().map(|line| &**line)).collect::<Vec<_>>().join("\n")
            );
            let mut scan = Scan::default();
            let end = scan.end(head.as_bytes(), &config).unwrap().unwrap();
            let found: Vec<_> = scan.lines(&head.as_bytes()[..end]).skip(1).collect();
            assert_eq!(found, lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>(), "{count}");
        }
    }

    #[test]
    fn few_empty_lines_before_a_request_are_passed_over() {
        let mut scan = Scan::default();
        assert_eq!(scan.skip(b"\r\n\nGET"), Ok(3));
        assert_eq!(scan.skip(&[b'\n'; BLANK]), Err(Fault::RequestLine));
    }

    #[test]
    fn what_can_be_no_method_is_seen_at_once() {
        for (bytes, may) in [
            (&b"GE"[..], true),
            (b"M-SEARCH *", true),
            (b"GET /\xff", true),
            (b"\x16\x03\x01", false),
            (b" GET", false),
            (b"get", false),
            (b"G(T", false),
        ] {
            assert_eq!(is_beginning(bytes), may, "{bytes:?}");
        }
    }
}
