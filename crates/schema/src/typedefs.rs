//! Whole fields that many entities share: `#[schema(like = towergate_schema::typedefs::tags)]`.

use serde_json::Value;

use crate::{checks, field::Field, rule::Rule};

/// The protocols a service may speak and a route may answer, in Kong's order.
pub const PROTOCOLS: [&str; 8] = ["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"];

/// Those of them that carry HTTP: where plugins run unless they are told otherwise.
pub const HTTP_PROTOCOLS: [&str; 4] = ["grpc", "grpcs", "http", "https"];

/// The longest timeout, in milliseconds.
pub const TIMEOUT_MAX: f64 = 2_147_483_646.0;

/// The longest time to live, in seconds: a hundred million.
pub const TTL_MAX: f64 = 100_000_000.0;

/// A unique name, of letters of any script, digits and `.-_~`.
#[must_use]
pub fn utf8_name() -> Field {
    Field::string().unique().custom(checks::utf8_name)
}

/// A unique name, of ASCII letters, digits and `.-_~`.
#[must_use]
pub fn name() -> Field {
    Field::string().unique().custom(checks::name)
}

/// A tag.
#[must_use]
pub fn tag() -> Field {
    Field::string().required().custom(checks::tag)
}

/// Tags.
#[must_use]
pub fn tags() -> Field {
    Field::set_of(tag())
}

/// A host name or address without a port.
#[must_use]
pub fn host() -> Field {
    Field::string().custom(checks::host)
}

/// A host name or address, with or without a port.
#[must_use]
pub fn host_with_optional_port() -> Field {
    Field::string().custom(checks::host_with_optional_port)
}

/// Hosts a route answers to: with or without a port, `*` standing for the first or last label.
#[must_use]
pub fn hosts() -> Field {
    Field::array(Field::string().custom(checks::host_with_wildcard))
}

/// A host name with `*` as its first or last character.
#[must_use]
pub fn wildcard_host() -> Field {
    Field::string().custom(checks::wildcard_host)
}

/// A server name (SNI) without a wildcard.
#[must_use]
pub fn sni() -> Field {
    Field::string().custom(checks::sni)
}

/// An IP address.
#[must_use]
pub fn ip() -> Field {
    Field::string().custom(checks::ip)
}

/// An IP address or range.
#[must_use]
pub fn ip_or_cidr() -> Field {
    Field::string().custom(checks::ip_or_cidr)
}

/// A port, 0 to 65535.
#[must_use]
pub fn port() -> Field {
    Field::integer().between(0.0, 65535.0)
}

/// A path: begins with `/`, has no empty segments, is spelt correctly.
#[must_use]
pub fn path() -> Field {
    Field::string().starts_with("/").not_pattern("//", Some("must not have empty segments")).custom(checks::path)
}

/// A URL with scheme and host.
#[must_use]
pub fn url() -> Field {
    Field::string().custom(checks::url)
}

/// The name of a header.
#[must_use]
pub fn header_name() -> Field {
    Field::string().custom(checks::header_name)
}

/// The name of a cookie.
#[must_use]
pub fn cookie_name() -> Field {
    Field::string().custom(checks::cookie_name)
}

/// A timeout in milliseconds, 0 to 2³¹ − 2.
#[must_use]
pub fn timeout() -> Field {
    Field::integer().between(0.0, TIMEOUT_MAX)
}

/// A time to live in seconds.
#[must_use]
pub fn ttl() -> Field {
    Field::number().between(0.0, TTL_MAX)
}

/// A reference that must not be there: a plugin that cannot be bound to a consumer has
/// `.field("consumer", forbidden("consumers"))`. Anything but null is told `value must be null`.
#[must_use]
pub fn forbidden(collection: &'static str) -> Field {
    Field::foreign_key(collection).nullable().rule(Rule::Eq(Value::Null))
}

/// An id: made by the gateway when not given.
#[must_use]
pub fn uuid() -> Field {
    Field::string().rule(Rule::Uuid).auto()
}

/// `created_at` and `updated_at`: whole seconds since 1970, made by the gateway.
#[must_use]
pub fn auto_timestamp_s() -> Field {
    Field::integer().rule(Rule::Timestamp).auto()
}

/// `created_at` and `updated_at` of targets: seconds since 1970 with milliseconds, made by the gateway.
#[must_use]
pub fn auto_timestamp_ms() -> Field {
    Field::number().rule(Rule::Timestamp).auto()
}

/// The name of a method: ASCII capitals.
#[must_use]
pub fn http_method() -> Field {
    Field::string().pattern_as("^[A-Z]+$", "^%u+$", None)
}

/// Names of methods.
#[must_use]
pub fn methods() -> Field {
    Field::set_of(http_method())
}

/// A protocol.
#[must_use]
pub fn protocol() -> Field {
    Field::string().one_of(PROTOCOLS)
}

/// The protocols a plugin runs on; those that carry HTTP unless told otherwise.
#[must_use]
pub fn protocols() -> Field {
    Field::set_of(protocol()).required().default(HTTP_PROTOCOLS.to_vec())
}

/// The protocols a plugin for HTTP alone runs on.
#[must_use]
pub fn protocols_http() -> Field {
    Field::set_of(Field::string().one_of(HTTP_PROTOCOLS)).required().default(HTTP_PROTOCOLS.to_vec())
}

/// Headers by name, each with its values.
#[must_use]
pub fn headers() -> Field {
    Field::map(header_name(), Field::array(Field::string()))
}
