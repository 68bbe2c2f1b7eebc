//! Criterion in processor time.

use std::time::Duration;

use criterion::{
    BatchSize,
    measurement::{Measurement, ValueFormatter, WallTime},
};

use crate::times::cpu_time;

/// So many requests are made at a time: few enough for the processor's caches, where a request is that was just read, and
/// enough that reading the clock costs little.
pub const BATCH: BatchSize = BatchSize::NumIterations(32);

/// Criterion's measurements in processor time of this thread: other work on the machine does not count.
#[derive(Debug)]
pub struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        cpu_time()
    }

    fn end(&self, begin: Duration) -> Duration {
        cpu_time().saturating_sub(begin)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        one.saturating_add(*other)
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
