//! What a circuit counts, as a recorder of the facade `metrics` gets it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tower::{Layer, ServiceExt, service_fn};
use towergate_circuit_breaker::CircuitBreakerLayer;

/// Keeps each metric by its name and labels, and counts how often one was looked up.
#[derive(Default)]
struct Kept {
    metrics: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    looked_up: AtomicU64,
}

impl Kept {
    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        self.looked_up.fetch_add(1, Ordering::SeqCst);
        let labels: Vec<_> = key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        self.metrics.lock().unwrap().entry(name).or_default().clone()
    }

    fn all(&self) -> BTreeMap<String, u64> {
        let metrics = self.metrics.lock().unwrap();
        metrics.iter().map(|(name, value)| (name.clone(), value.load(Ordering::SeqCst))).collect()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

const LABELS: &str = r#"service="",route="",target="""#;

#[test]
fn state_changes_and_refusals_are_counted_and_looked_up_once() {
    let kept = Kept::default();
    let status = Arc::new(AtomicU64::new(500));
    let answer = status.clone();
    let inner = service_fn(move |_: Request<()>| {
        let status = u16::try_from(answer.load(Ordering::SeqCst)).unwrap();
        std::future::ready(Ok::<_, Infallible>(Response::builder().status(status).body(()).unwrap()))
    });
    let layer = CircuitBreakerLayer::builder().reset_timeout(Duration::from_millis(1)).build();
    let service = layer.layer(inner);
    let call = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(service.clone().oneshot(Request::new(()))).unwrap().status().as_u16()
    };
    let seen = |state: f64, [closed, open, half_open]: [u64; 3], refused| {
        BTreeMap::from([
            (format!("kong_circuit_state{{{LABELS}}}"), state.to_bits()),
            (format!("kong_circuit_transitions_total{{{LABELS},state=\"closed\"}}"), closed),
            (format!("kong_circuit_transitions_total{{{LABELS},state=\"half_open\"}}"), half_open),
            (format!("kong_circuit_transitions_total{{{LABELS},state=\"open\"}}"), open),
            (format!("kong_circuit_refused_total{{{LABELS}}}"), refused),
        ])
    };
    metrics::with_local_recorder(&kept, || {
        call();
        assert_eq!(kept.all(), seen(0.0, [0, 0, 0], 0));
        (0..4).for_each(|_| _ = call());
        assert_eq!(kept.all(), seen(2.0, [0, 1, 0], 0));
        let refused = (0..1_000).filter(|_| call() == 503).count() as u64;
        std::thread::sleep(Duration::from_millis(2));
        status.store(200, Ordering::SeqCst);
        assert_eq!(call(), 200);
        let counted = kept.all();
        assert_eq!(counted[&format!("kong_circuit_refused_total{{{LABELS}}}")], refused);
        assert_eq!(counted[&format!("kong_circuit_state{{{LABELS}}}")], 0.0_f64.to_bits());
        assert_eq!(counted[&format!("kong_circuit_transitions_total{{{LABELS},state=\"closed\"}}")], 1);
        assert_eq!(kept.looked_up.load(Ordering::SeqCst), 5, "once each");
    });
}

#[test]
fn a_circuit_that_is_no_more_is_not_open() {
    let kept = Kept::default();
    metrics::with_local_recorder(&kept, || {
        let inner = service_fn(|_: Request<()>| std::future::ready(Err::<Response<()>, _>("down")));
        let service = CircuitBreakerLayer::new().layer(inner);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..5 {
            assert!(runtime.block_on(service.clone().oneshot(Request::new(()))).is_err());
        }
        let state = format!("kong_circuit_state{{{LABELS}}}");
        assert_eq!(kept.all()[&state], 2.0_f64.to_bits());
        drop(service);
        assert_eq!(kept.all()[&state], 0.0_f64.to_bits());
    });
}
