//! Rules that several entities share beside the ready-made ones, in Kong's words.

use regex::Regex;
use serde_json::{Map, Value};
use towergate_schema::{Field, checks};

use super::path::normalized;

/// A path of a route: a prefix, or a regex behind `~`.
pub(super) fn route_path() -> Field {
    Field::string()
        .pattern("^~?/", Some("should start with: / (fixed path) or ~/ (regex path)"))
        .not_pattern("//", Some("must not have empty segments"))
        .custom(text_check(check_route_path))
}

fn check_route_path(path: &str) -> Result<(), String> {
    // Kong looks at percent signs only where all characters are allowed, which in a regex they never are.
    if let Err(message) = checks::text::path(path)
        && message.starts_with("invalid url-encoded")
    {
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
    Err(format!("non-normalized path, consider use '{normal}' instead"))
}

/// What a regex of ours cannot do is told in our words; Kong's would be PCRE's.
fn check_regex(regex: &str) -> Result<(), String> {
    match Regex::new(regex) {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("invalid regex: '{regex}' (PCRE returned: {why})"))
        }
    }
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
        if is_pem(pem, &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]) {
            return Ok(());
        }
        Err("invalid key: expected PEM: -----BEGIN PRIVATE KEY----- … -----END PRIVATE KEY-----".to_owned())
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
