//! Asking an issuer for its keys.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The largest answer: some hundred keys with their certificates.
const MAX_BYTES: usize = 1024 * 1024;

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Where an issuer publishes its keys, and how it is asked.
pub(super) struct Issuer {
    uri: Uri,
    timeout: Duration,
    /// The authorities trusted; without any, those that the system trusts.
    authorities: Option<RootCertStore>,
    /// Made at the first question, because what the system trusts is read from files.
    client: Mutex<Option<HttpClient>>,
}

impl Issuer {
    pub(super) fn new(uri: Uri, timeout: Duration, authorities: Option<RootCertStore>) -> Self {
        Self { uri, timeout, authorities, client: Mutex::new(None) }
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The answer's body. Redirects are not followed: the URL that is configured is the one that is
    /// trusted.
    ///
    /// # Errors
    /// What went wrong, and whose side it was on.
    pub(super) async fn ask(&self) -> Result<Bytes, String> {
        let seconds = self.timeout.as_secs_f64();
        let late = |_| format!("no answer within {seconds} s");
        tokio::time::timeout(self.timeout, self.exchange()).await.map_err(late)?
    }

    async fn exchange(&self) -> Result<Bytes, String> {
        let client = self.client().await?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        let json = HeaderValue::from_static("application/jwk-set+json, application/json");
        request.headers_mut().insert(header::ACCEPT, json);
        let response = client.request(request).await.map_err(|error| explained(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| format!("its answer broke off or is too large: {error}"))
    }

    async fn client(&self) -> Result<HttpClient, String> {
        if let Some(client) = &*self.client.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(client.clone());
        }
        let authorities = match &self.authorities {
            Some(authorities) => authorities.clone(),
            // Files are read: not on the thread that serves requests.
            None => tokio::task::spawn_blocking(system_authorities).await.map_err(|error| error.to_string())?,
        };
        let client = client(authorities)?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }
}

/// The authorities of a PEM text.
pub(super) fn authorities(text: &str) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("invalid certificate: {error}"))?;
        store.add(certificate).map_err(|error| format!("invalid certificate: {error}"))?;
    }
    if store.is_empty() { Err("invalid certificate: no PEM block 'CERTIFICATE'".to_owned()) } else { Ok(store) }
}

fn system_authorities() -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store
}

/// A client that keeps no connection: one question in minutes is not worth one.
fn client(authorities: RootCertStore) -> Result<HttpClient, String> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

/// An error with what is behind it, innermost last.
fn explained(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text.push_str(": ");
        text.push_str(&error.to_string());
        inner = error.source();
    }
    text
}
