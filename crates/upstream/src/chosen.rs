//! What the attempts of a request go to, and who is told how they went.

use std::{net::SocketAddr, time::Instant};

use towergate_balancer::{Balancer, Flight, Outcome, Picked};
use towergate_core::{Attempt, Context, Gate, Pass};

use crate::destination::Peer;

/// What the earlier attempts of a request went to, so that the next goes elsewhere if it can, and
/// who else has a say in it.
#[derive(Default)]
pub(crate) struct Tried<'a> {
    pub(crate) addresses: Vec<SocketAddr>,
    /// What the requests of one key are kept together by.
    pub(crate) hash: u32,
    gate: Option<(&'a dyn Gate, &'a Context)>,
}

/// Leave for an attempt, if there is a gate to give it.
pub(crate) type Leave<'a> = Option<Box<dyn Pass + 'a>>;

/// What one attempt goes to.
pub(crate) struct Chosen<'a> {
    pub(crate) peer: Peer<'a>,
    /// The target of an upstream, and whose it is.
    target: Option<(&'a Balancer, Picked)>,
    pass: Leave<'a>,
    /// Since when an attempt has been under way that may be given up because another was faster.
    raced: Option<Instant>,
}

impl<'a> Tried<'a> {
    /// Nothing yet, for a request with this context and the hash of its key.
    pub(crate) fn new(cx: &'a Context, hash: u32) -> Self {
        Self { gate: cx.gate().map(|gate| (gate, cx)), hash, ..Self::default() }
    }

    /// Leave to try this target; `None` if it is not to be tried now.
    pub(crate) fn admit(&self, target: &'a str) -> Option<Leave<'a>> {
        let Some((gate, cx)) = self.gate else { return Some(None) };
        gate.admit(cx, target).map(Some)
    }
}

impl<'a> Chosen<'a> {
    pub(crate) fn new(peer: Peer<'a>, pass: Leave<'a>) -> Self {
        Self { peer, target: None, pass, raced: None }
    }

    /// The same, which is a target of an upstream.
    pub(crate) fn of(mut self, balancer: &'a Balancer, picked: Picked) -> Self {
        self.target = Some((balancer, picked));
        self
    }

    /// Notes that the attempt at it failed and another follows.
    pub(crate) fn failed(&mut self, outcome: Outcome) {
        if let Some((balancer, picked)) = self.target.take() {
            balancer.report(&picked, outcome);
        }
    }

    /// Notes how the last attempt ended; answers what counts as long as its request is under way.
    pub(crate) fn ended(&mut self, outcome: Outcome) -> Option<Flight> {
        let (balancer, picked) = self.target.take()?;
        balancer.report(&picked, outcome);
        picked.flight
    }

    /// Tells the gate how the attempt at it went, if there is a gate.
    pub(crate) fn report(&mut self, attempt: impl FnOnce() -> Attempt) {
        if let Some(pass) = self.pass.take() {
            pass.report(attempt());
        }
    }

    /// Notes that the attempt that begins now may be given up because another is faster: then it has
    /// taken at least so long, which an algorithm that looks at latencies learns.
    pub(crate) fn race(&mut self, now: Instant) {
        self.raced = Some(now);
    }
}

impl Drop for Chosen<'_> {
    fn drop(&mut self) {
        let flight = self.target.take().and_then(|(_, picked)| picked.flight);
        if let (Some(began), Some(flight)) = (self.raced, flight) {
            let now = Instant::now();
            flight.answered(now.saturating_duration_since(began), now);
        }
    }
}
