//! When a circuit opens and closes.

use std::{num::NonZeroU32, time::Duration};

/// When a circuit opens and closes.
///
/// Two rules open it, either of which may be left out: failures in a row, and the share of
/// failures among the calls of the sliding window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Opens after so many failures in a row, each at most a window after the one before. Default 5.
    pub failure_threshold: Option<NonZeroU32>,
    /// Opens when at least so many per cent of the window's calls failed. Default `None`.
    pub error_percentage: Option<f64>,
    /// How many calls the window must hold before `error_percentage` says anything. Default 10.
    pub min_requests: u32,
    /// How far back calls count; a call is forgotten between nine tenths of it and all of it. Default 60 seconds.
    pub window: Duration,
    /// How long it stays open before it is tried whether calls succeed again. Default 30 seconds.
    pub reset_timeout: Duration,
    /// How many trial calls may be under way at once while it is half open. Default 1.
    pub half_open_max_requests: NonZeroU32,
    /// How many trial calls must succeed for it to close. Default 1.
    pub success_threshold: NonZeroU32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            failure_threshold: NonZeroU32::new(5),
            error_percentage: None,
            min_requests: 10,
            window: Duration::from_secs(60),
            reset_timeout: Duration::from_secs(30),
            half_open_max_requests: NonZeroU32::MIN,
            success_threshold: NonZeroU32::MIN,
        }
    }
}

/// Why a circuit changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Closed to open: so many failures in a row.
    Row(u32),
    /// Closed to open: the share of failures in the window.
    Share {
        /// Failed calls of the window.
        failures: u32,
        /// All calls of the window that succeeded or failed.
        requests: u32,
    },
    /// Open to half open: the reset timeout is over, and a call has come.
    Waited,
    /// Half open to open: a trial call failed.
    TrialFailed,
    /// Half open to closed: so many trial calls succeeded.
    Recovered(u32),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Row(failures) => write!(f, "{failures} failures in a row"),
            Self::Share { failures, requests } => write!(f, "{failures} of the last {requests} calls failed"),
            Self::Waited => f.write_str("the reset timeout is over"),
            Self::TrialFailed => f.write_str("a trial call failed"),
            Self::Recovered(1) => f.write_str("a trial call succeeded"),
            Self::Recovered(successes) => write!(f, "{successes} trial calls succeeded"),
        }
    }
}

impl Rules {
    /// Why a closed circuit with these counts opens; `None` if it stays closed.
    pub(crate) fn trip(&self, row: u32, failures: u32, requests: u32) -> Option<Reason> {
        if self.failure_threshold.is_some_and(|threshold| row >= threshold.get()) {
            return Some(Reason::Row(row));
        }
        let percentage = self.error_percentage?;
        let is_share = f64::from(failures) * 100.0 >= percentage * f64::from(requests);
        (requests >= self.min_requests && is_share).then_some(Reason::Share { failures, requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_circuit() {
        let five = NonZeroU32::new(5);
        let rules = |failure_threshold, error_percentage| Rules {
            failure_threshold,
            error_percentage,
            min_requests: 10,
            ..Rules::default()
        };
        let share = |failures, requests| Some(Reason::Share { failures, requests });
        for (rules, (row, failures, requests), expected) in [
            (rules(five, None), (4, 100, 100), None),
            (rules(five, None), (5, 5, 5), Some(Reason::Row(5))),
            (rules(None, Some(50.0)), (9, 9, 9), None),
            (rules(None, Some(50.0)), (1, 5, 10), share(5, 10)),
            (rules(None, Some(50.0)), (1, 5, 11), None),
            (rules(None, Some(0.1)), (1, 1, 1000), share(1, 1000)),
            (rules(None, Some(0.1)), (1, 1, 1001), None),
            (rules(None, Some(100.0)), (10, 10, 10), share(10, 10)),
            (rules(None, Some(100.0)), (10, 10, 11), None),
            (rules(five, Some(50.0)), (4, 5, 10), share(5, 10)),
            (rules(five, Some(50.0)), (5, 5, 10), Some(Reason::Row(5))),
        ] {
            assert_eq!(rules.trip(row, failures, requests), expected, "{rules:?} {row} {failures}/{requests}");
        }
    }
}
