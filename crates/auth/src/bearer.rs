//! Bearer tokens (RFC 6750): where in a request they stand (in headers after `Bearer`, in query
//! arguments, in cookies), and how they are asked for.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use towergate_core::{PluginError, Secrets};

use crate::arguments;

/// Under which names a token is looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// Names of query arguments, to the letter.
    pub(crate) arguments: Vec<Box<str>>,
    /// Names of cookies; letter case does not matter, as in nginx.
    pub(crate) cookies: Vec<Box<str>>,
    /// Names of headers whose value begins with `Bearer`.
    pub(crate) headers: Vec<HeaderName>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// No token.
    Nothing,
    /// This one, perhaps in several places.
    One(Cow<'a, [u8]>),
    /// Several that differ.
    Several,
    /// An argument without a text (`?jwt`).
    NoText,
}

impl<'a> Found<'a> {
    /// This and another token; empty ones do not count.
    fn and(self, token: Option<Cow<'a, [u8]>>) -> Self {
        match (self, token) {
            (found, Some(token)) if token.is_empty() => found,
            (Self::Nothing, Some(token)) => Self::One(token),
            (Self::Nothing, None) => Self::NoText,
            (Self::NoText, None) => Self::NoText,
            (Self::One(first), Some(token)) if first == token => Self::One(first),
            (Self::One(_) | Self::NoText | Self::Several, _) => Self::Several,
        }
    }
}

impl Places {
    /// Where logs are not to look.
    pub(crate) fn tell(&self, secrets: &mut Secrets) {
        secrets.add_headers(self.headers.iter().map(HeaderName::as_str));
        secrets.add_arguments(self.arguments.iter().map(|name| &**name));
        secrets.add_cookies(self.cookies.iter().map(|name| &**name));
    }

    /// Looks everywhere: a request that shows two different tokens is nobody's.
    pub(crate) fn search<'a>(&self, head: &'a Parts) -> Found<'a> {
        let mut found = Found::Nothing;
        if let Some(query) = head.uri.query() {
            for name in &self.arguments {
                found = arguments::values(query.as_bytes(), name).fold(found, Found::and);
            }
        }
        for name in &self.cookies {
            found = cookies(&head.headers, name).map(|token| Some(token.into())).fold(found, Found::and);
        }
        for name in &self.headers {
            let lines = head.headers.get_all(name).iter();
            found = lines.filter_map(token).map(|token| Some(token.into())).fold(found, Found::and);
        }
        found
    }
}

/// The token of a header line `Bearer <token>`. The scheme's letter case does not matter (RFC 9110
/// section 11.1; Kong takes `Bearer` and `bearer`).
fn token(line: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = line.as_bytes().trim_ascii().split_at_checked("Bearer".len())?;
    let token = rest.trim_ascii_start();
    (scheme.eq_ignore_ascii_case(b"Bearer") && token.len() < rest.len()).then_some(token)
}

/// The values of the cookies of this name.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let pair = pair.trim_ascii();
        let (found, rest) = pair.split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name.as_bytes()).then_some(rest.strip_prefix(b"=")?)
    })
}

/// The headers of `header_names`.
pub(crate) fn header_names(names: &[String]) -> Result<Vec<HeaderName>, PluginError> {
    let parsed = |(index, name): (usize, &String)| {
        let fault = || PluginError::new(format!("header_names[{index}]"), format!("'{name}' is no name of a header"));
        HeaderName::try_from(name).map_err(|_| fault())
    };
    names.iter().enumerate().map(parsed).collect()
}

/// The values of `WWW-Authenticate`.
#[derive(Debug, Clone)]
pub(crate) struct Challenges {
    /// Where no token was shown.
    pub(crate) plain: HeaderValue,
    /// Where one was, and is not good.
    pub(crate) invalid: HeaderValue,
}

impl Default for Challenges {
    fn default() -> Self {
        let invalid = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        Self { plain: HeaderValue::from_static("Bearer"), invalid }
    }
}

impl Challenges {
    /// With a realm; `None` if a header cannot hold it.
    pub(crate) fn of_realm(realm: &[u8]) -> Option<Self> {
        let plain = [b"Bearer realm=\"", realm, b"\""].concat();
        // A comma is missing before `error` in Kong too; clients that look for the text find it.
        let invalid = [&plain[..], b" error=\"invalid_token\""].concat();
        Some(Self { plain: HeaderValue::from_bytes(&plain).ok()?, invalid: HeaderValue::from_bytes(&invalid).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(uri: &str, headers: Headers<'_>) -> Parts {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Names and values of headers.
    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn one(text: &str) -> Found<'_> {
        Found::One(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn a_token_is_found_in_every_place_and_only_one_is_allowed() {
        let places = Places {
            arguments: vec!["jwt".into(), "token".into()],
            cookies: vec!["session".into()],
            headers: vec![header::AUTHORIZATION, HeaderName::from_static("x-token")],
        };
        let cases: [(&str, Headers<'_>, Found<'_>); 27] = [
            ("/", &[], Found::Nothing),
            ("/?jwt=a", &[], one("a")),
            ("/?JWT=a", &[], Found::Nothing),
            ("/?jwt=", &[], Found::Nothing),
            ("/?jwt", &[], Found::NoText),
            ("/?jwt&jwt", &[], Found::NoText),
            ("/?jwt&jwt=a", &[], Found::Several),
            ("/?jwt=a&jwt=a&token=a", &[], one("a")),
            ("/?jwt=a&token=b", &[], Found::Several),
            ("/?jwt=a%2Eb", &[], one("a.b")),
            ("/", &[("cookie", "x=1; session=a; y=2")], one("a")),
            ("/", &[("cookie", "SESSION=a")], one("a")),
            ("/", &[("cookie", "session=")], Found::Nothing),
            ("/", &[("cookie", "xsession=a")], Found::Nothing),
            ("/", &[("cookie", "session=a; session=b")], Found::Several),
            ("/", &[("cookie", "session=a"), ("cookie", "session=b")], Found::Several),
            ("/", &[("authorization", "Bearer a")], one("a")),
            ("/", &[("authorization", "  bearer \t a")], one("a")),
            ("/", &[("authorization", "BEARER a")], one("a")),
            ("/", &[("authorization", "Bearer")], Found::Nothing),
            ("/", &[("authorization", "Bearer ")], Found::Nothing),
            ("/", &[("authorization", "Bearera")], Found::Nothing),
            ("/", &[("authorization", "Basic Bearer a")], Found::Nothing),
            ("/", &[("authorization", "Bearer a b")], one("a b")),
            ("/", &[("authorization", "Bearer a"), ("authorization", "Bearer b")], Found::Several),
            ("/", &[("authorization", "Bearer a"), ("x-token", "Bearer a")], one("a")),
            ("/?jwt=b", &[("authorization", "Bearer a")], Found::Several),
        ];
        for (uri, headers, expected) in cases {
            let head = head(uri, headers);
            assert_eq!(places.search(&head), expected, "{uri} {headers:?}");
        }
    }
}
