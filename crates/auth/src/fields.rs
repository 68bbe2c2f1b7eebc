//! The named fields of a request's body.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::{Map, Value as Json};

use crate::{arguments, multipart, value::Value};

/// How a body holds its fields. Kong goes by how the media type begins, whatever its case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`: the fields of the object.
    Json,
    /// `multipart/form-data` with this boundary.
    Multipart(String),
}

impl Encoding {
    /// The encoding the content type tells; `None` if it is none of these.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let begins =
            |name: &str| content_type.get(..name.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(name));
        if begins("application/x-www-form-urlencoded") {
            Some(Self::Form)
        } else if begins("application/json") {
            Some(Self::Json)
        } else if begins("multipart/form-data") {
            Some(Self::Multipart(multipart::boundary(content_type)?.to_owned()))
        } else {
            None
        }
    }
}

/// The fields of a body.
#[derive(Debug)]
pub(crate) enum Fields {
    Form(Bytes),
    Json(Map<String, Json>),
    Multipart(String, Bytes),
}

impl Fields {
    /// The fields of this body; `None` if it holds none (broken JSON, or not an object).
    pub(crate) fn parse(encoding: Encoding, body: &Bytes) -> Option<Self> {
        match encoding {
            Encoding::Form => Some(Self::Form(body.clone())),
            Encoding::Multipart(boundary) => Some(Self::Multipart(boundary, body.clone())),
            Encoding::Json => serde_json::from_slice(body).ok().map(Self::Json),
        }
    }

    /// What stands under this name. An array or object counts as several.
    pub(crate) fn value(&self, name: &str) -> Value<'_> {
        match self {
            Self::Form(body) => arguments::value(body, name),
            Self::Multipart(boundary, body) => multipart::value(body, boundary, name),
            Self::Json(fields) => match fields.get(name) {
                None => Value::Absent,
                Some(Json::String(text)) => Value::Text(Cow::Borrowed(text.as_bytes())),
                Some(Json::Array(_) | Json::Object(_)) => Value::Many,
                Some(Json::Null | Json::Bool(_) | Json::Number(_)) => Value::Other,
            },
        }
    }

    /// The body without this field; `None` if it has no such field.
    pub(crate) fn without(self, name: &str) -> Option<Bytes> {
        match self {
            Self::Form(body) => arguments::without(&body, name).map(Bytes::from),
            Self::Multipart(boundary, body) => multipart::without(&body, &boundary, name).map(Bytes::from),
            Self::Json(mut fields) => {
                fields.shift_remove(name)?;
                serde_json::to_vec(&fields).ok().map(Bytes::from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(content_type: &str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        Encoding::of(&headers)
    }

    #[test]
    fn the_content_type_tells_the_encoding() {
        let cases = [
            ("application/x-www-form-urlencoded", Some(Encoding::Form)),
            ("Application/X-WWW-Form-Urlencoded; charset=utf-8", Some(Encoding::Form)),
            ("application/json;charset=utf-8", Some(Encoding::Json)),
            ("multipart/form-data; boundary=x", Some(Encoding::Multipart("x".into()))),
            ("multipart/form-data", None),
            ("text/plain", None),
            ("", None),
        ];
        for (content_type, expected) in cases {
            assert_eq!(encoding(content_type), expected, "{content_type}");
        }
        assert_eq!(Encoding::of(&HeaderMap::new()), None);
    }

    #[test]
    fn json_fields() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text.as_bytes()));
        let cases = [
            (r#"{"apikey":"k"}"#, text("k")),
            (r#"{"apikey":""}"#, text("")),
            (r#"{"apikey":["k"]}"#, Value::Many),
            (r#"{"apikey":{"k":1}}"#, Value::Many),
            (r#"{"apikey":1}"#, Value::Other),
            (r#"{"apikey":null}"#, Value::Other),
            (r#"{"a":{"apikey":"k"}}"#, Value::Absent),
        ];
        for (body, expected) in cases {
            let fields = Fields::parse(Encoding::Json, &body.into()).unwrap();
            assert_eq!(fields.value("apikey"), expected, "{body}");
        }
        for body in ["", "[1]", r#""apikey""#, "{", "\u{1}"] {
            assert!(Fields::parse(Encoding::Json, &body.into()).is_none(), "{body}");
        }
    }

    #[test]
    fn a_field_is_removed_and_the_others_stay_in_order() {
        let cases = [
            (Encoding::Json, r#"{"z":1,"apikey":"k","a":[2]}"#, Some(r#"{"z":1,"a":[2]}"#)),
            (Encoding::Json, r#"{"z":1}"#, None),
            (Encoding::Form, "z=1&apikey=k&a=2", Some("z=1&a=2")),
            (Encoding::Form, "z=1", None),
        ];
        for (encoding, body, expected) in cases {
            let fields = Fields::parse(encoding, &body.into()).unwrap();
            assert_eq!(fields.without("apikey").as_deref(), expected.map(str::as_bytes), "{body}");
        }
    }
}
