//! Header lines that a service adds to a response while its head is written.

use http::{HeaderName, HeaderValue};

use crate::spelling::put_name;

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

    /// Writes a line. The name must be one and stands there as it is.
    pub fn put(&mut self, name: &'static str, value: &HeaderValue) {
        self.put_clean(name, value.as_bytes());
    }

    /// Writes a line whose name takes its usual spelling. The bytes of the value must be such as one may have.
    pub fn put_field(&mut self, name: &HeaderName, value: &[u8]) {
        put_name(self.out, name, None);
        self.put_clean("", value);
    }

    /// Writes a line whose value is a number.
    pub fn put_number(&mut self, name: &'static str, number: u64) {
        let mut digits = [0; 20];
        self.put_clean(name, decimal(number, &mut digits));
    }

    /// Writes a line; of the value bytes are left out that no value may have.
    pub fn put_text(&mut self, name: &'static str, value: &[u8]) {
        let is_bad = |byte: &u8| matches!(byte, 0..=8 | 10..=31 | 0x7f);
        // Without a way out of it in the middle, so that it is done for many bytes at once.
        if value.iter().fold(false, |any, byte| any | is_bad(byte)) {
            let clean: Vec<u8> = value.iter().copied().filter(|byte| !is_bad(byte)).collect();
            self.put_clean(name, &clean);
        } else {
            self.put_clean(name, value);
        }
    }

    fn put_clean(&mut self, name: &'static str, value: &[u8]) {
        self.out.reserve(name.len().saturating_add(value.len()).saturating_add(4));
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// The digits of a number.
pub(super) fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at = at.saturating_sub(1);
        if let Some(place) = digits.get_mut(at) {
            *place = b'0' | u8::try_from(rest % 10).unwrap_or_default();
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    digits.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        let mut out = Vec::new();
        let mut lines = Lines::to(&mut out);
        lines.put("X-A", &HeaderValue::from_static("1"));
        lines.put_text("X-B", b"\r\nX-C: 2\0\t3\x7f");
        lines.put_field(&HeaderName::from_static("x-ratelimit-limit-minute"), b"5");
        lines.put_number("X-D", 0);
        lines.put_number("X-E", u64::MAX);
        assert_eq!(
            out,
            b"X-A: 1\r\nX-B: X-C: 2\t3\r\nX-RateLimit-Limit-Minute: 5\r\nX-D: 0\r\nX-E: 18446744073709551615\r\n"
        );
    }
}
