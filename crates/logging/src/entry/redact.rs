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
        let is_hidden = |argument: &str| {
            let name = argument.split('=').next().unwrap_or_default();
            argument.contains('=') && self.hides_argument(&decoded(name))
        };
        if !query.split('&').any(is_hidden) {
            return None;
        }
        let shown = query.split('&').map(|argument| match is_hidden(argument) {
            true => format!("{}=REDACTED", argument.split('=').next().unwrap_or_default()),
            false => argument.to_owned(),
        });
        Some(shown.collect::<Vec<_>>().join("&"))
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

/// What a part of a query means: `+` is a space, `%41` an A.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
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
