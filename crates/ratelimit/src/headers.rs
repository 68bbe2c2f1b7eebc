//! What a client reads about its limits.

use crate::{
    period::Period,
    window::{Cell, Span, Window, WindowType},
};
use http::{HeaderName, HeaderValue, header};

/// Headers to be set on a response.
pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

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
    shown_limit: HeaderValue,
}

impl Names {
    /// Named after the period of exactly this length, else after the number of seconds.
    pub(crate) fn of(window: &Window) -> Self {
        let period = match window.span {
            Span::Calendar(period) => Some(period),
            Span::Every(size) if size % 1000 == 0 => Period::of_seconds(size / 1000),
            Span::Every(_) => None,
        };
        let name = period.map_or_else(|| window.label.to_string(), |period| period.name().to_owned());
        Self {
            limit: named("x-ratelimit-limit-", &name),
            remaining: named("x-ratelimit-remaining-", &name),
            shown_limit: number(window.limit),
        }
    }
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
    // The numbers that a float tells apart from their neighbours.
    if number.fract() == 0.0 && (0.0..9e15).contains(&number) {
        return whole(number as u64);
    }
    HeaderValue::from_str(&number.to_string()).unwrap_or(HeaderValue::from_static("0"))
}

/// A whole number.
fn whole(number: u64) -> HeaderValue {
    HeaderValue::from_str(itoa::Buffer::new().format(number)).unwrap_or(HeaderValue::from_static("0"))
}

/// Kong's headers of all windows.
pub(crate) fn write_kong(headers: &mut Headers, windows: &[Window], names: &[Names], states: &[State]) {
    let (least, mut shown_least) = (least_place(windows, states), None);
    for (place, (names, state)) in names.iter().zip(states).enumerate() {
        let remaining = number(state.remaining);
        if least == Some(place) {
            shown_least = Some(kong_least(names.shown_limit.clone(), remaining.clone(), state.reset));
        }
        headers.push((names.limit.clone(), names.shown_limit.clone()));
        headers.push((names.remaining.clone(), remaining));
    }
    headers.extend(shown_least.into_iter().flatten());
}

/// Kong's headers of the one limit of which least is left.
pub(crate) fn kong_least(limit: HeaderValue, remaining: HeaderValue, reset: u64) -> [(HeaderName, HeaderValue); 3] {
    [(LIMIT, limit), (REMAINING, remaining), (RESET, whole(reset))]
}

/// The headers of the IETF's draft: all policies, and of the one with the least left, by its name,
/// how much that is and in how many seconds there will be more.
pub(crate) fn ietf(
    policy: Option<HeaderValue>,
    name: &str,
    remaining: f64,
    reset: u64,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let policy = policy.map(|policy| (IETF_POLICY, policy));
    policy.into_iter().chain([(IETF, ietf_state(name, remaining, reset))])
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
pub(crate) fn retry_after(seconds: u64) -> (HeaderName, HeaderValue) {
    (header::RETRY_AFTER, HeaderValue::from(seconds))
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
