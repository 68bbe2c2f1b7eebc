//! Certificates of authorities: what may be trusted to say who a server is.

use std::{fmt::Write as _, time::SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, TrustAnchor};

use crate::{error::PemError, pem};

/// One authority's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority(CertificateDer<'static>);

impl Authority {
    /// Reads one authority's certificate and checks what Kong checks: that it is one, that it is an
    /// authority's, and that it has not expired.
    ///
    /// # Errors
    /// Which of that it is not.
    pub fn from_pem(text: &str) -> Result<Self, PemError> {
        let mut certificates = pem::certificates(text)?.into_iter();
        let (Some(certificate), None) = (certificates.next(), certificates.next()) else {
            // Kong's words, here and below.
            return Err(PemError::certificate("please submit only one certificate at a time"));
        };
        let parsed =
            pem::parse(&certificate).map_err(|why| PemError::certificate(format!("invalid certificate: {why}")))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let has_expired = i64::try_from(now).is_ok_and(|now| parsed.validity().not_after.timestamp() < now);
        if has_expired {
            return Err(PemError::certificate("certificate expired, \"Not After\" time is in the past"));
        }
        if !parsed.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca) {
            let why = "certificate does not appear to be a CA because it is missing the \"CA\" basic constraint";
            return Err(PemError::certificate(why));
        }
        drop(parsed);
        Ok(Self(certificate))
    }

    /// The certificate, in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The SHA-256 of the certificate, in hexadecimal: Kong's `cert_digest`.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in digest(&SHA256, &self.0).as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// What chains of certificates may end in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Anchors {
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    /// The certificates themselves: a server may show just what is trusted.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl Anchors {
    /// Adds all certificates of a text.
    pub(crate) fn add_pem(&mut self, text: &str) -> Result<(), PemError> {
        for certificate in pem::certificates(text)? {
            self.add(certificate).map_err(|why| PemError::certificate(format!("invalid certificate: {why}")))?;
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), String> {
        let anchor = webpki::anchor_from_trusted_cert(&certificate).map_err(|error| error.to_string())?.to_owned();
        self.anchors.push(anchor);
        self.certificates.push(certificate);
        Ok(())
    }
}

/// Authorities trusted by the whole gateway: Kong's `lua_ssl_trusted_certificate`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Authorities {
    given: Anchors,
    system: bool,
}

impl Authorities {
    /// Nobody is trusted.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those the system trusts, too. They are read when they are needed first.
    #[must_use]
    pub fn with_system(mut self) -> Self {
        self.system = true;
        self
    }

    /// All certificates of this text, too.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn with_pem(mut self, text: &str) -> Result<Self, PemError> {
        self.given.add_pem(text)?;
        Ok(self)
    }

    /// What chains may end in. What cannot be read of the system's is told in the log.
    pub(crate) fn anchors(&self) -> Anchors {
        let mut all = self.given.clone();
        if self.system {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "Cannot read a part of the system's trusted certificates");
            }
            let before = all.anchors.len();
            for certificate in found.certs {
                if let Err(error) = all.add(certificate) {
                    tracing::debug!(%error, "One of the system's trusted certificates is passed over");
                }
            }
            if all.anchors.len() == before {
                tracing::warn!("The system has no trusted certificates (on Debian: the package ca-certificates)");
            }
        }
        all
    }
}
