//! Requests to a collector.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;

use super::tls;

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// So much of an answer is read: what a collector has to say to a log.
const MAX_ANSWER: usize = 64 * 1024;

/// So much of it is told.
const MAX_TOLD: usize = 512;

/// A collector, and the connections to it.
pub(crate) struct Http {
    pub(crate) uri: Uri,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) keepalive: Duration,
    client: Mutex<Option<HttpClient>>,
}

impl Http {
    pub(crate) fn new(uri: Uri, method: Method, headers: HeaderMap, timeout: Duration, keepalive: Duration) -> Self {
        Self { uri, method, headers, timeout, keepalive, client: Mutex::new(None) }
    }

    /// Sends this body.
    ///
    /// # Errors
    /// When there was no answer in time, or its status is 300 or above.
    pub(crate) async fn send(&self, body: Bytes) -> Result<(), String> {
        let late = |_| Err(format!("failed request to {}: timeout", self.peer()));
        timeout(self.timeout, self.exchange(body)).await.unwrap_or_else(late)
    }

    async fn exchange(&self, body: Bytes) -> Result<(), String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let answer = self.client()?.request(request).await;
        let answer = answer.map_err(|error| format!("failed request to {}: {}", self.peer(), explained(&error)))?;
        let status = answer.status().as_u16();
        // Read to its end, so that the connection can be used again.
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        if status < 300 {
            return Ok(());
        }
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        let told = String::from_utf8_lossy(body.get(..MAX_TOLD).unwrap_or(&body)).into_owned();
        Err(format!("request to {} returned status code {status} and body {}", self.peer(), told.escape_debug()))
    }

    /// Host and port, which is all of the URL that a log may show.
    fn peer(&self) -> String {
        let https = self.uri.scheme_str() == Some("https");
        let port = self.uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        format!("{}:{port}", self.uri.host().unwrap_or_default())
    }

    fn client(&self) -> Result<HttpClient, String> {
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*kept {
            return Ok(client.clone());
        }
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls::config()?).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .pool_idle_timeout(self.keepalive)
            .build(connector);
        Ok(kept.insert(client).clone())
    }
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
