//! Windows against a model that remembers every request.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::{borrow::Cow, time::Duration};

use proptest::prelude::*;
use towergate_ratelimit::{Count, Counting, Identifier, Local, Period, Store, Window, WindowType};

/// A model: every request that counts, with its moment, in the order of time.
#[derive(Default)]
struct Model {
    counted: Vec<u64>,
}

impl Model {
    /// How many count from `start` on, before `end`.
    fn between(&self, start: u64, end: u64) -> f64 {
        self.counted.iter().filter(|moment| (start..end).contains(moment)).count() as f64
    }

    /// How much of a window of this size is used at `now`, as its definition says.
    fn used(&self, now: u64, size: u64, kind: WindowType) -> f64 {
        let start = now - now % size;
        let current = self.between(start, start + size);
        match kind {
            WindowType::Fixed => current,
            WindowType::Sliding => {
                let part = 1.0 - (now - start) as f64 / size as f64;
                current + self.between(start.saturating_sub(size), start) * part
            }
        }
    }
}

fn count(local: &Local, windows: &[Window], now: u64, penalty: bool) -> bool {
    let mut count = Count::new(Identifier::Text(Cow::Borrowed(b"somebody")), windows, now);
    count.penalty = penalty;
    match local.count(count) {
        Counting::Done(counted) => counted.unwrap().admitted,
        Counting::Later(_) => panic!("counted in memory"),
    }
}

fn kind() -> impl Strategy<Value = WindowType> {
    prop_oneof![Just(WindowType::Fixed), Just(WindowType::Sliding)]
}

/// Pauses between requests in milliseconds: mostly short, sometimes several windows long.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![8 => 0..300_u64, 1 => 1000..9000_u64], 1..200)
}

proptest! {
    #[test]
    fn windows_do_what_their_definition_says(
        pauses in pauses(),
        sizes in prop::collection::vec((200..4000_u64, 1..12_u32), 1..4),
        kind in kind(),
        penalty in any::<bool>(),
        begin in 1_700_000_000_000..1_700_000_010_000_u64,
    ) {
        let (local, mut model, mut now) = (Local::new(), Model::default(), begin);
        let window = |&(size, limit): &(u64, u32)| Window::every(Duration::from_millis(size), kind, f64::from(limit));
        // Windows of the same size would be the same counter.
        let mut sizes = sizes;
        sizes.sort();
        sizes.dedup_by_key(|(size, _)| *size);
        let windows: Vec<_> = sizes.iter().map(window).collect();
        for pause in pauses {
            now += pause;
            let fits = |(size, limit): &(u64, u32)| model.used(now, *size, kind) + 1.0 <= f64::from(*limit);
            let expected = sizes.iter().all(fits);
            prop_assert_eq!(count(&local, &windows, now, penalty), expected);
            if expected || penalty {
                model.counted.push(now);
            }
        }
    }

    #[test]
    fn no_window_of_the_calendar_ever_lets_one_more_through(
        pauses in prop::collection::vec(0..40_000_000_u64, 1..300),
        limit in 1..6_u32,
        period in 0..6_usize,
    ) {
        let (local, period) = (Local::new(), Period::ALL[period]);
        let windows = [Window::calendar(period, f64::from(limit))];
        let (mut now, mut through) = (1_709_164_799_000_u64, std::collections::BTreeMap::<u64, u32>::new());
        for pause in pauses {
            now += pause;
            let (start, _) = period.around(now);
            let admitted = count(&local, &windows, now, false);
            let before = through.get(&start).copied().unwrap_or(0);
            prop_assert_eq!(admitted, before < limit);
            *through.entry(start).or_default() += u32::from(admitted);
        }
    }

    #[test]
    fn clocks_that_go_back_never_let_more_through(
        moments in prop::collection::vec(1_700_000_000_000..1_700_000_004_000_u64, 1..200),
        limit in 1..6_u32,
    ) {
        // Whatever the order: a window of one second that was left is not come back to.
        let local = Local::new();
        let windows = [Window::every(Duration::from_secs(1), WindowType::Fixed, f64::from(limit))];
        let (mut latest, mut through) = (0, 0);
        for now in moments {
            let window = now / 1000;
            if window > latest {
                (latest, through) = (window, 0);
            }
            let admitted = count(&local, &windows, now, false);
            prop_assert_eq!(admitted, through < limit);
            through += u32::from(admitted);
        }
    }
}
