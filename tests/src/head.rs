//! The head of a message: first line and headers, up to the empty line.

use crate::Headers;

/// A parsed head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The bytes with the empty line.
    pub(crate) raw: Vec<u8>,
    /// The three words of the first line; the last may contain spaces.
    pub(crate) words: [String; 3],
    pub(crate) headers: Headers,
}

impl Head {
    /// Takes a whole head from the front of `buffer`, or nothing while it is incomplete.
    pub(crate) fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let rest = buffer.split_off(end);
        Some(Self::parse(std::mem::replace(buffer, rest)))
    }

    fn parse(raw: Vec<u8>) -> Self {
        let text: String = raw.iter().map(|&byte| char::from(byte)).collect();
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        let mut words = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let words = [word(), word(), word()];
        Self { words, headers: Headers::parse(lines), raw }
    }
}
