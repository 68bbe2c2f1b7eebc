//! A circuit for each target: the gate that the proxying service asks.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use towergate_core::{Attempt, Context, Gate, Pass, Reply, Slot};

use crate::{
    circuit::{Refused, State},
    circuits::Key,
    failures::Ending,
    policy::{Call, CircuitBreaker},
};

/// Bars targets whose circuit is open from one request.
pub(crate) struct Targets {
    slot: Slot<CircuitBreaker>,
    /// How long the first of the barred targets stays so, in nanoseconds.
    soonest: AtomicU64,
}

impl Targets {
    pub(crate) fn new(slot: Slot<CircuitBreaker>) -> Self {
        Self { slot, soonest: AtomicU64::new(u64::MAX) }
    }
}

impl Gate for Targets {
    fn admit<'a>(&'a self, cx: &'a Context, target: &'a str) -> Option<Box<dyn Pass + 'a>> {
        let policy = self.slot.policy(cx)?;
        let key = Key { target, ..policy.key(cx)? };
        match policy.admit(key, cx) {
            Ok(call) => Some(Box::new(Trying { policy, cx, key, call: Some(call) })),
            Err(refused) => {
                let wait = u64::try_from(refused.retry_after.as_nanos()).unwrap_or(u64::MAX);
                self.soonest.fetch_min(wait, Ordering::Relaxed);
                None
            }
        }
    }

    fn refusal(&self, cx: &Context) -> Reply {
        let retry_after = Duration::from_nanos(self.soonest.load(Ordering::Relaxed));
        let state = if retry_after.is_zero() { State::HalfOpen } else { State::Open };
        match self.slot.policy(cx) {
            Some(policy) => policy.refusal(cx, Refused { state, retry_after }),
            // A gate is only there because of a policy, which its plan keeps.
            None => Reply::fault(http::StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets").field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// An attempt at a target.
struct Trying<'a> {
    policy: &'a CircuitBreaker,
    cx: &'a Context,
    key: Key<'a>,
    call: Option<Call>,
}

impl Trying<'_> {
    fn end(&mut self, ending: Ending) {
        if let Some(call) = self.call.take() {
            self.policy.report(self.key, self.cx, call, ending);
        }
    }
}

impl Pass for Trying<'_> {
    fn report(mut self: Box<Self>, attempt: Attempt) {
        self.end(attempt.into());
    }
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        self.end(Ending::GivenUp);
    }
}
