//! What a client reads about its limits.

use crate::{
    period::Period,
    window::{Cell, Span, Window, WindowType},
};
use http::{HeaderName, HeaderValue, header};
use towergate_core::SetValue;

/// Headers to be set on a response.
pub(crate) type Headers = Vec<(HeaderName, Shown)>;

/// What a header shows. A whole number becomes text when it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Whole(u64),
    Text(HeaderValue),
}

impl Shown {
    /// A number as Lua writes it: whole ones without a point.
    pub(crate) fn number(number: f64) -> Self {
        // The numbers that a float tells apart from their neighbours.
        if number.fract() == 0.0 && (0.0..9e15).contains(&number) {
            return Self::Whole(number as u64);
        }
        Self::Text(HeaderValue::from_str(&number.to_string()).unwrap_or(HeaderValue::from_static("0")))
    }
}

impl From<Shown> for HeaderValue {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Whole(number) => number.into(),
            Shown::Text(value) => value,
        }
    }
}

impl From<Shown> for SetValue {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Whole(number) => number.into(),
            Shown::Text(value) => value.into(),
        }
    }
}

/// Which headers tell a client about its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderStyle {
    /// Kong's: `X-RateLimit-Limit-Minute` and `X-RateLimit-Remaining-Minute` for each window, and of
    /// the window with the least left `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`.
    #[default]
    Kong,
    /// Those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers): `RateLimit-Policy` with all
    /// windows, `RateLimit` with the one with the least left.
    Ietf,
    /// Both.
    Both,
    /// None, not even `Retry-After`.
    Hidden,
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const IETF: HeaderName = HeaderName::from_static("ratelimit");
const IETF_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The two headers of a window, and what the first of them says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Names {
    pub(crate) limit: HeaderName,
    pub(crate) remaining: HeaderName,
    shown_limit: Shown,
}

impl Names {
    /// Named after the period of exactly this length, else after the number of seconds.
    pub(crate) fn of(window: &Window) -> Self {
        let period = match window.span {
            Span::Calendar(period) => Some(period),
            Span::Every(size) if size % 1000 == 0 => Period::of_seconds(size / 1000),
            Span::Every(_) => None,
        };
        let (limit, remaining) = match period {
            Some(period) => of_period(period),
            None => (named("x-ratelimit-limit-", &window.label), named("x-ratelimit-remaining-", &window.label)),
        };
        Self { limit, remaining, shown_limit: Shown::number(window.limit) }
    }
}

/// The usual names, which are constants: nobody counts who holds them.
fn of_period(period: Period) -> (HeaderName, HeaderName) {
    let (limit, remaining) = match period {
        Period::Second => ("x-ratelimit-limit-second", "x-ratelimit-remaining-second"),
        Period::Minute => ("x-ratelimit-limit-minute", "x-ratelimit-remaining-minute"),
        Period::Hour => ("x-ratelimit-limit-hour", "x-ratelimit-remaining-hour"),
        Period::Day => ("x-ratelimit-limit-day", "x-ratelimit-remaining-day"),
        Period::Month => ("x-ratelimit-limit-month", "x-ratelimit-remaining-month"),
        Period::Year => ("x-ratelimit-limit-year", "x-ratelimit-remaining-year"),
    };
    (HeaderName::from_static(limit), HeaderName::from_static(remaining))
}

/// A name made of letters and digits of our own, which always is one.
fn named(prefix: &str, name: &str) -> HeaderName {
    HeaderName::try_from(format!("{prefix}{name}")).unwrap_or(LIMIT)
}

/// Of one window: what is left in it, and when there will be more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    /// How much is left after this request.
    pub(crate) remaining: f64,
    /// In how many seconds there will be more, at least one.
    pub(crate) reset: u64,
}

impl State {
    /// The state after a request that was counted or refused.
    pub(crate) fn after(window: &Window, cell: &Cell, admitted: bool, penalty: bool, now: u64) -> Self {
        let counted = if admitted || penalty { cell.cost } else { 0 };
        let left = (window.limit - cell.used(now) - counted as f64).max(0.0);
        let remaining = if cell.kind == WindowType::Sliding { left.floor() } else { left };
        let wait = if admitted {
            cell.end().saturating_sub(now)
        } else {
            cell.wait(now, cell.current.saturating_add(counted))
        };
        Self { remaining, reset: wait.div_ceil(1000).max(1) }
    }
}

/// A number as Lua writes it: whole ones without a point.
pub(crate) fn number(number: f64) -> HeaderValue {
    Shown::number(number).into()
}

/// Kong's headers of all windows.
pub(crate) fn tell_kong(
    windows: &[Window],
    names: &[Names],
    states: &[State],
    mut tell: impl FnMut(HeaderName, Shown),
) {
    for (names, state) in names.iter().zip(states) {
        tell(names.limit.clone(), names.shown_limit.clone());
        tell(names.remaining.clone(), Shown::number(state.remaining));
    }
    let least = least_place(windows, states);
    if let Some((names, state)) = least.and_then(|place| names.get(place).zip(states.get(place))) {
        let least = kong_least(names.shown_limit.clone(), Shown::number(state.remaining), state.reset);
        least.into_iter().for_each(|(name, shown)| tell(name, shown));
    }
}

/// Kong's headers of the one limit of which least is left.
pub(crate) fn kong_least(limit: Shown, remaining: Shown, reset: u64) -> [(HeaderName, Shown); 3] {
    [(LIMIT, limit), (REMAINING, remaining), (RESET, Shown::Whole(reset))]
}

/// The headers of the IETF's draft: all policies, and of the one with the least left, by its name,
/// how much that is and in how many seconds there will be more.
pub(crate) fn ietf(
    policy: Option<HeaderValue>,
    name: &str,
    remaining: f64,
    reset: u64,
) -> impl Iterator<Item = (HeaderName, Shown)> {
    let policy = policy.map(|policy| (IETF_POLICY, Shown::Text(policy)));
    policy.into_iter().chain([(IETF, Shown::Text(ietf_state(name, remaining, reset)))])
}

fn ietf_state(name: &str, remaining: f64, reset: u64) -> HeaderValue {
    let text = format!("\"{name}\";r={};t={reset}", remaining.floor());
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// What `RateLimit-Policy` says of these windows.
pub(crate) fn ietf_policy(windows: &[Window]) -> HeaderValue {
    let one = |window: &Window| {
        let seconds = window.nominal().div_ceil(1000);
        format!("\"{}\";q={};w={seconds}", window.label, window.limit.floor())
    };
    let text = windows.iter().map(one).collect::<Vec<_>>().join(", ");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// `Retry-After` in seconds.
pub(crate) fn retry_after(seconds: u64) -> (HeaderName, Shown) {
    (header::RETRY_AFTER, Shown::Whole(seconds))
}

/// The window with the least left; of several the longest.
pub(crate) fn least<'a>(windows: &'a [Window], states: &'a [State]) -> Option<(&'a Window, &'a State)> {
    least_place(windows, states).and_then(|place| windows.get(place).zip(states.get(place)))
}

fn least_place(windows: &[Window], states: &[State]) -> Option<usize> {
    let places = windows.iter().zip(states).enumerate();
    let least = places.min_by(|(_, (window, state)), (_, (other_window, other))| {
        state.remaining.total_cmp(&other.remaining).then_with(|| other_window.nominal().cmp(&window.nominal()))
    });
    least.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn windows_of_a_periods_length_are_named_after_it() {
        let name = |milliseconds| {
            let window = Window::every(Duration::from_millis(milliseconds), WindowType::Fixed, 1.0);
            Names::of(&window).remaining.to_string()
        };
        let cases = [
            (1000, "second"),
            (60_000, "minute"),
            (3_600_000, "hour"),
            (86_400_000, "day"),
            (2_592_000_000, "month"),
            (31_536_000_000, "year"),
            (30_000, "30"),
            (1500, "1.5"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(name(milliseconds), format!("x-ratelimit-remaining-{expected}"));
        }
        let names = Names::of(&Window::calendar(Period::Year, 1.0));
        assert_eq!(names.limit, "x-ratelimit-limit-year");
    }

    #[test]
    fn numbers_are_written_as_lua_does() {
        for (value, expected) in [(0.0, "0"), (10.0, "10"), (1.5, "1.5"), (9e14, "900000000000000")] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn the_least_left_counts_and_of_several_the_longest_window() {
        let windows = [Period::Second, Period::Minute, Period::Hour].map(|period| Window::calendar(period, 10.0));
        let of = |remaining: [f64; 3]| {
            let states = remaining.map(|remaining| State { remaining, reset: 1 });
            least(&windows, &states).unwrap().0.label.to_string()
        };
        assert_eq!(of([3.0, 2.0, 5.0]), "minute");
        assert_eq!(of([2.0, 2.0, 5.0]), "minute");
        assert_eq!(of([2.0, 2.0, 2.0]), "hour");
    }

    #[test]
    fn the_draft_of_the_ietf() {
        let windows =
            [Window::calendar(Period::Minute, 10.0), Window::every(Duration::from_secs(30), WindowType::Fixed, 5.0)];
        assert_eq!(ietf_policy(&windows), "\"minute\";q=10;w=60, \"30\";q=5;w=30");
        assert_eq!(ietf_state("minute", 3.7, 12), "\"minute\";r=3;t=12");
    }
}
