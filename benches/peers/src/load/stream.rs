//! What carries a connection: a socket, or TLS over one.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use mio::{Interest, Registry, Token};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::Problem;

/// How long a proxy may take to accept a connection and to shake hands.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that never waits.
pub(super) enum Stream {
    Plain(mio::net::TcpStream),
    Tls(Box<ClientConnection>, mio::net::TcpStream),
}

/// How connections are secured.
pub(super) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Trusts this certificate alone, and speaks this protocol.
    pub(super) fn new(certificate: &Path, alpn: &[u8]) -> Result<Self, Problem> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&fs::read(certificate)?)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = versions.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl Stream {
    /// Connects and shakes hands, which is waited for.
    pub(super) fn connect(port: u16, trust: Option<&Trust>) -> Result<Self, Problem> {
        let mut socket = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let session = match trust {
            None => None,
            Some(trust) => {
                let mut session = ClientConnection::new(trust.0.clone(), ServerName::try_from("localhost")?)?;
                while session.is_handshaking() {
                    session.complete_io(&mut socket)?;
                }
                Some(Box::new(session))
            }
        };
        socket.set_nonblocking(true)?;
        let socket = mio::net::TcpStream::from_std(socket);
        Ok(match session {
            None => Self::Plain(socket),
            Some(session) => Self::Tls(session, socket),
        })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let (Self::Plain(socket) | Self::Tls(_, socket)) = self;
        registry.register(socket, token, Interest::READABLE | Interest::WRITABLE)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (session, socket) = match self {
            Self::Plain(socket) => return socket.read(buffer),
            Self::Tls(session, socket) => (session, socket),
        };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if session.read_tls(socket)? == 0 {
                return Ok(0);
            }
            session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Write for Stream {
    /// Over TLS everything is taken, and sent as far as it goes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(session, _) => {
                let count = session.writer().write(bytes)?;
                self.flush()?;
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self::Tls(session, socket) = self else { return Ok(()) };
        while session.wants_write() {
            match session.write_tls(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                result => drop(result?),
            }
        }
        Ok(())
    }
}
