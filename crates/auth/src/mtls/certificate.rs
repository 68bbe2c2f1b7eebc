//! What stands in a client's certificate.

use std::net::IpAddr;

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Whose a certificate is, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// The names of `subjectAltName`: hosts, mail addresses, URIs, IP addresses.
    pub(super) alternative_names: Vec<String>,
    /// The common name.
    pub(super) common_name: Option<String>,
    /// The whole name, as `C=DE, O=Example, CN=alice`.
    pub(super) distinguished_name: String,
    /// When it begins and ends, in seconds since 1970; both moments belong to it.
    pub(super) valid: (i64, i64),
}

impl Subject {
    /// What stands in a certificate in DER; `None` if it cannot be read.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        let common_name = subject.iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
        let alternative_names = match certificate.subject_alternative_name() {
            Ok(Some(names)) => names.value.general_names.iter().filter_map(text).collect(),
            Ok(None) => Vec::new(),
            Err(_) => return None,
        };
        let validity = certificate.validity();
        Some(Self {
            alternative_names,
            common_name,
            distinguished_name: subject.to_string(),
            valid: (validity.not_before.timestamp(), validity.not_after.timestamp()),
        })
    }

    /// All names that may be a consumer's, in the order in which they are tried.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.alternative_names.iter().chain(&self.common_name).map(String::as_str)
    }

    /// Whether it counts at this time, in seconds since 1970.
    pub(super) fn is_valid(&self, now: i64) -> bool {
        self.valid.0 <= now && now <= self.valid.1
    }
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let address = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            address.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
