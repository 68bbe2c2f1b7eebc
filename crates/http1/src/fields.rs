//! Header lines: one after the other, and as a map that shares the bytes they were read from.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    names,
    spelling::{self, Spelling},
    values,
};

/// How many header lines a message may have at most, whatever is asked for.
pub(crate) const MAX_LINES: usize = 1000;

/// Where the name and the value of one header line stand in the head.
#[derive(Debug, Clone, Copy)]
struct Span {
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
fn note_spans(head: &[u8], lines: &[httparse::Header<'_>], spans: &mut Vec<Span>) {
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
}

/// The lines as a map. Values share the bytes of `head`; names not written as usual are remembered.
fn to_map(head: &Bytes, spans: &[Span]) -> Result<HeaderMap, FieldError> {
    let mut map = HeaderMap::try_with_capacity(spans.len().min(MAX_LINES)).map_err(|_| FieldError::TooLarge)?;
    for span in spans {
        put(head, Span::part(head, span.name), Span::part(head, span.value), &mut map, &mut Spelling::new())?;
    }
    Ok(map)
}

/// Adds a line to a map, whose name and value are parts of `head` and are checked here. The value shares the bytes of `head`;
/// a name not written as usual is remembered.
pub(crate) fn put(
    head: &Bytes,
    written: &[u8],
    value: &[u8],
    map: &mut HeaderMap,
    spelling: &mut Spelling,
) -> Result<(), FieldError> {
    let (name, value) = read(head, written, value, spelling)?;
    map.try_append(name, value).map_err(|_| FieldError::TooLarge)?;
    Ok(())
}

/// The same as name and value.
pub(crate) fn read(
    head: &Bytes,
    written: &[u8],
    value: &[u8],
    spelling: &mut Spelling,
) -> Result<(HeaderName, HeaderValue), FieldError> {
    let value = match values::known(value) {
        Some(value) => value,
        None => HeaderValue::from_maybe_shared(shared(head, value)).map_err(|_| FieldError::Line)?,
    };
    let name = match names::known(written) {
        Some(name) => name,
        None => read_name(head, written, spelling)?,
    };
    Ok((name, value))
}

fn read_name(head: &Bytes, written: &[u8], spelling: &mut Spelling) -> Result<HeaderName, FieldError> {
    let name = HeaderName::from_bytes(written).map_err(|_| FieldError::Line)?;
    if !spelling::is_usual(&name, written) {
        spelling.remember(&name, shared(head, written));
    }
    Ok(name)
}

fn shared(head: &Bytes, part: &[u8]) -> Bytes {
    if part.is_empty() { Bytes::new() } else { head.slice_ref(part) }
}

/// The lines of a head up to the empty one, without their ends.
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(crate) fn of(head: &'a [u8]) -> Self {
        Self { rest: head }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (line, rest) = self.rest.split_at_checked(memchr::memchr(b'\n', self.rest)?)?;
        self.rest = rest.get(1..).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (!line.is_empty()).then_some(line)
    }
}

/// Name and value of a line: up to its first colon, and what follows without the blanks around it. A line without a colon is
/// none; one that begins with a blank, which once was the next part of a value, has a name that nothing can have.
pub(crate) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    // Names are short: quicker letter by letter than by many at once.
    let (name, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
    Some((name, trim(value.get(1..)?)))
}

/// Without the spaces and tabs around it.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
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
    to_map(&section, &spans).map(Some)
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
