//! The checks of [`super`] for plain text.

use std::net::{IpAddr, Ipv4Addr};

use super::{Host, HostError, HostKind};

type Checked = Result<(), String>;

/// A host name or address without a port.
///
/// # Errors
/// `invalid value: …` or `must not have a port`.
pub fn host(text: &str) -> Checked {
    without_port(text).map(drop)
}

fn without_port(text: &str) -> Result<HostKind, String> {
    match Host::parse(text) {
        Err(HostError::Invalid(..)) => Err(format!("invalid value: {text}")),
        Err(HostError::Port) | Ok(Host { port: Some(_), .. }) => Err("must not have a port".to_owned()),
        Ok(host) => Ok(host.kind),
    }
}

/// A host name or address, with or without a port.
///
/// # Errors
/// `invalid hostname: …`, `invalid ipv4 address: …`, `invalid ipv6 address: …` or `invalid port number`.
pub fn host_with_optional_port(text: &str) -> Checked {
    Host::parse(text).map(drop).map_err(|error| error.to_string())
}

/// A host name or address with or without a port, where `*` stands for the first or the last label.
///
/// # Errors
/// `invalid wildcard: …`, else as [`host_with_optional_port`].
pub fn host_with_wildcard(text: &str) -> Checked {
    match text.matches('*').count() {
        0 => {}
        1 if text.starts_with("*.") || text.ends_with(".*") => {}
        1 => {
            return Err("invalid wildcard: must be placed at leftmost or rightmost label".to_owned());
        }
        _ => return Err("invalid wildcard: must have at most one wildcard".to_owned()),
    }
    host_with_optional_port(&text.replace('*', "abc"))
}

/// A host name without a port; neither an address.
///
/// # Errors
/// `invalid value: …`, `must not be an IP` or `must not have a port`.
pub fn sni(text: &str) -> Checked {
    let is_address = matches!(Host::parse(text), Ok(host) if host.kind != HostKind::Name);
    if is_address { Err("must not be an IP".to_owned()) } else { host(text) }
}

/// A host name without a port, with `*` as its first or last character.
///
/// # Errors
/// `wildcard must be leftmost or rightmost character`, `only one wildcard must be specified`, else as [`sni`].
pub fn wildcard_host(text: &str) -> Checked {
    if let Some(place) = text.find('*') {
        if place != 0 && place + 1 != text.len() {
            return Err("wildcard must be leftmost or rightmost character".to_owned());
        }
        if text.matches('*').count() > 1 {
            return Err("only one wildcard must be specified".to_owned());
        }
    }
    sni(&text.replace('*', "wildcard"))
}

/// An IPv4 or IPv6 address.
///
/// # Errors
/// `not an ip address: …`.
pub fn ip(text: &str) -> Checked {
    address(text).map(drop).ok_or_else(|| format!("not an ip address: {text}"))
}

/// An IPv4 or IPv6 address or range.
///
/// # Errors
/// `invalid ip or cidr range: '…'`.
pub fn ip_or_cidr(text: &str) -> Checked {
    let valid = address(text).is_some() || range(text).is_some();
    if valid { Ok(()) } else { Err(format!("invalid ip or cidr range: '{text}'")) }
}

/// An IPv4 address or range.
///
/// # Errors
/// `invalid ipv4 cidr range: '…'`.
pub fn cidr_v4(text: &str) -> Checked {
    let valid = text.parse::<Ipv4Addr>().is_ok() || range(text).is_some_and(|address| address.is_ipv4());
    if valid { Ok(()) } else { Err(format!("invalid ipv4 cidr range: '{text}'")) }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|inside| inside.contains(':'));
    bare.unwrap_or(text).parse().ok()
}

fn range(text: &str) -> Option<IpAddr> {
    let (base, prefix) = text.split_once('/')?;
    let address = address(base)?;
    let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
    let length: u8 = prefix.parse().ok()?;
    // only the plain spelling: neither `+8` nor `08`
    (length <= longest && length.to_string() == prefix).then_some(address)
}

/// A path of allowed characters and correct percent-escapes. That it begins with `/` and has no `//` are other rules.
///
/// # Errors
/// `invalid path: '…' (characters outside of the reserved list of RFC 3986 found)` or `invalid url-encoded value: '…'`.
pub fn path(text: &str) -> Checked {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~/%:@!$&'()*+,;=".contains(&byte);
    if !text.starts_with('/') || !text.bytes().all(allowed) {
        return Err(format!("invalid path: '{text}' (characters outside of the reserved list of RFC 3986 found)"));
    }
    for (place, _) in text.match_indices('%') {
        let escape: String = text.chars().skip(place).take(3).collect();
        let is_escape = escape.len() == 3 && escape.chars().skip(1).all(|digit| digit.is_ascii_hexdigit());
        if !is_escape {
            return Err(format!("invalid url-encoded value: '{escape}'"));
        }
    }
    Ok(())
}

/// A URL with a scheme and a host.
///
/// # Errors
/// `missing host in url`, `missing scheme in url` or `could not parse url. invalid url`.
pub fn url(text: &str) -> Checked {
    if text.is_empty() {
        return Err("could not parse url. invalid url".to_owned());
    }
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, text),
    };
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = authority.map(|authority| authority.split_once('@').map_or(authority, |(_, host)| host));
    // everything after the last colon is the port, unless the colon is inside brackets
    let host = host.map(|host| match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    });
    match (host, scheme) {
        (None | Some(""), _) => Err("missing host in url".to_owned()),
        (Some(_), None) => Err("missing scheme in url".to_owned()),
        (Some(_), Some(_)) => Ok(()),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~')
}

/// A name of letters, digits and `.-_~`.
///
/// # Errors
/// `invalid value '…': it must only contain alphanumeric and '., -, _, ~' characters`.
pub fn name(text: &str) -> Checked {
    if !text.is_empty() && text.bytes().all(is_name_byte) {
        return Ok(());
    }
    Err(format!("invalid value '{text}': it must only contain alphanumeric and '., -, _, ~' characters"))
}

/// A name of letters of any script, digits and `.-_~`.
///
/// # Errors
/// `invalid value '…': the only accepted ascii characters are alphanumerics or ., -, _, and ~`.
pub fn utf8_name(text: &str) -> Checked {
    if !text.is_empty() && text.bytes().all(|byte| !byte.is_ascii() || is_name_byte(byte)) {
        return Ok(());
    }
    Err(format!("invalid value '{text}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"))
}

/// A tag: printable, without `,` and `/`.
///
/// # Errors
/// ``invalid tag '…': expected printable ascii (except `,` and `/`) or valid utf-8 sequences``.
pub fn tag(text: &str) -> Checked {
    let allowed = |byte: u8| !byte.is_ascii() || (matches!(byte, b' '..=b'~') && byte != b',' && byte != b'/');
    if !text.is_empty() && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("invalid tag '{text}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"))
}

/// The name of a header: letters, digits, `-` and `_`.
///
/// # Errors
/// `no header name provided` or `bad header name '…', allowed characters are A-Z, a-z, 0-9, '_', and '-'`.
pub fn header_name(text: &str) -> Checked {
    if text.is_empty() {
        return Err("no header name provided".to_owned());
    }
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(());
    }
    Err(format!("bad header name '{text}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"))
}

/// The name of a cookie: a token of RFC 2616.
///
/// # Errors
/// `no token provided` or `contains one or more invalid characters. …`.
pub fn cookie_name(text: &str) -> Checked {
    if text.is_empty() {
        return Err("no token provided".to_owned());
    }
    let refused = |byte: u8| byte <= b' ' || byte == 0x7f || b"()<>@,;:\\\"/?={}[]".contains(&byte);
    if text.bytes().any(refused) {
        return Err("contains one or more invalid characters. ASCII control characters (0-31;127), space, tab and \
                    the characters ()<>@,;:\\\"/?={}[] are not allowed."
            .to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check, texts that pass, and texts that do not with what is said of them.
    type Case = (fn(&str) -> Checked, &'static [&'static str], &'static [(&'static str, &'static str)]);

    const OUTSIDE: &str = "invalid path: '/a b' (characters outside of the reserved list of RFC 3986 found)";

    const CASES: &[Case] = &[
        (
            host,
            &["example.com", "1.2.3.4", "::1", "a_b"],
            &[
                ("example.com:80", "must not have a port"),
                ("example.com:99999", "must not have a port"),
                ("a b", "invalid value: a b"),
                ("1.2.3.400", "invalid value: 1.2.3.400"),
            ],
        ),
        (
            host_with_wildcard,
            &["*.example.com", "example.*", "example.com:80", "*.example.com:80", "1.2.3.4"],
            &[
                ("*.example.*", "invalid wildcard: must have at most one wildcard"),
                ("a.*.com", "invalid wildcard: must be placed at leftmost or rightmost label"),
                ("*example.com", "invalid wildcard: must be placed at leftmost or rightmost label"),
                ("a b", "invalid hostname: a b"),
            ],
        ),
        (
            sni,
            &["example.com"],
            &[("1.2.3.4", "must not be an IP"), ("a:80", "must not have a port"), ("a b", "invalid value: a b")],
        ),
        (
            wildcard_host,
            &["example.com", "*.example.com", "example.*", "*"],
            &[
                ("a.*.com", "wildcard must be leftmost or rightmost character"),
                ("*.example.*", "only one wildcard must be specified"),
                ("1.2.3.4", "must not be an IP"),
                ("*.a:80", "must not have a port"),
            ],
        ),
        (ip, &["1.2.3.4", "::1"], &[("1.2.3.4/8", "not an ip address: 1.2.3.4/8")]),
        (
            ip_or_cidr,
            &["1.2.3.4", "10.0.0.0/8", "::1", "fe80::/10", "0.0.0.0/0"],
            &[("10.0.0.0/33", "invalid ip or cidr range: '10.0.0.0/33'"), ("x", "invalid ip or cidr range: 'x'")],
        ),
        (cidr_v4, &["10.0.0.0/8"], &[("::1", "invalid ipv4 cidr range: '::1'")]),
        (
            path,
            &["/", "/a/b;c=d", "/%20", "/~x"],
            &[
                ("/a b", OUTSIDE),
                ("/a%zz", "invalid url-encoded value: '%zz'"),
                ("/a%", "invalid url-encoded value: '%'"),
                ("/a%2", "invalid url-encoded value: '%2'"),
            ],
        ),
        (
            url,
            &["http://example.com", "https://u:p@[::1]:80/x?y#z"],
            &[
                ("example.com", "missing host in url"),
                ("example.com:80", "missing host in url"),
                ("//example.com", "missing scheme in url"),
                ("http://", "missing host in url"),
                ("http:///path", "missing host in url"),
            ],
        ),
        (
            name,
            &["a.b-c_d~1"],
            &[("円", "invalid value '円': it must only contain alphanumeric and '., -, _, ~' characters")],
        ),
        (
            utf8_name,
            &["a.b-c_d~1", "円"],
            &[("a b", "invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~")],
        ),
        (
            tag,
            &["a b!", "円"],
            &[("a,b", "invalid tag 'a,b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences")],
        ),
        (
            header_name,
            &["X-A_1"],
            &[
                ("", "no header name provided"),
                ("a b", "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'"),
            ],
        ),
        (
            cookie_name,
            &["a_b"],
            &[(
                "a;b",
                "contains one or more invalid characters. ASCII control characters (0-31;127), space, tab and the \
                 characters ()<>@,;:\\\"/?={}[] are not allowed.",
            )],
        ),
    ];

    #[test]
    fn checks_speak_kongs_words() {
        for (check, passing, failing) in CASES {
            for text in *passing {
                assert_eq!(check(text), Ok(()), "{text}");
            }
            for (text, expected) in *failing {
                assert_eq!(check(text), Err((*expected).to_owned()), "{text}");
            }
        }
    }
}
