//! An issuer of tokens that publishes its keys: a small real server, over HTTP or HTTPS.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses some of it")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::signature::KeyPair;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair as CertificateKey};
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use x509_parser::{prelude::FromDer, public_key::RSAPublicKey};

use crate::tokens::{Signer, encode};

/// How the issuer answers.
#[derive(Debug, Clone)]
pub(crate) enum Answering {
    /// With its keys.
    Keys,
    /// With its keys, after a while.
    After(Duration),
    /// With this status.
    Status(u16),
    /// With this text instead of keys.
    Text(String),
    /// Not at all: the connection is closed.
    Closing,
    /// With a body that never ends.
    Endless,
}

pub(crate) struct Issuer {
    address: SocketAddr,
    authority: Option<String>,
    state: Arc<State>,
}

struct State {
    keys: Mutex<Vec<Value>>,
    answering: Mutex<Answering>,
    asked: AtomicUsize,
}

impl Issuer {
    /// An issuer over HTTP.
    pub(crate) async fn publishing(keys: &[Value]) -> Self {
        Self::start(keys, None).await
    }

    /// An issuer over HTTPS, with a certificate of an authority of its own.
    pub(crate) async fn with_tls(keys: &[Value]) -> Self {
        Self::start(keys, Some(authority())).await
    }

    /// The authority of somebody else, in PEM.
    pub(crate) fn another_authority() -> String {
        authority().pem()
    }

    async fn start(keys: &[Value], authority: Option<CertifiedIssuer<'static, CertificateKey>>) -> Self {
        let state = Arc::new(State {
            keys: Mutex::new(keys.to_vec()),
            answering: Mutex::new(Answering::Keys),
            asked: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = authority.as_ref().map(acceptor);
        let serving = state.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, acceptor) = (serving.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(state.clone(), request));
                    // A client that does not trust us hangs up; that is what is tested.
                    match acceptor {
                        None => drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await),
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                            }
                        }
                    }
                });
            }
        });
        Self { address, authority: authority.map(|authority| authority.pem()), state }
    }

    pub(crate) fn url(&self) -> String {
        match self.authority {
            Some(_) => format!("https://localhost:{}/jwks.json", self.address.port()),
            None => format!("http://{}/jwks.json", self.address),
        }
    }

    /// The authority of its certificate, in PEM.
    pub(crate) fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or_default()
    }

    /// Publishes other keys.
    pub(crate) fn publish(&self, keys: &[Value]) {
        *self.state.keys.lock().unwrap() = keys.to_vec();
    }

    /// Answers otherwise from now on.
    pub(crate) fn answer(&self, answering: Answering) {
        *self.state.answering.lock().unwrap() = answering;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Close;

impl std::fmt::Display for Close {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Close {}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>, Close> {
    assert_eq!(request.uri().path(), "/jwks.json");
    state.asked.fetch_add(1, Ordering::SeqCst);
    let answering = state.answering.lock().unwrap().clone();
    let keys = json!({"keys": *state.keys.lock().unwrap()}).to_string();
    let full = |text: String| Response::new(Full::new(Bytes::from(text)).boxed());
    Ok(match answering {
        Answering::Keys => full(keys),
        Answering::After(pause) => {
            tokio::time::sleep(pause).await;
            full(keys)
        }
        Answering::Status(status) => {
            let mut response = full("{\"keys\":[]}".to_owned());
            *response.status_mut() = status.try_into().unwrap();
            response
        }
        Answering::Text(text) => full(text),
        Answering::Closing => return Err(Close),
        Answering::Endless => {
            let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
            tokio::spawn(async move {
                while sender.send(Bytes::from_static(b"[")).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
            let body = StreamBody::new(futures_util::stream::unfold(receiver, |mut receiver| async {
                let bytes = receiver.recv().await?;
                Some((Ok::<_, Infallible>(http_body::Frame::data(bytes)), receiver))
            }));
            Response::new(BodyExt::boxed(body))
        }
    })
}

fn authority() -> CertifiedIssuer<'static, CertificateKey> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, CertificateKey::generate().unwrap()).unwrap()
}

fn acceptor(authority: &CertifiedIssuer<'static, CertificateKey>) -> TlsAcceptor {
    let key = CertificateKey::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// The public key of a signer as a JWK of this id.
pub(crate) fn jwk(signer: &Signer, id: &str) -> Value {
    match signer {
        Signer::Secret(secret) => json!({"kty": "oct", "kid": id, "k": encode(secret.as_bytes())}),
        Signer::Rsa(pair) => {
            let der = pair.public_key().as_ref();
            let (_, key) = RSAPublicKey::from_der(der).unwrap();
            let bare = |number: &[u8]| encode(number.strip_prefix(&[0]).unwrap_or(number));
            json!({"kty": "RSA", "use": "sig", "kid": id, "n": bare(key.modulus), "e": bare(key.exponent)})
        }
        Signer::Ec(pair) => {
            let point = pair.public_key().as_ref();
            let (x, y) = point.split_at(1).1.split_at(point.len() / 2);
            let curve = match x.len() {
                32 => "P-256",
                48 => "P-384",
                _ => "P-521",
            };
            json!({"kty": "EC", "crv": curve, "use": "sig", "kid": id, "x": encode(x), "y": encode(y)})
        }
        Signer::Ed(pair) => {
            json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": id, "x": encode(pair.public_key().as_ref())})
        }
    }
}
