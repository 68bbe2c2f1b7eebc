//! Kong's state machine of one target's health.

use towergate_core::HealthRules;

/// How well a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Well.
    #[default]
    Healthy,
    /// Well, with some failures counted.
    MostlyHealthy,
    /// Not well, with some successes counted.
    MostlyUnhealthy,
    /// Not well.
    Unhealthy,
}

/// What was noticed of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Report {
    /// A good answer, or a connection where only that was asked for.
    Success,
    /// A bad status, or none at all in what was answered.
    HttpFailure,
    /// A connection that was refused or broke.
    TcpFailure,
    /// Nothing in time.
    Timeout,
}

/// A target's health: its status, and what was counted towards the next one.
///
/// The rules are those of lua-resty-healthcheck, which Kong uses:
///
/// * a kind of report whose limit is 0 is ignored;
/// * successes are not counted while the target is healthy, nor failures while it is unhealthy;
/// * a success takes all failures back, and a failure all successes; the three kinds of failures are
///   counted each for itself;
/// * when a count reaches its limit, the status changes at once;
/// * the first failure of a healthy target makes it mostly healthy, and the first success of an
///   unhealthy one mostly unhealthy, which changes nothing about its use.
///
/// ```
/// use towergate_balancer::{Report, State};
/// use towergate_core::HealthRules;
///
/// let rules = HealthRules { successes: 1, tcp_failures: 2, ..HealthRules::default() };
/// let state = State::default().after(Report::TcpFailure, &rules);
/// assert!(state.is_in_rotation());
/// let state = state.after(Report::TcpFailure, &rules);
/// assert!(!state.is_in_rotation());
/// assert!(state.after(Report::Success, &rules).is_in_rotation());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// How well it is.
    pub status: Status,
    counts: [u8; 4],
}

impl Report {
    fn is_success(self) -> bool {
        self == Self::Success
    }

    /// How many such reports count.
    fn limit(self, rules: &HealthRules) -> u8 {
        match self {
            Self::Success => rules.successes,
            Self::HttpFailure => rules.http_failures,
            Self::TcpFailure => rules.tcp_failures,
            Self::Timeout => rules.timeouts,
        }
    }
}

impl State {
    /// What somebody has decided, nothing counted.
    #[must_use]
    pub fn decided(healthy: bool) -> Self {
        Self { status: if healthy { Status::Healthy } else { Status::Unhealthy }, counts: [0; 4] }
    }

    /// Whether the target gets requests.
    #[must_use]
    pub fn is_in_rotation(self) -> bool {
        matches!(self.status, Status::Healthy | Status::MostlyHealthy)
    }

    /// How many reports of this kind are counted.
    #[must_use]
    pub fn count(self, report: Report) -> u8 {
        let [successes, http_failures, tcp_failures, timeouts] = self.counts;
        match report {
            Report::Success => successes,
            Report::HttpFailure => http_failures,
            Report::TcpFailure => tcp_failures,
            Report::Timeout => timeouts,
        }
    }

    /// The state after one more report.
    #[must_use]
    pub fn after(self, report: Report, rules: &HealthRules) -> Self {
        let limit = report.limit(rules);
        let goal = if report.is_success() { Status::Healthy } else { Status::Unhealthy };
        if limit == 0 || self.status == goal {
            return self;
        }
        let count = self.count(report).saturating_add(1);
        let counts = self.with(report, count);
        let status = match self.status {
            _ if count >= limit => goal,
            Status::Healthy => Status::MostlyHealthy,
            Status::Unhealthy => Status::MostlyUnhealthy,
            between => between,
        };
        Self { status, counts }
    }

    /// The counts with this one changed, and those on the other side taken back.
    fn with(self, report: Report, count: u8) -> [u8; 4] {
        let [_, http_failures, tcp_failures, timeouts] = self.counts;
        match report {
            Report::Success => [count, 0, 0, 0],
            Report::HttpFailure => [0, count, tcp_failures, timeouts],
            Report::TcpFailure => [0, http_failures, count, timeouts],
            Report::Timeout => [0, http_failures, tcp_failures, count],
        }
    }

    pub(crate) fn to_bits(self) -> u64 {
        let [a, b, c, d] = self.counts;
        u64::from_be_bytes([0, 0, 0, self.status as u8, a, b, c, d])
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        let [.., status, a, b, c, d] = bits.to_be_bytes();
        let status = match status {
            0 => Status::Healthy,
            1 => Status::MostlyHealthy,
            2 => Status::MostlyUnhealthy,
            _ => Status::Unhealthy,
        };
        Self { status, counts: [a, b, c, d] }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Report; 4] = [Report::Success, Report::HttpFailure, Report::TcpFailure, Report::Timeout];

    fn rules(successes: u8, http_failures: u8, tcp_failures: u8, timeouts: u8) -> HealthRules {
        HealthRules { successes, http_failures, tcp_failures, timeouts, ..HealthRules::default() }
    }

    /// The statuses after each report, written `+` success, `h` HTTP failure, `t` TCP failure, `o` timeout; from `from`.
    fn play(from: State, rules: &HealthRules, reports: &str) -> String {
        let mut state = from;
        let step = |report| {
            state = state.after(
                match report {
                    '+' => Report::Success,
                    'h' => Report::HttpFailure,
                    't' => Report::TcpFailure,
                    _ => Report::Timeout,
                },
                rules,
            );
            match state.status {
                Status::Healthy => 'H',
                Status::MostlyHealthy => 'h',
                Status::MostlyUnhealthy => 'u',
                Status::Unhealthy => 'U',
            }
        };
        reports.chars().map(step).collect()
    }

    #[test]
    fn kongs_rules_one_by_one() {
        let all = rules(2, 3, 2, 2);
        let (well, ill) = (State::default(), State::decided(false));
        for (from, rules, reports, statuses, why) in [
            (well, rules(0, 0, 0, 0), "hto+", "HHHH", "a limit of 0 ignores the event"),
            (well, all.clone(), "hhh", "hhU", "reaching a limit flips at once"),
            (well, all.clone(), "tt", "hU", "each kind has its own limit"),
            (well, all.clone(), "oo", "hU", "timeouts too"),
            (well, all.clone(), "hhtotU", "hhhhUU", "kinds are not added up"),
            (well, all.clone(), "hh+hhh", "hhhhhU", "a success takes failures back"),
            (well, all.clone(), "hh++", "hhhH", "enough successes make it healthy again"),
            (well, all.clone(), "+++h", "HHHh", "successes are not counted while healthy"),
            (ill, all.clone(), "++", "uH", "enough successes flip at once"),
            (ill, all.clone(), "+t++", "uuuH", "a failure takes successes back"),
            (ill, all.clone(), "+tt", "uuU", "enough failures make it unhealthy again"),
            (ill, all.clone(), "tttt+", "UUUUu", "failures are not counted while unhealthy"),
            (ill, rules(0, 1, 1, 1), "++++", "UUUU", "without successes there is no way back"),
            (well, rules(0, 3, 0, 0), "h+h+h", "hhhhU", "successes that are ignored take nothing back"),
        ] {
            assert_eq!(play(from, &rules, reports), statuses, "{why}");
        }
    }

    #[test]
    fn counts_do_not_overflow() {
        let mut state = State::decided(false);
        for _ in 0..300 {
            state = state.after(Report::Success, &rules(255, 0, 0, 0));
        }
        assert!(state.is_in_rotation(), "at 255");
    }

    /// Kong's algorithm told once more, in its own terms: a counter per kind and a status by name.
    #[derive(Default)]
    struct Reference {
        status: &'static str,
        counts: std::collections::HashMap<Report, u32>,
    }

    impl Reference {
        fn report(&mut self, report: Report, limit: u32) {
            let goal = if report == Report::Success { "healthy" } else { "unhealthy" };
            if limit == 0 || self.status == goal {
                return;
            }
            *self.counts.entry(report).or_default() += 1;
            self.counts.retain(|kind, _| (*kind == Report::Success) == (report == Report::Success));
            if self.counts[&report] >= limit {
                self.status = goal;
            } else if self.status == "healthy" {
                self.status = "mostly_healthy";
            } else if self.status == "unhealthy" {
                self.status = "mostly_unhealthy";
            }
        }
    }

    proptest! {
        #[test]
        fn the_state_is_the_references(
            limits in prop::array::uniform4(0u8..5), reports in prop::collection::vec(0usize..4, 0..60)
        ) {
            let rules = rules(limits[0], limits[1], limits[2], limits[3]);
            let mut state = State::default();
            let mut reference = Reference { status: "healthy", ..Reference::default() };
            for report in reports {
                state = State::from_bits(state.after(ALL[report], &rules).to_bits());
                reference.report(ALL[report], limits[report].into());
                let name = match state.status {
                    Status::Healthy => "healthy",
                    Status::MostlyHealthy => "mostly_healthy",
                    Status::MostlyUnhealthy => "mostly_unhealthy",
                    Status::Unhealthy => "unhealthy",
                };
                prop_assert_eq!(name, reference.status);
                for kind in ALL {
                    prop_assert_eq!(u32::from(state.count(kind)), reference.counts.get(&kind).copied().unwrap_or(0));
                }
                prop_assert_eq!(state.is_in_rotation(), reference.status.ends_with("healthy") && !reference.status.ends_with("unhealthy"));
            }
        }
    }
}
