//! Waiting for a condition, with a limit.

use std::thread;
use std::time::{Duration, Instant};

/// The limit for things that take milliseconds, generous because test machines are slow and busy.
pub const SOON: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not hold within `limit`.
#[track_caller]
pub fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) {
    eventually_some(limit, || condition().then_some(()));
}

/// Waits until `value` is there, and returns it.
///
/// # Panics
/// When it is not there within `limit`.
#[track_caller]
pub fn eventually_some<T>(limit: Duration, mut value: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} for a condition that did not come");
        thread::sleep(PAUSE);
    }
}
