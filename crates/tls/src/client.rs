//! TLS towards upstreams: whom to trust, and who to be.

use std::{
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    io,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
    pki_types::ServerName,
    sign::SingleCertAndKey,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    authority::{Anchors, Authorities},
    error::PemError,
    identity::Identity,
    verify::{Lenient, Strict},
};

/// Whom to trust, and who to be. Equal settings give the same [`Client`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trust {
    /// Whether the server's certificate is checked: its chain, its time and its name. Without that,
    /// anybody on the way can read along. Default no, as in Kong.
    pub verify: bool,
    /// How many certificates may stand between the server's and a trusted authority. Default 1, as in nginx.
    pub depth: usize,
    /// Authorities in PEM; none means those of the whole gateway.
    pub authorities: Vec<Arc<str>>,
    /// What to show when the server asks who we are.
    pub identity: Option<PemPair>,
    /// What is spoken inside.
    pub protocol: Protocol,
}

/// A certificate chain and its private key, in PEM.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PemPair {
    /// The certificate, and those between it and the root.
    pub certificate: Arc<str>,
    /// The private key.
    pub key: Arc<str>,
}

impl fmt::Debug for PemPair {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemPair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self { verify: false, depth: 1, authorities: Vec::new(), identity: None, protocol: Protocol::Http1 }
    }
}

/// What is offered to be spoken inside a connection (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// HTTP/2 if the server can, else HTTP/1.1.
    Either,
}

impl Protocol {
    fn names(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
            Self::Either => &[b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// Makes clients, and makes each only once: their sessions are resumed, and connections of equal
/// trust are known by comparing two pointers.
#[derive(Debug)]
pub struct Clients {
    provider: Arc<CryptoProvider>,
    authorities: Authorities,
    anchors: OnceLock<Arc<Anchors>>,
    made: Mutex<HashMap<Trust, Weak<ClientConfig>>>,
}

impl Clients {
    /// With the authorities that count where a service names none.
    #[must_use]
    pub fn new(authorities: Authorities) -> Self {
        Self {
            provider: Arc::new(default_provider()),
            authorities,
            anchors: OnceLock::new(),
            made: Mutex::new(HashMap::new()),
        }
    }

    /// The client of this trust.
    ///
    /// # Errors
    /// What is wrong with a certificate or key.
    pub fn client(&self, trust: &Trust) -> Result<Client, PemError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(trust).and_then(Weak::upgrade) {
            return Ok(Client(known));
        }
        made.retain(|_, client| client.strong_count() > 0);
        let client = Arc::new(self.make(trust)?);
        made.insert(trust.clone(), Arc::downgrade(&client));
        Ok(Client(client))
    }

    fn make(&self, trust: &Trust) -> Result<ClientConfig, PemError> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| PemError::certificate(error.to_string()))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(self.verifier(trust)?);
        let mut config = match &trust.identity {
            None => builder.with_no_client_auth(),
            Some(PemPair { certificate, key }) => {
                let identity = Identity::from_pem(certificate, key)?;
                let shown = SingleCertAndKey::from(identity.certified_key().clone());
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols = trust.protocol.names();
        Ok(config)
    }

    fn verifier(&self, trust: &Trust) -> Result<Arc<dyn ServerCertVerifier>, PemError> {
        let algorithms = self.provider.signature_verification_algorithms;
        if !trust.verify {
            return Ok(Arc::new(Lenient(algorithms)));
        }
        let anchors = if trust.authorities.is_empty() {
            self.anchors.get_or_init(|| Arc::new(self.authorities.anchors())).clone()
        } else {
            let mut anchors = Anchors::default();
            for text in &trust.authorities {
                anchors.add_pem(text)?;
            }
            Arc::new(anchors)
        };
        Ok(Arc::new(Strict::new(anchors, trust.depth, algorithms)))
    }
}

/// One trust, ready to connect. Two are equal if they are the same: whatever they share (sessions,
/// connections in a pool) is never used under another trust.
#[derive(Clone)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// What it is for rustls.
    #[must_use]
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }

    /// Shakes hands with a server by this name, which is also the one it must have a certificate for.
    /// What is no name is asked for by the address; addresses are not sent along (RFC 6066).
    ///
    /// # Errors
    /// See [`explain`](crate::explain) for words.
    pub async fn connect<T>(&self, name: &str, address: IpAddr, stream: T) -> io::Result<TlsStream<T>>
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        let name = ServerName::try_from(bare).map_or_else(|_| ServerName::from(address), |name| name.to_owned());
        TlsConnector::from(self.0.clone()).connect(name, stream).await
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Client {}

impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({:p})", Arc::as_ptr(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_nobody_uses_is_forgotten() {
        let clients = Clients::new(Authorities::none());
        let strict = Trust { verify: true, ..Trust::default() };
        let kept = clients.client(&strict).unwrap();
        drop(clients.client(&Trust::default()).unwrap());
        drop(clients.client(&Trust { depth: 2, ..Trust::default() }).unwrap());
        assert_eq!(clients.client(&strict).unwrap(), kept);
        assert_eq!(clients.made.lock().unwrap().len(), 2, "the last is swept out by the next");
    }
}
