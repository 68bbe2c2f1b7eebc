//! Header lines: as spans of the bytes they were read from, and as a map that shares these bytes.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::spelling::{self, Spelling};

/// How many header lines a message may have at most, whatever is asked for.
pub(crate) const MAX_LINES: usize = 1000;

/// Where the name and the value of one header line stand in the head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    name: (u32, u32),
    value: (u32, u32),
}

/// Why header lines could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldError {
    /// One is no header line.
    Line,
    /// There are too many, or they are too long.
    TooLarge,
}

/// Notes where the lines that httparse found in `head` stand.
pub(crate) fn note_spans(head: &[u8], lines: &[httparse::Header<'_>], spans: &mut Vec<Span>) {
    let start = head.as_ptr() as usize;
    // Lines are parts of the head, so their distance from its start is within its length.
    let span = |part: &[u8]| {
        let from = (part.as_ptr() as usize).saturating_sub(start);
        (narrow(from), narrow(from.saturating_add(part.len())))
    };
    spans.clear();
    spans.extend(lines.iter().map(|line| Span { name: span(line.name.as_bytes()), value: span(line.value) }));
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl Span {
    fn part(head: &Bytes, (from, to): (u32, u32)) -> &[u8] {
        head.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The name as it was written.
    pub(crate) fn name(self, head: &Bytes) -> &[u8] {
        Self::part(head, self.name)
    }

    fn shared(head: &Bytes, part: &[u8]) -> Bytes {
        if part.is_empty() { Bytes::new() } else { head.slice_ref(part) }
    }
}

/// The lines as a map. Values share the bytes of `head`; names not written as usual are remembered.
pub(crate) fn to_map(head: &Bytes, spans: &[Span], spelling: &mut Spelling) -> Result<HeaderMap, FieldError> {
    // Room for a few lines more: a gateway adds its own.
    let capacity = spans.len().saturating_add(6).min(MAX_LINES);
    let mut map = HeaderMap::try_with_capacity(capacity).map_err(|_| FieldError::TooLarge)?;
    for span in spans {
        let written = span.name(head);
        let name = HeaderName::from_bytes(written).map_err(|_| FieldError::Line)?;
        let value = Span::shared(head, Span::part(head, span.value));
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| FieldError::Line)?;
        if !spelling::is_usual(&name, written) {
            spelling.remember(&name, Span::shared(head, written));
        }
        map.try_append(name, value).map_err(|_| FieldError::TooLarge)?;
    }
    Ok(map)
}

/// Takes header lines up to and with the empty line that ends them; `None` while it has not come.
/// Every line must end in CR LF.
pub(crate) fn take_section(
    buffer: &mut BytesMut,
    max_bytes: usize,
    max_lines: usize,
) -> Result<Option<HeaderMap>, FieldError> {
    let mut lines = [httparse::EMPTY_HEADER; 128];
    let lines = lines.get_mut(..max_lines.min(128)).unwrap_or_default();
    let mut spans = Vec::new();
    let end = match httparse::parse_headers(buffer, lines) {
        Ok(httparse::Status::Complete((end, lines))) => {
            note_spans(buffer, lines, &mut spans);
            end
        }
        Ok(httparse::Status::Partial) if buffer.len() > max_bytes => return Err(FieldError::TooLarge),
        Ok(httparse::Status::Partial) => return check_line_ends(buffer).map(|()| None),
        Err(httparse::Error::TooManyHeaders) => return Err(FieldError::TooLarge),
        Err(_) => return Err(FieldError::Line),
    };
    if end > max_bytes {
        return Err(FieldError::TooLarge);
    }
    let section = buffer.split_to(end).freeze();
    check_line_ends(&section)?;
    to_map(&section, &spans, &mut Spelling::new()).map(Some)
}

/// httparse takes a bare LF for the end of a line. Where it counts who else might do so and who
/// might not, it is refused.
pub(crate) fn check_line_ends(lines: &[u8]) -> Result<(), FieldError> {
    let mut from = 0;
    for at in memchr::memchr_iter(b'\n', lines) {
        let line = lines.get(from..at).unwrap_or_default();
        if line.last() != Some(&b'\r') {
            return Err(FieldError::Line);
        }
        from = at.saturating_add(1);
    }
    Ok(())
}
