//! TLS for tests: authorities, a client, and a front that gives a scripted upstream TLS.
//!
//! Both ends are bridges: the tests go on speaking plain bytes, and a thread puts TLS around them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    SignatureAlgorithm,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error, HandshakeKind, ProtocolVersion, RootCertStore,
    ServerConfig, SignatureScheme, SupportedProtocolVersion, version,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{Connection, Upstream};

/// A certificate and its private key, in PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Certificate {
    /// One for these names that nobody vouches for. Its common name is the first.
    pub fn alone(names: &[&str]) -> Self {
        Self::alone_with(names, &PKCS_ECDSA_P256_SHA256)
    }

    /// The same with another type of key.
    pub fn alone_with(names: &[&str], algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        Self::of(params(names).self_signed(&key).expect("a certificate").pem(), &key)
    }

    /// One for this name that expires after this time.
    pub fn expiring_in(name: &str, time: Duration) -> Self {
        let (mut params, key) = (params(&[name]), KeyPair::generate().expect("a key"));
        params.not_after = (SystemTime::now() + time).into();
        Self::of(params.self_signed(&key).expect("a certificate").pem(), &key)
    }

    fn of(certificate: String, key: &KeyPair) -> Self {
        Self { certificate, key: key.serialize_pem() }
    }

    /// An entry of `certificates` in a document, without an indent; fields may follow, indented by two.
    pub fn entry(&self) -> String {
        format!("- cert: {:?}\n  key: {:?}\n", self.certificate, self.key)
    }

    /// Writes it to `<folder>/<name>.crt` and `.key`; answers the two paths.
    pub fn write(&self, folder: &Path, name: &str) -> [PathBuf; 2] {
        let paths = [folder.join(format!("{name}.crt")), folder.join(format!("{name}.key"))];
        fs::write(&paths[0], &self.certificate).expect("a certificate can be written");
        fs::write(&paths[1], &self.key).expect("a key can be written");
        paths
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone()).expect("names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("nobody", String::as_str));
    params
}

/// Somebody who issues certificates.
#[derive(Debug)]
pub struct Authority {
    /// Its own certificate, in PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// An authority of this name.
    pub fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().expect("a key"));
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// One that this one vouches for.
    pub fn between(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().expect("a key"));
        let pem = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    /// A certificate for these names.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        Certificate::of(params(names).signed_by(&key, &self.issuer).expect("a certificate").pem(), &key)
    }
}

/// A client that speaks TLS and believes whatever it is shown. Clones share their sessions.
#[derive(Clone, Debug)]
pub struct TlsClient(Arc<ClientConfig>);

/// What a handshake came to.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The certificate the server has shown.
    pub certificate: Vec<u8>,
    /// The version of TLS.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The protocol inside, if one was agreed upon.
    pub alpn: Option<String>,
    /// Whether a session was resumed.
    pub resumed: bool,
}

impl Handshake {
    /// Whether this name stands in the certificate.
    pub fn shows(&self, name: &str) -> bool {
        String::from_utf8_lossy(&self.certificate).contains(name)
    }
}

/// A client's certificate, and whether it was asked for.
#[derive(Debug)]
struct Shows {
    pair: Arc<CertifiedKey>,
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::SeqCst);
        Some(self.pair.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl TlsClient {
    /// One that speaks all versions and asks for HTTP/1.1.
    pub fn new() -> Self {
        Self::speaking(&[&version::TLS12, &version::TLS13], &["http/1.1"])
    }

    /// One that speaks these versions of TLS and these protocols inside.
    pub fn speaking(versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> Self {
        Self::understanding(
            versions,
            protocols,
            &default_provider().signature_verification_algorithms.supported_schemes(),
        )
    }

    /// One that understands these signatures only.
    pub fn understanding(
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
        schemes: &[SignatureScheme],
    ) -> Self {
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous(schemes.to_vec())))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// One that shows this certificate, and those in `between` (in PEM), when it is asked for one. The
    /// second value tells whether it was.
    pub fn showing(certificate: &Certificate, between: &[&str], protocols: &[&str]) -> (Self, Arc<AtomicBool>) {
        let read = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).expect("a certificate");
        let own = std::iter::once(certificate.certificate.as_str());
        let chain = own.chain(between.iter().copied()).map(read).collect();
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).expect("a key");
        let key = default_provider().key_provider.load_private_key(key).expect("a key that can sign");
        let asked = Arc::new(AtomicBool::new(false));
        let shows = Shows { pair: Arc::new(CertifiedKey::new(chain, key)), asked: asked.clone() };
        let schemes = default_provider().signature_verification_algorithms.supported_schemes();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&version::TLS12, &version::TLS13])
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous(schemes)))
            .with_client_cert_resolver(Arc::new(shows));
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        (Self(Arc::new(config)), asked)
    }

    /// Connects as to a server of this name; an address is not sent as a name.
    ///
    /// # Panics
    /// When the handshake fails.
    #[track_caller]
    pub fn connect(&self, address: SocketAddr, name: &str) -> (Connection, Handshake) {
        self.try_connect(address, name).unwrap_or_else(|error| panic!("no handshake with {address}: {error}"))
    }

    /// Connects, if the handshake succeeds.
    ///
    /// # Errors
    /// Why there is no handshake.
    pub fn try_connect(&self, address: SocketAddr, name: &str) -> Result<(Connection, Handshake), String> {
        let (near, handshake) = self.bridge(address, name)?;
        // A server may take back what it has agreed to before anybody comes through the bridge.
        let connection = Connection::try_open(near).map_err(|error| error.to_string())?;
        Ok((connection, handshake))
    }

    /// Connects; what one client sends to the address that is answered goes through.
    ///
    /// # Errors
    /// Why there is no handshake.
    pub fn bridge(&self, address: SocketAddr, name: &str) -> Result<(SocketAddr, Handshake), String> {
        let inside = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let near = inside.local_addr().expect("bound");
        let (told, hears) = mpsc::channel();
        let connector = TlsConnector::from(self.0.clone());
        let name = ServerName::try_from(name.to_owned()).expect("a server name");
        thread::spawn(move || {
            bridge(async move {
                let handshake = async {
                    let socket = TcpStream::connect(address).await?;
                    socket.set_nodelay(true)?;
                    connector.connect(name, socket).await
                };
                let stream = match handshake.await {
                    Ok(stream) => stream,
                    Err(error) => return drop(told.send(Err(error.to_string()))),
                };
                let session = stream.get_ref().1;
                let _ = told.send(Ok(Handshake {
                    certificate: session
                        .peer_certificates()
                        .and_then(|chain| Some(chain.first()?.to_vec()))
                        .unwrap_or_default(),
                    version: session.protocol_version().expect("a version"),
                    suite: session.negotiated_cipher_suite().expect("a suite").suite(),
                    alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
                    resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
                }));
                inside.set_nonblocking(true).expect("a listener for tokio");
                let listener = TcpListener::from_std(inside).expect("a listener");
                if let Ok((plain, _)) = listener.accept().await {
                    join(plain, stream).await;
                }
            })
        });
        let handshake = hears.recv().map_err(|_| "the bridge broke".to_owned())??;
        Ok((near, handshake))
    }
}

impl Default for TlsClient {
    fn default() -> Self {
        Self::new()
    }
}

/// Gives an upstream TLS: what comes here is passed on to it without.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// What a front saw of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The server name that was asked for.
    pub server_name: Option<String>,
    /// The certificate of the client, if it has shown one.
    pub certificate: Option<Vec<u8>>,
    /// Whether a session was resumed.
    pub resumed: bool,
    /// Why there was no handshake.
    pub failure: Option<String>,
}

impl TlsFront {
    /// A front with this certificate. With an authority, clients must show a certificate of it.
    pub fn new(upstream: &Upstream, certificate: &Certificate, clients_of: Option<&Authority>) -> Self {
        Self::before(upstream.address(), certificate, clients_of)
    }

    /// The same before whatever listens there.
    pub fn before(behind: SocketAddr, certificate: &Certificate, clients_of: Option<&Authority>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("bound");
        let acceptor = TlsAcceptor::from(server_config(certificate, clients_of));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let log = calls.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            bridge(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(front(socket, acceptor.clone(), behind, log.clone()));
                }
            })
        });
        Self { address, calls }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL by this name, which must mean this machine.
    pub fn url(&self, name: &str) -> String {
        format!("https://{name}:{}", self.address.port())
    }

    /// All connections so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no panic inside").clone()
    }
}

fn server_config(certificate: &Certificate, clients_of: Option<&Authority>) -> Arc<ServerConfig> {
    let der =
        |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).map(|der| der.expect("PEM")).collect::<Vec<_>>();
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.expect("versions");
    let builder = match clients_of {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(der(&authority.pem));
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).expect("a key");
    Arc::new(builder.with_single_cert(der(&certificate.certificate), key).expect("a pair"))
}

async fn front(socket: TcpStream, acceptor: TlsAcceptor, behind: SocketAddr, log: Arc<Mutex<Vec<Call>>>) {
    let _ = socket.set_nodelay(true);
    let tell = |call| log.lock().expect("no panic inside").push(call);
    let stream = match acceptor.accept(socket).await {
        Ok(stream) => stream,
        Err(error) => {
            let failure = Some(error.to_string());
            return tell(Call { server_name: None, certificate: None, resumed: false, failure });
        }
    };
    let session = stream.get_ref().1;
    tell(Call {
        server_name: session.server_name().map(str::to_owned),
        certificate: session.peer_certificates().and_then(|chain| Some(chain.first()?.to_vec())),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        failure: None,
    });
    if let Ok(plain) = TcpStream::connect(behind).await {
        join(plain, stream).await;
    }
}

/// Passes bytes on in both directions. What breaks on one side breaks on the other.
async fn join(mut plain: TcpStream, mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let _ = plain.set_nodelay(true);
    if tokio::io::copy_bidirectional(&mut plain, &mut stream).await.is_err() {
        let _ = plain.set_zero_linger();
    }
}

fn bridge(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
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
