//! The target that answers soonest.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{Pick, load::Loads, tournament::Tournament};

/// After so long an old latency counts for 1/e of what it did.
const DECAY: Duration = Duration::from_secs(10);

/// What is expected of a target that has not answered yet: it is asked soon.
const UNKNOWN: Duration = Duration::from_micros(1);

/// Chooses by peak EWMA: the target for which `latency × (requests in flight + 1) / weight` is smallest, in O(log n).
///
/// The latency of a target is a moving average that a slower answer raises at once and faster ones
/// lower little by little; without answers it fades with a time constant of ten seconds, so that a
/// target that was slow is asked again.
///
/// All latencies fade alike, which does not change their order. So what is kept per target is
/// `ln latency + time / 10 s`, as of the beginning of time: comparing these is comparing what the
/// latencies have faded to now.
#[derive(Debug)]
pub struct PeakEwma {
    loads: Loads,
    averages: Vec<Average>,
    tournament: Tournament,
    epoch: Instant,
}

#[derive(Debug)]
struct Average {
    /// Bits of `ln seconds + time / DECAY`.
    level: AtomicU64,
    /// When an answer came last, in microseconds since the epoch.
    told: AtomicU64,
}

impl PeakEwma {
    /// Chooses among targets of these weights, of which no latency is known. A target of weight 0 is
    /// never chosen. `now` is where time begins.
    pub fn new(weights: impl IntoIterator<Item = u16>, now: Instant) -> Self {
        let loads = Loads::new(weights);
        let average = |_| Average { level: AtomicU64::new(level(UNKNOWN, 0.0).to_bits()), told: AtomicU64::new(0) };
        let averages = (0..loads.len()).map(average).collect();
        let chooser = Self { tournament: Tournament::new(loads.len()), averages, loads, epoch: now };
        (0..chooser.loads.len()).for_each(|place| chooser.update(place));
        chooser
    }

    /// The latency that is expected of a place now; `None` if it has never answered.
    pub fn latency(&self, place: usize, now: Instant) -> Option<Duration> {
        let average = self.averages.get(place)?;
        let known = average.told.load(Ordering::SeqCst) > 0;
        let level = f64::from_bits(average.level.load(Ordering::SeqCst));
        known.then(|| Duration::try_from_secs_f64((level - self.age(now)).exp()).unwrap_or(Duration::MAX))
    }

    /// How many decays ago time began.
    fn age(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.epoch).as_secs_f64() / DECAY.as_secs_f64()
    }

    fn load(&self, place: usize) -> Option<f64> {
        let (requests, weight) = self.loads.next(place)?;
        let level = f64::from_bits(self.averages.get(place)?.level.load(Ordering::SeqCst));
        Some(level + requests.ln() - weight.ln())
    }

    fn update(&self, place: usize) {
        self.tournament.update(place, || self.load(place));
    }
}

impl Average {
    /// Takes a latency into the average, both as of `age`.
    fn take(&self, latency: Duration, age: f64) {
        let micros = ((age * DECAY.as_secs_f64() * 1e6) as u64).max(1);
        let before = self.told.swap(micros, Ordering::SeqCst);
        let taken = level(latency, age);
        let kept = match before {
            0 => 0.0,
            before => {
                (-(Duration::from_micros(micros.saturating_sub(before)).as_secs_f64() / DECAY.as_secs_f64())).exp()
            }
        };
        let _ = self.level.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |bits| {
            let old = f64::from_bits(bits);
            let is_first_or_peak = before == 0 || taken >= old;
            let mixed = || ((old - age).exp() * kept + (taken - age).exp() * (1.0 - kept)).max(1e-9).ln() + age;
            Some(if is_first_or_peak { taken } else { mixed() }.to_bits())
        });
    }
}

fn level(latency: Duration, age: f64) -> f64 {
    latency.max(UNKNOWN).as_secs_f64().ln() + age
}

impl Pick for PeakEwma {
    fn pick(&self, _: u32, tried: &[usize]) -> Option<usize> {
        let least = self.tournament.least()?;
        if tried.contains(&least) { self.loads.least_except(tried, |place| self.load(place)) } else { Some(least) }
    }

    fn set_available(&self, place: usize, available: bool) {
        self.loads.set_available(place, available);
        self.update(place);
    }

    fn wants_load(&self) -> bool {
        true
    }

    fn begin(&self, place: usize) {
        self.loads.begin(place);
        self.update(place);
    }

    fn end(&self, place: usize) {
        self.loads.end(place);
        self.update(place);
    }

    fn observe(&self, place: usize, latency: Duration, now: Instant) {
        if let Some(average) = self.averages.get(place) {
            average.take(latency, self.age(now));
            self.update(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn told(weights: &[u16], latencies: &[u32]) -> (PeakEwma, Instant) {
        let start = Instant::now();
        let chooser = PeakEwma::new(weights.iter().copied(), start);
        let now = start + MS * 10;
        for (place, latency) in latencies.iter().enumerate() {
            chooser.observe(place, MS * *latency, now);
        }
        (chooser, now)
    }

    #[test]
    fn the_fastest_is_chosen_until_it_has_its_share() {
        let (chooser, _) = told(&[1, 1, 1], &[10, 20, 40]);
        let mut counts = [0; 3];
        for _ in 0..70 {
            let place = chooser.pick(0, &[]).unwrap();
            chooser.begin(place);
            counts[place] += 1;
        }
        assert_eq!(counts, [40, 20, 10], "requests in flight weigh as much as latency");
    }

    #[test]
    fn weights_make_up_for_latency() {
        let (chooser, _) = told(&[1, 5, 0], &[10, 20, 1]);
        assert_eq!(chooser.pick(0, &[]), Some(1));
        assert_eq!(chooser.pick(0, &[1]), Some(0));
    }

    #[test]
    fn who_is_not_known_is_asked_first() {
        let (chooser, now) = told(&[1, 1], &[5]);
        assert_eq!(chooser.pick(0, &[]), Some(1));
        assert_eq!(chooser.latency(1, now), None);
    }

    #[test]
    fn a_slow_answer_counts_at_once_and_fades() {
        let (chooser, now) = told(&[1, 1], &[10, 20]);
        chooser.observe(0, MS * 1000, now + MS);
        assert_eq!(chooser.pick(0, &[]), Some(1));
        let around =
            |latency: Option<Duration>, expected: f64| (latency.unwrap().as_secs_f64() - expected).abs() < 0.01;
        assert!(around(chooser.latency(0, now + MS), 1.0));
        assert!(around(chooser.latency(0, now + MS + DECAY), 0.368));
        chooser.observe(0, MS * 10, now + MS + DECAY);
        assert!(around(chooser.latency(0, now + MS + DECAY), 0.368 * 0.368 + 0.01 * 0.632), "old and new are mixed");
        for second in 1..200 {
            chooser.observe(1, MS * 20, now + DECAY + Duration::from_secs(second));
        }
        assert_eq!(chooser.pick(0, &[]), Some(0), "what was slow long ago is asked again");
    }

    #[test]
    fn odd_latencies_do_no_harm() {
        let (chooser, now) = told(&[1, 1], &[0, 0]);
        chooser.observe(0, Duration::MAX, now);
        chooser.observe(1, Duration::ZERO, now);
        chooser.observe(9, MS, now);
        assert_eq!(chooser.pick(0, &[]), Some(1));
        chooser.set_available(1, false);
        assert_eq!(chooser.pick(0, &[]), Some(0));
    }
}
