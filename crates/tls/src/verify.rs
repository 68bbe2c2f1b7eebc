//! Whether a server is who it should be.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};
use webpki::{EndEntityCert, KeyUsage, RawPublicKeyEntity, VerifiedPath};

use crate::{authority::Anchors, pem};

/// Checks chain, time and name.
#[derive(Debug)]
pub(crate) struct Strict {
    anchors: Arc<Anchors>,
    depth: usize,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Strict {
    /// Trusts these authorities, with at most so many certificates between one of them and the server's.
    pub(crate) fn new(anchors: Arc<Anchors>, depth: usize, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { anchors, depth, algorithms }
    }

    fn check_chain(
        &self,
        certificate: &CertificateDer<'_>,
        parsed: &EndEntityCert<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // OpenSSL takes a certificate that is trusted itself; webpki only those issued by what is.
        if self.anchors.certificates.iter().any(|trusted| trusted == certificate) {
            return check_time(certificate, now);
        }
        let is_short = |path: &VerifiedPath<'_>| {
            let is_short = path.intermediate_certificates().count() <= self.depth;
            if is_short { Ok(()) } else { Err(webpki::Error::MaximumPathDepthExceeded) }
        };
        let (algorithms, anchors) = (self.algorithms.all, &self.anchors.anchors);
        let usage = KeyUsage::server_auth();
        let path = parsed.verify_for_usage(algorithms, anchors, between, now, usage, None, Some(&is_short));
        path.map(drop).map_err(|error| self.refusal(error))
    }

    fn refusal(&self, error: webpki::Error) -> Error {
        match error {
            webpki::Error::MaximumPathDepthExceeded => other(TooDeep(self.depth)),
            webpki::Error::UnknownIssuer if self.anchors.anchors.is_empty() => other(NobodyTrusted),
            error => refusal(error),
        }
    }
}

impl ServerCertVerifier for Strict {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = EndEntityCert::try_from(end_entity).map_err(refusal)?;
        self.check_chain(end_entity, &parsed, intermediates, now)?;
        parsed.verify_is_valid_for_subject_name(server_name).map_err(refusal)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Takes any certificate, as long as the server has its key. Also such as webpki does not read:
/// nobody looks at more than the key in them.
#[derive(Debug)]
pub(crate) struct Lenient(pub(crate) WebPkiSupportedAlgorithms);

impl Lenient {
    fn verify(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
        candidates: usize,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = pem::parse(cert).map_err(|_| CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(certificate.public_key().raw);
        let key = RawPublicKeyEntity::try_from(&key).map_err(refusal)?;
        let known = self.0.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        let algorithms = known.map(|(_, algorithms)| *algorithms).unwrap_or_default();
        let mut refused = None;
        for algorithm in algorithms.iter().take(candidates) {
            match key.verify_signature(*algorithm, message, dss.signature()) {
                Ok(()) => return Ok(HandshakeSignatureValid::assertion()),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.map_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into(), refusal))
    }
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    // In TLS 1.2 a scheme does not say which curve a key is on, so that several are tried.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, dss, usize::MAX)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        use SignatureScheme as Scheme;
        // RFC 8446, section 4.4.3.
        if matches!(dss.scheme, Scheme::RSA_PKCS1_SHA256 | Scheme::RSA_PKCS1_SHA384 | Scheme::RSA_PKCS1_SHA512) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        self.verify(message, cert, dss, 1)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = pem::parse(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let seconds = |time: x509_parser::time::ASN1Time| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0)))
    };
    let (not_before, not_after) = (seconds(parsed.validity().not_before), seconds(parsed.validity().not_after));
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    Ok(())
}

/// webpki's refusal as rustls tells it, so that the server gets the right alert.
fn refusal(error: webpki::Error) -> Error {
    use webpki::Error as Pki;
    let told = match error {
        Pki::BadDer | Pki::BadDerTime | Pki::TrailingData(_) => CertificateError::BadEncoding,
        Pki::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        Pki::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        Pki::UnknownIssuer => CertificateError::UnknownIssuer,
        Pki::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Pki::CertNotValidForName(context) => {
            CertificateError::NotValidForNameContext { expected: context.expected, presented: context.presented }
        }
        error => return other(error),
    };
    told.into()
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

#[derive(Debug)]
struct TooDeep(usize);

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depth = self.0;
        write!(f, "there are more than {depth} certificates between it and a trusted authority (tls_verify_depth)")
    }
}

impl std::error::Error for TooDeep {}

#[derive(Debug)]
struct NobodyTrusted;

impl fmt::Display for NobodyTrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no authority is trusted (ca_certificates, lua_ssl_trusted_certificate)")
    }
}

impl std::error::Error for NobodyTrusted {}
