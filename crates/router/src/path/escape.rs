//! Which bytes of a path are escaped, and how.

use std::borrow::Cow;

/// Escapes what may not stand in a request target: every byte but letters, digits and
/// ``!#$&'()*+,/:;=?@[]-_.~%``. Escapes that are already there stay as they are.
#[must_use]
pub fn escape(path: &str) -> Cow<'_, str> {
    if path.bytes().all(is_sendable) {
        return Cow::Borrowed(path);
    }
    let mut escaped = String::with_capacity(path.len().saturating_add(16));
    for byte in path.bytes() {
        if is_sendable(byte) {
            escaped.push(char::from(byte));
        } else {
            push_escape(&mut escaped, byte);
        }
    }
    Cow::Owned(escaped)
}

pub(super) fn push_escape(text: &mut String, byte: u8) {
    text.push('%');
    for digit in [byte >> 4, byte & 0xF] {
        let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
        text.push(digit.to_ascii_uppercase());
    }
}

/// Characters that mean something in a URL: their escapes are not the same as they are.
pub(super) const fn is_reserved(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'*'
            | b'\''
            | b'('
            | b')'
            | b';'
            | b':'
            | b'@'
            | b'&'
            | b'='
            | b'+'
            | b'$'
            | b','
            | b'/'
            | b'?'
            | b'%'
            | b'#'
            | b'['
            | b']'
    )
}

const fn is_sendable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || is_reserved(byte) || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_again() {
        let cases = [
            ("/a b", "/a%20b"),
            ("/café", "/caf%C3%A9"),
            ("/a%2Fb", "/a%2Fb"),
            ("/~a-_.!#$&'()*+,/:;=?@[]", "/~a-_.!#$&'()*+,/:;=?@[]"),
            ("/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ];
        for (path, sent) in cases {
            assert_eq!(escape(path), sent);
        }
    }
}
