//! The attempts of a request by Kong's rule: one after the other, at once, while they fail.

use std::{future::Future, time::Instant};

use http::StatusCode;
use towergate_balancer::Outcome;
use towergate_core::{Attempt, Part, Tries};

use crate::{
    chosen::{Chosen, Kept, Tried},
    destination::Destination,
    error::{Error, Kind},
    exchange::{Answered, Exchange},
    forward,
};

/// The answer, and what is left of the attempt that brought it.
pub(crate) type Ended = Result<(Answered, Kept), Error>;

impl Exchange<'_> {
    /// Tries until an upstream answers or nothing more may be tried.
    #[allow(clippy::manual_async_fn, reason = "an async fn has room for its arguments twice")]
    pub(crate) fn attempts(
        &self,
        destination: &Destination,
        tries: &mut Option<Box<Tries>>,
        mut tried: Tried<'_>,
    ) -> impl Future<Output = Ended> {
        async move {
            let target = forward::target(self.cx, self.head).ok_or_else(|| Error::new(Kind::BadRequest))?;
            let mut left = self.service.retries;
            let mut failure = None;
            loop {
                let started = Instant::now();
                self.cx.spans.begin(|| Part::Attempt);
                let mut chosen = match destination.pick(&self.worker.resolver, &tried, started).await {
                    Ok(chosen) => chosen,
                    Err(error) => {
                        self.cx.spans.end();
                        // A request that has been tried is told what became of that.
                        return Err(failure.filter(|_| error.is_barred()).unwrap_or(error));
                    }
                };
                let sent = if chosen.peer.was_asked_for { Instant::now() } else { started };
                self.cx.timing.mark_sent(sent);
                let result = self.attempt(destination, &chosen.peer, &target, &sent).await;
                self.cx.spans.end();
                if let Some(tries) = tries {
                    tries.push(self.note(&chosen.peer, started, sent, &result));
                }
                chosen.report(|| attempt(&result));
                match result {
                    Err(error) if left > 0 && self.may_repeat(&error) => {
                        tracing::debug!(upstream = %chosen.peer.address, cause = %error, "Trying again");
                        left -= 1;
                        chosen.failed(failed(&error));
                        tried.addresses.push(chosen.peer.address);
                        failure = Some(error);
                    }
                    Err(error) => {
                        chosen.ended(outcome(error.status()));
                        return Err(error);
                    }
                    Ok(answered) => {
                        let kept = answered_by(&mut chosen, sent, answered.status());
                        return Ok((answered, kept));
                    }
                }
            }
        }
    }
}

/// Notes how the last attempt ended. Of one that failed Kong counts what the client reads, which is no
/// failed connection.
pub(crate) fn ended(mut chosen: Chosen<'_>, sent: Instant, result: Result<Answered, Error>) -> Ended {
    match result {
        Ok(answered) => {
            let kept = answered_by(&mut chosen, sent, answered.status());
            Ok((answered, kept))
        }
        Err(error) => {
            chosen.ended(outcome(error.status()));
            Err(error)
        }
    }
}

/// Notes that the last attempt was answered with this status; answers what is left of it.
fn answered_by(chosen: &mut Chosen<'_>, sent: Instant, status: StatusCode) -> Kept {
    let kept = chosen.ended(outcome(status));
    if let Some(flight) = &kept.flight {
        let now = Instant::now();
        flight.answered(now.saturating_duration_since(sent), now);
    }
    kept
}

/// How an attempt failed that is not the last, for passive health checks.
pub(crate) fn failed(error: &Error) -> Outcome {
    if error.is_timeout() { Outcome::TimedOut } else { Outcome::Broken }
}

/// How an attempt ended by what the client reads: any 504 is a timeout, as in Kong.
pub(crate) fn outcome(status: StatusCode) -> Outcome {
    match status {
        StatusCode::GATEWAY_TIMEOUT => Outcome::TimedOut,
        status => Outcome::Status(status.as_u16()),
    }
}

/// How an attempt went, for the gate.
pub(crate) fn attempt(result: &Result<Answered, Error>) -> Attempt {
    match result {
        Ok(answered) => Attempt::Answered(answered.status()),
        Err(error) => Attempt::Failed(error.fault()),
    }
}
