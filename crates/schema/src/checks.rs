//! Ready-made checks with Kong's words: `#[schema(custom = towergate_schema::checks::host)]`.
//!
//! Each takes any JSON and leaves what is not text to the check of types. The same checks for plain text are in
//! [`text`], whole fields made of them in [`crate::typedefs`].

mod host;
pub mod text;

use serde_json::Value;

pub use host::{Host, HostError, HostKind};

macro_rules! checks {
    ($($(#[$documentation:meta])* $name:ident;)*) => {
        $($(#[$documentation])*
        ///
        /// # Errors
        /// Kong's text for what is wrong.
        pub fn $name(value: &Value) -> Result<(), String> {
            value.as_str().map_or(Ok(()), text::$name)
        })*
    };
}

checks! {
    /// A host name or address without a port.
    host;
    /// A host name or address, with or without a port.
    host_with_optional_port;
    /// A host name or address with or without a port, where `*` stands for the first or the last label.
    host_with_wildcard;
    /// A host name without a port; neither an address.
    sni;
    /// A host name without a port, with `*` as its first or last character.
    wildcard_host;
    /// An IPv4 or IPv6 address.
    ip;
    /// An IPv4 or IPv6 address or range.
    ip_or_cidr;
    /// An IPv4 address or range.
    cidr_v4;
    /// A path of allowed characters and correct percent-escapes. That it begins with `/` is another rule.
    path;
    /// A URL with a scheme and a host.
    url;
    /// A name of letters, digits and `.-_~`.
    name;
    /// A name of letters of any script, digits and `.-_~`.
    utf8_name;
    /// A tag: printable, without `,` and `/`.
    tag;
    /// The name of a header: letters, digits, `-` and `_`.
    header_name;
    /// The name of a cookie: a token of RFC 2616.
    cookie_name;
}
