//! Services: where requests go.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Schema, typedefs};
use uuid::Uuid;

use super::link;
use super::protocol::Protocol;

/// An upstream application: where to reach it and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(shorthand_fn("url", kind = string, expand = from_url))]
#[schema(conditional(if_field = "protocol", if_match(one_of("tcp", "tls", "udp", "grpc", "grpcs")), then_field = "path", then_match(eq = null)))]
#[schema(conditional(if_field = "protocol", if_match(not_one_of("https", "tls")), then_field = "client_certificate", then_match(eq = null)))]
#[schema(conditional(if_field = "protocol", if_match(not_one_of("https", "tls")), then_field = "tls_verify", then_match(eq = null)))]
#[schema(conditional(if_field = "protocol", if_match(not_one_of("https", "tls")), then_field = "tls_verify_depth", then_match(eq = null)))]
#[schema(conditional(if_field = "protocol", if_match(not_one_of("https", "tls")), then_field = "ca_certificates", then_match(eq = null)))]
pub struct Service {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// Its name, unique among services.
    #[schema(like = typedefs::utf8_name)]
    pub name: Option<String>,
    /// How often a request is tried again after a failure; 5 means up to 6 attempts.
    #[schema(default = 5, between(0, 32767))]
    pub retries: Option<u32>,
    /// How to speak to it.
    #[schema(required, default = "http")]
    pub protocol: Protocol,
    /// Its host name or address, or the name of an upstream.
    #[schema(required, like = typedefs::host)]
    pub host: String,
    /// Its port.
    #[schema(required, default = 80, like = typedefs::port)]
    pub port: u16,
    /// The path requests are put under.
    #[schema(like = typedefs::path)]
    pub path: Option<String>,
    /// Longest time to connect, in milliseconds.
    #[schema(default = 60000, between(1, 2147483646))]
    pub connect_timeout: Option<u32>,
    /// Longest pause between two writes of a request, in milliseconds.
    #[schema(default = 60000, between(1, 2147483646))]
    pub write_timeout: Option<u32>,
    /// Longest pause between two reads of a response, in milliseconds.
    #[schema(default = 60000, between(1, 2147483646))]
    pub read_timeout: Option<u32>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// The certificate we show to it.
    #[serde(with = "link")]
    #[schema(like = link::to_certificates)]
    pub client_certificate: Option<Uuid>,
    /// Whether to check its certificate; null leaves it to the gateway's settings.
    pub tls_verify: Option<bool>,
    /// How many certificates deep that check goes.
    #[schema(between(0, 64))]
    pub tls_verify_depth: Option<u8>,
    /// The ids of the CA certificates that are trusted in that check.
    pub ca_certificates: Option<Vec<Uuid>>,
    /// Whether its routes exist.
    #[schema(required, default = true)]
    pub enabled: bool,
}

/// `http://host:3000/path` in place of the four fields. Kong takes a URL apart rather than checking
/// it, so that whatever is missing is reported as a missing field.
fn from_url(url: Value) -> Result<Map<String, Value>, String> {
    let url = url.as_str().unwrap_or_default();
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let (scheme, rest) = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, url),
    };
    let (authority, rest) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let path = rest.split(['?', ';']).next().filter(|path| !path.is_empty());
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port.parse::<u64>().ok()),
        _ => (authority, None),
    };
    let host = Some(host.trim_start_matches('[').trim_end_matches(']')).filter(|host| !host.is_empty());
    let protocol = scheme.unwrap_or(if port == Some(443) { "https" } else { "http" });
    let port = port.unwrap_or(if protocol == "https" { 443 } else { 80 });
    Ok(Map::from_iter([
        ("protocol".to_owned(), protocol.into()),
        ("host".to_owned(), host.into()),
        ("port".to_owned(), port.into()),
        ("path".to_owned(), path.into()),
    ]))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_come_apart_as_in_kong() {
        for (url, protocol, host, port, path) in [
            ("http://user-service:3000", "http", json!("user-service"), 3000, json!(null)),
            ("https://example.com/v1", "https", json!("example.com"), 443, json!("/v1")),
            ("http://u:p@example.com:81/a?b#c", "http", json!("example.com"), 81, json!("/a")),
            ("grpc://x", "grpc", json!("x"), 80, json!(null)),
            ("http://[::1]:8080/", "http", json!("::1"), 8080, json!("/")),
            ("//example.com:443", "https", json!("example.com"), 443, json!(null)),
            ("localhost:3000", "localhost", json!(null), 80, json!("3000")),
            ("example.com", "http", json!(null), 80, json!("example.com")),
        ] {
            let fields = Value::Object(from_url(json!(url)).unwrap());
            assert_eq!(fields, json!({"protocol": protocol, "host": host, "port": port, "path": path}), "{url}");
        }
    }
}
