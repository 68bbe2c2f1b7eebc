//! Sending spans from a service of one's own.

use std::{collections::BTreeMap, fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_proto::tonic::{common::v1::InstrumentationScope, trace::v1::Span};
use tokio::runtime::Handle;
use towergate_queue::{Queue, Queues, Settings};

use super::{
    attribute::attribute,
    sink::{Otlp, OtlpSpan, default_headers},
};
use crate::collector::{Collector, Timeouts};

/// Sends spans to a collector by OTLP, as protobuf over HTTP, beside the requests they are of. Clones are the same;
/// when the last one is dropped, what waits is sent, and then it ends.
#[derive(Debug, Clone)]
pub struct OtlpExporter {
    queue: Queue<OtlpSpan>,
    queues: Queues,
}

/// How spans are sent; see [`OtlpExporter::to`].
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    url: String,
    headers: HeaderMap,
    resource: BTreeMap<String, String>,
    timeouts: Timeouts,
    queue: Settings,
}

/// Why spans cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExporterError {
    /// What is wrong with the URL.
    Url(String),
    /// It was not started inside a tokio runtime.
    NoRuntime,
}

impl fmt::Display for ExporterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => f.write_str(why),
            Self::NoRuntime => f.write_str("spans are sent by a task: start the exporter inside a tokio runtime"),
        }
    }
}

impl std::error::Error for ExporterError {}

impl OtlpExporter {
    /// To the collector at this URL, usually `http://127.0.0.1:4318/v1/traces`.
    ///
    /// Up to 512 spans are sent together, once a second at the latest; 10,000 may wait.
    pub fn to(url: impl Into<String>) -> OtlpSettings {
        let timeouts =
            Timeouts { connect: Duration::from_secs(1), send: Duration::from_secs(5), read: Duration::from_secs(5) };
        let queue = Settings { max_batch_size: 512, ..Settings::default() };
        OtlpSettings { url: url.into(), headers: default_headers(), resource: BTreeMap::new(), timeouts, queue }
    }

    /// Sends what waits now; answers whether all of it was sent within this time. Spans of later requests are not.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.queues.drain(limit).await == 0
    }

    pub(crate) fn push(&self, span: Span) {
        self.queue.push(OtlpSpan(span));
    }
}

impl OtlpSettings {
    /// What the service is called (`service.name`).
    #[must_use]
    pub fn service_name(self, name: impl Into<String>) -> Self {
        self.resource_attribute("service.name", name)
    }

    /// Something else that is said of the service: `service.version`, `deployment.environment.name`.
    #[must_use]
    pub fn resource_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.resource.insert(name.into(), value.into());
        self
    }

    /// A header of each request to the collector, a token for example.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The longest wait for a connection, and for an answer.
    #[must_use]
    pub fn timeouts(mut self, connect: Duration, answer: Duration) -> Self {
        self.timeouts = Timeouts { connect, send: Duration::ZERO, read: answer };
        self
    }

    /// How spans wait, and how often a batch is tried again.
    #[must_use]
    pub fn queue(mut self, queue: Settings) -> Self {
        self.queue = queue;
        self
    }

    /// Starts the task that sends, in the tokio runtime this is called in.
    ///
    /// # Errors
    /// The URL is none, or there is no runtime.
    pub fn start(self) -> Result<OtlpExporter, ExporterError> {
        let handle = Handle::try_current().map_err(|_| ExporterError::NoRuntime)?;
        let collector = Collector::new(&self.url, self.headers, self.timeouts).map_err(ExporterError::Url)?;
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..InstrumentationScope::default()
        };
        let resource = self.resource.iter().map(|(name, value)| attribute(name, value.as_str())).collect();
        let (queue, queues) = (Queue::new("otlp", self.url.as_str(), self.queue), Queues::default());
        handle.spawn(queues.deliver(&queue, Otlp { collector, resource, scope }));
        Ok(OtlpExporter { queue, queues })
    }
}
