//! Which origins are allowed.

use std::borrow::Cow;

use http::HeaderValue;
use regex::bytes::{Regex, RegexBuilder};
use towergate_core::PerWorker;

/// The origins that may read responses.
#[derive(Debug, Clone)]
pub(crate) enum Origins {
    /// All of them.
    Any,
    /// This one, told to whoever asks.
    One(PerWorker<HeaderValue>),
    /// Those that match one of these; all of them if `any`, but none without `Origin`.
    Listed { rules: Vec<Rule>, any: bool },
}

/// What an origin is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// `*`.
    Any,
    /// This origin.
    Origin(HeaderValue),
    /// Nothing.
    None,
}

#[derive(Debug, Clone)]
pub(crate) enum Rule {
    Plain(Box<[u8]>),
    Host(Regex),
    Whole(Regex),
}

impl Origins {
    /// # Errors
    /// The index of the entry that is wrong, and what is wrong with it in Kong's words.
    pub(crate) fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, (usize, String)> {
        match entries {
            [] => return Ok(Self::Any),
            [one] if one.as_ref() == "*" => return Ok(Self::Any),
            [one] if is_plain(one.as_ref()) => {
                let value = HeaderValue::from_str(one.as_ref()).map_err(|_| (0, invalid(one.as_ref())))?;
                return Ok(Self::One(PerWorker::value(value)));
            }
            _ => {}
        }
        let mut rules = Vec::with_capacity(entries.len());
        let mut any = false;
        for (index, entry) in entries.iter().map(AsRef::as_ref).enumerate() {
            if entry == "*" {
                any = true;
            } else {
                rules.push(Rule::new(entry).map_err(|message| (index, message))?);
            }
        }
        Ok(Self::Listed { rules, any })
    }

    /// Whether the answer depends on who asks.
    pub(crate) fn vary(&self) -> bool {
        !matches!(self, Self::Any)
    }

    /// What a request from this origin is told.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>) -> Allowed {
        match (self, origin) {
            (Self::Any, _) | (Self::Listed { any: true, .. }, Some(_)) => Allowed::Any,
            (Self::One(value), _) => Allowed::Origin(HeaderValue::clone(value.own())),
            (Self::Listed { rules, .. }, Some(origin)) => matching(rules, origin),
            (Self::Listed { .. }, None) => Allowed::None,
        }
    }
}

fn matching(rules: &[Rule], origin: &HeaderValue) -> Allowed {
    let normal = Normal::of(origin.as_bytes());
    if !rules.iter().any(|rule| rule.matches(&normal)) {
        return Allowed::None;
    }
    if *normal.whole == *origin.as_bytes() {
        return Allowed::Origin(origin.clone());
    }
    HeaderValue::from_bytes(&normal.whole).map_or(Allowed::None, Allowed::Origin)
}

/// Checks an entry of `origins` as Kong's schema does.
///
/// # Errors
/// Kong's words for an entry that is neither `*` nor a regular expression.
pub(crate) fn check_entry(entry: &str) -> Result<(), String> {
    if entry == "*" { Ok(()) } else { Rule::new(entry).map(|_| ()) }
}

impl Rule {
    fn new(entry: &str) -> Result<Self, String> {
        if is_plain(entry) {
            return Ok(Self::Plain(Normal::of(entry.as_bytes()).whole.into()));
        }
        let regex = compile(entry)?;
        Ok(if entry.contains(':') { Self::Whole(regex) } else { Self::Host(regex) })
    }

    fn matches(&self, origin: &Normal<'_>) -> bool {
        match self {
            Self::Plain(plain) => **plain == *origin.whole,
            Self::Host(regex) => regex.is_match(origin.host),
            Self::Whole(regex) => regex.is_match(&origin.whole),
        }
    }
}

fn is_plain(entry: &str) -> bool {
    !entry.is_empty() && entry.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/-".contains(&byte))
}

/// Compiles an entry so that it must match from end to end. Classes are ASCII, as in Kong.
fn compile(entry: &str) -> Result<Regex, String> {
    if repeats_a_repetition(entry) {
        return Err(invalid(entry));
    }
    // On its own first, so that an entry such as `a)(b` cannot close the group around it.
    let build = |pattern: &str| RegexBuilder::new(pattern).unicode(false).build();
    let whole = build(entry).and_then(|_| build(&format!("^(?:{entry})$")));
    whole.map_err(|error| {
        let text = error.to_string();
        if text.contains("look-around") || text.contains("backreferences") {
            format!("{} that can be used here: look-around and back-references are not supported", invalid(entry))
        } else {
            invalid(entry)
        }
    })
}

fn invalid(entry: &str) -> String {
    format!("'{entry}' is not a valid regex")
}

/// Whether a quantifier follows a quantifier (`a**`): an error in Kong's regular expressions, a
/// repeated repetition in ours.
fn repeats_a_repetition(pattern: &str) -> bool {
    let (mut escaped, mut in_class, mut quantifiers) = (false, false, 0);
    for byte in pattern.bytes() {
        let is_quantifier = !escaped && !in_class && matches!(byte, b'*' | b'+' | b'?');
        quantifiers = match byte {
            // The second may make the first lazy (`a*?`) or possessive (`a*+`).
            b'*' if is_quantifier && quantifiers > 0 => return true,
            _ if is_quantifier && quantifiers > 1 => return true,
            _ if is_quantifier => quantifiers + 1,
            _ => 0,
        };
        // `(?` begins a group's flags.
        if byte == b'(' && !escaped && !in_class {
            quantifiers = -1;
        }
        in_class = if escaped { in_class } else { (in_class || byte == b'[') && byte != b']' };
        escaped = !escaped && byte == b'\\';
    }
    false
}

/// An origin without its default port, as Kong compares and echoes it.
#[derive(Debug, PartialEq, Eq)]
struct Normal<'a> {
    whole: Cow<'a, [u8]>,
    host: &'a [u8],
}

impl<'a> Normal<'a> {
    fn of(origin: &'a [u8]) -> Self {
        Self::parse(origin).unwrap_or(Self { whole: Cow::Borrowed(origin), host: origin })
    }

    /// `None` for what has no host (`null`).
    fn parse(origin: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(origin).ok()?;
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        let authority = rest.strip_prefix("//")?.split(['/', '?', '#']).next()?;
        let (has_user, authority) = match authority.split_once('@') {
            Some((_, authority)) => (true, authority),
            None => (false, authority),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let is_default = matches!((scheme, port), (Some("http"), Some("80")) | (Some("https"), Some("443")));
        let kept = if is_default { host } else { authority };
        let whole = match scheme {
            Some(scheme) if has_user => Cow::Owned(format!("{scheme}://{kept}").into_bytes()),
            Some(scheme) => Cow::Borrowed(origin.get(..scheme.len().checked_add(3 + kept.len())?)?),
            None => Cow::Borrowed(kept.as_bytes()),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (!bare.is_empty()).then_some(Self { whole, host: bare.as_bytes() })
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(origins: &Origins, origin: &str) -> Option<String> {
        match origins.allow(Some(&HeaderValue::from_str(origin).unwrap())) {
            Allowed::Any => Some("*".into()),
            Allowed::Origin(value) => Some(value.to_str().unwrap().into()),
            Allowed::None => None,
        }
    }

    const ASKED: [&str; 11] = [
        "http://evil.test",
        "http://foo.test",
        "http://foo.test.evil.test",
        "http://something.foo.test",
        "http://evilfoo.test",
        "http://foo.test:80",
        "http://foo.test:8000",
        "https://foo.test:8000",
        "http://foo.test:90",
        "http://foobtest",
        "https://bar.test:1234",
    ];

    #[test]
    fn one_plain_origin_is_told_to_everybody() {
        for one in ["foo.test", "https://bar.test:1234"] {
            let origins = Origins::new(&[one]).unwrap();
            assert_eq!(origins.allow(None), Allowed::Origin(HeaderValue::from_static(one)));
            for asked in ASKED {
                assert_eq!(told(&origins, asked).as_deref(), Some(one), "{asked}");
            }
        }
    }

    /// Kong's own table: the entries, and the origins of `ASKED` that they allow.
    #[test]
    fn several_origins_and_expressions() {
        let dropped = "http://foo.test:80";
        let cases: [(&[&str], &[&str]); 12] = [
            (
                &[r"foo\.test"],
                &["http://foo.test", dropped, "http://foo.test:8000", "https://foo.test:8000", "http://foo.test:90"],
            ),
            (
                &[r"(.*[./])?foo\.test"],
                &[
                    "http://foo.test",
                    "http://something.foo.test",
                    dropped,
                    "http://foo.test:8000",
                    "https://foo.test:8000",
                    "http://foo.test:90",
                ],
            ),
            (&[r"(.*[./])?foo\.test:8000"], &["http://foo.test:8000", "https://foo.test:8000"]),
            (&[r"https://(.*[.])?foo\.test:8000"], &["https://foo.test:8000"]),
            (
                &[r"^http://(.*[.])?foo\.test(:(80|90))?$"],
                &["http://foo.test", "http://something.foo.test", dropped, "http://foo.test:90"],
            ),
            (&["foo.test", "bar.test"], &[]),
            (&["http://foo.test", "https://bar.test:1234"], &["http://foo.test", dropped, "https://bar.test:1234"]),
            (&["http://foo.test:80", "bar.test"], &["http://foo.test", dropped]),
            (
                &["bar.test", r"foo\.test"],
                &["http://foo.test", dropped, "http://foo.test:8000", "https://foo.test:8000", "http://foo.test:90"],
            ),
            (&["bar.test", r"(.*[./])?foo\.test:8000"], &["http://foo.test:8000", "https://foo.test:8000"]),
            (&["bar.test", r"https://(.*\.)?foo\.test:8000"], &["https://foo.test:8000"]),
            // Not from Kong, where the first alternative would be open at its end.
            (&[r"http://foo\.test|https://bar\.test:1234"], &["http://foo.test", dropped, "https://bar.test:1234"]),
        ];
        for (entries, allowed) in cases {
            let origins = Origins::new(entries).unwrap();
            assert_eq!(origins.allow(None), Allowed::None, "{entries:?}");
            for asked in ASKED {
                let expected = allowed.contains(&asked).then(|| asked.trim_end_matches(":80"));
                assert_eq!(told(&origins, asked).as_deref(), expected, "{entries:?} {asked}");
            }
        }
    }

    #[test]
    fn a_star_allows_any() {
        for entries in [&[][..], &["*"]] {
            let origins = Origins::new(entries).unwrap();
            assert_eq!((origins.vary(), origins.allow(None)), (false, Allowed::Any));
        }
        let origins = Origins::new(&["http://foo.test", "*"]).unwrap();
        assert_eq!((origins.vary(), origins.allow(None)), (true, Allowed::None));
        assert_eq!(told(&origins, "http://evil.test").as_deref(), Some("*"));
    }

    #[test]
    fn origins_are_normalised() {
        let cases = [
            ("http://foo.test:80", "http://foo.test", "foo.test"),
            ("https://foo.test:443", "https://foo.test", "foo.test"),
            ("https://foo.test:80", "https://foo.test:80", "foo.test"),
            ("http://foo.test/path", "http://foo.test", "foo.test"),
            ("http://foo.test:80?x", "http://foo.test", "foo.test"),
            ("http://user@foo.test:80", "http://foo.test", "foo.test"),
            ("http://[::1]:80", "http://[::1]", "::1"),
            ("http://[::1]", "http://[::1]", "::1"),
            ("//foo.test:80", "foo.test:80", "foo.test"),
            ("null", "null", "null"),
            ("foo.test:8000", "foo.test:8000", "foo.test:8000"),
            ("http://", "http://", "http://"),
            ("http://:80", "http://:80", "http://:80"),
            ("", "", ""),
        ];
        for (origin, whole, host) in cases {
            let normal = Normal::of(origin.as_bytes());
            assert_eq!(normal, Normal { whole: whole.as_bytes().into(), host: host.as_bytes() }, "{origin}");
        }
    }

    #[test]
    fn entries_are_checked_in_kongs_words() {
        for good in ["*", "example.com", r".*\.example(?:-foo)?\.com", r"a*?b++", r"[*+]+\*\*", "(?i)A"] {
            assert_eq!(check_entry(good), Ok(()), "{good}");
        }
        for bad in ["invalid_**regex", "a+*", "a*??", "[", "(a", "a)(b", "*.example.com"] {
            assert_eq!(check_entry(bad), Err(format!("'{bad}' is not a valid regex")));
        }
        assert!(check_entry("(?=a)b").unwrap_err().ends_with("look-around and back-references are not supported"));
        let error = Origins::new(&["a", "["]).unwrap_err();
        assert_eq!(error, (1, "'[' is not a valid regex".into()));
    }
}
