//! What others are told about a circuit: the log, and metrics.

use metrics::{Counter, Gauge, counter, gauge};
use serde_json::{Value, json};

use crate::circuit::{Change, State};

/// What a circuit is for, by name; empty where it is for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) service: String,
    pub(crate) route: String,
    pub(crate) target: String,
}

/// Tells of one circuit. Metrics are looked up once, when it is made.
pub(crate) struct Watch {
    names: Names,
    state: Gauge,
    changes: [Counter; 3],
    refused: Counter,
}

impl Watch {
    pub(crate) fn new(names: Names) -> Self {
        let Names { service, route, target } = names.clone();
        let labels = [("service", service), ("route", route), ("target", target)];
        let change = |to: State| {
            let to = [("state", word(to).to_owned())];
            counter!("kong_circuit_transitions_total", &labels.iter().cloned().chain(to).collect::<Vec<_>>())
        };
        let changes = [State::Closed, State::Open, State::HalfOpen].map(change);
        let state = gauge!("kong_circuit_state", &labels);
        state.set(value(State::Closed));
        Self { names, state, changes, refused: counter!("kong_circuit_refused_total", &labels) }
    }

    /// The circuit is no more, and was not closed.
    pub(crate) fn gone(&self) {
        self.state.set(value(State::Closed));
    }

    /// A call was refused.
    pub(crate) fn refused(&self) {
        self.refused.increment(1);
    }

    /// The circuit changed its state, which is `now` this.
    pub(crate) fn changed(&self, change: Change, now: State) {
        // Of two changes at once the gauge shows the later, whoever tells of it.
        self.state.set(value(now));
        let [closed, open, half_open] = &self.changes;
        let Names { service, route, target } = &self.names;
        match change.to {
            State::Closed => {
                closed.increment(1);
                tracing::info!(service, route, target, reason = %change.reason, "Circuit closed");
            }
            State::Open => {
                open.increment(1);
                tracing::warn!(service, route, target, reason = %change.reason, "Circuit opened");
            }
            State::HalfOpen => {
                half_open.increment(1);
                tracing::info!(service, route, target, reason = %change.reason, "Circuit half open");
            }
        }
    }

    /// The names as others read them; null for those it has not.
    pub(crate) fn names(&self) -> [(&'static str, Value); 3] {
        let name = |name: &str| if name.is_empty() { Value::Null } else { json!(name) };
        let Names { service, route, target } = &self.names;
        [("service", name(service)), ("route", name(route)), ("target", name(target))]
    }
}

/// A state in metrics and in the Admin API.
pub(crate) fn word(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
    }
}

/// A state as a gauge: the worse the higher.
fn value(state: State) -> f64 {
    match state {
        State::Closed => 0.0,
        State::HalfOpen => 1.0,
        State::Open => 2.0,
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("names", &self.names).finish_non_exhaustive()
    }
}
