//! Rules that several entities share, in Kong's words.

use regex::Regex;
use serde_json::{Map, Value};
use towergate_schema::Field;

use super::host::{Error, Host, Kind};
use super::path::normalized;

/// A name: UTF-8, of ASCII only letters, digits and `. - _ ~`.
pub(super) fn name() -> Field {
    Field::string().unique().custom(text_check(|name| {
        let fits = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || ".-_~".contains(c);
        if name.chars().all(fits) {
            return Ok(());
        }
        Err(format!("invalid value '{name}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"))
    }))
}

/// Tags: a set of printable texts without `,` and `/`.
pub(super) fn tags() -> Field {
    let tag = Field::string().required().custom(text_check(|tag| {
        let fits = |c: char| !c.is_ascii() || (!c.is_ascii_control() && c != ',' && c != '/');
        if tag.chars().all(fits) {
            return Ok(());
        }
        Err(format!("invalid tag '{tag}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"))
    }));
    Field::set_of(tag)
}

/// A host name or address without a port.
pub(super) fn host() -> Field {
    Field::string().custom(text_check(|host| without_port(host, true)))
}

/// A host name or address, with a port or without.
pub(super) fn host_with_optional_port() -> Field {
    Field::string().custom(text_check(|host| {
        Host::parse(host)
            .map(drop)
            .map_err(|error| error.to_string())
    }))
}

/// The name a TLS client asks for.
pub(super) fn sni() -> Field {
    Field::string().custom(text_check(|host| without_port(host, false)))
}

/// A host name that may begin or end with `*`.
pub(super) fn wildcard_host() -> Field {
    Field::string().custom(text_check(|host| {
        let Some(star) = host.find('*') else {
            return without_port(host, false);
        };
        if star != 0 && star.saturating_add(1) != host.len() {
            return Err("wildcard must be leftmost or rightmost character".to_owned());
        }
        if host.matches('*').count() > 1 {
            return Err("only one wildcard must be specified".to_owned());
        }
        without_port(&host.replace('*', "wildcard"), false)
    }))
}

fn without_port(host: &str, ip_allowed: bool) -> Result<(), String> {
    match Host::parse(host) {
        Err(Error::Host(_)) => Err(format!("invalid value: {host}")),
        Ok(parsed) if !ip_allowed && parsed.kind != Kind::Name => {
            Err("must not be an IP".to_owned())
        }
        Err(Error::Port) => Err("must not have a port".to_owned()),
        Ok(parsed) if parsed.port.is_some() => Err("must not have a port".to_owned()),
        Ok(_) => Ok(()),
    }
}

/// The hosts of a route: names with one `*` label at either end.
pub(super) fn route_host() -> Field {
    Field::string()
        .pattern(
            "^[^*]*\\*?[^*]*$",
            Some("invalid wildcard: must have at most one wildcard"),
        )
        .pattern(
            "^\\*\\.|\\.\\*$|^[^*]*$",
            Some("invalid wildcard: must be placed at leftmost or rightmost label"),
        )
        .custom(text_check(|host| {
            Host::parse(&host.replace('*', "abc"))
                .map(drop)
                .map_err(|error| error.to_string())
        }))
}

/// A path of a URL.
pub(super) fn path() -> Field {
    Field::string()
        .starts_with("/")
        .not_pattern("//", Some("must not have empty segments"))
        .custom(text_check(|path| {
            url_path(path).map_err(|(message, _)| message)
        }))
}

/// A path of a route: a prefix, or a regex behind `~`.
pub(super) fn route_path() -> Field {
    Field::string()
        .pattern(
            "^~?/",
            Some("should start with: / (fixed path) or ~/ (regex path)"),
        )
        .not_pattern("//", Some("must not have empty segments"))
        .custom(text_check(check_route_path))
}

fn check_route_path(path: &str) -> Result<(), String> {
    if let Err((message, true)) = url_path(path) {
        return Err(message);
    }
    if let Some(regex) = path.strip_prefix('~') {
        return check_regex(regex);
    }
    let normal = normalized(path);
    if normal == path.as_bytes() {
        return Ok(());
    }
    let normal = String::from_utf8_lossy(&normal);
    Err(format!(
        "non-normalized path, consider use '{normal}' instead"
    ))
}

/// What a regex of ours cannot do is told in our words; Kong's would be PCRE's.
fn check_regex(regex: &str) -> Result<(), String> {
    match Regex::new(regex) {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = error.to_string();
            let why = why
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            Err(format!("invalid regex: '{regex}' (PCRE returned: {why})"))
        }
    }
}

/// What is wrong with a path, and whether it is its percent signs.
fn url_path(path: &str) -> Result<(), (String, bool)> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/.-_~%:@!$&'()*+,;=".contains(&b);
    if !path.starts_with('/') || !path.bytes().all(fits) {
        let message = format!(
            "invalid path: '{path}' (characters outside of the reserved list of RFC 3986 found)"
        );
        return Err((message, false));
    }
    for (position, _) in path.match_indices('%') {
        let triplet: String = path
            .get(position..)
            .unwrap_or_default()
            .chars()
            .take(3)
            .collect();
        let encoded = triplet.len() == 3 && triplet.bytes().skip(1).all(|b| b.is_ascii_hexdigit());
        if !encoded {
            return Err((format!("invalid url-encoded value: '{triplet}'"), true));
        }
    }
    Ok(())
}

/// The name of a header.
pub(super) fn header_name() -> Field {
    Field::string().custom(text_check(|name| {
        if name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            return Ok(());
        }
        Err(format!(
            "bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"
        ))
    }))
}

/// The name of a cookie.
pub(super) fn cookie_name() -> Field {
    Field::string().custom(text_check(|name| {
        if !name.contains(|c: char| c.is_ascii_control() || " ()<>@,;:\\\"/?={}[]".contains(c)) {
            return Ok(());
        }
        Err("contains one or more invalid characters. ASCII control characters (0-31;127), space, tab and the \
             characters ()<>@,;:\\\"/?={}[] are not allowed."
            .to_owned())
    }))
}

/// An address or a block of them.
pub(super) fn ip_or_cidr() -> Field {
    Field::string().custom(text_check(|text| {
        if text.parse::<std::net::IpAddr>().is_ok() || text.parse::<ipnet::IpNet>().is_ok() {
            return Ok(());
        }
        Err(format!("invalid ip or cidr range: '{text}'"))
    }))
}

/// Header names with their values.
pub(super) fn headers() -> Field {
    Field::map(header_name(), Field::array(Field::string()))
}

/// A certificate in PEM. Only its outside is looked at; what is inside is read by whoever uses it.
pub(super) fn certificate() -> Field {
    Field::string().custom(text_check(|pem| {
        if is_pem(pem, &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"]) {
            return Ok(());
        }
        Err("invalid certificate: expected PEM: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----".to_owned())
    }))
}

/// A private key in PEM. Only its outside is looked at.
pub(super) fn private_key() -> Field {
    Field::string().custom(text_check(|pem| {
        if is_pem(
            pem,
            &[
                "PRIVATE KEY",
                "RSA PRIVATE KEY",
                "EC PRIVATE KEY",
                "ENCRYPTED PRIVATE KEY",
            ],
        ) {
            return Ok(());
        }
        Err(
            "invalid key: expected PEM: -----BEGIN PRIVATE KEY----- … -----END PRIVATE KEY-----"
                .to_owned(),
        )
    }))
}

/// Whether `text` has a block with one of the labels and something in it.
pub(super) fn is_pem(text: &str, labels: &[&str]) -> bool {
    labels.iter().any(|label| {
        let inside = text
            .split_once(&format!("-----BEGIN {label}-----"))
            .and_then(|(_, rest)| rest.split_once(&format!("-----END {label}-----")));
        inside.is_some_and(|(inside, _)| !inside.trim().is_empty())
    })
}

/// A check of texts as a check of values.
fn text_check(
    check: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
) -> impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static {
    move |value| value.as_str().map_or(Ok(()), &check)
}

/// Whether a field is there and neither null nor empty.
pub(super) fn is_set(map: &Map<String, Value>, field: &str) -> bool {
    match map.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(_) => true,
    }
}
