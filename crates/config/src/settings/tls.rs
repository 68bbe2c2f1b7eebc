//! TLS on both sides: Kong's `ssl_*`, `client_ssl*` and `lua_ssl_*`.

use std::time::Duration;

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificates and their keys for clients that no other certificate is for (`ssl_cert`,
    /// `ssl_cert_key`), each a path, PEM, or PEM in base64. Default none: one signed by itself is made.
    pub certificates: Vec<(String, String)>,
    /// Which versions and ciphers are offered (`ssl_cipher_suite`). Default intermediate.
    pub cipher_suite: CipherSuite,
    /// The versions (`ssl_protocols`), for the suite `custom`. Default 1.2 and 1.3.
    pub protocols: Vec<TlsVersion>,
    /// The ciphers in OpenSSL's language (`ssl_ciphers`), for the suite `custom`.
    pub ciphers: Option<String>,
    /// Whether the gateway's order of ciphers counts (`ssl_prefer_server_ciphers`), for the suite
    /// `custom`. Default yes.
    pub prefer_server_ciphers: bool,
    /// Whether clients keep sessions in tickets (`ssl_session_tickets`). Default yes.
    pub session_tickets: bool,
    /// How long a session may be resumed (`ssl_session_timeout`). Default a day.
    pub session_timeout: Duration,
    /// How many bytes sessions may take that clients do not keep (`ssl_session_cache_size`). Default 10 MiB.
    pub session_cache_size: u64,
}

/// TLS towards upstreams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The certificate and key to show where no service has one of its own (`client_ssl_cert`,
    /// `client_ssl_cert_key`), if that is switched on (`client_ssl`). Written like [`Tls::certificates`].
    pub identity: Option<(String, String)>,
    /// Who is trusted where no service says it (`lua_ssl_trusted_certificate`): paths, PEM, PEM in
    /// base64, or `system`. Default `system`.
    pub trusted: Vec<String>,
    /// How many certificates may stand between an upstream's and a trusted one where no service says
    /// it (`lua_ssl_verify_depth`). Default 1.
    pub verify_depth: usize,
}

/// Which versions and ciphers are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Kong's own names")]
pub enum CipherSuite {
    Modern,
    Intermediate,
    Old,
    Fips,
    Custom,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.0, 1.1, or SSL.
    Older,
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl CipherSuite {
    pub(super) fn named(name: &str) -> Self {
        match name {
            "modern" => Self::Modern,
            "old" => Self::Old,
            "fips" => Self::Fips,
            "custom" => Self::Custom,
            _ => Self::Intermediate,
        }
    }
}

/// The versions in a list with spaces.
pub(super) fn versions(text: &str) -> Result<Vec<TlsVersion>, String> {
    text.split([' ', ',']).filter(|word| !word.is_empty()).map(version).collect()
}

fn version(word: &str) -> Result<TlsVersion, String> {
    match word {
        "TLSv1.3" => Ok(TlsVersion::V1_3),
        "TLSv1.2" => Ok(TlsVersion::V1_2),
        "TLSv1.1" | "TLSv1" | "SSLv3" | "SSLv2" => Ok(TlsVersion::Older),
        _ => Err(format!("'{word}' is no version of TLS (TLSv1.2, TLSv1.3)")),
    }
}

/// Certificates with their keys, from two lists; what Kong says when they do not go together.
pub(super) fn pairs(certificates: Vec<String>, keys: Vec<String>) -> Result<Vec<(String, String)>, (String, String)> {
    named_pairs("ssl_cert", "ssl_cert_key", certificates, keys)
}

/// The same for the settings of these names.
pub(super) fn named_pairs(
    certificate: &str,
    key: &str,
    certificates: Vec<String>,
    keys: Vec<String>,
) -> Result<Vec<(String, String)>, (String, String)> {
    match (certificates.len(), keys.len()) {
        (0, 1..) => Err((key.to_owned(), format!("{certificate} must be specified"))),
        (1.., 0) => Err((certificate.to_owned(), format!("{key} must be specified"))),
        (some, others) if some != others => {
            let why = format!("{certificate} was specified {some} times while {key} was specified {others} times");
            Err((certificate.to_owned(), why))
        }
        _ => Ok(certificates.into_iter().zip(keys).collect()),
    }
}
