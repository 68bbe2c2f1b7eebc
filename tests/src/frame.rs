//! HTTP/2 frames as bytes (RFC 9113 section 4.1).

/// Types of frames.
#[expect(missing_docs, reason = "the RFC's own names")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
#[expect(missing_docs, reason = "the RFC's own names")]
pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

/// Error codes (RFC 9113 section 7).
#[expect(missing_docs, reason = "the RFC's own names")]
pub mod code {
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
    pub const REFUSED_STREAM: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION_ERROR: u32 = 9;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One of [`kind`].
    pub kind: u8,
    /// Of [`flag`], added up.
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Any frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// `SETTINGS` with these pairs.
    pub fn settings(pairs: &[(u16, u32)]) -> Self {
        let payload = pairs.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
        Self::new(kind::SETTINGS, 0, 0, payload.collect::<Vec<_>>())
    }

    /// A whole request's `HEADERS`, without a body.
    pub fn headers(stream: u32, fields: &[(&str, &str)]) -> Self {
        Self::new(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, block(fields))
    }

    /// The same for `GET` of a path, at `gateway.test`.
    pub fn get(stream: u32, path: &str) -> Self {
        Self::headers(stream, &request("GET", path))
    }

    /// The `HEADERS` of a `POST` whose body is to follow.
    pub fn post(stream: u32, path: &str) -> Self {
        Self::new(kind::HEADERS, flag::END_HEADERS, stream, block(&request("POST", path)))
    }

    /// `DATA`, the last of its stream or not.
    pub fn data(stream: u32, bytes: impl Into<Vec<u8>>, is_last: bool) -> Self {
        Self::new(kind::DATA, if is_last { flag::END_STREAM } else { 0 }, stream, bytes)
    }

    /// `RST_STREAM`.
    pub fn reset(stream: u32, code: u32) -> Self {
        Self::new(kind::RST_STREAM, 0, stream, code.to_be_bytes())
    }

    /// `WINDOW_UPDATE`.
    pub fn window(stream: u32, increment: u32) -> Self {
        Self::new(kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    /// `PING`.
    pub fn ping() -> Self {
        Self::new(kind::PING, 0, 0, *b"any data")
    }

    /// The bytes for the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a short payload").to_be_bytes();
        [&length[1..], &[self.kind, self.flags], &self.stream.to_be_bytes(), &self.payload].concat()
    }

    /// Takes the first whole frame out of the buffer.
    pub(crate) fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let head: [u8; 9] = buffer.get(..9)?.try_into().expect("nine bytes");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = buffer.get(9..9 + length)?.to_vec();
        buffer.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Self { kind: head[3], flags: head[4], stream, payload })
    }

    /// The code of a `RST_STREAM` or `GOAWAY`.
    ///
    /// # Panics
    /// When it is another frame.
    #[track_caller]
    pub fn code(&self) -> u32 {
        let at = match self.kind {
            kind::RST_STREAM => 0,
            kind::GOAWAY => 4,
            _ => panic!("no frame with a code: {self:?}"),
        };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    /// The last stream that a `GOAWAY` names.
    pub fn last_stream(&self) -> u32 {
        u32::from_be_bytes(self.payload[..4].try_into().expect("four bytes"))
    }

    /// Whether the flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The status of a response's `HEADERS`, which is the first field of its block.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn status(&self) -> u16 {
        const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        assert_eq!(self.kind, kind::HEADERS, "{self:?}");
        match self.payload[0] {
            index @ 0x88..=0x8e => INDEXED[usize::from(index - 0x88)],
            // A literal value of one of these names, as it is or in Huffman's code.
            0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e if self.payload[1] & 0x80 == 0 => {
                std::str::from_utf8(&self.payload[2..5]).expect("digits").parse().expect("a status")
            }
            0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e => unpacked(&self.payload[2..]),
            _ => panic!("no status first: {self:?}"),
        }
    }
}

/// The pseudo-header fields of a request to `gateway.test`.
fn request<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "http"), (":path", path), (":authority", "gateway.test")]
}

/// A header block: every field as a literal that nobody remembers (RFC 7541 section 6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// A length as an integer with a prefix of seven bits (RFC 7541 section 5.1).
fn length(bytes: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else { return bytes.push(u8::try_from(length).expect("below 127")) };
    bytes.push(127);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).expect("seven bits") | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).expect("seven bits"));
}

/// Three digits out of Huffman's code (RFC 7541 appendix B): `0` to `2` have five bits, `3` to `9` six.
fn unpacked(bytes: &[u8]) -> u16 {
    let bits: Vec<u16> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1))).collect();
    let number = |bits: &[u16]| bits.iter().fold(0, |number, bit| number * 2 + bit);
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let short = number(&bits[at..at + 5]);
        let (digit, size) = if short <= 2 { (short, 5) } else { (number(&bits[at..at + 6]) - 0b01_1001 + 3, 6) };
        status = status * 10 + digit;
        at += size;
    }
    status
}
