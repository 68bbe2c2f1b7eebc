//! What operators see of a policy's circuits.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::{
    circuit::{Snapshot, State},
    circuits::Watched,
    policy::CircuitBreaker,
    watch::word,
};

impl CircuitBreaker {
    /// All circuits by name, as the Admin API shows them. Those that nothing has been called
    /// through are not there yet.
    pub(crate) fn shown(&self, now: Instant, wall: SystemTime) -> Value {
        let mut circuits: Vec<_> = self.circuits.all().iter().map(|watched| shown(watched, now, wall)).collect();
        circuits.sort_by_cached_key(Value::to_string);
        json!({ "scope": self.scope, "circuits": circuits })
    }
}

fn shown(watched: &Watched, now: Instant, wall: SystemTime) -> Value {
    let snapshot = watched.circuit.snapshot(now);
    let Snapshot { state, since, requests, failures, row, .. } = snapshot;
    let since = wall.checked_sub(now.saturating_duration_since(since)).unwrap_or(wall);
    let names = watched.watch.names().each().map(|(label, name)| (label.to_owned(), json!(name)));
    let mut fields: Map<String, Value> = names.into_iter().collect();
    fields.extend(object(json!({
        "state": word(state),
        "since": since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        "reason": snapshot.reason.map(|reason| reason.to_string()),
        "requests": requests,
        "failures": failures,
        "failures_in_row": row,
    })));
    fields.extend(match state {
        State::Closed => Map::new(),
        State::Open => object(json!({ "retry_after": seconds(snapshot.retry_after) })),
        State::HalfOpen => object(json!({ "trials_under_way": snapshot.trials, "successes": snapshot.successes })),
    });
    Value::Object(fields)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// To the millisecond, rounded up: 0 means that a trial call is let through now.
fn seconds(wait: Duration) -> f64 {
    wait.as_nanos().div_ceil(1_000_000) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use towergate_core::{Context, Env, Plugin};

    use super::*;
    use crate::{config::CircuitBreakerConfig, failures::Ending};

    #[test]
    fn what_is_left_is_nothing_only_when_nothing_is_left() {
        for (nanos, shown) in [(0, 0.0), (1, 0.001), (1_000_000, 0.001), (1_000_001, 0.002), (19_500_000_000, 19.5)] {
            assert_eq!(seconds(Duration::from_nanos(nanos)), shown);
        }
    }

    #[test]
    fn each_circuit_is_shown_as_it_is() {
        let config = CircuitBreakerConfig { failure_threshold: Some(2), ..CircuitBreakerConfig::default() };
        let policy = CircuitBreaker::new(config, &Env::default()).unwrap();
        let wall = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(policy.shown(Instant::now(), wall), json!({"scope": "service", "circuits": []}));

        let (mut head, ()) = http::Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        let key = policy.key(&cx).unwrap();
        for _ in 0..2 {
            let call = policy.admit(key, &cx).unwrap();
            policy.report(key, &cx, call, Ending::Error);
        }
        let opened = policy.circuits.all()[0].circuit.snapshot(Instant::now()).since;
        let shown = policy.shown(opened + Duration::from_millis(10_500), wall);
        let expected = json!({
            "service": null, "route": null, "target": null,
            "state": "open", "since": 1_699_999_989, "reason": "2 failures in a row",
            "requests": 2, "failures": 2, "failures_in_row": 2,
            "retry_after": 19.5,
        });
        assert_eq!(shown["circuits"][0], expected);
    }
}
