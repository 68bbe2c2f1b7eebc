//! JSON, written piece by piece.

use std::{io::Write as _, net::IpAddr, ops::Range};

use http::HeaderName;
use uuid::Uuid;

/// Writes JSON to the end of a buffer: no tree in between, no allocation of its own. Commas are put
/// where something stands before.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Json<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// `{`, what `fields` writes, `}`.
    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        fields(self);
        self.out.push(b'}');
    }

    /// `[`, what `items` writes, `]`.
    pub(crate) fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.out.push(b'[');
        items(self);
        self.out.push(b']');
    }

    /// The name of a field, whose value is written next: [`name!`](name) of it.
    #[inline(always)]
    pub(crate) fn key(&mut self, name: &'static str) -> &mut Self {
        // Inline, so that a name is written by a few stores.
        self.next();
        self.out.extend_from_slice(name.as_bytes());
        self
    }

    /// The name of a field that nobody here has chosen, and that needs no escape: that of a header.
    pub(crate) fn header_key(&mut self, name: &HeaderName) -> &mut Self {
        self.next();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_str().as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    /// The name of a field that somebody else chose.
    pub(crate) fn foreign_key(&mut self, name: &[u8]) -> &mut Self {
        self.next();
        self.text(name);
        self.out.push(b':');
        self
    }

    /// Before an item of an array: a comma, unless it is the first.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> &mut Self {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
        self
    }

    /// A text. What is no UTF-8 is replaced, as JSON must be.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        self.escaped(text);
        self.out.push(b'"');
    }

    /// A text of the program's own, or one that has been looked at: nothing in it needs an escape.
    pub(crate) fn plain(&mut self, text: &[u8]) {
        self.out.push(b'"');
        self.out.extend_from_slice(text);
        self.out.push(b'"');
    }

    /// An id, as a text.
    pub(crate) fn id(&mut self, id: Uuid) {
        self.plain(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    }

    /// An address, as a text.
    pub(crate) fn address(&mut self, address: IpAddr) {
        self.out.push(b'"');
        match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                self.number(a);
                for byte in [b, c, d] {
                    self.out.push(b'.');
                    self.number(byte);
                }
            }
            // Writing to memory does not fail.
            IpAddr::V6(address) => _ = write!(self.out, "{address}"),
        }
        self.out.push(b'"');
    }

    /// Where the next byte will stand.
    pub(crate) fn place(&self) -> usize {
        self.out.len()
    }

    /// A text of pieces.
    pub(crate) fn pieces(&mut self, write: impl FnOnce(&mut Pieces<'_, 'a>)) {
        self.out.push(b'"');
        write(&mut Pieces(self));
        self.out.push(b'"');
    }

    /// A number.
    pub(crate) fn number(&mut self, number: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// JSON that is ready.
    pub(crate) fn raw(&mut self, json: &[u8]) {
        self.out.extend_from_slice(json);
    }

    fn escaped(&mut self, text: &[u8]) {
        if is_plain(text) {
            self.out.extend_from_slice(text);
        } else {
            self.escape(text);
        }
    }

    #[cold]
    fn escape(&mut self, text: &[u8]) {
        for char in String::from_utf8_lossy(text).chars() {
            match char {
                '"' => self.out.extend_from_slice(b"\\\""),
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                char if (char as u32) < 0x20 => _ = write!(self.out, "\\u{:04x}", char as u32),
                char => self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

/// The name of a field with what JSON puts around it, put together when the program is built. Nothing in it needs an escape.
macro_rules! name {
    ($name:literal) => {
        concat!("\"", $name, "\":")
    };
}

pub(crate) use name;

/// Whether nothing in a text needs an escape.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    words.iter().all(|word| is_plain_word(u64::from_ne_bytes(*word))) && rest.iter().all(|byte| is_plain_byte(*byte))
}

fn is_plain_byte(byte: u8) -> bool {
    (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// The same of eight bytes at once: the highest bit of each is what is found out about it. A byte behind one that is not
/// plain may be taken for another one of that sort, which changes nothing.
fn is_plain_word(word: u64) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    // Below the limit, if it is below 0x80 itself.
    let below = |word: u64, limit: u8| word.wrapping_sub(each(limit)) & !word;
    let control = below(word, 0x20);
    let quote = below(word ^ each(b'"'), 1);
    let backslash = below(word ^ each(b'\\'), 1);
    (word | control | quote | backslash) & HIGH == 0
}

/// The pieces of one text.
pub(crate) struct Pieces<'j, 'a>(&'j mut Json<'a>);

impl Pieces<'_, '_> {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.0.escaped(piece);
    }

    pub(crate) fn number(&mut self, number: impl itoa::Integer) {
        self.0.number(number);
    }

    /// A piece of what was written before, from this place on, with its escapes.
    pub(crate) fn again(&mut self, piece: Range<usize>) {
        if piece.start <= piece.end && piece.end <= self.0.out.len() {
            self.0.out.extend_from_within(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut out = Vec::new();
        Json::new(&mut out).object(|json| {
            json.key(name!("a")).number(1);
            json.key(name!("b")).array(|json| {
                json.next().text(b"x");
                json.next().text("\"\\\n\u{1}é/".as_bytes());
                json.next().text(b"\xff{");
                json.next().object(|_| {});
            });
            json.foreign_key(b"a\"b").pieces(|pieces| {
                pieces.add(b"x:");
                pieces.number(7);
            });
        });
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let expected = serde_json::json!({"a": 1, "b": ["x", "\"\\\n\u{1}é/", "\u{fffd}{", {}], "a\"b": "x:7"});
        assert_eq!(read, expected);
    }

    #[test]
    fn what_needs_an_escape_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                let mut text = *b"abcdefghijklmnopqrst";
                text[place] = byte;
                let expected = (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\';
                assert_eq!(is_plain(&text), expected, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn addresses_and_ids_are_texts() {
        let mut out = Vec::new();
        let mut json = Json::new(&mut out);
        json.array(|json| {
            json.next().address([192, 0, 2, 255].into());
            json.next().address("2001:db8::1".parse().unwrap());
            json.next().id(Uuid::from_u128(0xabc));
        });
        assert_eq!(out, br#"["192.0.2.255","2001:db8::1","00000000-0000-0000-0000-000000000abc"]"#);
    }
}
