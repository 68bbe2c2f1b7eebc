//! Asking clients who they are: which of them, and what is made of what they show.

use std::{collections::HashSet, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

/// Which clients are asked for a certificate, by the server name they ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Asked {
    /// None.
    #[default]
    Nobody,
    /// Those that ask for one of these names, in lower case.
    Names(Arc<HashSet<Box<str>>>),
    /// All, because what they will ask for is not known from a name.
    Everybody,
}

impl Asked {
    /// Whether a client is asked that asks for this name, or names none.
    #[must_use]
    pub fn includes(&self, server_name: Option<&str>) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Names(names) => {
                server_name.is_some_and(|name| names.contains(name.trim_end_matches('.').to_ascii_lowercase().as_str()))
            }
        }
    }
}

/// Asks for a certificate, takes none for an answer, and makes sure only that the client has the
/// private key of what it shows. Whom it is trusted to be is for those to say who asked.
#[derive(Debug)]
pub(crate) struct Curious(pub(crate) WebPkiSupportedAlgorithms);

impl ClientCertVerifier for Curious {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_letter_case() {
        let names = Asked::Names(Arc::new(["a.example.com".into()].into()));
        for (name, expected) in [
            (Some("a.example.com"), true),
            (Some("A.Example.COM."), true),
            (Some("b.example.com"), false),
            (None, false),
        ] {
            assert_eq!(names.includes(name), expected, "{name:?}");
            assert!(Asked::Everybody.includes(name) && !Asked::Nobody.includes(name));
        }
    }
}
