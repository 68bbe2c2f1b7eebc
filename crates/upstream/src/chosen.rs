//! What the attempts of a request go to, and who is told how they went.

use std::{net::SocketAddr, time::Instant};

use towergate_balancer::{Balancer, Flight, Outcome, Picked, Wish};
use towergate_core::{Attempt, Context, Pass, Spans};

use crate::destination::Peer;

/// What the earlier attempts of a request went to, so that the next goes elsewhere if it can, and
/// who else has a say in it.
#[derive(Default)]
pub(crate) struct Tried<'a> {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) affinity: Affinity<'a>,
    cx: Option<&'a Context>,
}

/// What keeps the requests of one client together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Affinity<'a> {
    /// The hash of their key.
    pub(crate) hash: u32,
    /// What the client has brought of its earlier target.
    pub(crate) token: Option<&'a str>,
}

/// What is left of an attempt that was answered.
#[derive(Default)]
pub(crate) struct Kept {
    /// What counts as long as the request is under way.
    pub(crate) flight: Option<Flight>,
    /// What the client is to bring next time.
    pub(crate) token: Option<String>,
}

/// Leave for an attempt, if there is a gate to give it.
pub(crate) type Leave<'a> = Option<Box<dyn Pass + 'a>>;

/// What one attempt goes to.
pub(crate) struct Chosen<'a> {
    pub(crate) peer: Peer<'a>,
    /// The target of an upstream, and whose it is. Boxed, so that a service without an upstream makes no room for it.
    target: Option<Box<(&'a Balancer, Picked)>>,
    pass: Leave<'a>,
    /// Since when an attempt has been under way that may be given up because another was faster.
    raced: Option<Instant>,
}

impl<'a> Tried<'a> {
    /// Nothing yet, for a request with this context.
    pub(crate) fn new(cx: &'a Context, affinity: Affinity<'a>) -> Self {
        Self { cx: Some(cx), affinity, ..Self::default() }
    }

    /// What is wanted of the next pick.
    pub(crate) fn wish<'b>(&'b self, barred: &'b [usize], now: Instant) -> Wish<'b> {
        Wish { hash: self.affinity.hash, token: self.affinity.token, tried: &self.addresses, barred, now }
    }

    /// Leave to try this target; `None` if it is not to be tried now.
    pub(crate) fn admit(&self, target: &'a str) -> Option<Leave<'a>> {
        let Some((cx, gate)) = self.cx.and_then(|cx| Some((cx, cx.gate()?))) else { return Some(None) };
        gate.admit(cx, target).map(Some)
    }

    /// Where it is noted what the request waits for.
    pub(crate) fn spans(&self) -> Option<&'a Spans> {
        self.cx.map(|cx| &cx.spans)
    }
}

impl<'a> Chosen<'a> {
    pub(crate) fn new(peer: Peer<'a>, pass: Leave<'a>) -> Self {
        Self { peer, target: None, pass, raced: None }
    }

    /// The same, which is a target of an upstream.
    pub(crate) fn of(mut self, balancer: &'a Balancer, picked: Picked) -> Self {
        self.target = Some(Box::new((balancer, picked)));
        self
    }

    /// Notes that the attempt at it failed and another follows.
    pub(crate) fn failed(&mut self, outcome: Outcome) {
        if let Some((balancer, picked)) = self.target.take().map(|target| *target) {
            balancer.report(&picked, outcome);
        }
    }

    /// Notes how the last attempt ended; answers what is left of it.
    pub(crate) fn ended(&mut self, outcome: Outcome) -> Kept {
        let Some((balancer, picked)) = self.target.take().map(|target| *target) else { return Kept::default() };
        balancer.report(&picked, outcome);
        Kept { flight: picked.flight, token: picked.token }
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
        let flight = self.target.take().and_then(|target| target.1.flight);
        if let (Some(began), Some(flight)) = (self.raced, flight) {
            let now = Instant::now();
            flight.answered(now.saturating_duration_since(began), now);
        }
    }
}
