//! What one choice among 3 and among 1,000 targets costs, all of them in rotation and half of them out.
//!
//! The aim: below a microsecond for each algorithm, growing with the logarithm of the number at most.
#![allow(missing_docs, reason = "criterion's macros document nothing")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use towergate_lb::{ConsistentHash, LeastConnections, PeakEwma, Pick, RoundRobin, TwoChoices, hash};

fn weights(count: usize) -> impl Iterator<Item = u16> + Clone {
    (0..count).map(|place| if place % 3 == 0 { 200 } else { 100 })
}

fn pickers(count: usize) -> [(&'static str, Box<dyn Pick>); 5] {
    let names = weights(count).enumerate().map(|(place, weight)| (format!("10.0.{place}.1::80"), weight));
    [
        ("round-robin", Box::new(RoundRobin::new(weights(count)))),
        ("consistent-hashing", Box::new(ConsistentHash::new(65_536, count, names))),
        ("least-connections", Box::new(LeastConnections::new(weights(count)))),
        ("latency", Box::new(PeakEwma::new(weights(count), Instant::now()))),
        ("two-choices", Box::new(TwoChoices::new(weights(count)))),
    ]
}

/// One request: chosen, begun, answered, over.
fn one(picker: &dyn Pick, key: &mut u32, now: Instant) {
    *key = key.wrapping_add(1);
    let Some(place) = picker.pick(hash(&key.to_le_bytes()), &[]) else { return };
    if picker.wants_load() {
        picker.begin(place);
        picker.observe(place, Duration::from_millis(u64::from(*key % 50)), now);
        picker.end(place);
    }
    black_box(place);
}

fn picks(criterion: &mut Criterion) {
    for out in ["all", "half"] {
        let mut group = criterion.benchmark_group(format!("lb/{out}"));
        for count in [3, 1000] {
            for (name, picker) in pickers(count) {
                if out == "half" {
                    (0..count).step_by(2).for_each(|place| picker.set_available(place, false));
                }
                let (mut key, now) = (0, Instant::now());
                group.bench_function(BenchmarkId::new(name, count), |bencher| {
                    bencher.iter(|| one(&*picker, &mut key, now));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, picks);
criterion_main!(benches);
