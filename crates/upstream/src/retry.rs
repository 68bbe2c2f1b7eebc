//! The attempts of a request by rules of its own: [`RetryRules`].

use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{sleep, sleep_until, timeout_at};
use towergate_core::{Part, RetryRules, Tries};

use crate::{
    attempts::{Ended, attempt, ended, failed, outcome},
    chosen::{Affinity, Chosen, Kept, Tried},
    destination::Destination,
    error::{Error, Kind},
    exchange::{Answered, Exchange},
    forward,
};

/// Tries until an answer comes that is good enough, or nothing more may be tried.
pub(crate) async fn attempts(
    exchange: &Exchange<'_>,
    destination: &Destination,
    rules: &RetryRules,
    tries: &mut Option<Box<Tries>>,
    affinity: Affinity<'_>,
) -> Ended {
    let target = forward::target(exchange.cx, exchange.head).ok_or_else(|| Error::new(Kind::BadRequest))?;
    let deadline = rules.deadline.and_then(|limit| Instant::now().checked_add(limit));
    let errand = Errand { exchange, destination, rules, target, deadline };
    let (tried, left) = (Tried::new(exchange.cx, affinity), rules.retries.unwrap_or(exchange.service.retries));
    if let Some(budget) = &rules.budget {
        budget.deposit();
    }
    Governed { errand, tried, tries, left }.run().await
}

/// What is to be done, the same for all attempts.
#[derive(Clone, Copy)]
struct Errand<'e, 'a> {
    exchange: &'e Exchange<'a>,
    destination: &'e Destination,
    rules: &'e RetryRules,
    target: [&'e str; 3],
    deadline: Option<Instant>,
}

/// What has been done so far.
struct Governed<'e, 'a, 't> {
    errand: Errand<'e, 'a>,
    tried: Tried<'e>,
    tries: &'t mut Option<Box<Tries>>,
    /// How many further attempts may be made.
    left: u32,
}

/// An attempt that is over.
struct Run<'e> {
    chosen: Chosen<'e>,
    started: Instant,
    sent: Instant,
    result: Result<Answered, Error>,
}

impl<'e> Governed<'e, '_, '_> {
    async fn run(mut self) -> Ended {
        let mut before: Option<Run<'e>> = None;
        let mut failures = 0;
        loop {
            let started = Instant::now();
            let spans = &self.errand.exchange.cx.spans;
            spans.begin(|| Part::Attempt);
            let chosen = match self.pick(started).await {
                Ok(chosen) => chosen,
                Err(error) => {
                    spans.end();
                    return nowhere(error, before);
                }
            };
            if let Some(run) = before.take() {
                run.give_up(self.errand.exchange).await;
            }
            let run = self.race(chosen, started).await;
            spans.end();
            if !self.errand.is_failure(&run.result) || !self.takes_another() {
                return ended(run.chosen, run.sent, run.result);
            }
            failures += 1;
            if !self.errand.pause(failures).await {
                return ended(run.chosen, run.sent, run.result);
            }
            tracing::debug!(upstream = %run.chosen.peer.address, "Trying again");
            before = Some(self.failed(run));
        }
    }

    async fn pick(&self, now: Instant) -> Result<Chosen<'e>, Error> {
        self.errand.destination.pick(&self.errand.exchange.worker.resolver, &self.tried, now).await
    }

    /// Whether one more attempt may be made; then it is counted.
    fn takes_another(&mut self) -> bool {
        let is_late = self.errand.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if self.left == 0 || is_late || self.errand.rules.budget.as_ref().is_some_and(|budget| !budget.withdraw()) {
            return false;
        }
        self.left -= 1;
        true
    }

    /// An attempt, and further ones beside it while it takes too long: the first good answer, or the
    /// last failure.
    async fn race(&mut self, chosen: Chosen<'e>, started: Instant) -> Run<'e> {
        let hedging = self.errand.hedging();
        let mut running = FuturesUnordered::new();
        self.begin(&chosen, hedging);
        running.push(self.errand.attempt(chosen, started, hedging.is_some()));
        let mut hedge_at = hedging.and_then(|after| started.checked_add(after));
        loop {
            tokio::select! {
                biased;
                Some(mut run) = running.next() => {
                    self.note(&mut run);
                    if running.is_empty() || !self.errand.is_failure(&run.result) {
                        return run;
                    }
                    self.failed(run).give_up(self.errand.exchange).await;
                }
                () = until(hedge_at) => {
                    let now = Instant::now();
                    hedge_at = None;
                    if let Some(chosen) = self.hedge(now).await {
                        self.begin(&chosen, hedging);
                        running.push(self.errand.attempt(chosen, now, true));
                        hedge_at = hedging.and_then(|after| now.checked_add(after));
                    }
                }
            }
        }
    }

    /// Those that are under way are tried as much as those that failed, where others run beside.
    fn begin(&mut self, chosen: &Chosen<'_>, hedging: Option<Duration>) {
        if hedging.is_some() {
            self.tried.addresses.push(chosen.peer.address);
        }
    }

    /// Another target to try beside those under way, if there is one and the rules allow it.
    async fn hedge(&mut self, now: Instant) -> Option<Chosen<'e>> {
        if self.left == 0 {
            return None;
        }
        let chosen = self.pick(now).await.ok()?;
        let is_new = !self.tried.addresses.contains(&chosen.peer.address);
        (is_new && self.takes_another()).then_some(chosen)
    }

    /// Tells logs and the gate how an attempt went.
    fn note(&mut self, run: &mut Run<'_>) {
        let Run { chosen, started, sent, result } = run;
        if let Some(tries) = &mut self.tries {
            tries.push(self.errand.exchange.note(&chosen.peer, *started, *sent, result));
        }
        chosen.report(|| attempt(result));
    }

    /// Tells passive health checks of an attempt that another follows.
    fn failed(&mut self, mut run: Run<'e>) -> Run<'e> {
        run.chosen.failed(match &run.result {
            Ok(answered) => outcome(answered.status()),
            Err(error) => failed(error),
        });
        self.tried.addresses.push(run.chosen.peer.address);
        run
    }
}

impl<'e> Errand<'e, '_> {
    /// Whether another attempt makes sense.
    fn is_failure(&self, result: &Result<Answered, Error>) -> bool {
        let may_repeat = self.rules.may_repeat(&self.exchange.head.method);
        let is_failure = match result {
            Ok(answered) => may_repeat && self.rules.is_failure(answered.status()),
            Err(error) => error.is_retryable_if(may_repeat),
        };
        is_failure && self.exchange.body.can_replay()
    }

    /// After how long others are tried beside, if they are: the request must be one that may be sent more
    /// than once at the same time.
    fn hedging(&self) -> Option<Duration> {
        let exchange = self.exchange;
        let may_hedge =
            self.rules.may_repeat(&exchange.head.method) && exchange.body.is_at_hand() && exchange.wish.is_none();
        self.rules.hedge_after.filter(|_| may_hedge)
    }

    /// Waits before another attempt; `false` at once if the deadline would pass meanwhile.
    async fn pause(&self, failures: u32) -> bool {
        let Some(backoff) = self.rules.backoff else { return true };
        let pause = backoff.pause(failures, fastrand::u32(..));
        let end = Instant::now().checked_add(pause);
        if self.deadline.is_some_and(|deadline| end.is_none_or(|end| end >= deadline)) {
            return false;
        }
        sleep(pause).await;
        true
    }

    async fn attempt(self, mut chosen: Chosen<'e>, started: Instant, is_raced: bool) -> Run<'e> {
        let sent = if chosen.peer.was_asked_for { Instant::now() } else { started };
        self.exchange.cx.timing.mark_sent(sent);
        if is_raced {
            chosen.race(sent);
        }
        let attempt = self.exchange.attempt(self.destination, &chosen.peer, &self.target, &sent);
        let result = match self.limit(sent) {
            None => attempt.await,
            Some((end, late)) => match timeout_at(end.into(), attempt).await {
                Ok(result) => result,
                Err(_) => Err(Error::new(late)),
            },
        };
        Run { chosen, started, sent, result }
    }

    /// When an attempt that begins now is over at the latest, and what that means.
    fn limit(&self, now: Instant) -> Option<(Instant, Kind)> {
        let by_try = self.rules.try_timeout.and_then(|limit| Some((now.checked_add(limit)?, Kind::TryTimeout(limit))));
        let whole = self.deadline.zip(self.rules.deadline).map(|(end, limit)| (end, Kind::Deadline(limit)));
        match (by_try, whole) {
            (Some(by_try), Some(whole)) => Some(if by_try.0 < whole.0 { by_try } else { whole }),
            (by_try, whole) => by_try.or(whole),
        }
    }
}

impl Run<'_> {
    /// Lets go of what nobody wants any more.
    async fn give_up(self, exchange: &Exchange<'_>) {
        if let Ok(answered) = self.result {
            answered.discard(&exchange.worker.pool).await;
        }
    }
}

/// The answer to a request for which no further target can be picked: a request that has been
/// answered gets that, bad as it is, and one of which nothing may be tried is told what became of what
/// was.
fn nowhere(error: Error, before: Option<Run<'_>>) -> Ended {
    match before.map(|run| run.result) {
        Some(Ok(answered)) => Ok((answered, Kept::default())),
        Some(Err(failure)) if error.is_barred() => Err(failure),
        _ => Err(error),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
