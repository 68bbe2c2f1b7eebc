//! A circuit against a model of it: the same answers to any sequence of events.
//!
//! The model keeps every call it ever heard of in a list and counts again each time. It has no
//! ticks taken over, no packed words and no threads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use towergate_circuit_breaker::{Circuit, Rules, State, Ticket, Verdict};

/// In milliseconds, a multiple of ten so that a tick is whole.
const WINDOW: u64 = 1_000;

#[derive(Debug)]
struct Model {
    rules: Rules,
    state: State,
    /// Counts the changes of state.
    epoch: u64,
    until: u64,
    /// When each call of this epoch was heard of, and whether it failed.
    calls: Vec<(u64, bool)>,
    trials: u32,
    successes: u32,
}

/// A call as the model remembers it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Call {
    epoch: u64,
    is_trial: bool,
}

impl Model {
    fn change(&mut self, to: State) -> Option<State> {
        self.state = to;
        self.epoch += 1;
        (self.trials, self.successes) = (0, 0);
        Some(to)
    }

    fn admit(&mut self, now: u64) -> Result<(Call, Option<State>), (State, u64)> {
        let mut change = None;
        if self.state == State::Open {
            if now < self.until {
                return Err((State::Open, self.until - now));
            }
            change = self.change(State::HalfOpen);
        }
        if self.state == State::HalfOpen {
            if self.trials == self.rules.half_open_max_requests.get() {
                return Err((State::HalfOpen, 0));
            }
            self.trials += 1;
        }
        Ok((Call { epoch: self.epoch, is_trial: self.state == State::HalfOpen }, change))
    }

    fn report(&mut self, call: Call, verdict: Verdict, now: u64) -> Option<State> {
        if call.epoch != self.epoch {
            return None;
        }
        self.trials -= u32::from(call.is_trial);
        match (verdict, call.is_trial) {
            (Verdict::Nothing, _) => None,
            (Verdict::Failure, true) => self.open(now),
            (Verdict::Success, true) => {
                self.successes += 1;
                if self.successes < self.rules.success_threshold.get() {
                    return None;
                }
                self.calls.clear();
                self.change(State::Closed)
            }
            (Verdict::Success, false) => {
                self.calls.push((now, false));
                None
            }
            (Verdict::Failure, false) => {
                self.calls.push((now, true));
                let (requests, failures) = self.window(now);
                let is_row = self.rules.failure_threshold.is_some_and(|most| self.row() >= most.get());
                let is_share = self.rules.error_percentage.is_some_and(|percentage| {
                    requests >= self.rules.min_requests && f64::from(failures * 100) >= percentage * f64::from(requests)
                });
                if is_row || is_share { self.open(now) } else { None }
            }
        }
    }

    fn open(&mut self, now: u64) -> Option<State> {
        self.until = now + u64::try_from(self.rules.reset_timeout.as_millis()).unwrap();
        self.change(State::Open)
    }

    /// The calls of this tick and the nine before, and how many of them failed.
    fn window(&self, now: u64) -> (u32, u32) {
        let tick = |time: u64| time / (WINDOW / 10);
        let held: Vec<_> = self.calls.iter().filter(|(time, _)| tick(now) - tick(*time) < 10).collect();
        (held.len() as u32, held.iter().filter(|(_, failed)| *failed).count() as u32)
    }

    /// The failures at the end of the list, as far as none is more than a window after the one before.
    fn row(&self) -> u32 {
        let mut later = None;
        let row = self.calls.iter().rev().take_while(|(time, failed)| {
            let is_near = later.is_none_or(|later: u64| later - time <= WINDOW);
            later = Some(*time);
            *failed && is_near
        });
        row.count() as u32
    }
}

#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    Ask,
    Report(prop::sample::Index, Verdict),
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![4 => Just(Verdict::Failure), 4 => Just(Verdict::Success), 1 => Just(Verdict::Nothing)];
    prop_oneof![
        1 => prop_oneof![0_u64..50, 0_u64..400, 0_u64..2_500].prop_map(Event::Wait),
        4 => Just(Event::Ask),
        4 => (any::<prop::sample::Index>(), verdict).prop_map(|(index, verdict)| Event::Report(index, verdict)),
    ]
}

prop_compose! {
    fn rules()(
        failure_threshold in prop::option::of(1_u32..5),
        error_percentage in prop::option::of(1.0..100.0),
        min_requests in 1_u32..6,
        reset_timeout in 1_u64..800,
        half_open_max_requests in 1_u32..4,
        success_threshold in 1_u32..4,
    ) -> Rules {
        Rules {
            failure_threshold: failure_threshold.and_then(NonZeroU32::new),
            error_percentage,
            min_requests,
            window: Duration::from_millis(WINDOW),
            reset_timeout: Duration::from_millis(reset_timeout),
            half_open_max_requests: half_open_max_requests.try_into().unwrap(),
            success_threshold: success_threshold.try_into().unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_circuit_does_what_its_model_does(rules in rules(), events in prop::collection::vec(event(), 1..120)) {
        let start = Instant::now();
        let circuit = Circuit::new(rules, start);
        let mut model = Model {
            rules, state: State::Closed, epoch: 0, until: 0, calls: vec![], trials: 0, successes: 0,
        };
        let mut under_way: Vec<(Ticket, Call)> = Vec::new();
        let mut time = 0;
        for event in events {
            let now = start + Duration::from_millis(time);
            match event {
                Event::Wait(more) => time += more,
                Event::Ask => match (circuit.admit(now), model.admit(time)) {
                    (Ok((ticket, change)), Ok((call, expected))) => {
                        prop_assert_eq!((ticket.is_trial(), change.map(|change| change.to)), (call.is_trial, expected));
                        under_way.push((ticket, call));
                    }
                    (Err(refused), Err((state, wait))) => {
                        prop_assert_eq!((refused.state, refused.retry_after), (state, Duration::from_millis(wait)));
                    }
                    (real, expected) => prop_assert!(false, "{real:?} instead of {expected:?}"),
                },
                Event::Report(_, _) if under_way.is_empty() => {}
                Event::Report(index, verdict) => {
                    let (ticket, call) = under_way.swap_remove(index.index(under_way.len()));
                    let change = circuit.report(ticket, verdict, now).map(|change| change.to);
                    prop_assert_eq!(change, model.report(call, verdict, time));
                }
            }
            let now = start + Duration::from_millis(time);
            let seen = circuit.snapshot(now);
            prop_assert_eq!((seen.state, seen.trials, seen.successes), (model.state, model.trials, model.successes));
            prop_assert_eq!((seen.requests, seen.failures), model.window(time));
            prop_assert!(seen.trials <= rules.half_open_max_requests.get());
        }
    }
}
