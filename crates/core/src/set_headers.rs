//! Headers that plugins set on a message while others make it.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use uuid::Uuid;

use crate::context::Context;

/// What a header is set to: a value, or what one is made of when it is written.
#[derive(Clone)]
pub enum SetValue {
    /// This value.
    Value(HeaderValue),
    /// A number, in decimal digits.
    Number(u64),
    /// An id, in its usual form with hyphens.
    Id(Uuid),
    /// A value that stands in the request's context; if there is none, the header is not there.
    Known(fn(&Context) -> Option<&HeaderValue>),
    /// A text that stands there. The header is not there either if that is none that a header can hold.
    Text(fn(&Context) -> Option<&str>),
}

impl From<HeaderValue> for SetValue {
    fn from(value: HeaderValue) -> Self {
        Self::Value(value)
    }
}

impl From<u64> for SetValue {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Uuid> for SetValue {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl SetValue {
    /// Shows the bytes of the value: such as a header may hold.
    #[inline]
    pub fn show(&self, cx: &Context, see: impl FnOnce(&[u8])) {
        match self {
            Self::Value(value) => see(value.as_bytes()),
            Self::Number(number) => see(itoa::Buffer::new().format(*number).as_bytes()),
            Self::Id(id) => see(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes()),
            Self::Known(value) => {
                if let Some(value) = value(cx) {
                    see(value.as_bytes());
                }
            }
            Self::Text(text) => {
                if let Some(text) = text(cx).filter(|text| !text.bytes().any(is_control)) {
                    see(text.as_bytes());
                }
            }
        }
    }

    fn into_value(self, cx: &Context) -> Option<HeaderValue> {
        if let Self::Value(value) = self {
            return Some(value);
        }
        let mut value = None;
        self.show(cx, |bytes| value = HeaderValue::from_bytes(bytes).ok());
        value
    }
}

impl fmt::Debug for SetValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Id(id) => id.fmt(f),
            Self::Known(_) => f.write_str("Known"),
            Self::Text(_) => f.write_str("Text"),
        }
    }
}

/// Whether a byte can be in no header's value.
fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 10..=31 | 0x7f)
}

/// Headers that were set on a message, in the order in which they were.
///
/// A list: what is written once costs a fraction of what it takes to put it into a map and to find its place there.
#[derive(Debug, Default)]
pub struct SetHeaders {
    headers: Vec<(HeaderName, Change)>,
    /// A bit for each name that there is, and for each that was set or removed: most others are told apart by them.
    named: u64,
    replaced: u64,
    /// Whether somebody on the message's way has to see one of them.
    is_seen: bool,
}

#[derive(Debug)]
enum Change {
    /// In place of all lines of this name.
    Set(SetValue),
    /// Beside them.
    Add(SetValue),
    /// No line of this name.
    Remove,
}

/// Room for what usual plugins set together.
const USUAL: usize = 10;

impl SetHeaders {
    /// Sets a header, in place of all lines of its name.
    #[inline]
    pub fn set(&mut self, name: HeaderName, value: SetValue) {
        self.replace(name, Change::Set(value));
    }

    /// Adds a line beside those of its name.
    pub fn add(&mut self, name: HeaderName, value: SetValue) {
        // Of the usual ones, only this one is read on the way, and only by those who add to it, too.
        self.is_seen |= name != header::VARY && !may_wait(&name);
        self.push(bit(&name), name, Change::Add(value));
    }

    /// Removes all lines of this name.
    pub fn remove(&mut self, name: HeaderName) {
        self.replace(name, Change::Remove);
    }

    #[inline]
    fn replace(&mut self, name: HeaderName, change: Change) {
        let bit = bit(&name);
        if self.named & bit != 0 {
            self.headers.retain(|(other, _)| *other != name);
        }
        self.replaced |= bit;
        self.is_seen |= !may_wait(&name);
        self.push(bit, name, change);
    }

    #[inline]
    fn push(&mut self, bit: u64, name: HeaderName, change: Change) {
        self.named |= bit;
        if self.headers.capacity() == 0 {
            self.headers = Vec::with_capacity(USUAL);
        }
        self.headers.push((name, change));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Whether none of them decides anything on the message's way.
    pub(crate) fn may_wait(&self) -> bool {
        !self.is_seen
    }

    /// Whether a line of the message's own that has this name is to be left out.
    #[inline]
    pub fn replaces(&self, name: &HeaderName) -> bool {
        let is = |(other, change): &(HeaderName, Change)| !matches!(change, Change::Add(_)) && other == name;
        self.replaced & bit(name) != 0 && self.headers.iter().any(is)
    }

    /// The names of all of them.
    pub(crate) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|(name, _)| name)
    }

    /// What is to be written, in the order in which it was set.
    pub fn lines(&self) -> impl Iterator<Item = (&HeaderName, &SetValue)> {
        self.headers.iter().filter_map(|(name, change)| match change {
            Change::Set(value) | Change::Add(value) => Some((name, value)),
            Change::Remove => None,
        })
    }

    /// Writes them into a map, over what is there already.
    pub fn write(self, cx: &Context, headers: &mut HeaderMap) {
        for (name, change) in self.headers {
            let (value, is_added) = match change {
                Change::Set(value) => (value.into_value(cx), false),
                Change::Add(value) => (value.into_value(cx), true),
                Change::Remove => (None, false),
            };
            match (value, is_added) {
                (Some(value), true) => _ = headers.append(name, value),
                (Some(value), false) => _ = headers.insert(name, value),
                (None, true) => {}
                (None, false) => _ = headers.remove(name),
            }
        }
    }
}

/// A bit that the same names have in common, and few others.
#[inline]
fn bit(name: &HeaderName) -> u64 {
    // The last letter and the third last tell most names apart that the gateway's plugins use.
    let name = name.as_str().as_bytes();
    let letters = match name {
        [.., third, _, last] => usize::from(*third).wrapping_mul(3).wrapping_add(usize::from(*last)),
        _ => 0,
    };
    1 << (name.len().wrapping_mul(5).wrapping_add(letters) % 64)
}

/// Whether a header of this name is only the recipient's business: nobody decides by it between the guards and the
/// recipient. What the gateway says itself, and what is about the body and the connection, is not among these.
#[inline]
fn may_wait(name: &HeaderName) -> bool {
    // Letter by letter, which is compared in place instead of by a call.
    match name.as_str().as_bytes() {
        [b'x', b'-', b'k', b'o', b'n', b'g', b'-', ..] | b"x-real-ip" => false,
        [b'x', b'-', b'f', b'o', b'r', b'w', b'a', b'r', b'd', b'e', b'd', b'-', ..] => false,
        [b'x', b'-', ..] | [b'r', b'a', b't', b'e', b'l', b'i', b'm', b'i', b't', ..] | b"kong-request-id" => true,
        [b'a', b'c', b'c', b'e', b's', b's', b'-', b'c', b'o', b'n', b't', b'r', b'o', b'l', b'-', ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn name(name: &'static str) -> HeaderName {
        HeaderName::from_static(name)
    }

    fn value(value: &'static str) -> SetValue {
        HeaderValue::from_static(value).into()
    }

    fn written(set: SetHeaders, own: &[(&'static str, &'static str)]) -> Vec<String> {
        let (mut head, ()) = Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        let mut headers = HeaderMap::new();
        own.iter().for_each(|(name, value)| _ = headers.append(*name, HeaderValue::from_static(value)));
        // Whoever writes lines comes to the same.
        let kept = headers.iter().filter(|(name, _)| !set.replaces(name)).map(|(name, value)| (name, value.as_bytes()));
        let mut lines: Vec<_> = kept.map(|(name, value)| line(name, value)).collect();
        set.lines().for_each(|(name, value)| value.show(&cx, |bytes| lines.push(line(name, bytes))));
        set.write(&cx, &mut headers);
        let mut mapped: Vec<_> = headers.iter().map(|(name, value)| line(name, value.as_bytes())).collect();
        lines.sort();
        mapped.sort();
        assert_eq!(lines, mapped);
        mapped
    }

    fn line(name: &HeaderName, value: &[u8]) -> String {
        format!("{name}: {}", String::from_utf8_lossy(value))
    }

    #[test]
    fn what_is_set_replaces_and_what_is_added_stands_beside() {
        let mut set = SetHeaders::default();
        set.set(name("x-a"), value("1"));
        set.set(name("x-b"), 20_u64.into());
        set.set(name("x-a"), value("3"));
        set.add(name("vary"), value("Origin"));
        set.remove(name("x-gone"));
        set.set(name("x-id"), Uuid::nil().into());
        let own = [("x-a", "own"), ("x-a", "twice"), ("vary", "accept"), ("x-gone", "1"), ("x-other", "2")];
        let nil = "x-id: 00000000-0000-0000-0000-000000000000";
        assert_eq!(written(set, &own), ["vary: Origin", "vary: accept", "x-a: 3", "x-b: 20", nil, "x-other: 2"]);
    }

    #[test]
    fn what_was_removed_or_added_is_changed_by_what_comes_later() {
        let mut set = SetHeaders::default();
        set.remove(name("x-a"));
        set.add(name("x-a"), value("1"));
        set.add(name("x-b"), value("1"));
        set.add(name("x-c"), value("1"));
        set.set(name("x-d"), value("0"));
        set.set(name("x-b"), value("2"));
        set.set(name("x-d"), value("1"));
        set.remove(name("x-d"));
        assert_eq!(
            written(set, &[("x-a", "own"), ("x-b", "own"), ("x-c", "own")]),
            ["x-a: 1", "x-b: 2", "x-c: 1", "x-c: own"]
        );
    }

    #[test]
    fn a_text_that_is_not_known_is_not_there() {
        let mut set = SetHeaders::default();
        set.set(name("x-consumer-username"), SetValue::Text(|cx| cx.consumer()?.username.as_deref()));
        assert_eq!(written(set, &[("x-consumer-username", "spoofed")]), Vec::<String>::new());
    }

    #[test]
    fn what_decides_something_does_not_wait() {
        let waits = |name: &'static str| {
            let mut set = SetHeaders::default();
            set.set(self::name(name), value("1"));
            set.may_wait()
        };
        for name in ["x-ratelimit-limit-minute", "ratelimit", "access-control-allow-origin", "kong-request-id"] {
            assert!(waits(name), "{name}");
        }
        for name in
            ["content-length", "connection", "date", "vary", "etag", "via", "x-kong-request-id", "x-forwarded-for"]
        {
            assert!(!waits(name), "{name}");
        }
        let mut vary = SetHeaders::default();
        vary.add(name("vary"), value("Origin"));
        assert!(vary.may_wait());
    }
}
