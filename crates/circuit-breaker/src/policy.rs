//! What it does to calls.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use towergate_core::{Context, Env, Plugin, PluginError, Reply, Slot, Wrap};
use uuid::Uuid;

use crate::{
    circuit::{Refused, State, Ticket},
    circuits::{Circuits, Key},
    config::{CircuitBreakerConfig, Scope},
    failures::{Ending, Failures},
    layer::CircuitBreakerLayer,
    rules::Rules,
    watch::Names,
};

/// The state of the circuit, on what it refused and on answers to trial calls.
pub(crate) const STATE: HeaderName = HeaderName::from_static("x-circuit-state");
const MESSAGE: &str = "Service temporarily unavailable";
const BODY: &[u8] = br#"{"message":"Service temporarily unavailable","circuit_state":"OPEN"}"#;
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Where the time comes from: [`Instant::now`] unless a test says otherwise.
pub type Clock = fn() -> Instant;

/// Does not call what keeps failing: the policy.
#[derive(Debug)]
pub struct CircuitBreaker {
    pub(crate) failures: Failures,
    pub(crate) scope: Scope,
    pub(crate) hide_client_headers: bool,
    pub(crate) clock: Clock,
    pub(crate) circuits: Circuits,
    /// Whether only requests of one route come here.
    for_route: bool,
}

/// A call that was admitted.
#[derive(Debug)]
pub(crate) struct Call {
    ticket: Ticket,
    started: Option<Instant>,
}

impl Plugin for CircuitBreaker {
    const NAME: &'static str = "circuit-breaker";
    const PRIORITY: i32 = 900;
    // Whether a service is well does not depend on who asks.
    const CONSUMER_SCOPE: bool = false;

    type Config = CircuitBreakerConfig;

    fn new(config: CircuitBreakerConfig, env: &Env) -> Result<Self, PluginError> {
        let mut policy = Self::with(config.rules(), config.failures());
        policy.scope = config.scope;
        policy.hide_client_headers = config.hide_client_headers;
        policy.for_route = env.route.is_some();
        Ok(policy)
    }

    fn state(&self) -> Option<Value> {
        Some(self.shown((self.clock)(), SystemTime::now()))
    }
}

impl Wrap for CircuitBreaker {
    type Layer = CircuitBreakerLayer;

    fn layer(slot: Slot<Self>) -> CircuitBreakerLayer {
        CircuitBreakerLayer::at(slot)
    }
}

impl CircuitBreaker {
    pub(crate) fn with(rules: Rules, failures: Failures) -> Self {
        Self {
            failures,
            scope: Scope::Service,
            hide_client_headers: false,
            clock: Instant::now,
            circuits: Circuits::new(rules),
            for_route: false,
        }
    }

    /// Which circuit a request belongs to; `None` if it goes to no service. Embedded there is one for all.
    pub(crate) fn key(&self, cx: &Context) -> Option<Key<'static>> {
        let id = match (cx.plan(), self.scope) {
            (None, _) => Some(Uuid::nil()),
            (Some(plan), Scope::Service | Scope::Target) => plan.service.as_ref().map(|service| service.id),
            (Some(plan), Scope::Route) => plan.route.as_ref().map(|route| route.id),
        };
        Some(Key { id: id?, target: "" })
    }

    pub(crate) fn admit(&self, key: Key<'_>, cx: &Context) -> Result<Call, Refused> {
        // Only slow calls need to know when they began.
        let started = self.failures.slow.is_some().then(self.clock);
        let names = || self.names(key, cx);
        self.circuits.with(key, self.clock, names, |watched| {
            let admitted = match watched.circuit.pass() {
                Some(ticket) => Ok((ticket, None)),
                None => watched.circuit.admit((self.clock)()),
            };
            match admitted {
                Ok((ticket, change)) => {
                    change.into_iter().for_each(|change| watched.watch.changed(change, watched.circuit.state()));
                    Ok(Call { ticket, started })
                }
                Err(refused) => {
                    watched.watch.refused();
                    Err(refused)
                }
            }
        })
    }

    pub(crate) fn report(&self, key: Key<'_>, cx: &Context, call: Call, ending: Ending) {
        let now = (self.clock)();
        let took = call.started.map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        let verdict = self.failures.verdict(ending, took);
        let names = || self.names(key, cx);
        self.circuits.with(
            key,
            || now,
            names,
            |watched| {
                let change = watched.circuit.report(call.ticket, verdict, now);
                change.into_iter().for_each(|change| watched.watch.changed(change, watched.circuit.state()));
            },
        );
    }

    /// The answer in place of a call.
    pub(crate) fn refusal(&self, cx: &Context, refused: Refused) -> Reply {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let reply = match cx.asker.is_grpc() {
            true => Reply::exit(status, MESSAGE),
            false => Reply::raw(status, JSON, Bytes::from_static(BODY)),
        };
        if self.hide_client_headers {
            return reply;
        }
        reply
            .with_header(header::RETRY_AFTER, HeaderValue::from(whole_seconds(refused.retry_after)))
            .with_header(STATE, HeaderValue::from_static(refused.state.as_str()))
    }

    /// What the answer to a trial call says of the circuit; those to others say nothing, as all is well.
    pub(crate) fn told(&self, call: &Call) -> Option<HeaderValue> {
        let is_told = call.ticket.is_trial() && !self.hide_client_headers;
        is_told.then_some(HeaderValue::from_static(State::HalfOpen.as_str()))
    }

    fn names(&self, key: Key<'_>, cx: &Context) -> Names {
        let name = |name: Option<&String>, id: Uuid| name.cloned().unwrap_or_else(|| id.to_string());
        let route = cx.route().filter(|_| self.for_route || self.scope == Scope::Route);
        Names {
            service: cx.service().map(|service| name(service.name.as_ref(), service.id)).unwrap_or_default(),
            route: route.map(|route| name(route.name.as_ref(), route.id)).unwrap_or_default(),
            target: key.target.to_owned(),
        }
    }
}

/// Rounded up, and at least one: who comes back at once is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    let partial = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(partial).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        for (wait, seconds) in [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (30_000, 30), (29_000, 29)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait)), seconds, "{wait}");
        }
    }

    #[test]
    fn the_guides_words_to_the_letter() {
        let policy = CircuitBreaker::new(CircuitBreakerConfig::default(), &Env::default()).unwrap();
        let (mut head, ()) = http::Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        let refused = Refused { state: State::Open, retry_after: Duration::from_millis(1_500) };
        let response = cx.render(policy.refusal(&cx, refused));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = r#"{"message":"Service temporarily unavailable","circuit_state":"OPEN"}"#;
        assert_eq!(response.body(), body);
        let headers = ["content-type", "retry-after", "x-circuit-state"].map(|name| response.headers()[name].clone());
        assert_eq!(headers, ["application/json; charset=utf-8", "2", "OPEN"]);
    }
}
