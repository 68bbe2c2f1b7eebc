//! What a log must not show.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Uri, header};
use towergate_core::{Context, Secrets};

/// What stands for what is not shown: Kong's word.
pub(crate) const REDACTED: &[u8] = b"REDACTED";

/// Says what of a request may be shown in a log: credentials may not, wherever the guards of the
/// configuration look for them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Redact<'a> {
    secrets: Option<&'a Secrets>,
}

impl<'a> Redact<'a> {
    pub(crate) fn of(cx: &'a Context) -> Self {
        Self { secrets: cx.generation().map(|generation| &*generation.secrets) }
    }

    /// The value of a request's header as it may be shown.
    pub(crate) fn header<'v>(&self, name: &HeaderName, value: &'v HeaderValue) -> Cow<'v, [u8]> {
        if *name == header::AUTHORIZATION || *name == header::PROXY_AUTHORIZATION || self.is_secret(name) {
            return Cow::Borrowed(REDACTED);
        }
        if *name == header::COOKIE {
            return self.cookies(value.as_bytes());
        }
        if *name == header::REFERER {
            return self.link(value);
        }
        Cow::Borrowed(value.as_bytes())
    }

    /// The value of a response's header as it may be shown.
    pub(crate) fn sent<'v>(&self, name: &HeaderName, value: &'v HeaderValue) -> Cow<'v, [u8]> {
        if *name == header::SET_COOKIE {
            return self.set_cookie(value.as_bytes());
        }
        if *name == header::LOCATION {
            return self.link(value);
        }
        Cow::Borrowed(value.as_bytes())
    }

    fn is_secret(&self, name: &HeaderName) -> bool {
        self.secrets.is_some_and(|secrets| secrets.headers.contains(name))
    }

    /// Whether the value of the argument of this name (as it was meant, not as it was escaped) is not
    /// to be shown.
    pub(crate) fn hides_argument(&self, name: &str) -> bool {
        let arguments = self.secrets.map(|secrets| secrets.arguments.as_slice()).unwrap_or_default();
        arguments.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    }

    /// A request's target as it may be shown: path and query.
    pub(crate) fn target<'u>(&self, uri: &'u Uri) -> Cow<'u, str> {
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        match self.query(uri.query()) {
            Some(query) => Cow::Owned(format!("{}?{query}", uri.path())),
            None => Cow::Borrowed(target),
        }
    }

    /// The query as it may be shown; `None` if it may be shown as it is.
    pub(crate) fn query(&self, query: Option<&str>) -> Option<String> {
        let query = query.filter(|_| self.secrets.is_some_and(|secrets| !secrets.arguments.is_empty()))?;
        let is_hidden = |argument: &Argument<'_>| argument.value.is_some() && self.hides_argument(&argument.name());
        if !arguments(query).any(|argument| is_hidden(&argument)) {
            return None;
        }
        let shown = arguments(query).map(|argument| match is_hidden(&argument) {
            true => format!("{}=REDACTED", argument.name),
            false => argument.whole.to_owned(),
        });
        Some(shown.collect::<Vec<_>>().join("&"))
    }

    /// A link, which may have been one to the gateway.
    fn link<'v>(&self, value: &'v HeaderValue) -> Cow<'v, [u8]> {
        let shown = value.to_str().ok().and_then(|link| {
            let (before, query) = link.split_once('?')?;
            let (query, fragment) = query.split_at_checked(query.find('#').unwrap_or(query.len()))?;
            Some(format!("{before}?{}{fragment}", self.query(Some(query))?))
        });
        shown.map_or(Cow::Borrowed(value.as_bytes()), |shown| Cow::Owned(shown.into_bytes()))
    }

    /// A cookie that is set: all of the first part is its name and value.
    fn set_cookie<'v>(&self, value: &'v [u8]) -> Cow<'v, [u8]> {
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let (cookie, attributes) = value.split_at_checked(end).unwrap_or((value, &[]));
        match self.cookies(cookie) {
            Cow::Owned(shown) => Cow::Owned([&*shown, attributes].concat()),
            Cow::Borrowed(_) => Cow::Borrowed(value),
        }
    }

    fn cookies<'v>(&self, value: &'v [u8]) -> Cow<'v, [u8]> {
        let secret = self.secrets.map(|secrets| secrets.cookies.as_slice()).unwrap_or_default();
        if secret.is_empty() {
            return Cow::Borrowed(value);
        }
        let shown = value.split(|byte| *byte == b';').map(|cookie| {
            let name = cookie.split(|byte| *byte == b'=').next().unwrap_or_default();
            let is_hidden = secret.iter().any(|secret| secret.as_bytes().eq_ignore_ascii_case(name.trim_ascii()));
            if is_hidden { [name, b"=", REDACTED].concat() } else { cookie.to_vec() }
        });
        Cow::Owned(shown.collect::<Vec<_>>().join(&b';'))
    }
}

/// An argument of a query, as it is escaped there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Argument<'q> {
    /// All of it.
    whole: &'q str,
    name: &'q str,
    /// `None` without a `=`.
    value: Option<&'q str>,
}

/// The arguments of a query, empty ones among them.
pub(crate) fn arguments(query: &str) -> impl Iterator<Item = Argument<'_>> {
    let mut left = Some(query);
    std::iter::from_fn(move || {
        let (whole, after) = cut(left?, b'&');
        left = after;
        let (name, value) = cut(whole, b'=');
        Some(Argument { whole, name, value })
    })
}

impl<'q> Argument<'q> {
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// Its name, as it was meant.
    pub(crate) fn name(&self) -> Cow<'q, str> {
        decoded(self.name)
    }

    /// Its value, as it was meant; `None` without a `=`.
    pub(crate) fn value(&self) -> Option<Cow<'q, str>> {
        self.value.map(decoded)
    }
}

/// What stands before a sign, and what after it, if it is there: quicker for short texts than to look for a pattern.
fn cut(text: &str, sign: u8) -> (&str, Option<&str>) {
    let place = text.bytes().position(|byte| byte == sign);
    let parts = place.and_then(|place| Some((text.get(..place)?, text.get(place.checked_add(1)?..)?)));
    parts.map_or((text, None), |(before, after)| (before, Some(after)))
}

/// What a part of a query means: `+` is a space, `%41` an A.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add_headers(["apikey", "x-token"]);
        secrets.add_arguments(["apikey"]);
        secrets.add_cookies(["session"]);
        secrets
    }

    #[test]
    fn credentials_are_not_shown() {
        let secrets = secrets();
        let redact = Redact { secrets: Some(&secrets) };
        let shown = |name: &'static str, value: &'static str| {
            let value = HeaderValue::from_static(value);
            String::from_utf8(redact.header(&HeaderName::from_static(name), &value).into_owned()).unwrap()
        };
        for name in ["authorization", "proxy-authorization", "apikey", "x-token"] {
            assert_eq!(shown(name, "secret"), "REDACTED", "{name}");
        }
        assert_eq!(shown("x-other", "open"), "open");
        assert_eq!(shown("cookie", "a=b; Session=secret; c"), "a=b; Session=REDACTED; c");
    }

    #[test]
    fn nor_where_they_are_told_on() {
        let secrets = secrets();
        let redact = Redact { secrets: Some(&secrets) };
        let link = HeaderValue::from_static("http://a.test/x?y=1&apikey=secret#part");
        assert_eq!(&*redact.header(&header::REFERER, &link), b"http://a.test/x?y=1&apikey=REDACTED#part");
        for (name, value, shown) in [
            (header::LOCATION, "/x?apikey=secret", "/x?apikey=REDACTED"),
            (header::LOCATION, "/x?y", "/x?y"),
            (header::SET_COOKIE, "session=secret; Path=/; HttpOnly", "session=REDACTED; Path=/; HttpOnly"),
            (header::SET_COOKIE, "theme=dark; session=no", "theme=dark; session=no"),
            (header::ETAG, "session=open", "session=open"),
        ] {
            let value = HeaderValue::from_static(value);
            assert_eq!(&*redact.sent(&name, &value), shown.as_bytes());
        }
    }

    #[test]
    fn neither_are_they_in_a_query_however_they_are_written() {
        let secrets = secrets();
        let redact = Redact { secrets: Some(&secrets) };
        for (target, shown) in [
            ("/a?apikey=secret", "/a?apikey=REDACTED"),
            ("/a?x=1&ApiKey=secret&y", "/a?x=1&ApiKey=REDACTED&y"),
            ("/a?api%6bey=secret", "/a?api%6bey=REDACTED"),
            ("/a?apikey", "/a?apikey"),
            ("/a?x=apikey", "/a?x=apikey"),
            ("/a", "/a"),
        ] {
            assert_eq!(redact.target(&target.parse().unwrap()), shown);
        }
    }
}
