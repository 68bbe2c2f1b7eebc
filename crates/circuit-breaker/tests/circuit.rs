//! The life of a circuit, step by step. The clock is an argument: nothing here waits.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    num::NonZeroU32,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use towergate_circuit_breaker::{Circuit, Reason, Refused, Rules, State, Ticket, Verdict};

fn count(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A circuit and a clock.
struct Bench {
    circuit: Circuit,
    now: Instant,
}

impl Bench {
    fn new(rules: Rules) -> Self {
        let now = Instant::now();
        Self { circuit: Circuit::new(rules, now), now }
    }

    fn after(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    #[track_caller]
    fn ticket(&self) -> Ticket {
        self.circuit.admit(self.now).unwrap().0
    }

    fn report(&self, ticket: Ticket, verdict: Verdict) -> Option<(State, Reason)> {
        self.circuit.report(ticket, verdict, self.now).map(|change| (change.to, change.reason))
    }

    #[track_caller]
    fn call(&self, verdict: Verdict) -> Option<(State, Reason)> {
        self.report(self.ticket(), verdict)
    }

    #[track_caller]
    fn calls(&self, verdicts: &str) {
        for verdict in verdicts.chars() {
            let verdict = if verdict == 'F' { Verdict::Failure } else { Verdict::Success };
            assert_eq!(self.call(verdict), None, "in {verdicts}");
        }
    }

    fn refused(&self) -> (State, Duration) {
        let Refused { state, retry_after } = self.circuit.admit(self.now).unwrap_err();
        (state, retry_after)
    }

    fn state(&self) -> State {
        self.circuit.snapshot(self.now).state
    }
}

/// After one failure open, for ten seconds.
fn opened(rules: Rules) -> Bench {
    let bench = Bench::new(Rules { failure_threshold: Some(NonZeroU32::MIN), reset_timeout: seconds(10), ..rules });
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Row(1))));
    bench
}

#[test]
fn failures_in_a_row_open_it() {
    let bench = Bench::new(Rules::default());
    bench.calls("FFFFSFFFFSFFFF");
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Row(5))));
    assert_eq!(bench.refused(), (State::Open, seconds(30)));
}

#[test]
fn what_says_nothing_breaks_no_row() {
    let bench = Bench::new(Rules { failure_threshold: Some(count(2)), ..Rules::default() });
    bench.calls("F");
    assert_eq!(bench.call(Verdict::Nothing), None);
    assert_eq!(bench.circuit.snapshot(bench.now).requests, 1);
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Row(2))));
}

#[test]
fn failures_further_apart_than_a_window_are_no_row() {
    let mut bench = Bench::new(Rules { failure_threshold: Some(count(2)), window: seconds(60), ..Rules::default() });
    bench.calls("F");
    bench.after(seconds(61)).calls("F");
    assert_eq!(bench.after(seconds(60)).call(Verdict::Failure), Some((State::Open, Reason::Row(2))));
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
    let rules = Rules { failure_threshold: None, error_percentage: Some(50.0), ..Rules::default() };
    let bench = Bench::new(rules);
    bench.calls("FFFFSSSSF");
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Share { failures: 6, requests: 10 })));
    let bench = Bench::new(rules);
    bench.calls("SSSSSSSSSSFFFFFFFFF");
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Share { failures: 10, requests: 20 })));
}

#[test]
fn only_a_failure_opens_it() {
    let rules = Rules { failure_threshold: None, error_percentage: Some(50.0), ..Rules::default() };
    let bench = Bench::new(rules);
    bench.calls("FFFFFFFFF");
    assert_eq!(bench.call(Verdict::Success), None, "nine of ten failed, but the tenth did not");
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Share { failures: 10, requests: 11 })));
}

#[test]
fn calls_leave_the_window() {
    let rules =
        Rules { failure_threshold: None, error_percentage: Some(50.0), window: seconds(10), ..Rules::default() };
    let mut bench = Bench::new(rules);
    bench.calls("FFFFFFFFF");
    bench.after(seconds(10)).calls("F");
    let snapshot = bench.circuit.snapshot(bench.now);
    assert_eq!((snapshot.requests, snapshot.failures, snapshot.row), (1, 1, 10));
    bench.after(seconds(9)).calls("SSSSSSSS");
    assert_eq!(bench.call(Verdict::Failure), None, "two of ten");
    assert_eq!(bench.circuit.snapshot(bench.now).requests, 10);
}

#[test]
fn it_stays_open_for_its_time_and_then_lets_one_through() {
    let mut bench = opened(Rules::default());
    assert_eq!(bench.refused(), (State::Open, seconds(10)));
    bench.after(Duration::from_millis(9_999));
    assert_eq!(bench.refused(), (State::Open, Duration::from_millis(1)));
    bench.after(Duration::from_millis(1));
    let (ticket, change) = bench.circuit.admit(bench.now).unwrap();
    assert_eq!(change.map(|change| (change.to, change.reason)), Some((State::HalfOpen, Reason::Waited)));
    assert!(ticket.is_trial());
    assert_eq!(bench.refused(), (State::HalfOpen, Duration::ZERO));
    assert_eq!(bench.report(ticket, Verdict::Success), Some((State::Closed, Reason::Recovered(1))));
    assert!(!bench.ticket().is_trial());
}

#[test]
fn a_trial_that_fails_opens_it_again_for_the_whole_time() {
    let mut bench = opened(Rules { half_open_max_requests: count(3), ..Rules::default() });
    bench.after(seconds(12));
    let [first, second, third] = [bench.ticket(), bench.ticket(), bench.ticket()];
    assert_eq!(bench.report(first, Verdict::Failure), Some((State::Open, Reason::TrialFailed)));
    assert_eq!(bench.refused(), (State::Open, seconds(10)));
    // The others began before, and say nothing about what comes.
    assert_eq!(bench.report(second, Verdict::Success), None);
    bench.after(seconds(10));
    let again = bench.ticket();
    assert_eq!(bench.report(third, Verdict::Failure), None);
    assert_eq!(bench.state(), State::HalfOpen);
    assert_eq!(bench.report(again, Verdict::Success), Some((State::Closed, Reason::Recovered(1))));
}

#[test]
fn enough_trials_must_succeed() {
    let mut bench = opened(Rules { half_open_max_requests: count(2), success_threshold: count(3), ..Rules::default() });
    bench.after(seconds(10));
    let [first, second] = [bench.ticket(), bench.ticket()];
    assert_eq!(bench.refused(), (State::HalfOpen, Duration::ZERO));
    assert_eq!(bench.report(first, Verdict::Success), None);
    let third = bench.ticket();
    assert_eq!(bench.refused(), (State::HalfOpen, Duration::ZERO), "the first one's place is taken again");
    assert_eq!(bench.report(second, Verdict::Success), None);
    assert_eq!(bench.report(third, Verdict::Success), Some((State::Closed, Reason::Recovered(3))));
}

#[test]
fn a_trial_that_was_given_up_gives_its_place_back() {
    let mut bench = opened(Rules::default());
    bench.after(seconds(10));
    for _ in 0..100 {
        let ticket = bench.ticket();
        assert_eq!(bench.refused(), (State::HalfOpen, Duration::ZERO));
        assert_eq!(bench.report(ticket, Verdict::Nothing), None);
    }
    assert_eq!(bench.call(Verdict::Success), Some((State::Closed, Reason::Recovered(1))));
}

#[test]
fn calls_from_before_it_opened_count_no_more() {
    let mut bench =
        Bench::new(Rules { failure_threshold: Some(count(2)), reset_timeout: seconds(10), ..Rules::default() });
    let early: Vec<_> = (0..6).map(|_| bench.ticket()).collect();
    bench.calls("F");
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Row(2))));
    bench.after(seconds(10));
    let trial = bench.ticket();
    let mut early = early.into_iter();
    for verdict in [Verdict::Success, Verdict::Failure, Verdict::Nothing] {
        assert_eq!(bench.report(early.next().unwrap(), verdict), None);
        assert_eq!((bench.state(), bench.refused()), (State::HalfOpen, (State::HalfOpen, Duration::ZERO)));
    }
    bench.report(trial, Verdict::Success);
    early.for_each(|ticket| assert_eq!(bench.report(ticket, Verdict::Failure), None));
    assert_eq!((bench.state(), bench.circuit.snapshot(bench.now).requests), (State::Closed, 0));
}

#[test]
fn a_closed_circuit_begins_anew() {
    let mut bench =
        Bench::new(Rules { failure_threshold: Some(count(3)), reset_timeout: seconds(10), ..Rules::default() });
    bench.calls("SFF");
    bench.call(Verdict::Failure);
    bench.after(seconds(10)).call(Verdict::Success);
    let snapshot = bench.circuit.snapshot(bench.now);
    assert_eq!((snapshot.requests, snapshot.failures, snapshot.row), (0, 0, 0));
    assert_eq!((snapshot.since, snapshot.reason), (bench.now, Some(Reason::Recovered(1))));
    bench.calls("FF");
}

#[test]
fn a_clock_that_goes_back_a_little_does_no_harm() {
    let bench = Bench::new(Rules { failure_threshold: Some(count(2)), ..Rules::default() });
    let before = bench.now.checked_sub(seconds(5)).unwrap();
    let (ticket, _) = bench.circuit.admit(before).unwrap();
    assert_eq!(bench.circuit.report(ticket, Verdict::Failure, before), None);
    assert_eq!(bench.call(Verdict::Failure), Some((State::Open, Reason::Row(2))));
    assert_eq!(bench.circuit.admit(before).unwrap_err().state, State::Open);
}

#[test]
fn a_time_without_end_is_one() {
    let mut bench = Bench::new(Rules {
        failure_threshold: Some(NonZeroU32::MIN),
        reset_timeout: Duration::MAX,
        window: Duration::MAX,
        ..Rules::default()
    });
    bench.call(Verdict::Failure);
    bench.after(seconds(1_000_000_000));
    assert_eq!(bench.refused().0, State::Open);
}

#[test]
fn of_many_threads_exactly_so_many_get_a_trial() {
    const THREADS: usize = 8;
    for round in 0..300 {
        let places = [1, 3, 7][round % 3];
        let mut bench = opened(Rules { half_open_max_requests: count(places), ..Rules::default() });
        bench.after(seconds(10));
        let (circuit, now, start) = (&bench.circuit, bench.now, &Barrier::new(THREADS));
        let ask = move || {
            start.wait();
            circuit.admit(now).ok()
        };
        let admitted = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(admitted.len(), places as usize);
        assert!(admitted.iter().all(|(ticket, _)| ticket.is_trial()));
        assert_eq!(admitted.iter().filter(|(_, change)| change.is_some()).count(), 1);
    }
}

#[test]
fn threads_that_call_on_and_on_leave_nothing_behind() {
    let rules = Rules {
        failure_threshold: Some(count(3)),
        reset_timeout: Duration::from_micros(50),
        half_open_max_requests: count(2),
        ..Rules::default()
    };
    let bench = Bench::new(rules);
    let circuit = &bench.circuit;
    thread::scope(|scope| {
        for seed in 0..4_u32 {
            scope.spawn(move || {
                for call in 0..20_000_u32 {
                    let Ok((ticket, _)) = circuit.admit(Instant::now()) else { continue };
                    let snapshot = circuit.snapshot(Instant::now());
                    assert!(snapshot.trials <= 2, "{snapshot:?}");
                    let verdict = match call.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 29 {
                        0..3 => Verdict::Failure,
                        3..7 => Verdict::Success,
                        _ => Verdict::Nothing,
                    };
                    circuit.report(ticket, verdict, Instant::now());
                }
            });
        }
    });
    let snapshot = circuit.snapshot(Instant::now());
    assert_eq!(snapshot.trials, 0, "{snapshot:?}");
}
