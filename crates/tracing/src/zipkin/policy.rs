//! What the plugin does.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use http::{Extensions, HeaderName, HeaderValue, request, response};
use towergate_core::{Context, Env, Plugin, PluginError, Slot, Task, Trace, Wrap};
use towergate_queue::{Queue, Queues, Settings};

use super::{
    config::{StaticTag, ZipkinConfig},
    request_tags,
    sink::{ToZipkin, headers},
    spans::{self, Over},
};
use crate::{
    begun::{Begun, Noted},
    collector::{Collector, Timeouts},
    ids::{Size, SpanId, TraceId},
    layer::{Live, TracedLayer, Tracer},
    opentelemetry::milliseconds,
    propagation::{Injected, Propagation},
};

/// What nginx calls a request whose client did not wait for the answer.
const CLIENT_CLOSED: u16 = 499;

/// Sends spans to Zipkin, and passes traces on: the policy of the plugin `zipkin`.
#[derive(Debug)]
pub struct Zipkin {
    pub(super) local_service_name: String,
    pub(super) default_service_name: Option<String>,
    pub(super) include_credential: bool,
    pub(super) static_tags: Vec<StaticTag>,
    pub(super) names_path: bool,
    pub(super) annotates: bool,
    pub(super) node_id: String,
    propagation: Propagation,
    ratio: f64,
    has_short_ids: bool,
    tags_header: HeaderName,
    response_header: Option<HeaderName>,
    queue: Queue<String>,
    queues: Arc<Queues>,
    sink: Mutex<Option<ToZipkin>>,
    sends: bool,
}

impl Plugin for Zipkin {
    const NAME: &'static str = "zipkin";
    const PRIORITY: i32 = 100_000;
    const RECORDS_SPANS: bool = true;

    type Config = ZipkinConfig;

    fn new(config: ZipkinConfig, env: &Env) -> Result<Self, PluginError> {
        let propagation = config.propagation.unwrap_or_default();
        let propagation = propagation.resolve(Some(&config.header_type), Some(&config.default_header_type))?;
        let header = |name: &str, field| {
            name.parse::<HeaderName>().map_err(|_| PluginError::new(field, "is not a header's name"))
        };
        let response_header = config.http_response_header_for_traceid.as_deref();
        let timeouts = Timeouts {
            connect: milliseconds(config.connect_timeout, 2000),
            send: milliseconds(config.send_timeout, 5000),
            read: milliseconds(config.read_timeout, 5000),
        };
        let collector = config.http_endpoint.as_deref().map(|url| Collector::new(url, headers(), timeouts)).transpose();
        let sink = collector.map_err(|error| PluginError::new("http_endpoint", error))?.map(ToZipkin);
        Ok(Self {
            local_service_name: config.local_service_name,
            default_service_name: config.default_service_name,
            include_credential: config.include_credential,
            static_tags: config.static_tags.unwrap_or_default(),
            names_path: config.http_span_name == "method_path",
            annotates: config.phase_duration_flavor == "annotations",
            node_id: env.shared.node().id.to_string(),
            propagation,
            ratio: config.sample_ratio.unwrap_or(0.001),
            has_short_ids: config.traceid_byte_count == 8,
            tags_header: header(&config.tags_header, "tags_header")?,
            response_header: response_header
                .map(|name| header(name, "http_response_header_for_traceid"))
                .transpose()?,
            queue: Queue::new(Self::NAME, env.id.to_string(), Settings::from(&config.queue.unwrap_or_default())),
            queues: env.shared.of(),
            sends: sink.is_some(),
            sink: Mutex::new(sink),
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(self.queues.deliver(&self.queue, sink))
    }
}

impl Zipkin {
    /// What a request begins with: its place in a trace, which is written into its headers.
    fn begin(&self, cx: &Context, head: &mut request::Parts) -> Traced {
        let from = self.propagation.read(&head.headers);
        let carried = &from.carried;
        let is_sampled = carried.is_sampled.unwrap_or_else(|| fastrand::f64() < self.ratio);
        let trace_id = carried.trace_id.unwrap_or_else(|| self.new_trace_id());
        // B3 and Jaeger let the receiver go on with the sender's span.
        let (root, parent) = match carried.span_id.filter(|_| carried.shares_span) {
            Some(shared) => (shared, carried.parent_id),
            None => (SpanId::random(), carried.span_id),
        };
        let upstream = SpanId::random();
        let injected = Injected {
            trace_id,
            span_id: upstream,
            parent_id: Some(root),
            is_sampled,
            is_debug: carried.is_debug,
            baggage: &carried.baggage,
        };
        let sends = is_sampled && self.sends;
        let tags = if sends { request_tags::read(&head.headers, &self.tags_header) } else { Vec::new() };
        let formats = self.propagation.write(&mut head.headers, &from, &injected);
        cx.record_trace(Trace { id: trace_id.bits(), span_id: root.bits(), is_sampled, formats });
        let noted = sends.then(|| Noted::following(cx, head));
        let is_short = carried.trace_id.is_none() && self.has_short_ids;
        Traced { begun: Begun { trace_id, root, parent, upstream, noted }, is_short, tags }
    }

    fn new_trace_id(&self) -> TraceId {
        if self.has_short_ids { TraceId::random_short() } else { TraceId::random() }
    }

    /// A request whose configuration is only known at its end (a consumer's own).
    fn begin_late(&self, cx: &Context) -> Traced {
        let known = cx.trace();
        let trace_id = known.and_then(|trace| TraceId::received(trace.id, 16));
        let parent = known.and_then(|trace| SpanId::new(trace.span_id));
        let is_short = trace_id.is_none() && self.has_short_ids;
        let trace_id = trace_id.unwrap_or_else(|| self.new_trace_id());
        let begun = Begun { trace_id, root: SpanId::random(), parent, upstream: SpanId::random(), noted: None };
        Traced { begun, is_short, tags: Vec::new() }
    }
}

/// A request in its trace, with what only Zipkin's spans tell.
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) begun: Begun,
    /// Whether the trace's id has 8 bytes.
    is_short: bool,
    /// The tags that the request names.
    pub(super) tags: Vec<(String, String)>,
}

impl Traced {
    pub(super) fn trace_id(&self) -> String {
        self.begun.trace_id.hex(if self.is_short { Size::Eight } else { Size::Sixteen })
    }
}

impl Wrap for Zipkin {
    type Layer = TracedLayer<ZipkinTracer>;

    fn layer(slot: Slot<Self>) -> Self::Layer {
        TracedLayer::new(ZipkinTracer { slot })
    }
}

/// Traces the requests on whose plan the plugin is.
#[derive(Debug, Clone)]
pub struct ZipkinTracer {
    slot: Slot<Zipkin>,
}

impl Tracer for ZipkinTracer {
    type Live = ZipkinRequest;

    fn concerns(&self, extensions: &Extensions) -> bool {
        // Without a context there is no plan either: an embedded policy makes one.
        extensions.get::<Arc<Context>>().is_none_or(|cx| self.slot.may_apply(cx))
    }

    fn begin(&self, head: &mut request::Parts) -> Option<ZipkinRequest> {
        let cx = Context::of(head);
        let traced = match self.slot.policy(&cx) {
            Some(policy) => {
                let traced = policy.begin(&cx, head);
                if traced.begun.noted.is_none() && policy.response_header.is_none() {
                    return None;
                }
                Some(traced)
            }
            None => None,
        };
        let late = traced.is_none().then(|| Noted::following(&cx, head));
        Some(ZipkinRequest { cx, slot: self.slot.clone(), traced, late, status: CLIENT_CLOSED, answered: None })
    }
}

/// A request traced by the plugin `zipkin`; when it is dropped, it is over.
#[derive(Debug)]
pub struct ZipkinRequest {
    cx: Arc<Context>,
    slot: Slot<Zipkin>,
    /// `None` if only its consumer may have a configuration.
    traced: Option<Traced>,
    /// What is noted of it in that case.
    late: Option<Noted>,
    status: u16,
    answered: Option<Instant>,
}

impl Live for ZipkinRequest {
    fn answered(&mut self, head: &mut response::Parts) {
        self.status = head.status.as_u16();
        self.answered = Some(Instant::now());
        let Some(policy) = self.slot.policy(&self.cx) else { return };
        if self.traced.is_none() {
            self.traced = Some(policy.begin_late(&self.cx));
        }
        if let (Some(name), Some(traced)) = (&policy.response_header, &self.traced)
            && let Ok(value) = HeaderValue::try_from(traced.trace_id())
        {
            head.headers.append(name, value);
        }
    }
}

impl Drop for ZipkinRequest {
    fn drop(&mut self) {
        let Some(policy) = self.slot.policy(&self.cx).filter(|policy| policy.sends) else { return };
        let mut traced = self.traced.take().unwrap_or_else(|| policy.begin_late(&self.cx));
        if let Some(late) = self.late.take()
            && fastrand::f64() < policy.ratio
        {
            traced.begun.noted = Some(late);
        }
        let Some(noted) = traced.begun.noted.take() else { return };
        let now = Instant::now();
        let over = Over { status: self.status, answered: self.answered.unwrap_or(now), ended: now };
        for span in spans::all(policy, &self.cx, &traced, &noted, &over) {
            if let Ok(text) = serde_json::to_string(&span) {
                policy.queue.push(text);
            }
        }
    }
}
