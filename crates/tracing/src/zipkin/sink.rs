//! Batches of spans on their way to Zipkin.

use http::{HeaderMap, HeaderValue, header};
use towergate_queue::Deliver;

use crate::collector::Collector;

/// Delivers spans, each a JSON object, as a JSON array.
#[derive(Debug)]
pub(super) struct ToZipkin(pub(super) Collector);

impl Deliver<String> for ToZipkin {
    async fn deliver(&self, batch: &[String]) -> Result<(), String> {
        let body = format!("[{}]", batch.join(","));
        self.0.post(body.into_bytes()).await
    }
}

pub(super) fn headers() -> HeaderMap {
    [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect()
}
