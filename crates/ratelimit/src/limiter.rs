//! From what a store counted to what is done with the request.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode, request::Parts};
use smallvec::SmallVec;
use towergate_core::{Context, Outcome, PerWorker, Reply, Verdict};

use crate::{
    headers::{self, HeaderStyle, Headers, Names, Shown, State},
    identifier::Source,
    store::{Count, Counted, Counting, Store, StoreError, milliseconds},
    window::{Cell, Window},
};

/// Checks requests against windows.
#[derive(Debug)]
pub(crate) struct Limiter {
    pub(crate) source: Source,
    rule: PerWorker<Rule>,
    store: Arc<dyn Store>,
}

/// What holds for everybody.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The windows, the shortest first.
    pub(crate) windows: Vec<Window>,
    /// The headers about them.
    pub(crate) style: HeaderStyle,
    /// The status of a refusal.
    pub(crate) status: StatusCode,
    /// The message of a refusal.
    pub(crate) message: String,
    /// Whether refused requests count, too.
    pub(crate) penalty: bool,
    /// `Retry-After` may say so many seconds more.
    pub(crate) jitter: u64,
    /// Whether a request passes when the store does not answer.
    pub(crate) fault_tolerant: bool,
    /// The headers' names, and what does not change: made by `prepared`.
    names: Vec<Names>,
    policy: Option<HeaderValue>,
}

impl Rule {
    /// These windows, with Kong's headers and refusal.
    pub(crate) fn new(windows: Vec<Window>) -> Self {
        Self {
            windows,
            style: HeaderStyle::Kong,
            status: StatusCode::TOO_MANY_REQUESTS,
            message: "API rate limit exceeded".to_owned(),
            penalty: false,
            jitter: 0,
            fault_tolerant: true,
            names: Vec::new(),
            policy: None,
        }
    }

    /// The same with what is made once: the names of headers.
    fn prepared(&self) -> Self {
        let names = self.windows.iter().map(Names::of).collect();
        Self { names, policy: Some(headers::ietf_policy(&self.windows)), ..self.clone() }
    }
}

impl Limiter {
    /// Counts in this store.
    pub(crate) fn new(source: Source, rule: Rule, store: Arc<dyn Store>) -> Self {
        Self { source, rule: PerWorker::new(move || rule.prepared()), store }
    }

    /// Whether this request may go on.
    pub(crate) fn check(&self, cx: &Context, head: &Parts) -> Verdict {
        let Some(identifier) = self.source.identify(cx, head) else { return Verdict::Pass };
        let rule = self.rule.own();
        let now = milliseconds(cx.timing.started_at());
        let mut count = Count::new(identifier, &rule.windows, now);
        count.penalty = rule.penalty;
        // What most requests come to: nothing is moved, and the headers take no list of their own.
        if let Some(admitted) = self.store.count_now(&mut count) {
            if admitted {
                rule.tell_admitted(cx, &count.cells, now);
                return Verdict::Pass;
            }
            return rule.decide(Ok(Counted { admitted, cells: count.cells }), now).verdict(cx);
        }
        match self.store.count(count) {
            Counting::Done(counted) => rule.decide(counted, now).verdict(cx),
            Counting::Later(counting) => {
                let rule = rule.clone();
                Verdict::wait(async move { rule.decide(counting.await, now).outcome() })
            }
        }
    }
}

/// Sets these headers of the response to come.
pub(crate) fn set(cx: &Context, headers: Headers) {
    if !headers.is_empty() {
        cx.change_response_headers(|set| headers.into_iter().for_each(|(name, shown)| set.set(name, shown.into())));
    }
}

/// What is done with a request.
enum Decision {
    /// It goes on, and the response tells this.
    Pass(Headers),
    /// It is answered so.
    Refuse(Reply),
}

impl Decision {
    fn verdict(self, cx: &Context) -> Verdict {
        match self {
            Self::Pass(headers) => {
                set(cx, headers);
                Verdict::Pass
            }
            Self::Refuse(reply) => Verdict::Refuse(reply),
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Pass(headers) if headers.is_empty() => Outcome::Pass,
            Self::Pass(headers) => Outcome::PassWith(Box::new(move |cx, _| set(cx, headers))),
            Self::Refuse(reply) => Outcome::Refuse(reply),
        }
    }
}

type States = SmallVec<[State; 2]>;

impl Rule {
    fn decide(&self, counted: Result<Counted, StoreError>, now: u64) -> Decision {
        match counted {
            Ok(counted) => self.judge(&counted, now),
            // The store has logged it; the client is told nothing of limits that nobody knows.
            Err(_) if self.fault_tolerant => Decision::Pass(Headers::new()),
            Err(_) => Decision::Refuse(unavailable()),
        }
    }

    /// Of each window, how it stands now.
    fn states(&self, admitted: bool, cells: &[Cell], now: u64) -> States {
        let after = |(window, cell)| State::after(window, cell, admitted, self.penalty, now);
        self.windows.iter().zip(cells).map(after).collect()
    }

    /// Tells the client of a request that was let through about its limits.
    fn tell_admitted(&self, cx: &Context, cells: &[Cell], now: u64) {
        if self.style == HeaderStyle::Hidden {
            return;
        }
        let states = self.states(true, cells, now);
        cx.change_response_headers(|set| self.tell(&states, |name, shown| set.set(name, shown.into())));
    }

    /// Tells the client about its limits.
    fn tell(&self, states: &[State], mut tell: impl FnMut(HeaderName, Shown)) {
        if matches!(self.style, HeaderStyle::Kong | HeaderStyle::Both) {
            headers::tell_kong(&self.windows, &self.names, states, &mut tell);
        }
        if let (HeaderStyle::Ietf | HeaderStyle::Both, Some((window, state))) =
            (self.style, headers::least(&self.windows, states))
        {
            let headers = headers::ietf(self.policy.clone(), &window.label, state.remaining, state.reset);
            headers.for_each(|(name, shown)| tell(name, shown));
        }
    }

    fn judge(&self, counted: &Counted, now: u64) -> Decision {
        let (states, mut headers) = (self.states(counted.admitted, &counted.cells, now), Headers::new());
        self.tell(&states, |name, shown| headers.push((name, shown)));
        if counted.admitted {
            return Decision::Pass(headers);
        }
        if self.style != HeaderStyle::Hidden {
            headers.push(headers::retry_after(self.retry_after(&states)));
        }
        Decision::Refuse(refusal(self.status, &self.message, headers))
    }

    /// In how many seconds the client may come again.
    fn retry_after(&self, states: &[State]) -> u64 {
        let reset = headers::least(&self.windows, states).map_or(1, |(_, state)| state.reset);
        let more = if self.jitter == 0 { 0 } else { fastrand::u64(0..=self.jitter) };
        reset.saturating_add(more)
    }
}

/// The answer to a request that exceeds a limit.
pub(crate) fn refusal(
    status: StatusCode,
    message: &str,
    headers: impl IntoIterator<Item = (HeaderName, Shown)>,
) -> Reply {
    let reply = Reply::error(status, message.to_owned());
    headers.into_iter().fold(reply, |reply, (name, value)| reply.with_header(name, value.into()))
}

/// The answer when the store does not and that is not tolerated.
pub(crate) fn unavailable() -> Reply {
    Reply::exit(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
}
