//! The plugin `http-log`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use percent_encoding::percent_decode_str;
use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError, Task};
use towergate_queue::{Deliver, Queue, Queues};

use super::config::HttpLogConfig;
use crate::{
    entry::{CustomFields, serialized},
    legacy,
    network::{http::Http, milliseconds},
};

/// Sends an entry for each request to an HTTP server: the policy of the plugin `http-log`.
///
/// A delivery is done if the answer's status is below 300, and repeated as the queue says otherwise.
#[derive(Debug)]
pub struct HttpLog {
    queue: Queue<Box<[u8]>>,
    queues: Arc<Queues>,
    collector: Arc<Collector>,
    custom_fields: CustomFields,
}

struct Collector {
    http: Http,
    /// Whether entries are sent one by one, each by itself, and not in an array.
    is_single: bool,
}

impl std::fmt::Debug for Collector {
    /// Without the URL and the headers, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("is_single", &self.is_single).finish_non_exhaustive()
    }
}

impl Plugin for HttpLog {
    const NAME: &'static str = "http-log";
    const PRIORITY: i32 = 12;

    type Config = HttpLogConfig;

    fn new(config: HttpLogConfig, env: &Env) -> Result<Self, PluginError> {
        let settings = legacy::settings(&config.queue, config.queue_size, config.flush_timeout);
        let is_single = settings.max_batch_size == 1;
        let (uri, user) = endpoint(&config.http_endpoint)?;
        let headers = headers(&config, user)?;
        let method = config.method.as_deref().and_then(|method| method.parse().ok()).unwrap_or(Method::POST);
        let timeout = milliseconds(config.timeout, Duration::from_secs(10));
        let keepalive = milliseconds(config.keepalive, Duration::from_secs(60));
        let http = Http::new(uri, method, headers, timeout, keepalive);
        Ok(Self {
            queue: Queue::new(Self::NAME, env.id.to_string(), settings),
            queues: env.shared.of(),
            collector: Arc::new(Collector { http, is_single }),
            custom_fields: CustomFields::new(config.custom_fields_by_lua.as_ref())?,
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(self.queues.deliver(&self.queue, self.collector.clone()))
    }
}

impl Observe for HttpLog {
    fn observe(&self, cx: &Context, ended: &Ended) {
        serialized(cx, ended, &self.custom_fields, |entry| self.queue.push(entry.as_slice().into()));
    }
}

impl Deliver<Box<[u8]>> for Collector {
    async fn deliver(&self, batch: &[Box<[u8]>]) -> Result<(), String> {
        let body = match (self.is_single, batch) {
            (true, [entry]) => Bytes::copy_from_slice(entry),
            _ => [b"[", batch.join(&b',').as_slice(), b"]"].concat().into(),
        };
        self.http.send(body).await
    }
}

/// The URL without a user, and what its user becomes.
fn endpoint(written: &str) -> Result<(Uri, Option<HeaderValue>), PluginError> {
    let fault = |message: &str| PluginError::new("http_endpoint", message);
    let (scheme, rest) = written.split_once("://").ok_or_else(|| fault("must be an http or https URL"))?;
    if !matches!(scheme, "http" | "https") {
        return Err(fault("must be an http or https URL"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let slash = if path.starts_with('/') { "" } else { "/" };
    let uri = format!("{scheme}://{host}{slash}{path}").parse().map_err(|_| fault("is no URL"))?;
    let user = user.map(|user| {
        let user: Vec<u8> = percent_decode_str(user).collect();
        HeaderValue::try_from(format!("Basic {}", BASE64.encode(&user)))
            .map_err(|_| fault("has a user that cannot be sent"))
    });
    Ok((uri, user.transpose()?))
}

fn headers(config: &HttpLogConfig, user: Option<HeaderValue>) -> Result<HeaderMap, PluginError> {
    let mut headers = HeaderMap::new();
    for (name, value) in config.headers.iter().flatten() {
        let fault = |message: &str| PluginError::new(format!("headers.{name}"), message);
        let parsed: HeaderName = name.parse().map_err(|_| fault("is no name of a header"))?;
        let value = HeaderValue::try_from(value).map_err(|_| fault("holds what no header may hold"))?;
        headers.insert(parsed, value);
    }
    let content_type = config.content_type.as_deref().unwrap_or("application/json");
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.extend(user.map(|user| (header::AUTHORIZATION, user)));
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_in_the_url_becomes_authorization() {
        for (written, uri, user) in [
            ("http://a.test", "http://a.test/", None),
            ("https://a.test:8443/x?y", "https://a.test:8443/x?y", None),
            ("http://u:p@a.test/x", "http://a.test/x", Some("Basic dTpw")),
            ("http://u:p%40@a.test?x", "http://a.test/?x", Some("Basic dTpwQA==")),
        ] {
            let (parsed, header) = endpoint(written).unwrap();
            assert_eq!((parsed.to_string().as_str(), header.as_ref().map(|v| v.to_str().unwrap())), (uri, user));
        }
        assert!(endpoint("ftp://a.test").is_err());
    }
}
