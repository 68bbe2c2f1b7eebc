//! Where in a request a key stands.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, request::Parts};
use towergate_core::Secrets;

use crate::{arguments, fields::Fields, value::Value};

/// A name that a key is looked for under.
#[derive(Debug, Clone)]
pub(super) struct KeyName {
    text: Box<str>,
    header: HeaderName,
    /// Kong finds the header `api-key` under the name `api_key` too.
    dashed: Option<HeaderName>,
}

impl KeyName {
    /// # Errors
    /// Kong's words for a name that no header can have.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Err("no header name provided".into());
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let parsed = HeaderName::try_from(name).ok().filter(|_| name.bytes().all(is_allowed));
        let message = || format!("bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'");
        Ok(Self::of(name, parsed.ok_or_else(message)?))
    }

    pub(super) fn of(text: &str, header: HeaderName) -> Self {
        let dashed = text.contains('_').then(|| text.replace('_', "-"));
        Self { text: text.into(), header, dashed: dashed.and_then(|name| name.try_into().ok()) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is looked for under this header.
    pub(super) fn is(&self, name: &HeaderName) -> bool {
        self.header == *name || self.dashed.as_ref() == Some(name)
    }

    fn in_headers<'a>(&self, headers: &'a HeaderMap) -> Value<'a> {
        let of = |name| {
            let lines = headers.get_all(name).iter();
            lines.fold(Value::Absent, |found, line| found.and(Value::Text(Cow::Borrowed(line.as_bytes()))))
        };
        match (of(&self.header), &self.dashed) {
            (Value::Absent, Some(dashed)) => of(dashed),
            (found, _) => found,
        }
    }

    /// Where logs are not to look.
    pub(super) fn tell(&self, secrets: &mut Secrets) {
        secrets.add_headers([&self.header].into_iter().chain(&self.dashed).map(HeaderName::as_str));
        secrets.add_arguments([&*self.text]);
    }

    /// Removes what stands under this name in headers and query.
    pub(super) fn hide(&self, head: &mut Parts) {
        head.headers.remove(&self.header);
        if let Some(dashed) = &self.dashed {
            head.headers.remove(dashed);
        }
        arguments::remove_from(&mut head.uri, &self.text);
    }
}

/// In which parts of a request a key may stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) header: bool,
    pub(super) query: bool,
    pub(super) body: bool,
}

/// The body as far as it is known.
pub(super) enum Body<'a> {
    /// Not read yet; it may hold fields.
    Unread,
    /// Its fields.
    Fields(&'a Fields),
    /// It holds no fields, is too large, or is not to be looked at.
    None,
}

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// This text under the name of this index; possibly empty.
    Key(usize, Cow<'a, [u8]>),
    /// Several under one name.
    Several,
    /// Nothing.
    Nothing,
    /// The body must be read to know.
    BodyNeeded,
}

/// Looks for a key: name by name, and under each name in headers, query and body. The first text
/// counts, even an empty one.
pub(super) fn search<'a>(names: &[KeyName], places: Places, head: &'a Parts, body: &Body<'a>) -> Found<'a> {
    for (index, name) in names.iter().enumerate() {
        let mut value = Value::Absent;
        if places.header {
            value = name.in_headers(&head.headers);
        }
        if places.query && value.is_absent() {
            value = head.uri.query().map_or(Value::Absent, |query| arguments::value(query.as_bytes(), name.as_str()));
        }
        if places.body && value.is_absent() {
            value = match body {
                Body::Unread => return Found::BodyNeeded,
                Body::Fields(fields) => fields.value(name.as_str()),
                Body::None => Value::Absent,
            };
        }
        match value {
            Value::Text(key) => return Found::Key(index, key),
            Value::Many => return Found::Several,
            Value::Absent | Value::Other => {}
        }
    }
    Found::Nothing
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::fields::Encoding;

    /// Names and values of headers.
    type Headers<'a> = &'a [(&'a str, &'a str)];

    const ALL: Places = Places { header: true, query: true, body: true };

    fn head(uri: &str, headers: Headers<'_>) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn key(index: usize, text: &'static str) -> Found<'static> {
        Found::Key(index, Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn names_come_first_then_header_query_and_body() {
        let names = ["apikey", "X_Key"].map(|name| KeyName::new(name).unwrap());
        let form = Fields::parse(Encoding::Form, &Bytes::from_static(b"apikey=body&X_Key=body2")).unwrap();
        let cases: [(&str, Headers<'_>, Found<'_>); 12] = [
            ("/?apikey=query", &[("apikey", "header")], key(0, "header")),
            ("/?apikey=query", &[], key(0, "query")),
            ("/", &[("x_key", "other")], key(0, "body")),
            ("/?apikey", &[("X-Key", "dashed")], key(1, "dashed")),
            ("/?apikey", &[("x_key", "exact")], key(1, "exact")),
            ("/?apikey&X_Key=q", &[], key(1, "q")),
            ("/?apikey&x_key=q", &[], key(1, "body2")),
            ("/?apikey=query", &[("apikey", "")], key(0, "")),
            ("/?apikey=", &[], key(0, "")),
            ("/", &[("apikey", "a"), ("apikey", "a")], Found::Several),
            ("/?apikey=a&apikey=b", &[], Found::Several),
            ("/?apikey&X_Key", &[], Found::Nothing),
        ];
        for (uri, headers, expected) in cases {
            let head = head(uri, headers);
            assert_eq!(search(&names, ALL, &head, &Body::Fields(&form)), expected, "{uri} {headers:?}");
        }
    }

    #[test]
    fn only_the_places_allowed_are_looked_at() {
        let names = [KeyName::new("apikey").unwrap()];
        let head = head("/?apikey=query", &[("apikey", "header")]);
        let unread = Body::Unread;
        let cases = [
            ((true, true, true), key(0, "header")),
            ((false, true, true), key(0, "query")),
            ((false, false, true), Found::BodyNeeded),
            ((false, false, false), Found::Nothing),
        ];
        for ((header, query, body), expected) in cases {
            assert_eq!(search(&names, Places { header, query, body }, &head, &unread), expected);
        }
        let places = Places { header: false, query: false, body: true };
        assert_eq!(search(&names, places, &head, &Body::None), Found::Nothing);
    }

    #[test]
    fn a_name_is_hidden_in_all_its_spellings() {
        let name = KeyName::new("api_key").unwrap();
        let mut head = head("/?api_key=1&b=2", &[("api_key", "1"), ("api-key", "2"), ("b", "3")]);
        name.hide(&mut head);
        assert_eq!(head.uri, "/?b=2");
        assert_eq!(head.headers.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn bad_names_are_refused_in_kongs_words() {
        assert_eq!(KeyName::new("").unwrap_err(), "no header name provided");
        let expected = "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'";
        assert_eq!(KeyName::new("a b").unwrap_err(), expected);
        assert!(KeyName::new("a.b").is_err(), "a token, but not to Kong");
    }
}
