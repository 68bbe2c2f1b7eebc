//! How many requests each place has, and which place has the least load.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The requests in flight at each place, its weight, and whether it is in rotation.
#[derive(Debug)]
pub(crate) struct Loads {
    places: Vec<Load>,
}

#[derive(Debug)]
struct Load {
    weight: f64,
    in_flight: AtomicU32,
    available: AtomicBool,
}

impl Loads {
    pub(crate) fn new(weights: impl IntoIterator<Item = u16>) -> Self {
        let load = |weight: u16| Load {
            weight: weight.into(),
            in_flight: AtomicU32::new(0),
            available: AtomicBool::new(true),
        };
        Self { places: weights.into_iter().map(load).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn begin(&self, place: usize) {
        if let Some(load) = self.places.get(place) {
            load.in_flight.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(crate) fn end(&self, place: usize) {
        if let Some(load) = self.places.get(place) {
            let less = |count: u32| Some(count.saturating_sub(1));
            let _ = load.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        }
    }

    pub(crate) fn set_available(&self, place: usize, available: bool) {
        if let Some(load) = self.places.get(place) {
            load.available.store(available, Ordering::SeqCst);
        }
    }

    /// What one more request would make of a place in rotation: the requests it has then, and its weight.
    pub(crate) fn next(&self, place: usize) -> Option<(f64, f64)> {
        let load = self.places.get(place)?;
        let open = load.weight > 0.0 && load.available.load(Ordering::SeqCst);
        open.then(|| (f64::from(load.in_flight.load(Ordering::SeqCst)) + 1.0, load.weight))
    }

    /// The place of the least load that was not tried, and if all were, of any; equals in turn by
    /// chance. It looks at every place.
    pub(crate) fn least_except(&self, tried: &[usize], load: impl Fn(usize) -> Option<f64>) -> Option<usize> {
        let least = |open: &dyn Fn(usize) -> bool| {
            let mut least = None;
            let mut equals = 0;
            for place in (0..self.places.len()).filter(|place| open(*place)) {
                let Some(load) = load(place) else { continue };
                equals = match least {
                    Some((_, known)) if load > known => continue,
                    Some((_, known)) if load == known => equals + 1,
                    _ => 1,
                };
                if fastrand::u32(..equals) == 0 {
                    least = Some((place, load));
                }
            }
            least.map(|(place, _)| place)
        };
        least(&|place| !tried.contains(&place)).or_else(|| least(&|_| true))
    }
}
