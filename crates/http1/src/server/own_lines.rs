//! Header lines that a service adds to a response while its head is written.

use http::{HeaderName, HeaderValue};

/// Header lines that a service adds to every response: written where they are needed, they cost a fraction of what a map
/// of headers takes to keep them.
///
/// They say nothing about framing and the connection, which is the connection's to say.
pub trait OwnLines {
    /// Sees a header of the response, in their order; `false` leaves it out.
    fn pass(&mut self, name: &HeaderName, value: &HeaderValue) -> bool;

    /// Adds lines behind those of the response.
    fn add(&mut self, lines: &mut Lines<'_>);

    /// So many bytes were written as the head, all lines together.
    fn written(&mut self, bytes: usize);
}

/// No lines of one's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLines;

impl OwnLines for NoLines {
    fn pass(&mut self, _: &HeaderName, _: &HeaderValue) -> bool {
        true
    }

    fn add(&mut self, _: &mut Lines<'_>) {}

    fn written(&mut self, _: usize) {}
}

/// Where header lines are written to.
#[derive(Debug)]
pub struct Lines<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(super) fn to(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Writes a line. The name must be one and stands there as it is; of the value bytes are left out that no value may
    /// have.
    pub fn put(&mut self, name: &'static str, value: &[u8]) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        let is_bad = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 0x7f);
        // Without a way out of it in the middle, so that it is done for many bytes at once.
        if value.iter().fold(false, |any, byte| any | is_bad(byte)) {
            self.out.extend(value.iter().filter(|byte| !is_bad(byte)));
        } else {
            self.out.extend_from_slice(value);
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        let mut out = Vec::new();
        let mut lines = Lines::to(&mut out);
        lines.put("X-A", b"1");
        lines.put("X-B", b"\r\nX-C: 2\0\t3\x7f");
        assert_eq!(out, b"X-A: 1\r\nX-B: X-C: 2\t3\r\n");
    }
}
