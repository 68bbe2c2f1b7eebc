//! Sending to a collector over HTTP.

use std::{
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Most bytes of an answer that are read: what it says about an error fits.
const MAX_ANSWER: usize = 16 * 1024;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// How long each step of sending may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) send: Duration,
    pub(crate) read: Duration,
}

/// A collector of spans, reached over HTTP/1.1.
pub(crate) struct Collector {
    uri: Uri,
    headers: HeaderMap,
    timeouts: Timeouts,
    /// Made when it is first needed: what the system trusts is read from files.
    client: Mutex<Option<HttpClient>>,
}

impl Collector {
    /// The collector at this URL; each request to it has these headers.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn new(url: &str, headers: HeaderMap, timeouts: Timeouts) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("'{}' is not a URL: {error}", hidden(url)))?;
        match uri.scheme_str() {
            Some("http" | "https") if uri.host().is_some() => {}
            _ => return Err(format!("expected http://host/path or https://host/path, got '{}'", hidden(url))),
        }
        Ok(Self { uri, headers, timeouts, client: Mutex::new(None) })
    }

    /// Sends this, and waits for what is said about it.
    ///
    /// # Errors
    /// It could not be sent, or was not taken.
    pub(crate) async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let client = self.client().await?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let exchange = async {
            let response = client.request(request).await.map_err(|error| explained(&error))?;
            let status = response.status();
            // Read to the end, so that the connection can be used again.
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            taken(status, body.map(http_body_util::Collected::to_bytes).unwrap_or_default().as_ref())
        };
        let limit = self.timeouts.connect.saturating_add(self.timeouts.send).saturating_add(self.timeouts.read);
        let late = |_| format!("failed to send request: timeout after {} s", limit.as_secs_f64());
        tokio::time::timeout(limit, exchange).await.map_err(late)?
    }

    async fn client(&self) -> Result<HttpClient, String> {
        if let Some(client) = &*self.client.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(client.clone());
        }
        let mut authorities = RootCertStore::empty();
        if self.uri.scheme_str() == Some("https") {
            let read = || rustls_native_certs::load_native_certs().certs;
            let certificates = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?;
            authorities.add_parsable_certificates(certificates);
        }
        let client = client(authorities, self.timeouts.connect)?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }
}

impl fmt::Debug for Collector {
    /// Without the headers, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

fn client(authorities: RootCertStore, connect: Duration) -> Result<HttpClient, String> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(connect));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(1);
    Ok(builder.build(connector))
}

fn taken(status: StatusCode, body: &[u8]) -> Result<(), String> {
    const SHOWN: usize = 200;
    if status.is_success() {
        return Ok(());
    }
    let said: String =
        String::from_utf8_lossy(body).chars().filter(|letter| !letter.is_control()).take(SHOWN).collect();
    Err(format!("response error: {}, body: {said}", status.as_u16()))
}

/// A URL without what may stand before its host: a password.
fn hidden(url: &str) -> String {
    match url.rsplit_once('@') {
        None => url.to_owned(),
        Some((_, rest)) => format!("…@{rest}"),
    }
}

/// An error with what is behind it, innermost last.
fn explained(error: &dyn Error) -> String {
    let mut text = format!("failed to send request: {error}");
    let mut inner = error.source();
    while let Some(error) = inner {
        text.push_str(": ");
        text.push_str(&error.to_string());
        inner = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_its_password() {
        let timeouts = Timeouts { connect: IDLE, send: IDLE, read: IDLE };
        let wrong = |url| Collector::new(url, HeaderMap::new(), timeouts).unwrap_err();
        assert_eq!(wrong("ftp://u:secret@h/"), "expected http://host/path or https://host/path, got '…@h/'");
        assert!(wrong("http://u:secret@h h/").contains("'…@h h/' is not a URL"));
        assert!(Collector::new("https://h:4318/v1/traces", HeaderMap::new(), timeouts).is_ok());
    }
}
