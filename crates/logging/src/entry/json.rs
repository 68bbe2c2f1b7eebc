//! JSON, written piece by piece.

use std::fmt::Write as _;

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

    /// The name of a field, whose value is written next. Names are the program's own: nothing in them
    /// needs an escape.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.next();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
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
        if text.iter().all(|byte| is_plain(*byte)) {
            self.out.extend_from_slice(text);
            return;
        }
        for char in String::from_utf8_lossy(text).chars() {
            match char {
                '"' => self.out.extend_from_slice(b"\\\""),
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                char if (char as u32) < 0x20 => {
                    let mut escape = String::with_capacity(6);
                    let _ = write!(escape, "\\u{:04x}", char as u32);
                    self.out.extend_from_slice(escape.as_bytes());
                }
                char => self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut out = Vec::new();
        Json::new(&mut out).object(|json| {
            json.key("a").number(1);
            json.key("b").array(|json| {
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
}
