//! What others are told about a circuit: the log, and metrics.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::circuit::{Change, State};

const STATE: &str = "kong_circuit_state";
const TRANSITIONS: &str = "kong_circuit_transitions_total";
const REFUSED: &str = "kong_circuit_refused_total";

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
        describe_gauge!(STATE, "Whether calls go through: 0 they do (closed), 1 some do (half open), 2 none do (open)");
        describe_counter!(TRANSITIONS, "How often a circuit came into each state");
        describe_counter!(REFUSED, "Calls, or attempts at a target, that a circuit refused");
        let Names { service, route, target } = names.clone();
        let labels = [("service", service), ("route", route), ("target", target)];
        let change = |to: State| {
            let to = [("state", word(to).to_owned())];
            counter!(TRANSITIONS, &labels.iter().cloned().chain(to).collect::<Vec<_>>())
        };
        let changes = [State::Closed, State::Open, State::HalfOpen].map(change);
        let state = gauge!(STATE, &labels);
        state.set(value(State::Closed));
        Self { names, state, changes, refused: counter!(REFUSED, &labels) }
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
        let reason = change.reason;
        let [service, route, target] = self.names.each().map(|(_, name)| name);
        match change.to {
            State::Closed => {
                closed.increment(1);
                tracing::info!(service, route, target, %reason, "Circuit closed");
            }
            State::Open => {
                open.increment(1);
                tracing::warn!(service, route, target, %reason, "Circuit opened");
            }
            State::HalfOpen => {
                half_open.increment(1);
                tracing::info!(service, route, target, %reason, "Circuit half open");
            }
        }
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}

impl Names {
    /// What it is for, label by label; `None` where it is for all.
    pub(crate) fn each(&self) -> [(&'static str, Option<&str>); 3] {
        let named = |name: &'static str, text| (name, Some(text).filter(|text: &&str| !text.is_empty()));
        [named("service", &self.service), named("route", &self.route), named("target", &self.target)]
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
