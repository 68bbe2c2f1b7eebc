//! Header lines that are written before the request that they stand in.

use super::request::put_own;

/// Header lines of the caller's own that are the same in many requests: written once, and put into each of them
/// ([`Request::lines`](super::Request::lines)) in one piece.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    bytes: Vec<u8>,
}

impl Lines {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line, as [`Request::header_of`](super::Request::header_of) does.
    pub fn header_of(&mut self, name: &'static str, parts: &[&[u8]]) {
        put_own(&mut self.bytes, name, parts);
    }

    /// Takes the lines out, to write others.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines_and_frame_nothing() {
        let mut lines = Lines::new();
        lines.header_of("X-Gone", &[b"0"]);
        lines.clear();
        lines.header_of("X-A", &[b"1\r\nX-B: ", b"2\0"]);
        lines.header_of("Content-Length", &[b"5"]);
        lines.header_of("Transfer-Encoding", &[b"chunked"]);
        lines.header_of("X-C", &[]);
        assert_eq!(lines.as_bytes(), b"X-A: 1X-B: 2\r\nX-C: \r\n");
    }
}
