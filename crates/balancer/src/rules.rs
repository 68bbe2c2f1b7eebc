//! What an answer or its lack means for a target's health.

use towergate_core::HealthRules;

use crate::state::Report;

/// How an attempt at a target went, or a question to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This status came.
    Status(u16),
    /// An answer came that is not HTTP.
    NotHttp,
    /// It took a connection, and nothing more was asked.
    Connected,
    /// The connection was refused or broke, or there was no agreement on TLS.
    Broken,
    /// Nothing came in time.
    TimedOut,
}

/// [`HealthRules`], with statuses that are looked up in no time.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    rules: HealthRules,
    good: Statuses,
    bad: Statuses,
}

impl Rules {
    /// These rules.
    #[must_use]
    pub fn new(rules: HealthRules) -> Self {
        Self { good: Statuses::of(&rules.good_statuses), bad: Statuses::of(&rules.bad_statuses), rules }
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &HealthRules {
        &self.rules
    }

    /// What an outcome means; `None` for a status that is neither good nor bad.
    #[must_use]
    pub fn judge(&self, outcome: Outcome) -> Option<Report> {
        match outcome {
            Outcome::Status(status) if self.good.contain(status) => Some(Report::Success),
            Outcome::Status(status) if self.bad.contain(status) => Some(Report::HttpFailure),
            Outcome::Status(_) => None,
            Outcome::NotHttp => Some(Report::HttpFailure),
            Outcome::Connected => Some(Report::Success),
            Outcome::Broken => Some(Report::TcpFailure),
            Outcome::TimedOut => Some(Report::Timeout),
        }
    }
}

/// A set of statuses, a bit for each.
#[derive(Debug, Clone, PartialEq)]
struct Statuses([u64; 16]);

impl Statuses {
    fn of(statuses: &[u16]) -> Self {
        let mut bits = [0; 16];
        for status in statuses {
            if let Some(word) = bits.get_mut(usize::from(status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        Self(bits)
    }

    fn contain(&self, status: u16) -> bool {
        self.0.get(usize::from(status / 64)).is_some_and(|word| word >> (status % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_count_as_the_lists_say() {
        let rules = Rules::new(HealthRules {
            good_statuses: vec![200, 302, 999],
            bad_statuses: vec![429, 500, 200],
            ..HealthRules::default()
        });
        for (outcome, report) in [
            (Outcome::Status(200), Some(Report::Success)),
            (Outcome::Status(999), Some(Report::Success)),
            (Outcome::Status(500), Some(Report::HttpFailure)),
            (Outcome::Status(204), None),
            (Outcome::Status(401), None),
            (Outcome::Status(u16::MAX), None),
            (Outcome::NotHttp, Some(Report::HttpFailure)),
            (Outcome::Connected, Some(Report::Success)),
            (Outcome::Broken, Some(Report::TcpFailure)),
            (Outcome::TimedOut, Some(Report::Timeout)),
        ] {
            assert_eq!(rules.judge(outcome), report, "{outcome:?}");
        }
    }
}
