//! Kong's periods: calendar-aligned in UTC.

use time::{Date, Month, OffsetDateTime, UtcOffset};

/// A second, minute, hour, day, month or year of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

const SECOND: u64 = 1000;
const DAY: u64 = 86400 * SECOND;

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Year];

    /// As written in configuration and in keys: `minute`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// As in the names of headers: `Minute`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Second => "Second",
            Self::Minute => "Minute",
            Self::Hour => "Hour",
            Self::Day => "Day",
            Self::Month => "Month",
            Self::Year => "Year",
        }
    }

    /// Its nominal length in seconds: a month has 30 days, a year 365.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86400,
            Self::Month => 30 * 86400,
            Self::Year => 365 * 86400,
        }
    }

    /// The one of exactly this nominal length in seconds.
    pub fn of_seconds(seconds: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.seconds() == seconds)
    }

    /// When the period that `now` lies in began, and how long it is; in milliseconds, the beginning
    /// since 1970.
    pub fn around(self, now: u64) -> (u64, u64) {
        match self {
            Self::Month => {
                calendar(now, |date| (Date::from_calendar_date(date.year(), date.month(), 1).ok(), month(date)))
            }
            Self::Year => calendar(now, |date| (Date::from_ordinal_date(date.year(), 1).ok(), year(date))),
            _ => {
                let size = self.seconds().saturating_mul(SECOND);
                (now.saturating_sub(now % size), size)
            }
        }
    }
}

fn month(date: Date) -> u64 {
    u64::from(date.month().length(date.year()))
}

fn year(date: Date) -> u64 {
    let leap = Month::February.length(date.year()) == 29;
    if leap { 366 } else { 365 }
}

/// The beginning and the length of what a date lies in, of which `of` says the first day and how
/// many there are. Beyond the year 9999, which no clock tells, everything is one day.
fn calendar(now: u64, of: impl Fn(Date) -> (Option<Date>, u64)) -> (u64, u64) {
    let seconds = i64::try_from(now / SECOND).unwrap_or(i64::MAX);
    let date = OffsetDateTime::from_unix_timestamp(seconds).map(OffsetDateTime::date);
    let Ok((Some(first), days)) = date.map(of) else { return (now, DAY) };
    let start = first.midnight().assume_offset(UtcOffset::UTC).unix_timestamp();
    (u64::try_from(start).unwrap_or(0).saturating_mul(SECOND), days.saturating_mul(DAY))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn milliseconds(moment: OffsetDateTime) -> u64 {
        u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap()
    }

    #[test]
    fn periods_begin_with_the_calendar() {
        let now = milliseconds(datetime!(2024-02-29 23:59:58.999 UTC));
        let cases = [
            (Period::Second, datetime!(2024-02-29 23:59:58 UTC), 1),
            (Period::Minute, datetime!(2024-02-29 23:59:00 UTC), 60),
            (Period::Hour, datetime!(2024-02-29 23:00:00 UTC), 3600),
            (Period::Day, datetime!(2024-02-29 00:00:00 UTC), 86400),
            (Period::Month, datetime!(2024-02-01 00:00:00 UTC), 29 * 86400),
            (Period::Year, datetime!(2024-01-01 00:00:00 UTC), 366 * 86400),
        ];
        for (period, start, seconds) in cases {
            assert_eq!(period.around(now), (milliseconds(start), seconds * 1000), "{period:?}");
        }
    }

    #[test]
    fn one_follows_the_other_without_a_gap() {
        for period in Period::ALL {
            let mut now = milliseconds(datetime!(2023-12-31 23:59:59.999 UTC));
            for _ in 0..30 {
                let (start, size) = period.around(now);
                assert!(start <= now && now < start + size, "{period:?}");
                assert_eq!(period.around(start), (start, size));
                let (next, _) = period.around(start + size);
                assert_eq!(next, start + size, "{period:?}");
                now = next;
            }
        }
    }

    #[test]
    fn no_clock_makes_it_panic() {
        for now in [0, 1, u64::MAX, u64::MAX / 2, 253_402_300_800_000] {
            for period in Period::ALL {
                let (start, size) = period.around(now);
                assert!(start <= now && size > 0);
            }
        }
    }
}
