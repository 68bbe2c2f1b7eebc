//! A certificate chain and the private key that belongs to it.

use std::{fmt, sync::Arc};

use rustls::{
    SignatureAlgorithm, SignatureScheme,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::{CertifiedKey, SigningKey},
};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use crate::{error::PemError, pem};

/// A certificate chain and the private key that belongs to it.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads the chain (the certificate itself first, then those between it and the root) and its key.
    ///
    /// # Errors
    /// What is wrong with which of the two texts, or that they do not belong together.
    pub fn from_pem(certificates: &str, key: &str) -> Result<Self, PemError> {
        Self::new(pem::certificates(certificates)?, &pem::private_key(key)?)
    }

    pub(crate) fn new(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'static>) -> Result<Self, PemError> {
        let key = any_supported_type(key).map_err(|_| {
            let right = "RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519";
            PemError::key(format!("invalid key: it is damaged or of a type that is not supported ({right})"))
        })?;
        // Kong's words.
        if !belongs(chain.first(), &*key) {
            return Err(PemError::both("certificate does not match key"));
        }
        Ok(Self(Arc::new(CertifiedKey::new(chain, key))))
    }

    /// What kind of key it is.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.0.key.algorithm()
    }

    /// The same as rustls has it.
    #[must_use]
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.0
    }

    /// Whether a client that accepts these signatures accepts ours.
    pub(crate) fn suits(&self, schemes: &[SignatureScheme]) -> bool {
        self.0.key.choose_scheme(schemes).is_some()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// Whether the certificate is for this key. Certificates of the first X.509 version are fine, too.
fn belongs(certificate: Option<&CertificateDer<'_>>, key: &dyn SigningKey) -> bool {
    let public = key.public_key();
    let (Some(certificate), Some(public)) = (certificate, public) else { return false };
    let Ok(certificate) = pem::parse(certificate) else { return false };
    let Ok((_, public)) = SubjectPublicKeyInfo::from_der(public.as_ref()) else { return false };
    certificate.public_key().subject_public_key.data == public.subject_public_key.data
}

/// What is shown for a server name: one certificate, or one for each of several types of key.
#[derive(Debug, Clone, Default)]
pub struct Identities(Arc<[Identity]>);

impl Identities {
    /// Whether one is a copy of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// One identity, or several with keys of different types.
    ///
    /// # Errors
    /// When two have the same type of key: no client could ever be shown the second.
    pub fn new(mut identities: Vec<Identity>) -> Result<Self, PemError> {
        // Signatures with RSA cost the most.
        identities.sort_by_key(|identity| identity.algorithm() == SignatureAlgorithm::RSA);
        let same = |pair: &[Identity]| matches!(pair, [a, b] if a.algorithm() == b.algorithm());
        if identities.windows(2).any(same) {
            // Kong's words.
            return Err(PemError::both(
                "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), \
                 the provided certificates were both of the same type",
            ));
        }
        Ok(Self(identities.into()))
    }

    /// The identities, the one that is preferred first.
    pub fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.0.iter()
    }

    /// The first whose signatures the client accepts; if it accepts none, the handshake fails with any.
    pub(crate) fn choose(&self, schemes: &[SignatureScheme]) -> Option<&Identity> {
        match self.0.as_ref() {
            [only] => Some(only),
            several => several.iter().find(|identity| identity.suits(schemes)).or(several.first()),
        }
    }
}

impl From<Identity> for Identities {
    fn from(identity: Identity) -> Self {
        Self(Arc::new([identity]))
    }
}
