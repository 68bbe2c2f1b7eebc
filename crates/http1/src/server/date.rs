//! The `Date` header's value, made once per second and thread.

use std::{
    cell::Cell,
    time::{SystemTime, UNIX_EPOCH},
};

/// `Sun, 06 Nov 1994 08:49:37 GMT`
type Text = [u8; 29];

thread_local! {
    static LATEST: Cell<(u64, Text)> = const { Cell::new((u64::MAX, [b' '; 29])) };
}

/// Writes the time as it is now.
pub(super) fn put_now(out: &mut Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (second, mut text) = LATEST.get();
    if second != now {
        text = format(now);
        LATEST.set((now, text));
    }
    out.extend_from_slice(&text);
}

/// An HTTP date (RFC 9110, section 5.6.7) of so many seconds after 1970 began.
fn format(seconds: u64) -> Text {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], at: u64| usize::try_from(at).ok().and_then(|at| names.get(at).copied());
    let line = format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        name(&WEEKDAYS, days % 7).unwrap_or_default(),
        name(&MONTHS, month).unwrap_or_default(),
        rest / 3600,
        rest / 60 % 60,
        rest % 60,
    );
    // Until the year 9999; after that there is no HTTP date.
    line.as_bytes().try_into().unwrap_or([b' '; 29])
}

/// Year, month (from 0) and day (from 1), counted in years that begin in March, so that a leap day
/// is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    // Days between the first of March of the year 0 and 1970.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_calendars_say() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(format(seconds), text.as_bytes(), "{text}");
        }
    }

    #[test]
    fn now_is_written_whole() {
        let mut out = Vec::new();
        put_now(&mut out);
        put_now(&mut out);
        assert_eq!(out.len(), 58);
        assert!(out.ends_with(b" GMT"));
    }
}
