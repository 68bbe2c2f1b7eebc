//! One request that stands for many.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::histogram::Unit;

/// The trace of a request that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traced {
    /// The trace's id.
    pub(crate) id: u128,
    /// When the request was over.
    pub(crate) at: SystemTime,
}

/// A request that stands for those of its bucket, because its trace can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exemplar {
    pub(crate) traced: Traced,
    /// How long it took.
    pub(crate) nanos: u64,
}

impl Exemplar {
    /// As it stands behind a value in OpenMetrics.
    pub(crate) fn show(self, unit: Unit) -> String {
        let at = self.traced.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (id, took) = (self.traced.id, unit.show(self.nanos));
        format!("{{trace_id=\"{id:032x}\"}} {took} {}.{:03}", at.as_secs(), at.subsec_millis())
    }
}
