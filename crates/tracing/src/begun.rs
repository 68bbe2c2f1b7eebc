//! A traced request as it is known when it begins.

use http::{Method, Uri, Version, request::Parts};
use towergate_core::Context;

use crate::ids::{SpanId, TraceId};

/// A request's place in its trace.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) trace_id: TraceId,
    /// The gateway's own span for it.
    pub(crate) root: SpanId,
    /// The sender's.
    pub(crate) parent: Option<SpanId>,
    /// The span that the upstream was told of.
    pub(crate) upstream: SpanId,
    /// What is needed to tell of it; `None` if it is not sampled.
    pub(crate) noted: Option<Noted>,
}

/// What is noted of a request of which spans are sent.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
}

impl Noted {
    /// Notes this request.
    pub(crate) fn of(head: &Parts) -> Self {
        Self { method: head.method.clone(), uri: head.uri.clone(), version: head.version }
    }

    /// Notes this request, and asks for all that is noted on its way through a gateway.
    pub(crate) fn following(cx: &Context, head: &Parts) -> Self {
        cx.spans.ask();
        cx.records.ask();
        Self::of(head)
    }

    /// The version of HTTP: `1.1`, `2`.
    pub(crate) fn flavor(&self) -> &'static str {
        match self.version {
            Version::HTTP_09 => "0.9",
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2.0",
            Version::HTTP_3 => "3.0",
            _ => "1.1",
        }
    }
}
