//! The layer for services of one's own.

use std::{sync::Arc, time::Instant};

use http::{Version, header, request, response};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tower_layer::Layer;
use towergate_core::{Context, Trace};

use crate::{
    begun::{Begun, Noted},
    clock::Clock,
    ids::{SpanId, TraceId},
    layer::{Live, TracedService, Tracer},
    otlp::{OtlpExporter, SpanOf, attribute, built, whole},
    propagation::{Format, Injected, Propagation},
    sampling,
};

/// The route of a request: `/orders/{id}`, not `/orders/7`. With axum: `|head| head.extensions.get().map(MatchedPath::as_str)`.
pub type RouteOf = fn(&request::Parts) -> Option<&str>;

/// Makes a span for each request of a service and lets its trace go on.
///
/// The trace is read from the headers of the request, in any format, and written into them again with the span of this
/// service, so that a handler that passes headers on passes the trace on; [`Context::trace`] says the same.
///
/// What its sender has decided about recording holds; of traces that begin here, [`sampling_rate`](Self::sampling_rate)
/// are recorded.
#[derive(Debug, Clone)]
pub struct TraceLayer {
    tracing: Arc<Tracing>,
}

#[derive(Debug, Clone)]
struct Tracing {
    exporter: OtlpExporter,
    propagation: Propagation,
    rate: f64,
    route: Option<RouteOf>,
}

impl TraceLayer {
    /// Spans go there. All traces are recorded; new ones go on in W3C's format.
    pub fn new(exporter: OtlpExporter) -> Self {
        let propagation = Propagation::preserving(Format::W3c);
        Self { tracing: Arc::new(Tracing { exporter, propagation, rate: 1.0, route: None }) }
    }

    /// How many of the traces that begin here are recorded, from 0 to 1.
    #[must_use]
    pub fn sampling_rate(mut self, rate: f64) -> Self {
        Arc::make_mut(&mut self.tracing).rate = rate;
        self
    }

    /// Which formats of headers are read and written.
    #[must_use]
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        Arc::make_mut(&mut self.tracing).propagation = propagation;
        self
    }

    /// How a request's route is found out, which its span is named after.
    #[must_use]
    pub fn route(mut self, route: RouteOf) -> Self {
        Arc::make_mut(&mut self.tracing).route = Some(route);
        self
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = TracedService<S, ServiceTracer>;

    fn layer(&self, inner: S) -> Self::Service {
        TracedService::new(inner, ServiceTracer { tracing: self.tracing.clone() })
    }
}

/// Traces the requests of a service; see [`TraceLayer`].
#[derive(Debug, Clone)]
pub struct ServiceTracer {
    tracing: Arc<Tracing>,
}

impl Tracer for ServiceTracer {
    type Live = ServiceRequest;

    fn begin(&self, head: &mut request::Parts) -> Option<ServiceRequest> {
        let cx = Context::of(head);
        let from = self.tracing.propagation.read(&head.headers);
        let trace_id = from.carried.trace_id.unwrap_or_else(TraceId::random);
        let decided = from.carried.is_sampled;
        let is_sampled = decided.unwrap_or_else(|| sampling::is_sampled(trace_id, self.tracing.rate));
        let (root, parent) = (SpanId::random(), from.carried.span_id);
        let injected = Injected {
            trace_id,
            span_id: root,
            parent_id: parent,
            is_sampled,
            is_debug: from.carried.is_debug,
            baggage: &from.carried.baggage,
        };
        let formats = self.tracing.propagation.write(&mut head.headers, &from, &injected);
        cx.record_trace(Trace { id: trace_id.bits(), span_id: root.bits(), is_sampled, formats });
        if !is_sampled {
            return None;
        }
        let route = self.tracing.route.and_then(|route| route(head)).map(str::to_owned);
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        let noted = Some(Noted::of(head));
        let begun = Begun { trace_id, root, parent, upstream: root, noted };
        Some(ServiceRequest { tracing: self.tracing.clone(), cx, begun, route, host, status: None })
    }
}

/// A traced request of a service; when it is dropped, it is over.
#[derive(Debug)]
pub struct ServiceRequest {
    tracing: Arc<Tracing>,
    cx: Arc<Context>,
    begun: Begun,
    route: Option<String>,
    host: Option<String>,
    status: Option<u16>,
}

impl Live for ServiceRequest {
    fn answered(&mut self, head: &mut response::Parts) {
        self.status = Some(head.status.as_u16());
    }
}

impl Drop for ServiceRequest {
    fn drop(&mut self) {
        if let Some(noted) = self.begun.noted.take() {
            let clock = Clock::of(&self.cx.timing);
            self.tracing.exporter.push(built(self.begun.trace_id, clock, self.span(&noted)));
        }
    }
}

impl ServiceRequest {
    /// The span, with the attributes of OpenTelemetry's
    /// [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server).
    fn span(&self, noted: &Noted) -> SpanOf {
        let method = noted.method.as_str();
        let mut attributes = vec![
            attribute("http.request.method", method),
            attribute("url.path", noted.uri.path()),
            attribute("network.protocol.version", protocol(noted.version)),
        ];
        attributes.extend(noted.uri.scheme_str().map(|scheme| attribute("url.scheme", scheme)));
        attributes.extend(self.host.as_deref().or(noted.uri.host()).map(|host| attribute("server.address", host)));
        attributes.extend(self.route.as_deref().map(|route| attribute("http.route", route)));
        let has_failed = self.status.is_none_or(|status| status >= 500);
        match self.status {
            Some(status) => attributes.push(whole("http.response.status_code", status.into())),
            // The client went away, or the service failed without an answer.
            None => attributes.push(attribute("error.type", "no_response")),
        }
        SpanOf {
            name: self.route.as_ref().map_or_else(|| method.to_owned(), |route| format!("{method} {route}")),
            id: self.begun.root,
            parent: self.begun.parent,
            kind: SpanKind::Server,
            began: self.cx.timing.started(),
            ended: Instant::now(),
            attributes,
            has_failed,
            exception: None,
        }
    }
}

/// The version as the conventions write it: 2, but 1.1.
fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
