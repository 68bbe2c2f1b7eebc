//! Certificates and private keys out of PEM text.

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
    pem::{PemObject, SectionKind},
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::PemError;

/// All certificates of a text, the first one first; each can be read as X.509.
pub(crate) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut found = Vec::new();
    for section in sections(text) {
        let (kind, der) = section.map_err(|why| PemError::certificate(format!("invalid certificate: {why}")))?;
        if kind != SectionKind::Certificate {
            continue;
        }
        let place = found.len().saturating_add(1);
        parse(&der).map_err(|why| PemError::certificate(format!("invalid certificate: block {place}: {why}")))?;
        found.push(CertificateDer::from(der));
    }
    if found.is_empty() {
        let why = nothing_found(text, "CERTIFICATE");
        return Err(PemError::certificate(format!("invalid certificate: {why}")));
    }
    Ok(found)
}

/// The first private key of a text.
pub(crate) fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, PemError> {
    for section in sections(text) {
        let (kind, der) = section.map_err(|why| PemError::key(format!("invalid key: {why}")))?;
        match kind {
            SectionKind::PrivateKey => return Ok(PrivatePkcs8KeyDer::from(der).into()),
            SectionKind::RsaPrivateKey => return Ok(PrivatePkcs1KeyDer::from(der).into()),
            SectionKind::EcPrivateKey => return Ok(PrivateSec1KeyDer::from(der).into()),
            _ => {}
        }
    }
    if text.contains("ENCRYPTED") {
        let why = "invalid key: it is protected by a passphrase; take that off (openssl pkey -in … -out …)";
        return Err(PemError::key(why));
    }
    Err(PemError::key(format!("invalid key: {}", nothing_found(text, "PRIVATE KEY"))))
}

/// A certificate taken apart, or why it is none.
pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("there is something behind the end of the certificate".to_owned()),
        Err(_) => Err("what is inside is no X.509 certificate".to_owned()),
    }
}

/// A text that was encoded in base64 as a whole, as environments carry certificates; `None` if it was not.
#[must_use]
pub fn from_base64(text: &str) -> Option<String> {
    let wrapped = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", text.trim());
    let (_, inside) = sections(&wrapped).next()?.ok()?;
    String::from_utf8(inside).ok()
}

fn sections(text: &str) -> impl Iterator<Item = Result<(SectionKind, Vec<u8>), String>> {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()).map(|section| section.map_err(|error| explain(&error)))
}

fn explain(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::MissingSectionEnd { end_marker } => {
            format!("the line -----END {}----- is missing", String::from_utf8_lossy(end_marker))
        }
        Error::IllegalSectionStart { line } => {
            format!("not a line to begin with: '{}'", String::from_utf8_lossy(line))
        }
        Error::Base64Decode(_) => "what stands between the lines BEGIN and END is no base64".to_owned(),
        other => other.to_string(),
    }
}

/// What was looked for, and what there is instead.
fn nothing_found(text: &str, wanted: &str) -> String {
    let labels: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .map(|label| format!("'{label}'"))
        .collect();
    match labels.as_slice() {
        [] => format!("expected PEM: -----BEGIN {wanted}----- … -----END {wanted}-----"),
        labels => format!("expected PEM with a block '{wanted}', found {}", labels.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_text_is_told() {
        for (text, expected) in [
            ("", "invalid certificate: expected PEM: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----"),
            ("nonsense", "invalid certificate: expected PEM: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "invalid certificate: expected PEM with a block 'CERTIFICATE', found 'PRIVATE KEY'",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n",
                "invalid certificate: the line -----END CERTIFICATE----- is missing",
            ),
            (
                "-----BEGIN CERTIFICATE-----\n****\n-----END CERTIFICATE-----\n",
                "invalid certificate: what stands between the lines BEGIN and END is no base64",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "invalid certificate: block 1: what is inside is no X.509 certificate",
            ),
        ] {
            assert_eq!(certificates(text).unwrap_err().to_string(), expected, "{text:?}");
        }
        for (text, expected) in [
            ("x", "invalid key: expected PEM: -----BEGIN PRIVATE KEY----- … -----END PRIVATE KEY-----"),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "invalid key: it is protected by a passphrase; take that off (openssl pkey -in … -out …)",
            ),
        ] {
            assert_eq!(private_key(text).unwrap_err().to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn base64_of_a_text_is_read() {
        assert_eq!(from_base64("LS0tLS1CRUdJTg==").as_deref(), Some("-----BEGIN"));
        assert_eq!(from_base64("/etc/ssl/certs/x.pem"), None);
    }
}
