//! What the plugin does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, request, response};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use towergate_core::{Context, Env, Instrumentations, Plugin, PluginError, Slot, Task, Trace, Wrap};
use towergate_queue::{Queue, Queues, Settings};

use super::{config::OpenTelemetryConfig, spans};
use crate::{
    begun::{Begun, Noted},
    collector::{Collector, Timeouts},
    ids::{Size, SpanId, TraceId},
    layer::{Live, TracedLayer, Tracer},
    otlp::{Otlp, OtlpSpan, attribute, default_headers},
    propagation::{Injected, Propagation},
    sampling,
};

/// Sends spans by OTLP, and passes traces on: the policy of the plugin `opentelemetry`.
#[derive(Debug)]
pub struct OpenTelemetry {
    propagation: Propagation,
    parts: Instrumentations,
    rate: f64,
    believes_parent: bool,
    response_header: Option<HeaderName>,
    queue: Queue<OtlpSpan>,
    queues: Arc<Queues>,
    /// Taken when the delivery begins. Without `traces_endpoint` there is none, and nothing is done.
    sink: Mutex<Option<Otlp>>,
    is_tracing: bool,
    sends_logs: bool,
}

impl Plugin for OpenTelemetry {
    const NAME: &'static str = "opentelemetry";
    const PRIORITY: i32 = 14;
    const RECORDS_SPANS: bool = true;

    type Config = OpenTelemetryConfig;

    fn new(config: OpenTelemetryConfig, env: &Env) -> Result<Self, PluginError> {
        let node = env.shared.node();
        let propagation = config.propagation.clone().unwrap_or_default();
        let propagation = propagation.resolve(config.header_type.as_deref(), None)?;
        let header = config.http_response_header_for_traceid.as_deref().map(str::parse).transpose();
        let wrong = |_| PluginError::new("http_response_header_for_traceid", "is not a header's name");
        let sink = match config.traces_endpoint.as_deref() {
            Some(url) => Some(sink(url, &config, resource(&config, &node.id.to_string(), node.version))?),
            None => None,
        };
        Ok(Self {
            propagation,
            parts: node.tracing,
            rate: config.sampling_rate.unwrap_or(node.tracing.sampling_rate),
            believes_parent: config.sampling_strategy.as_deref() == Some("parent_probability_fallback"),
            response_header: header.map_err(wrong)?,
            queue: Queue::new(Self::NAME, env.id.to_string(), Settings::from(&config.queue.unwrap_or_default())),
            queues: env.shared.of(),
            is_tracing: sink.is_some(),
            sink: Mutex::new(sink),
            sends_logs: config.logs_endpoint.is_some(),
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        if self.sends_logs {
            tracing::warn!("opentelemetry: config.logs_endpoint: the gateway's log is sent with a later version");
        }
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(self.queues.deliver(&self.queue, sink))
    }
}

fn sink(url: &str, config: &OpenTelemetryConfig, resource: Vec<KeyValue>) -> Result<Otlp, PluginError> {
    let mut headers = default_headers();
    headers.extend(given_headers(config.headers.as_ref())?);
    let timeouts = Timeouts {
        connect: milliseconds(config.connect_timeout, 1000),
        send: milliseconds(config.send_timeout, 5000),
        read: milliseconds(config.read_timeout, 5000),
    };
    let collector =
        Collector::new(url, headers, timeouts).map_err(|error| PluginError::new("traces_endpoint", error))?;
    // What Kong says it is.
    let scope = InstrumentationScope {
        name: "kong-internal".into(),
        version: "0.1.0".into(),
        ..InstrumentationScope::default()
    };
    Ok(Otlp { collector, resource, scope })
}

fn given_headers(headers: Option<&BTreeMap<String, String>>) -> Result<HeaderMap, PluginError> {
    let wrong =
        |name: &str| PluginError::new("headers", format!("the header '{name}' has a name or value that is none"));
    let line = |(name, value): (&String, &String)| match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        (Ok(header), Ok(value)) => Ok((header, value)),
        _ => Err(wrong(name)),
    };
    headers.into_iter().flatten().map(line).collect()
}

fn resource(config: &OpenTelemetryConfig, node_id: &str, version: &str) -> Vec<KeyValue> {
    let own = [("service.name", "kong"), ("service.instance.id", node_id), ("service.version", version)];
    let mut all: BTreeMap<&str, &str> = own.into_iter().collect();
    let given = config.resource_attributes.iter().flatten();
    all.extend(given.map(|(name, value)| (name.as_str(), value.as_str())));
    all.into_iter().map(|(name, value)| attribute(name, value)).collect()
}

pub(crate) fn milliseconds(given: Option<u64>, usual: u64) -> Duration {
    Duration::from_millis(given.unwrap_or(usual))
}

impl OpenTelemetry {
    /// What a request begins with: its place in a trace, which is written into its headers.
    fn begin(&self, cx: &Context, head: &mut request::Parts) -> Begun {
        let from = self.propagation.read(&head.headers);
        let trace_id = from.carried.trace_id.unwrap_or_else(TraceId::random);
        let is_sampled = self.samples(trace_id, from.carried.is_sampled);
        let (root, parent) = (SpanId::random(), from.carried.span_id.or(from.carried.parent_id));
        // What the upstream does is part of the attempt that reaches it, if attempts become spans.
        let upstream = if self.parts.balancer { SpanId::random() } else { root };
        let injected = Injected {
            trace_id,
            span_id: upstream,
            parent_id: if self.parts.balancer { Some(root) } else { parent },
            is_sampled,
            is_debug: from.carried.is_debug,
            baggage: &from.carried.baggage,
        };
        let formats = self.propagation.write(&mut head.headers, &from, &injected);
        cx.record_trace(Trace { id: trace_id.bits(), span_id: root.bits(), is_sampled, formats });
        let noted = is_sampled.then(|| Noted::following(cx, head));
        Begun { trace_id, root, parent, upstream, noted }
    }

    /// Kong's decision: nothing if the settings trace nothing, nothing that the sender does not record, and of
    /// the rest this share.
    fn samples(&self, trace_id: TraceId, parent: Option<bool>) -> bool {
        match parent {
            _ if !self.parts.request => false,
            Some(false) => false,
            Some(true) if self.believes_parent => true,
            _ => sampling::is_sampled(trace_id, self.rate),
        }
    }

    /// A request whose configuration is only known at its end (a consumer's own).
    fn begin_late(&self, cx: &Context) -> Begun {
        let (known, root) = (cx.trace(), SpanId::random());
        let trace_id = known.and_then(|trace| TraceId::received(trace.id, 16)).unwrap_or_else(TraceId::random);
        let parent = known.and_then(|trace| SpanId::new(trace.span_id));
        Begun { trace_id, root, parent, upstream: SpanId::random(), noted: None }
    }
}

impl Wrap for OpenTelemetry {
    type Layer = TracedLayer<OpenTelemetryTracer>;

    fn layer(slot: Slot<Self>) -> Self::Layer {
        TracedLayer::new(OpenTelemetryTracer { slot })
    }
}

/// Traces the requests on whose plan the plugin is.
#[derive(Debug, Clone)]
pub struct OpenTelemetryTracer {
    slot: Slot<OpenTelemetry>,
}

impl Tracer for OpenTelemetryTracer {
    type Live = TracedRequest;

    fn concerns(&self, extensions: &Extensions) -> bool {
        // Without a context there is no plan either: an embedded policy makes one.
        extensions.get::<Arc<Context>>().is_none_or(|cx| self.slot.may_apply(cx))
    }

    fn begin(&self, head: &mut request::Parts) -> Option<TracedRequest> {
        let cx = Context::of(head);
        let begun = match self.slot.policy(&cx) {
            Some(policy) if policy.is_tracing => {
                let begun = policy.begin(&cx, head);
                if begun.noted.is_none() && policy.response_header.is_none() {
                    return None;
                }
                Some(begun)
            }
            Some(_) => return None,
            None => None,
        };
        let noted = begun.is_none().then(|| Noted::following(&cx, head));
        Some(TracedRequest { cx, slot: self.slot.clone(), begun, late: noted, status: 0 })
    }
}

/// A request traced by the plugin `opentelemetry`; when it is dropped, it is over.
#[derive(Debug)]
pub struct TracedRequest {
    cx: Arc<Context>,
    slot: Slot<OpenTelemetry>,
    /// `None` if only its consumer may have a configuration.
    begun: Option<Begun>,
    /// What is noted of it in that case.
    late: Option<Noted>,
    status: u16,
}

impl Live for TracedRequest {
    fn answered(&mut self, head: &mut response::Parts) {
        self.status = head.status.as_u16();
        let Some(policy) = self.slot.policy(&self.cx) else { return };
        if self.begun.is_none() {
            self.begun = Some(policy.begin_late(&self.cx));
        }
        if let (Some(name), Some(begun)) = (&policy.response_header, &self.begun)
            && let Ok(value) = HeaderValue::try_from(begun.trace_id.hex(Size::Sixteen))
        {
            head.headers.append(name, value);
        }
    }
}

impl Drop for TracedRequest {
    fn drop(&mut self) {
        let Some(policy) = self.slot.policy(&self.cx).filter(|policy| policy.is_tracing) else { return };
        let mut begun = self.begun.take().unwrap_or_else(|| policy.begin_late(&self.cx));
        if let Some(late) = self.late.take()
            && policy.samples(begun.trace_id, None)
        {
            begun.noted = Some(late);
        }
        let Some(noted) = begun.noted.take() else { return };
        let route = self.slot.memo(&self.cx, || spans::RoutePath::of(&self.cx));
        let over = spans::Over { status: self.status, ended: Instant::now(), route };
        spans::each(&self.cx, &begun, &noted, policy.parts, &over, |span| policy.queue.push(OtlpSpan(span)));
    }
}
