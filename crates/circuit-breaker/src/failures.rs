//! What counts as a failure.

use std::time::Duration;

use http::StatusCode;
use towergate_core::{Attempt, Context, Fault};

use crate::circuit::Verdict;

/// What counts as a failure of the called service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) statuses: Statuses,
    pub(crate) connect: bool,
    pub(crate) timeout: bool,
    pub(crate) response: bool,
    /// A call that takes longer is a failure whatever its answer.
    pub(crate) slow: Option<Duration>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an answer of what was called.
    Answered(StatusCode),
    /// Without one; the gateway's proxy says why.
    Failed(Fault),
    /// In an error of the inner service that counts.
    Error,
    /// By something in between, such as a cache, or in an error that does not count.
    Elsewhere,
    /// Its future was dropped: whoever wanted the answer went away.
    GivenUp,
}

/// A set of statuses: one bit for each number from 0 to 1023.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Statuses([u64; 16]);

impl Ending {
    /// What an answer means that came back through the layer.
    pub(crate) fn of(cx: &Context, status: StatusCode) -> Self {
        match cx.fault() {
            Some(fault) => Self::Failed(fault),
            None if cx.plan().is_some() && !cx.is_proxied() => Self::Elsewhere,
            None => Self::Answered(status),
        }
    }
}

impl From<Attempt> for Ending {
    fn from(attempt: Attempt) -> Self {
        match attempt {
            Attempt::Answered(status) => Self::Answered(status),
            Attempt::Failed(fault) => Self::Failed(fault),
        }
    }
}

impl FromIterator<u16> for Statuses {
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        let mut set = Self::default();
        for status in statuses {
            if let Some(word) = set.0.get_mut(usize::from(status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        set
    }
}

impl Statuses {
    fn has(&self, status: StatusCode) -> bool {
        let status = status.as_u16();
        self.0.get(usize::from(status / 64)).is_some_and(|word| word >> (status % 64) & 1 == 1)
    }
}

impl Failures {
    /// These statuses; every error; no limit on how long a call takes.
    pub(crate) fn new(statuses: impl IntoIterator<Item = u16>) -> Self {
        Self { statuses: statuses.into_iter().collect(), connect: true, timeout: true, response: true, slow: None }
    }

    /// What a call says that ended so and took so long.
    pub(crate) fn verdict(&self, ending: Ending, took: Duration) -> Verdict {
        let is_slow = self.slow.is_some_and(|limit| took > limit);
        let counts = match ending {
            Ending::Failed(Fault::Client | Fault::Gateway) | Ending::Elsewhere => return Verdict::Nothing,
            Ending::Answered(status) if !self.statuses.has(status) && !is_slow => return Verdict::Success,
            Ending::Answered(_) | Ending::Error => true,
            Ending::Failed(Fault::Connect) => self.connect,
            Ending::Failed(Fault::Timeout) => self.timeout,
            Ending::Failed(Fault::Response) => self.response,
            Ending::GivenUp => false,
        };
        if counts || is_slow { Verdict::Failure } else { Verdict::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use Verdict::{Failure, Nothing, Success};

    use super::*;

    const FAULTS: [Fault; 5] = [Fault::Connect, Fault::Timeout, Fault::Response, Fault::Client, Fault::Gateway];

    fn answered(status: u16) -> Ending {
        Ending::Answered(StatusCode::from_u16(status).unwrap())
    }

    #[test]
    fn statuses_are_judged_one_by_one() {
        let failures = Failures::new([500, 503, 999]);
        for (status, verdict) in
            [(200, Success), (101, Success), (404, Success), (499, Success), (501, Success), (502, Success)]
                .into_iter()
                .chain([(500, Failure), (503, Failure), (999, Failure)])
        {
            assert_eq!(failures.verdict(answered(status), Duration::ZERO), verdict, "{status}");
        }
    }

    #[test]
    fn faults_are_judged_by_kind_and_those_of_others_say_nothing() {
        let all = Failures::new([]);
        let verdicts =
            |failures: &Failures| FAULTS.map(|fault| failures.verdict(Ending::Failed(fault), Duration::ZERO));
        assert_eq!(verdicts(&all), [Failure, Failure, Failure, Nothing, Nothing]);
        let none = Failures { connect: false, timeout: false, response: false, ..all.clone() };
        assert_eq!(verdicts(&none), [Nothing; 5]);
        assert_eq!(verdicts(&Failures { timeout: true, ..none }), [Nothing, Failure, Nothing, Nothing, Nothing]);
        assert_eq!(all.verdict(Ending::Error, Duration::ZERO), Failure);
    }

    #[test]
    fn a_slow_call_is_a_failure_even_if_nobody_waited_for_its_end() {
        let limit = Duration::from_secs(2);
        let failures = Failures { connect: false, slow: Some(limit), ..Failures::new([500]) };
        let (quick, slow) = (limit, limit + Duration::from_millis(1));
        for (ending, at_limit, past_it) in [
            (answered(200), Success, Failure),
            (answered(500), Failure, Failure),
            (Ending::GivenUp, Nothing, Failure),
            (Ending::Failed(Fault::Connect), Nothing, Failure),
            (Ending::Failed(Fault::Client), Nothing, Nothing),
            (Ending::Failed(Fault::Gateway), Nothing, Nothing),
            (Ending::Elsewhere, Nothing, Nothing),
        ] {
            assert_eq!(
                (failures.verdict(ending, quick), failures.verdict(ending, slow)),
                (at_limit, past_it),
                "{ending:?}"
            );
        }
    }
}
