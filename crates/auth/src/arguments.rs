//! Arguments written as `a=1&b=2`: a query string, or a form's body.

use std::borrow::Cow;

use http::{
    Uri,
    uri::{Parts, PathAndQuery},
};

use crate::value::Value;

/// What stands under this name.
pub(crate) fn value<'a>(arguments: &'a [u8], name: &str) -> Value<'a> {
    segments(arguments).filter(|segment| is_named(segment, name)).fold(Value::Absent, |found, segment| {
        let text = split(segment).1.map(|text| Value::Text(decode(text)));
        found.and(text.unwrap_or(Value::Other))
    })
}

/// Every argument of this name: its text, or `None` if it is written without `=`.
#[cfg(feature = "jose")]
pub(crate) fn values<'a>(arguments: &'a [u8], name: &str) -> impl Iterator<Item = Option<Cow<'a, [u8]>>> {
    segments(arguments).filter(move |segment| is_named(segment, name)).map(|segment| split(segment).1.map(decode))
}

/// The arguments without those of this name, the others as they were; `None` if there are none of it.
pub(crate) fn without(arguments: &[u8], name: &str) -> Option<Vec<u8>> {
    if !segments(arguments).any(|segment| is_named(segment, name)) {
        return None;
    }
    let kept: Vec<_> = segments(arguments).filter(|segment| !is_named(segment, name)).collect();
    Some(kept.join(&b"&"[..]))
}

/// Removes the arguments of this name from a query. The last one leaves `?` behind, as in Kong.
pub(crate) fn remove_from(uri: &mut Uri, name: &str) {
    let Some(query) = uri.query().and_then(|query| without(query.as_bytes(), name)) else { return };
    let target = [uri.path().as_bytes(), b"?", &query].concat();
    let Ok(target) = PathAndQuery::try_from(target) else { return };
    let mut parts = Parts::from(std::mem::take(uri));
    parts.path_and_query = Some(target);
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

fn segments(arguments: &[u8]) -> impl Iterator<Item = &[u8]> {
    arguments.split(|byte| *byte == b'&')
}

fn split(segment: &[u8]) -> (&[u8], Option<&[u8]>) {
    match segment.iter().position(|byte| *byte == b'=') {
        Some(at) => (segment.get(..at).unwrap_or_default(), segment.get(at.saturating_add(1)..)),
        None => (segment, None),
    }
}

fn is_named(segment: &[u8], name: &str) -> bool {
    *decode(split(segment).0) == *name.as_bytes()
}

/// `+` is a space, `%41` is `A`; a bad `%` stands for itself.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_encoding::percent_decode(text).into();
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_encoding::percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_an_argument() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text.as_bytes()));
        let cases = [
            ("", Value::Absent),
            ("apikey=k", text("k")),
            ("a=1&apikey=k&b", text("k")),
            ("apikey=a%20b+c%zz", text("a b c%zz")),
            ("api%6bey=k", text("k")),
            ("apikey=k=k", text("k=k")),
            ("APIKEY=k", Value::Absent),
            ("apikeys=k", Value::Absent),
            ("apikey=", text("")),
            ("apikey", Value::Other),
            ("apikey=k&apikey=k", Value::Many),
            ("apikey&apikey=k", Value::Many),
        ];
        for (arguments, expected) in cases {
            assert_eq!(value(arguments.as_bytes(), "apikey"), expected, "{arguments}");
        }
        assert_eq!(value(b"apikey=%FF", "apikey"), Value::Text(Cow::Borrowed(b"\xff")));
    }

    #[test]
    fn removes_an_argument_and_leaves_the_rest_as_it_was() {
        let cases = [
            ("/p?apikey=k", "/p?"),
            ("/?apikey=k", "/?"),
            ("/p?a=%41&apikey=k&c", "/p?a=%41&c"),
            ("/p?apikey=k&apikey=l&a=1", "/p?a=1"),
            ("/p?a=1&&api%6Bey=k", "/p?a=1&"),
            ("http://host:1/p?apikey=k&a=1", "http://host:1/p?a=1"),
            ("/p?a=1", "/p?a=1"),
            ("/p", "/p"),
            ("*", "*"),
        ];
        for (before, after) in cases {
            let mut uri: Uri = before.parse().unwrap();
            remove_from(&mut uri, "apikey");
            assert_eq!(uri.to_string(), after, "{before}");
        }
    }

    proptest! {
        #[test]
        fn what_was_removed_is_gone_and_the_rest_is_found(arguments in "([abk=&%+6B]{0,6}&?){0,4}") {
            let left = without(arguments.as_bytes(), "k");
            prop_assert_eq!(left.is_none(), value(arguments.as_bytes(), "k").is_absent());
            let left = left.unwrap_or_else(|| arguments.clone().into());
            prop_assert!(value(&left, "k").is_absent());
            prop_assert_eq!(value(&left, "a"), value(arguments.as_bytes(), "a"));
        }
    }
}
