//! Until when certificates are valid.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{GeneralName, X509Certificate};

use crate::{error::PemError, identity::Identity, pem};

/// Until when a chain of certificates is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Whose certificate the first one is: its common name, or else its first name of a host, or else empty.
    pub subject: String,
    /// When the first of them expires, in seconds since 1970. Each link must hold, so one that was
    /// issued by another that expires earlier is of no use after that.
    pub at: i64,
}

impl Expiry {
    /// Of the certificates of a PEM text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_pem(text: &str) -> Result<Self, PemError> {
        let wrong = || PemError::certificate("invalid certificate: there is none");
        Self::of(&pem::certificates(text)?).ok_or_else(wrong)
    }

    fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let parsed: Vec<_> = chain.iter().filter_map(|certificate| pem::parse(certificate).ok()).collect();
        let at = parsed.iter().map(|certificate| certificate.validity().not_after.timestamp()).min()?;
        Some(Self { subject: parsed.first().and_then(subject).unwrap_or_default(), at })
    }
}

impl Identity {
    /// Until when its chain is valid.
    #[must_use]
    pub fn expiry(&self) -> Option<Expiry> {
        Expiry::of(&self.certified_key().cert)
    }
}

fn subject(certificate: &X509Certificate<'_>) -> Option<String> {
    let common = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
    let hosts = certificate.subject_alternative_name().ok().flatten();
    let host = hosts.and_then(|names| {
        names.value.general_names.iter().find_map(|name| match name {
            GeneralName::DNSName(host) => Some(*host),
            _ => None,
        })
    });
    common.filter(|name| !name.is_empty()).or(host).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};
    use time::OffsetDateTime;

    use super::*;

    fn certificate(common: Option<&str>, host: &str, until: i64) -> String {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params.not_after = OffsetDateTime::from_unix_timestamp(until).unwrap();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn a_chain_is_valid_as_long_as_each_of_its_links() {
        let (leaf, issuer) =
            (certificate(Some("shop"), "shop.test", 2_000_000_000), certificate(None, "ca", 1_900_000_000));
        let expiry = |text: &str| Expiry::of_pem(text).unwrap();
        assert_eq!(expiry(&leaf), Expiry { subject: "shop".into(), at: 2_000_000_000 });
        assert_eq!(expiry(&(leaf + &issuer)), Expiry { subject: "shop".into(), at: 1_900_000_000 });
    }

    #[test]
    fn without_a_common_name_the_first_host_names_it() {
        let text = certificate(None, "shop.test", 2_000_000_000);
        assert_eq!(Expiry::of_pem(&text).unwrap().subject, "shop.test");
        assert!(Expiry::of_pem("").is_err());
    }
}
