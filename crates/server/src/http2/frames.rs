//! Finding the frames in an HTTP/2 stream of bytes as it goes by (RFC 9113 section 4.1).
//!
//! The `h2` crate does not tell what frames come, so whoever wants to count them has to look
//! himself. Only heads are read, nine bytes each; payloads are stepped over.

/// The types of frames that are told apart here.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// The flag of the frame that completes a header block.
pub(crate) const END_HEADERS: u8 = 4;

const HEAD: usize = 9;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Bytes of its payload.
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// The stream it belongs to; 0 for the connection.
    pub(crate) stream: u32,
}

impl Frame {
    fn read(head: [u8; HEAD]) -> Self {
        let [a, b, c, kind, flags, d, e, f, g] = head;
        Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: u32::from_be_bytes([d, e, f, g]) & (u32::MAX >> 1),
        }
    }
}

/// Where in a stream of frames one is.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    /// How many bytes of the next head are known.
    known: usize,
    /// How many bytes of the payload before it are still to come.
    left: usize,
}

impl Frames {
    /// Frames that begin after this many bytes of something else.
    pub(crate) fn after(bytes: usize) -> Self {
        Self { left: bytes, ..Self::default() }
    }

    /// Goes over the next bytes and tells of each frame whose head is complete with them.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Frame)) {
        loop {
            let skipped = self.left.min(bytes.len());
            self.left = self.left.saturating_sub(skipped);
            bytes = bytes.get(skipped..).unwrap_or_default();
            let missing = self.head.get_mut(self.known..).unwrap_or_default();
            let count = missing.len().min(bytes.len());
            let (Some(missing), Some((now, rest))) = (missing.get_mut(..count), bytes.split_at_checked(count)) else {
                return;
            };
            missing.copy_from_slice(now);
            self.known = self.known.saturating_add(count);
            bytes = rest;
            if self.known < HEAD {
                return;
            }
            let frame = Frame::read(self.head);
            (self.known, self.left) = (0, frame.length as usize);
            tell(frame);
        }
    }

    /// Whether the last frame is complete and nothing of the next one is known.
    pub(crate) fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, kind: u8, stream: u32) -> Vec<u8> {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend([kind, END_HEADERS]);
        bytes.extend(stream.to_be_bytes());
        bytes.resize(HEAD + length, 0xff);
        bytes
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let preface = vec![b'x'; 24];
        let reserved = 1 << 31;
        let all = [preface, frame(0, 4, 0), frame(70_000, 0, 3), frame(8, 6, reserved), frame(1, 1, 5)].concat();
        let expected = [(0, 4, 0), (70_000, 0, 3), (8, 6, 0), (1, 1, 5)].map(|(length, kind, stream)| Frame {
            length,
            kind,
            flags: END_HEADERS,
            stream,
        });
        for size in [1, 2, 5, 9, 10, 23, 24, 25, 1000, all.len()] {
            let (mut frames, mut found) = (Frames::after(24), Vec::new());
            for piece in all.chunks(size) {
                frames.pass(piece, |frame| found.push(frame));
            }
            assert_eq!(found, expected, "in pieces of {size}");
            assert!(frames.is_between());
            frames.pass(&[0], |_| panic!("no frame yet"));
            assert!(!frames.is_between());
        }
    }
}
