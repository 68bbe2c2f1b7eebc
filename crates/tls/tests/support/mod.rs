//! Certificates made for a test, servers that shake hands on loopback, and clients that tell what they got.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    SignatureAlgorithm,
};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error, HandshakeKind, ProtocolVersion, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use towergate_tls::{Identity, PemPair};

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pair {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key).expect("a pair")
    }

    /// As [`Trust::identity`](towergate_tls::Trust) wants it.
    pub(crate) fn texts(&self) -> Option<PemPair> {
        Some(PemPair { certificate: self.certificate.as_str().into(), key: self.key.as_str().into() })
    }

    /// With the certificates of these authorities behind its own.
    pub(crate) fn with_chain(mut self, authorities: &[&Authority]) -> Self {
        for authority in authorities {
            self.certificate.push_str(&authority.pem);
        }
        self
    }
}

pub(crate) fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
    params.distinguished_name = subject;
    params
}

/// A certificate that is its own issuer.
pub(crate) fn self_signed(params: &CertificateParams, algorithm: &'static SignatureAlgorithm) -> Pair {
    let key = KeyPair::generate_for(algorithm).unwrap();
    Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// A certificate for these names that nobody vouches for.
pub(crate) fn lone(names: &[&str]) -> Pair {
    self_signed(&params(names), &PKCS_ECDSA_P256_SHA256)
}

/// An authority that issues certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// One whose word this one vouches for.
    pub(crate) fn between(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.issue_with(&params(names), &PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn issue_with(&self, params: &CertificateParams, algorithm: &'static SignatureAlgorithm) -> Pair {
        let key = KeyPair::generate_for(algorithm).unwrap();
        Pair { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    /// As [`Trust::authorities`](towergate_tls::Trust) wants it.
    pub(crate) fn text(&self) -> Vec<Arc<str>> {
        vec![self.pem.as_str().into()]
    }
}

/// What a server saw of a handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Option<String>,
    pub(crate) client_certificates: usize,
}

/// A server that shakes hands and then sends back what it gets.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Echo {
    pub(crate) async fn start(config: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let log = seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(echo(socket, config.clone(), log.clone()));
            }
        });
        Self { address, seen }
    }

    /// What the latest handshake that succeeded brought.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

async fn echo(socket: TcpStream, config: Arc<ServerConfig>, log: Arc<Mutex<Vec<Seen>>>) {
    let Ok(mut stream) = TlsAcceptor::from(config).accept(socket).await else { return };
    let session = stream.get_ref().1;
    log.lock().unwrap().push(Seen {
        server_name: session.server_name().map(str::to_owned),
        alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        client_certificates: session.peer_certificates().map_or(0, <[_]>::len),
    });
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) alpn: Option<String>,
    pub(crate) kind: HandshakeKind,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Got {
    /// The common name of the certificate.
    pub(crate) fn name(&self) -> String {
        let (_, parsed) = x509_parser::parse_x509_certificate(&self.certificate).unwrap();
        parsed.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned()
    }

    pub(crate) fn is_rsa(&self) -> bool {
        let (_, parsed) = x509_parser::parse_x509_certificate(&self.certificate).unwrap();
        matches!(parsed.public_key().parsed(), Ok(x509_parser::public_key::PublicKey::RSA(_)))
    }
}

pub(crate) type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Shakes hands.
pub(crate) async fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream> {
    let socket = TcpStream::connect(address).await?;
    TlsConnector::from(config.clone()).connect(ServerName::try_from(name.to_owned()).unwrap(), socket).await
}

/// Sends something and waits until it is back: after that tickets have come, too.
pub(crate) async fn ping<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    stream: &mut T,
) -> std::io::Result<()> {
    stream.write_all(b"ping").await?;
    let mut back = [0; 4];
    stream.read_exact(&mut back).await?;
    assert_eq!(&back, b"ping");
    Ok(())
}

/// Shakes hands, sends something back and forth and tells what came of it.
pub(crate) async fn get(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> std::io::Result<Got> {
    let mut stream = connect(address, name, config).await?;
    ping(&mut stream).await?;
    Ok(got(&stream))
}

pub(crate) fn got(stream: &TlsStream) -> Got {
    let session = stream.get_ref().1;
    Got {
        version: session.protocol_version().unwrap(),
        suite: session.negotiated_cipher_suite().unwrap().suite(),
        alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        kind: session.handshake_kind().unwrap(),
        certificate: session.peer_certificates().unwrap()[0].clone(),
    }
}

/// A client of rustls' own that believes anything.
pub(crate) struct Asks {
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) schemes: Vec<SignatureScheme>,
    pub(crate) alpn: Vec<&'static str>,
}

impl Default for Asks {
    fn default() -> Self {
        Self { versions: rustls::ALL_VERSIONS.to_vec(), suites: Vec::new(), schemes: Vec::new(), alpn: Vec::new() }
    }
}

impl Asks {
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let mut provider = default_provider();
        if !self.suites.is_empty() {
            let suite = |name: &CipherSuite| *provider.cipher_suites.iter().find(|s| s.suite() == *name).unwrap();
            provider.cipher_suites = self.suites.iter().map(suite).collect();
        }
        let mut schemes = self.schemes.clone();
        if schemes.is_empty() {
            schemes = provider.signature_verification_algorithms.supported_schemes();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous(schemes)))
            .with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

#[derive(Debug)]
struct Credulous(Vec<SignatureScheme>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
