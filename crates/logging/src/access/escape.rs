//! How variables are written into a line.

use std::io::Write as _;

/// How variables are written into a line, so that no client can forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// As nginx does: `"`, `\` and what is no visible ASCII become `\x22`; an empty one is `-`.
    Text,
    /// For inside a JSON string; an empty one stays empty.
    Json,
}

impl Escape {
    /// Writes a value.
    pub(super) fn write(self, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Text if value.is_empty() => out.push(b'-'),
            Self::Text => text(value, out),
            Self::Json => json(value, out),
        }
    }
}

fn text(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => _ = write!(out, "\\x{byte:02X}"),
            byte => out.push(*byte),
        }
    }
}

fn json(value: &[u8], out: &mut Vec<u8>) {
    for char in String::from_utf8_lossy(value).chars() {
        match char {
            '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
            char if (char as u32) < 0x20 => _ = write!(out, "\\u{:04x}", char as u32),
            char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_end_its_line_or_its_quotes() {
        for (value, as_text, as_json) in [
            (b"".as_slice(), "-", ""),
            (b"plain x", "plain x", "plain x"),
            (b"a\"b\\c\n", r"a\x22b\x5Cc\x0A", r#"a\"b\\c\u000a"#),
            ("é".as_bytes(), r"\xC3\xA9", "é"),
            (b"\xff\x7f", r"\xFF\x7F", "\u{fffd}\u{7f}"),
        ] {
            for (escape, expected) in [(Escape::Text, as_text), (Escape::Json, as_json)] {
                let mut out = Vec::new();
                escape.write(value, &mut out);
                assert_eq!(String::from_utf8(out).unwrap(), expected);
            }
        }
    }
}
