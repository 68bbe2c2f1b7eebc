//! A collector on a real socket.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, body::Bytes, routing::post};
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message;
use tokio::net::TcpListener;

/// A collector that takes everything.
#[derive(Debug, Clone)]
pub(crate) struct Collector {
    pub(crate) url: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    /// One that listens in the runtime this is called in.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<Bytes>>>::default();
        let kept = bodies.clone();
        let take = move |body: Bytes| async move { kept.lock().unwrap_or_else(PoisonError::into_inner).push(body) };
        let app: Router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, bodies }
    }

    /// What was sent, batch by batch.
    pub(crate) fn batches(&self) -> Vec<ExportTraceServiceRequest> {
        let bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap()).collect()
    }

    /// The spans, once there are so many.
    pub(crate) async fn spans(&self, count: usize) -> Vec<Span> {
        for _ in 0..2000 {
            let scopes =
                self.batches().into_iter().flat_map(|batch| batch.resource_spans).flat_map(|of| of.scope_spans);
            let spans: Vec<_> = scopes.flat_map(|scope| scope.spans).collect();
            if spans.len() >= count {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not {count} spans: {:?}", self.batches());
    }
}
