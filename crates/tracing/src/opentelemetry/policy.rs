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
    logs::{LogQueue, Logs, Place, RequestLogs, during},
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
    /// Taken when the delivery begins. Without `traces_endpoint` there is none, and no trace is passed on.
    sink: Mutex<Option<Otlp>>,
    is_tracing: bool,
    /// What is logged, on its way to `logs_endpoint`, if there is one; and that, until the delivery begins.
    log_queue: Option<Arc<LogQueue>>,
    log_sink: Mutex<Option<Otlp>>,
    logs: Arc<Logs>,
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
        let resource = resource(&config, &node.id.to_string(), node.version);
        let traces = config.traces_endpoint.as_deref().map(|url| sink("traces_endpoint", url, &config, &resource));
        let logs = config.logs_endpoint.as_deref().map(|url| sink("logs_endpoint", url, &config, &resource));
        let (sink, log_sink) = (traces.transpose()?, logs.transpose()?);
        let settings = Settings::from(&config.queue.unwrap_or_default());
        let log_queue = || LogQueue::new(Self::NAME, format!("{}:logs", env.id), settings.clone());
        Ok(Self {
            propagation,
            parts: node.tracing,
            rate: config.sampling_rate.unwrap_or(node.tracing.sampling_rate),
            believes_parent: config.sampling_strategy.as_deref() == Some("parent_probability_fallback"),
            response_header: header.map_err(wrong)?,
            log_queue: log_sink.is_some().then(|| Arc::new(log_queue())),
            queue: Queue::new(Self::NAME, format!("{}:traces", env.id), settings),
            queues: env.shared.of(),
            is_tracing: sink.is_some(),
            sink: Mutex::new(sink),
            log_sink: Mutex::new(log_sink),
            logs: env.shared.of(),
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        let [traces, logs] =
            [&self.sink, &self.log_sink].map(|sink| sink.lock().unwrap_or_else(PoisonError::into_inner).take());
        let traces = traces.map(|sink| self.queues.deliver(&self.queue, sink));
        let logs = logs.zip(self.log_queue.as_ref()).map(|(sink, log_queue)| {
            self.logs.follow(log_queue);
            self.queues.deliver(log_queue.queue(), sink)
        });
        match (traces, logs) {
            (Some(traces), Some(logs)) => Some(Box::pin(async {
                tokio::join!(traces, logs);
            })),
            (traces, logs) => traces.or(logs),
        }
    }
}

fn sink(field: &str, url: &str, config: &OpenTelemetryConfig, resource: &[KeyValue]) -> Result<Otlp, PluginError> {
    let mut headers = default_headers();
    headers.extend(given_headers(config.headers.as_ref())?);
    let timeouts = Timeouts {
        connect: milliseconds(config.connect_timeout, 1000),
        send: milliseconds(config.send_timeout, 5000),
        read: milliseconds(config.read_timeout, 5000),
    };
    let collector = Collector::new(url, headers, timeouts).map_err(|error| PluginError::new(field, error))?;
    // What Kong says it is.
    let scope = InstrumentationScope {
        name: "kong-internal".into(),
        version: "0.1.0".into(),
        ..InstrumentationScope::default()
    };
    Ok(Otlp { collector, resource: resource.to_vec(), scope })
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
        let (begun, late, sends_logs) = match self.slot.policy(&cx) {
            Some(policy) => {
                let begun = policy.is_tracing.then(|| policy.begin(&cx, head));
                let is_told = begun.as_ref().is_some_and(|begun| begun.noted.is_some());
                let is_named = begun.is_some() && policy.response_header.is_some();
                if !is_told && !is_named && policy.log_queue.is_none() {
                    return None;
                }
                (begun, None, policy.log_queue.is_some())
            }
            None => (None, Some(Noted::following(&cx, head)), true),
        };
        let logs = sends_logs.then(Arc::default);
        Some(TracedRequest { cx, slot: self.slot.clone(), begun, late, logs, status: 0 })
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
    /// What is logged meanwhile, if that is sent.
    logs: Option<Arc<RequestLogs>>,
    status: u16,
}

impl Live for TracedRequest {
    fn answered(&mut self, head: &mut response::Parts) {
        self.status = head.status.as_u16();
        let Some(policy) = self.slot.policy(&self.cx).filter(|policy| policy.is_tracing) else { return };
        if self.begun.is_none() {
            self.begun = Some(policy.begin_late(&self.cx));
        }
        if let (Some(name), Some(begun)) = (&policy.response_header, &self.begun)
            && let Ok(value) = HeaderValue::try_from(begun.trace_id.hex(Size::Sixteen))
        {
            head.headers.append(name, value);
        }
    }

    fn during<T>(&self, step: impl FnOnce() -> T) -> T {
        during(self.logs.as_ref(), step)
    }
}

impl TracedRequest {
    /// Sends what was logged meanwhile.
    fn send_logs(&self) {
        let queue = self.slot.policy(&self.cx).and_then(|policy| policy.log_queue.as_ref());
        let Some((logs, queue)) = self.logs.as_ref().zip(queue) else { return };
        let known = || {
            let trace = self.cx.trace()?;
            Some((TraceId::received(trace.id, 16)?, SpanId::new(trace.span_id)?, trace.is_sampled))
        };
        let own = self.begun.as_ref().map(|begun| (begun.trace_id, begun.root, begun.noted.is_some()));
        logs.send(&Place { request_id: self.cx.request_id.as_str(), trace: own.or_else(known) }, queue);
    }
}

impl Drop for TracedRequest {
    fn drop(&mut self) {
        self.send_logs();
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
