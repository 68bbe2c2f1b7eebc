//! What a token says.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// The claims of a token whose signature was found good, in the extensions of the request.
///
/// A handler of axum takes them as `Extension<VerifiedClaims>`. Cloning is cheap.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedClaims(Arc<Map<String, Value>>);

impl VerifiedClaims {
    pub(crate) fn new(claims: Map<String, Value>) -> Self {
        Self(Arc::new(claims))
    }

    /// The claim of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The claim of this name, if it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// All claims.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The claims as a type of the caller's own.
    ///
    /// # Errors
    /// What does not fit the type.
    pub fn deserialize<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        T::deserialize(Value::Object(Map::clone(&self.0)))
    }
}

/// A claim about time (RFC 7519 section 4.1). Times are in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registered {
    /// `exp`: when the token ends.
    Expires,
    /// `nbf`: when it begins.
    NotBefore,
}

impl Registered {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Expires => "exp",
            Self::NotBefore => "nbf",
        }
    }

    /// Whether the claim holds at this time, or what is wrong, in Kong's words.
    #[cfg(feature = "jwt")]
    pub(crate) fn check(self, claim: Option<&Value>, now: f64) -> Result<(), &'static str> {
        let Some(at) = claim.and_then(Value::as_f64) else { return Err("must be a number") };
        match self {
            Self::Expires if at <= now => Err("token expired"),
            Self::NotBefore if at > now => Err("token not valid yet"),
            Self::Expires | Self::NotBefore => Ok(()),
        }
    }
}

/// The members of a JSON object; `None` if the text is JSON but no object.
///
/// A name that is there twice is an error: two readers could take two different values for the same
/// token (RFC 7515 section 4, RFC 7519 section 4).
pub(crate) fn object(json: &[u8]) -> serde_json::Result<Option<Map<String, Value>>> {
    serde_json::from_slice::<Members>(json).map(|members| members.0)
}

struct Members(Option<Map<String, Value>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Option<Map<String, Value>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a name is there twice"));
            }
        }
        Ok(Some(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "jwt")]
    use serde_json::json;

    use super::*;

    #[cfg(feature = "jwt")]
    #[test]
    fn a_time_counts_to_the_second_and_without_leeway() {
        use Registered::{Expires, NotBefore};
        let cases = [
            (Expires, Some(json!(101)), Ok(())),
            (Expires, Some(json!(100.5)), Ok(())),
            (Expires, Some(json!(100)), Err("token expired")),
            (Expires, Some(json!(-1)), Err("token expired")),
            (Expires, Some(json!("101")), Err("must be a number")),
            (Expires, Some(Value::Null), Err("must be a number")),
            (Expires, None, Err("must be a number")),
            (NotBefore, Some(json!(100)), Ok(())),
            (NotBefore, Some(json!(101)), Err("token not valid yet")),
            (NotBefore, Some(json!(1e300)), Err("token not valid yet")),
            (NotBefore, Some(json!(true)), Err("must be a number")),
        ];
        for (claim, value, expected) in cases {
            assert_eq!(claim.check(value.as_ref(), 100.0), expected, "{claim:?} {value:?}");
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_no_object_anybody_should_read() {
        assert!(object(br#"{"iss":"a","iss":"b"}"#).is_err());
        assert!(object(br#"{"iss":"a","\u0069ss":"b"}"#).is_err(), "the same name, written otherwise");
        assert_eq!(object(br#"{"iss":"a"}"#).unwrap().unwrap().len(), 1);
        for other in ["1", "-1", "1.5", "true", "null", r#""text""#, "[1,{}]"] {
            assert_eq!(object(other.as_bytes()).unwrap(), None, "{other}");
        }
        for broken in ["", "{", "{}x", r#"{"a":}"#, "\u{feff}{}"] {
            assert!(object(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
