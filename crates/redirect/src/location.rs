//! A URL whose path is another's, as browsers write it (the URL standard, url.spec.whatwg.org).
//!
//! Not the crate `url`: all that is wanted is what stands around a path, and how a path and a query are spelt. What that
//! crate brings beside them, the tables of Unicode for host names, is as much as all else a redirect needs. Host names in
//! other scripts are therefore kept as they were written, as they are where no path is put into the location; a property
//! compares the rest with that crate.

use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

const FRAGMENT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');
const PATH: &AsciiSet = &FRAGMENT.add(b'#').add(b'?').add(b'{').add(b'}');
const USERINFO: &AsciiSet =
    &PATH.add(b'/').add(b':').add(b';').add(b'=').add(b'@').add(b'[').add(b'\\').add(b']').add(b'^').add(b'|');
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');
const QUERY_OF_THE_WEB: &AsciiSet = &QUERY.add(b'\'');

/// The schemes with rules of their own, and the ports that need not be written.
const WEB: [(&str, &str); 5] = [("http", "80"), ("https", "443"), ("ws", "80"), ("wss", "443"), ("ftp", "21")];

/// A location without its path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// Scheme, user and password, host, port.
    origin: String,
    /// With its `#`; empty if there is none.
    fragment: String,
    /// Whether the scheme is one of [`WEB`].
    is_web: bool,
}

impl Location {
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_matches(|c| c <= ' ');
        let (scheme, rest) = text.split_once(':').ok_or("has no scheme")?;
        let scheme = scheme.to_ascii_lowercase();
        let may_follow = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(may_follow) {
            return Err("has a scheme that is none".into());
        }
        let port = WEB.iter().find(|(name, _)| *name == scheme).map(|(_, port)| *port);
        let is_web = port.is_some();
        // Browsers forgive any number of slashes, either way round.
        let rest =
            if is_web { rest.trim_start_matches(['/', '\\']) } else { rest.strip_prefix("//").unwrap_or_default() };
        let end = rest.find(|c| matches!(c, '/' | '?' | '#') || is_web && c == '\\').unwrap_or(rest.len());
        let authority = authority(rest.get(..end).unwrap_or_default(), port)?;
        let fragment = rest.split_once('#').map(|(_, text)| format!("#{}", utf8_percent_encode(text, FRAGMENT)));
        Ok(Self { origin: format!("{scheme}://{authority}"), fragment: fragment.unwrap_or_default(), is_web })
    }

    /// The whole, with the path and query that were asked for. No query and an empty one are the same.
    pub(crate) fn with(&self, path: &str, query: Option<&str>) -> String {
        let query = query.filter(|query| !query.is_empty());
        let length = self.origin.len() + path.len() + query.map_or(0, str::len) + self.fragment.len();
        let mut location = String::with_capacity(length.saturating_add(2));
        location.push_str(&self.origin);
        self.push_path(&mut location, path);
        if let Some(query) = query {
            location.push('?');
            location.extend(utf8_percent_encode(query, if self.is_web { QUERY_OF_THE_WEB } else { QUERY }));
        }
        location.push_str(&self.fragment);
        location
    }

    fn push_path(&self, location: &mut String, path: &str) {
        let is_slash = |c| c == '/' || self.is_web && c == '\\';
        let mut segments = path.strip_prefix(is_slash).unwrap_or(path).split(is_slash).peekable();
        while let Some(segment) = segments.next() {
            match dots(segment) {
                Some(dots) => {
                    if dots == 2 {
                        drop_segment(location, self.origin.len());
                    }
                    if segments.peek().is_none() {
                        location.push('/');
                    }
                }
                None => {
                    location.push('/');
                    location.extend(utf8_percent_encode(segment, PATH));
                }
            }
        }
    }
}

/// How many dots this segment of a path is, if it is one or two and nothing else; a dot may be spelt `%2e`.
fn dots(segment: &str) -> Option<usize> {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() {
        let encoded = rest.get(..3).filter(|start| start.eq_ignore_ascii_case("%2e")).and_then(|_| rest.get(3..));
        rest = rest.strip_prefix('.').or(encoded)?;
        dots += 1;
    }
    (1..=2).contains(&dots).then_some(dots)
}

/// Takes the last segment away, but for what stands before the path.
fn drop_segment(location: &mut String, path: usize) {
    let slash = location.get(path..).and_then(|path| path.rfind('/')).unwrap_or(0);
    location.truncate(path.saturating_add(slash));
}

/// User and password, host and port, without the port that the scheme has anyway.
fn authority(text: &str, usual: Option<&str>) -> Result<String, String> {
    let (user, address) = text.rsplit_once('@').map_or(("", text), |(user, address)| (user, address));
    // The colons of an IPv6 address are no port's.
    let colon = address.rfind(':').filter(|colon| !address.get(*colon..).unwrap_or_default().contains(']'));
    let (host, port) = colon.and_then(|colon| address.split_at_checked(colon)).unwrap_or((address, ""));
    let host = spelt(host, usual.is_some());
    if host.is_empty() {
        return Err("has no host".into());
    }
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    if let Some(wrong) = inside.chars().find(|c| c.is_control() || " #%/<>?@[\\]^|".contains(*c)) {
        return Err(format!("has a {wrong:?} in its host"));
    }
    Ok(format!("{}{host}{}", userinfo(user), port_unless(port.trim_start_matches(':'), usual)?))
}

/// `user:password@`, without what is empty.
fn userinfo(text: &str) -> String {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = (utf8_percent_encode(user, USERINFO), utf8_percent_encode(password, USERINFO));
    match (user.to_string(), password.to_string()) {
        (user, password) if user.is_empty() && password.is_empty() => String::new(),
        (user, password) if password.is_empty() => format!("{user}@"),
        (user, password) => format!("{user}:{password}@"),
    }
}

fn port_unless(digits: &str, usual: Option<&str>) -> Result<String, String> {
    if digits.is_empty() {
        return Ok(String::new());
    }
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
    let port = number.ok_or("has a port that is no number up to 65535")?.to_string();
    Ok(if Some(port.as_str()) == usual { String::new() } else { format!(":{port}") })
}

/// Addresses in their one form; with the schemes of the web, names in lower case.
fn spelt(text: &str, is_web: bool) -> String {
    let inside = text.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = inside.and_then(|inside| inside.parse::<Ipv6Addr>().ok()) {
        return format!("[{address}]");
    }
    if is_web { percent_decode_str(text).decode_utf8_lossy().to_ascii_lowercase() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use http::Uri;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_around_the_path_is_spelt_as_browsers_do() {
        let table = [
            ("https://example.com", "https://example.com/p"),
            ("HTTPS://EXAMPLE.com:443/old?a#B", "https://example.com/p#B"),
            ("http:\\\\example.com\\old", "http://example.com/p"),
            ("http://example.com:080", "http://example.com/p"),
            ("http://example.com:", "http://example.com/p"),
            ("ws://example.com:8080", "ws://example.com:8080/p"),
            ("https://u:p@example.com:8443/x#part", "https://u:p@example.com:8443/p#part"),
            (" https://example.com ", "https://example.com/p"),
            ("https://u:@example.com", "https://u@example.com/p"),
            ("https://:@example.com", "https://example.com/p"),
            ("https://a@b:c@example.com", "https://a%40b:c@example.com/p"),
            ("https://[2001:DB8:0:0::1]:80/", "https://[2001:db8::1]:80/p"),
            ("https://ex%61mple.com", "https://example.com/p"),
            ("https://bücher.example", "https://bücher.example/p"),
            ("app://Host:443/x", "app://Host:443/p"),
        ];
        for (location, expected) in table {
            assert_eq!(Location::parse(location).unwrap().with("/p", None), expected, "{location}");
        }
    }

    #[test]
    fn what_is_no_location_is_told() {
        let table = [
            ("example.com", "has no scheme"),
            ("1http://a", "has a scheme that is none"),
            ("", "has no scheme"),
            ("https://", "has no host"),
            ("app:host", "has no host"),
            ("https://a b", "has a ' ' in its host"),
            ("https://a%00b", "has a '\\0' in its host"),
            ("https://a:b", "has a port that is no number up to 65535"),
            ("https://a:65536", "has a port that is no number up to 65535"),
            ("https://a:+1", "has a port that is no number up to 65535"),
        ];
        for (location, expected) in table {
            assert_eq!(Location::parse(location), Err(expected.to_owned()), "{location}");
        }
    }

    /// As the crate `url` does it.
    fn expected(location: &str, asked: &Uri) -> Option<String> {
        let mut url = url::Url::parse(location).ok()?;
        url.set_path(asked.path());
        url.set_query(asked.query().filter(|query| !query.is_empty()));
        Some(url.into())
    }

    proptest! {
        /// Any path and query that a request may have, and any location with a host in ASCII.
        #[test]
        fn it_is_what_the_standard_says(
            location in "(http|HTTPS|ws|app)://([a-z:%]{0,3}@)?([A-Za-z][a-z-]{0,3}(\\.[a-z]{1,3})?|\\[::A:0:1\\]|192\\.0\\.2\\.1)(:[0-9]{1,4})?([/?#][ -~]{0,10})?",
            asked in "/([!$-~\"{}é./]|%2[eE]|/\\.|\\.\\.){0,12}(\\?[!$-~'\"{}é]{0,6})?",
        ) {
            if let (Ok(asked), true) = (asked.parse::<Uri>(), url::Url::parse(&location).is_ok()) {
                let ours = Location::parse(&location).unwrap().with(asked.path(), asked.query());
                prop_assert_eq!(Some(ours), expected(&location, &asked), "{} {}", location, asked);
            }
        }

        #[test]
        fn nothing_makes_it_panic(location in "\\PC{0,30}", path in "\\PC{0,30}", query in "\\PC{0,9}") {
            if let Ok(location) = Location::parse(&location) {
                location.with(&path, Some(&query));
            }
            if let Ok(location) = Location::parse("https://a") {
                prop_assert!(location.with(&path, Some(&query)).is_ascii());
            }
        }
    }
}
