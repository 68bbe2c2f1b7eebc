//! When a request says it was made.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header};

const X_DATE: HeaderName = HeaderName::from_static("x-date");

/// Whether `X-Date`, or else `Date`, is not further than `skew` from now. As in Kong either is enough.
pub(super) fn is_near(headers: &HeaderMap, now: SystemTime, skew: Duration) -> bool {
    [X_DATE, header::DATE].iter().filter_map(|name| moment(headers, name)).any(|moment| {
        let difference = moment.duration_since(now).or_else(|_| now.duration_since(moment)).unwrap_or(Duration::MAX);
        // Dates have no fractions; now is the second it is in.
        Duration::from_secs(difference.as_secs()) <= skew
    })
}

/// The moment in this header: one of the three forms of RFC 9110 section 5.6.7, or the first of them
/// with another name for its time zone. Of several lines none counts.
fn moment(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let text = line.to_str().ok()?.trim();
    let same_zone = |zone: &str| text.strip_suffix(zone).map(|rest| format!("{rest}GMT"));
    match ["+0000", "-0000", "UTC"].into_iter().find_map(same_zone) {
        Some(text) => httpdate::parse_http_date(&text).ok(),
        None => httpdate::parse_http_date(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const MOMENT: Duration = Duration::from_secs(784_111_777);

    fn is_near(lines: &[(&'static str, &str)], seconds_later: i64) -> bool {
        let header = |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        let headers: HeaderMap = lines.iter().map(header).collect();
        let now = SystemTime::UNIX_EPOCH + MOMENT + Duration::from_millis(400);
        let now = if seconds_later < 0 {
            now - Duration::from_secs(seconds_later.unsigned_abs())
        } else {
            now + Duration::from_secs(seconds_later.unsigned_abs())
        };
        super::is_near(&headers, now, Duration::from_secs(300))
    }

    #[test]
    fn dates_in_all_forms_count() {
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 -0000",
        ] {
            assert!(is_near(&[("date", date)], 0) && is_near(&[("x-date", date)], 0), "{date}");
        }
        for date in ["", "now", "784111777", "Sun, 06 Nov 1994 08:49:37 +0200", "Sun, 36 Nov 1994 08:49:37 GMT"] {
            assert!(!is_near(&[("date", date)], 0), "{date}");
        }
    }

    #[test]
    fn the_skew_is_kept_on_both_sides() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (later, near) in [(0, true), (300, true), (301, false), (-300, true), (-302, false), (1_000_000_000, false)]
        {
            assert_eq!(is_near(&[("date", date)], later), near, "{later}");
        }
    }

    #[test]
    fn one_good_date_is_enough_but_not_one_of_two_lines() {
        let (good, old) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1984 08:49:37 GMT");
        let cases: [(&[(&'static str, &str)], bool); 6] = [
            (&[], false),
            (&[("x-date", "bad"), ("date", good)], true),
            (&[("x-date", old), ("date", good)], true),
            (&[("x-date", good), ("date", old)], true),
            (&[("date", good), ("date", good)], false),
            (&[("x-date", old)], false),
        ];
        for (lines, near) in cases {
            assert_eq!(is_near(lines, 10), near, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(date in "[A-Za-z0-9 ,:+-]{0,40}(GMT|UTC|[+]0000)?") {
            is_near(&[("date", &date)], 0);
        }
    }
}
