//! A line of the log, as OTLP writes it.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, SeverityNumber},
};
use tracing::{Level, Metadata};

use crate::{
    ids::{SpanId, TraceId},
    otlp::{attribute, number},
};

/// A line of a gateway's log.
#[derive(Debug)]
pub(crate) struct Line {
    since_epoch: Duration,
    /// Where in the program it comes from, and how severe it is.
    metadata: &'static Metadata<'static>,
    message: String,
}

/// Which request lines are of.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) request_id: &'a str,
    /// Its trace, the gateway's span for it, and whether it is recorded.
    pub(crate) trace: Option<(TraceId, SpanId, bool)>,
}

impl Line {
    /// One that is written now.
    pub(crate) fn now(metadata: &'static Metadata<'static>, message: String) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { since_epoch, metadata, message }
    }

    /// It with the attributes that Kong gives it, as far as there is such a thing here; with its place if it is of a
    /// request.
    pub(crate) fn record(self, place: Option<&Place<'_>>) -> LogRecord {
        let at = u64::try_from(self.since_epoch.as_nanos()).unwrap_or(u64::MAX);
        let (severity_number, severity_text) = severity(*self.metadata.level());
        let source = self.metadata.file().unwrap_or(self.metadata.target());
        let mut attributes = vec![attribute("introspection.source", source)];
        attributes.extend(self.metadata.line().map(|line| number("introspection.current.line", line.into())));
        attributes.extend(place.map(|place| attribute("request.id", place.request_id)));
        let trace = place.and_then(|place| place.trace);
        LogRecord {
            time_unix_nano: at,
            observed_time_unix_nano: at,
            severity_number: severity_number.into(),
            severity_text: severity_text.into(),
            body: Some(AnyValue { value: Some(Value::StringValue(self.message)) }),
            attributes,
            flags: trace.map_or(0, |(.., is_sampled)| is_sampled.into()),
            trace_id: trace.map(|(id, ..)| id.bits().to_be_bytes().to_vec()).unwrap_or_default(),
            span_id: trace.map(|(_, span, _)| span.bits().to_be_bytes().to_vec()).unwrap_or_default(),
            ..LogRecord::default()
        }
    }
}

/// Kong's numbers and words. Like the error log it calls *notice* what is of interest in daily work.
fn severity(level: Level) -> (SeverityNumber, &'static str) {
    match level {
        Level::ERROR => (SeverityNumber::Error, "ERR"),
        Level::WARN => (SeverityNumber::Warn, "WARN"),
        Level::INFO => (SeverityNumber::Info3, "NOTICE"),
        Level::DEBUG | Level::TRACE => (SeverityNumber::Debug, "DEBUG"),
    }
}
