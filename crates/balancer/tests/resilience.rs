//! What an upstream does beyond Kong's health checks, the clock an argument: coming back, leaving out outliers, warming up,
//! panic, sessions. At the end a property against a reference model of all of it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use towergate_balancer::{Balancer, Outcome, Picked, Wish};
use towergate_core::{Algorithm, Balancing, HealthRules, OutlierEjection, Resilience, Target};
use uuid::Uuid;

const GOOD: Outcome = Outcome::Status(200);
const BAD: Outcome = Outcome::Broken;

const OUTLIERS: OutlierEjection = OutlierEjection {
    error_percentage: 50.0,
    min_requests: 4,
    window: Duration::from_secs(10),
    ejection_time: Duration::from_secs(30),
    max_ejected_percentage: 50.0,
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many targets on ports from 1.
fn upstream(targets: u16, resilience: Resilience) -> Balancing {
    let target = |port| Target { host: "10.0.0.1".into(), port, weight: 100 };
    let mut balancing = Balancing::new(Uuid::from_u128(7), "shop", (1..=targets).map(target).collect());
    balancing.resilience = resilience;
    balancing
}

/// One broken connection takes a target out.
fn sensitive(mut balancing: Balancing) -> Balancing {
    balancing.health.passive = HealthRules { tcp_failures: 1, ..HealthRules::default() };
    balancing
}

fn made(balancing: Balancing, now: Instant) -> Balancer {
    Balancer::new(Arc::new(balancing), now)
}

/// A pick of the target with this port, whether or not it gets requests just now.
fn at(balancer: &Balancer, port: u16, now: Instant) -> Picked {
    let barred: Vec<_> =
        (0..balancer.balancing().targets.len()).filter(|place| *place != usize::from(port) - 1).collect();
    balancer.pick(&Wish { barred: &barred, ..Wish::at(now) }).expect("it gets requests")
}

/// The ports that get requests.
fn used(balancer: &Balancer, now: Instant) -> BTreeSet<u16> {
    (0..80).filter_map(|_| balancer.pick(&Wish::at(now))).map(|picked| picked.address.port()).collect()
}

// --- coming back ---------------------------------------------------------------------------------------------------------

#[test]
fn a_target_that_requests_took_out_comes_back_after_its_time() {
    let now = Instant::now();
    let resilience = Resilience { readmit_after: Some(seconds(30)), ..Resilience::default() };
    let balancer = made(sensitive(upstream(2, resilience)), now);
    assert_eq!(balancer.readmit(now), None);
    balancer.report_at(&at(&balancer, 1, now), BAD, now);
    assert_eq!((used(&balancer, now), balancer.readmit(now + seconds(29))), ([2].into(), Some(now + seconds(30))));
    assert_eq!(used(&balancer, now + seconds(29)), [2].into());
    assert_eq!(balancer.readmit(now + seconds(30)), None);
    assert_eq!(used(&balancer, now + seconds(30)), [1, 2].into());
}

#[test]
fn without_that_there_is_no_way_back() {
    let now = Instant::now();
    let balancer = made(sensitive(upstream(2, Resilience::default())), now);
    balancer.report_at(&at(&balancer, 1, now), BAD, now);
    assert_eq!((balancer.readmit(now + seconds(9_999)), used(&balancer, now)), (None, [2].into()));
}

#[test]
fn who_is_asked_and_is_not_well_does_not_come_back_by_time() {
    let now = Instant::now();
    let mut balancing =
        sensitive(upstream(2, Resilience { readmit_after: Some(seconds(30)), ..Resilience::default() }));
    balancing.health.active.unhealthy_interval = seconds(5);
    balancing.health.active.rules = HealthRules { successes: 1, tcp_failures: 1, ..HealthRules::default() };
    let balancer = made(balancing, now);
    balancer.report_at(&at(&balancer, 1, now), BAD, now);
    let [ill] = balancer.subjects(false).try_into().unwrap();
    balancer.probed(&ill, Outcome::Broken, now + seconds(5));
    assert_eq!((balancer.readmit(now + seconds(60)), used(&balancer, now)), (None, [2].into()));
    balancer.probed(&ill, Outcome::Connected, now + seconds(65));
    assert_eq!(used(&balancer, now), [1, 2].into(), "asked and well");
}

#[test]
fn what_a_person_decides_stays() {
    let now = Instant::now();
    let resilience = Resilience { readmit_after: Some(seconds(30)), ..Resilience::default() };
    let balancer = made(sensitive(upstream(2, resilience)), now);
    balancer.report_at(&at(&balancer, 1, now), BAD, now);
    assert!(balancer.decide("10.0.0.1", 1, None, false, now));
    assert_eq!((balancer.readmit(now + seconds(60)), used(&balancer, now)), (None, [2].into()));
}

#[test]
fn it_comes_back_after_a_change_of_the_upstream_too() {
    let now = Instant::now();
    let resilience = Resilience { readmit_after: Some(seconds(30)), ..Resilience::default() };
    let before = made(sensitive(upstream(2, resilience.clone())), now);
    before.report_at(&at(&before, 1, now), BAD, now);
    let changed = Balancing { slots: 1_000, ..sensitive(upstream(2, resilience)) };
    let after = Balancer::after(&before, Arc::new(changed), now + seconds(10));
    drop(before);
    assert_eq!((used(&after, now), after.readmit(now + seconds(10))), ([2].into(), Some(now + seconds(30))));
    after.readmit(now + seconds(30));
    assert_eq!(used(&after, now), [1, 2].into());
}

// --- outliers ------------------------------------------------------------------------------------------------------------

#[test]
fn an_outlier_is_left_out_for_a_while() {
    let now = Instant::now();
    let balancer = made(upstream(3, Resilience { outliers: Some(OUTLIERS), ..Resilience::default() }), now);
    assert!(balancer.is_watched());
    let picked = at(&balancer, 1, now);
    for outcome in [GOOD, GOOD, BAD] {
        balancer.report_at(&picked, outcome, now);
    }
    assert_eq!(used(&balancer, now), [1, 2, 3].into(), "a third of three");
    balancer.report_at(&picked, Outcome::Status(503), now);
    assert_eq!(used(&balancer, now), [2, 3].into(), "half of four");
    assert_eq!(balancer.readmit(now + seconds(29)), Some(now + seconds(30)));
    assert_eq!(balancer.readmit(now + seconds(30)), None);
    assert_eq!(used(&balancer, now + seconds(30)), [1, 2, 3].into());
}

#[test]
fn not_too_many_are_left_out() {
    let now = Instant::now();
    let balancer = made(upstream(3, Resilience { outliers: Some(OUTLIERS), ..Resilience::default() }), now);
    for port in 1..=3 {
        let picked = at(&balancer, port, now);
        (0..10).for_each(|_| balancer.report_at(&picked, BAD, now));
    }
    assert_eq!(used(&balancer, now), [2, 3].into(), "one of three is all that half of them are");
}

#[test]
fn an_outlier_is_not_brought_back_by_being_asked() {
    let now = Instant::now();
    let mut balancing = upstream(3, Resilience { outliers: Some(OUTLIERS), ..Resilience::default() });
    balancing.health.active.healthy_interval = seconds(1);
    balancing.health.active.rules = HealthRules { successes: 1, ..HealthRules::default() };
    let balancer = made(balancing, now);
    let picked = at(&balancer, 1, now);
    (0..4).for_each(|_| balancer.report_at(&picked, BAD, now));
    let subjects = balancer.subjects(true);
    assert_eq!(subjects.len(), 3, "it is still asked");
    subjects.iter().for_each(|subject| balancer.probed(subject, Outcome::Connected, now));
    assert_eq!(used(&balancer, now), [2, 3].into());
    assert!(balancer.decide("10.0.0.1", 1, None, true, now));
    assert_eq!(used(&balancer, now), [1, 2, 3].into(), "a person may");
}

// --- panic ---------------------------------------------------------------------------------------------------------------

#[test]
fn with_too_few_healthy_all_are_used() {
    let now = Instant::now();
    for (panic_threshold, ill, expected) in [
        (50.0, 2, BTreeSet::from([3, 4])),
        (50.0, 3, [1, 2, 3, 4].into()),
        (50.0, 4, [1, 2, 3, 4].into()),
        (0.0, 3, [4].into()),
        (0.0, 4, [].into()),
    ] {
        let balancer = made(sensitive(upstream(4, Resilience { panic_threshold, ..Resilience::default() })), now);
        for port in 1..=ill {
            balancer.decide("10.0.0.1", port, None, false, now);
        }
        assert_eq!(used(&balancer, now), expected, "{ill} of 4 ill, {panic_threshold} %");
        assert_eq!((balancer.health().is_healthy, balancer.is_usable()), (!expected.is_empty(), ill < 4));
        for port in 1..=2 {
            balancer.decide("10.0.0.1", port, None, true, now);
        }
        let ill: BTreeSet<u16> = (3..=ill).collect();
        assert_eq!(used(&balancer, now), &BTreeSet::from([1, 2, 3, 4]) - &ill, "enough are well again");
    }
}

#[test]
fn panic_goes_before_the_threshold() {
    let now = Instant::now();
    let mut balancing = sensitive(upstream(4, Resilience { panic_threshold: 30.0, ..Resilience::default() }));
    balancing.health.threshold = 60.0;
    let balancer = made(balancing, now);
    for (ill, count) in [(1, 3), (2, 0), (3, 4)] {
        balancer.decide("10.0.0.1", ill, None, false, now);
        assert_eq!(used(&balancer, now).len(), count, "{ill} of 4 ill");
    }
}

// --- warming up ----------------------------------------------------------------------------------------------------------

/// Of 4,000 requests those of the target on port 1, in per cent.
fn percent(balancer: &Balancer, now: Instant) -> f64 {
    let picked = (0..4_000).filter_map(|_| balancer.pick(&Wish::at(now)));
    picked.filter(|picked| picked.address.port() == 1).count() as f64 / 40.0
}

#[test]
fn who_is_well_again_comes_to_its_share_little_by_little() {
    let now = Instant::now();
    let resilience = Resilience { slow_start: Some(seconds(100)), ..Resilience::default() };
    for algorithm in [Algorithm::RoundRobin, Algorithm::PowerOfTwoChoices, Algorithm::LeastConnections] {
        let balancer = made(Balancing { algorithm, ..sensitive(upstream(2, resilience.clone())) }, now);
        assert!((percent(&balancer, now) - 50.0).abs() < 4.0, "who was there from the beginning is warm");
        balancer.decide("10.0.0.1", 1, None, false, now);
        assert!(percent(&balancer, now).abs() < f64::EPSILON);
        balancer.decide("10.0.0.1", 1, None, true, now);
        for (later, part) in [(0, 0.1), (10, 0.1), (25, 0.25), (50, 0.5), (75, 0.75), (100, 1.0), (900, 1.0)] {
            let share = percent(&balancer, now + seconds(later));
            let expected = match algorithm {
                // Its weight counts in part.
                Algorithm::RoundRobin => 100.0 * part / (1.0 + part),
                // It is passed over where it would have been chosen.
                _ => 50.0 * part,
            };
            assert!((share - expected).abs() < 4.0, "{algorithm:?}: {share} % after {later} s, expected {expected}");
        }
    }
}

#[test]
fn who_is_new_warms_up_beside_those_who_were_there() {
    let now = Instant::now();
    let resilience = Resilience { slow_start: Some(seconds(100)), ..Resilience::default() };
    let mut balancing = upstream(2, resilience);
    let new = balancing.targets.remove(0);
    let before = made(balancing.clone(), now);
    balancing.targets.push(new);
    let after = Balancer::after(&before, Arc::new(balancing), now);
    for (later, expected) in [(0, 9.1), (50, 33.3), (100, 50.0)] {
        let share = percent(&after, now + seconds(later));
        assert!((share - expected).abs() < 4.0, "{share} % after {later} s, expected {expected}");
    }
}

#[test]
fn who_is_alone_gets_everything_at_once() {
    let now = Instant::now();
    let balancer =
        made(sensitive(upstream(1, Resilience { slow_start: Some(seconds(100)), ..Resilience::default() })), now);
    balancer.decide("10.0.0.1", 1, None, false, now);
    balancer.decide("10.0.0.1", 1, None, true, now);
    assert!((percent(&balancer, now) - 100.0).abs() < f64::EPSILON);
}

// --- sessions ------------------------------------------------------------------------------------------------------------

#[test]
fn a_client_comes_back_with_its_token() {
    let now = Instant::now();
    let balancing = Balancing { algorithm: Algorithm::StickySessions, ..sensitive(upstream(3, Resilience::default())) };
    let balancer = made(balancing, now);
    let first = balancer.pick(&Wish::at(now)).unwrap();
    let token = first.token.clone().expect("a new client gets one");
    let again = |token: &str, tried: &[_]| balancer.pick(&Wish { token: Some(token), tried, ..Wish::at(now) }).unwrap();
    for _ in 0..10 {
        let picked = again(&token, &[]);
        assert_eq!((picked.address, picked.token), (first.address, None));
    }
    let elsewhere = again(&token, &[first.address]);
    assert!(elsewhere.address != first.address && elsewhere.token.is_some(), "a retry goes elsewhere, and stays there");
    balancer.report_at(&first, BAD, now);
    let moved = again(&token, &[]);
    assert!(moved.address != first.address && moved.token.is_some());
    assert!(again("nonsense", &[]).token.is_some());
}

// --- all of it -----------------------------------------------------------------------------------------------------------

/// The rules told once more, with lists instead of counters.
struct Reference {
    targets: Vec<One>,
    limit: u32,
    panic_threshold: u64,
    readmit_after: Option<u64>,
}

#[derive(Clone, Default)]
struct One {
    failures: u32,
    is_ill: bool,
    readmitted: Option<u64>,
    returns: Option<u64>,
    seen: Vec<(u64, bool)>,
}

impl One {
    fn is_available(&self) -> bool {
        !self.is_ill && self.returns.is_none()
    }
}

impl Reference {
    fn report(&mut self, place: usize, is_bad: bool, now: u64) {
        let ejected = self.targets.iter().filter(|one| one.returns.is_some()).count();
        let all = self.targets.len();
        let one = &mut self.targets[place];
        if is_bad && !one.is_ill {
            one.failures += 1;
            if one.failures >= self.limit {
                (one.is_ill, one.readmitted) = (true, self.readmit_after.map(|after| now + after));
            }
        }
        one.seen.push((now, is_bad));
        let held: Vec<_> = one.seen.iter().filter(|(at, _)| now - at < 10).collect();
        let bad = held.iter().filter(|(_, is_bad)| *is_bad).count();
        let is_outlier = is_bad && held.len() >= 4 && bad * 2 >= held.len();
        if is_outlier && one.is_available() && (ejected + 1) * 2 <= all {
            one.returns = Some(now + 30);
            one.seen.clear();
        }
    }

    fn readmit(&mut self, now: u64) {
        for one in &mut self.targets {
            if one.readmitted.is_some_and(|due| due <= now) {
                (one.is_ill, one.failures, one.readmitted) = (false, 0, None);
            }
            one.returns = one.returns.filter(|due| *due > now);
        }
    }

    fn used(&self) -> BTreeSet<u16> {
        let available = self.targets.iter().filter(|one| one.is_available()).count() as u64;
        let panics = available * 100 < self.panic_threshold * self.targets.len() as u64;
        let ports = self.targets.iter().zip(1..).filter(|(one, _)| panics || one.is_available());
        ports.map(|(_, port)| port).collect()
    }
}

proptest! {
    #[test]
    fn it_is_as_the_reference_says(
        targets in 1u16..5, limit in 1u8..7, panic_threshold in prop::sample::select(vec![0u64, 30, 60]),
        readmit_after in prop::option::of(5u64..60),
        events in prop::collection::vec((0u64..6, 0usize..4, prop::bool::weighted(0.6)), 0..120),
    ) {
        let resilience = Resilience {
            outliers: Some(OUTLIERS),
            readmit_after: readmit_after.map(seconds),
            panic_threshold: panic_threshold as f64,
            ..Resilience::default()
        };
        let mut balancing = upstream(targets, resilience);
        balancing.health.passive = HealthRules { tcp_failures: limit, ..HealthRules::default() };
        let start = Instant::now();
        let balancer = made(balancing, start);
        // Picks are kept from the beginning: how they went is told even while their target is out.
        let picks: Vec<_> = (1..=targets).map(|port| at(&balancer, port, start)).collect();
        let mut reference = Reference {
            targets: vec![One::default(); targets.into()], limit: limit.into(), panic_threshold, readmit_after,
        };
        let mut second = 0;
        for (later, target, is_bad) in events {
            second += later;
            // Half a second beside the borders of the window's ticks.
            let now = start + seconds(second) + Duration::from_millis(500);
            balancer.readmit(now);
            reference.readmit(second);
            let place = target % usize::from(targets);
            balancer.report_at(&picks[place], if is_bad { BAD } else { GOOD }, now);
            reference.report(place, is_bad, second);
            let shown: Vec<_> = balancer.health().targets.iter().map(|target| target.addresses[0].is_healthy).collect();
            let expected: Vec<_> = reference.targets.iter().map(One::is_available).collect();
            prop_assert_eq!(shown, expected, "after {} s", second);
            prop_assert_eq!(used(&balancer, now), reference.used(), "after {} s", second);
        }
    }
}
