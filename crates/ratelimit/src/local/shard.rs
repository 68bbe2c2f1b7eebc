//! A part of the counters, behind a lock of its own.

use hashbrown::{HashTable, hash_table::Entry};

use crate::window::{Cell, WindowType};

/// Counters by key and window.
#[derive(Debug, Default)]
pub(super) struct Shard {
    counters: HashTable<Counter>,
}

/// What was counted for one key in one window: 48 bytes.
#[derive(Debug)]
struct Counter {
    key: [u64; 2],
    start: u64,
    expires: u64,
    current: i64,
    previous: i64,
}

impl Counter {
    fn new(key: [u64; 2], cell: &Cell) -> Self {
        Self { key, start: cell.start, expires: cell.expires(), current: 0, previous: 0 }
    }

    /// The window that a request of this cell belongs to, and what was counted in it and before it.
    /// A moment that is earlier than what was counted before (clocks are set, requests overtake each
    /// other) belongs to the window that is counted in now.
    fn seen_from(&self, cell: &Cell) -> (u64, i64, i64) {
        if cell.start <= self.start {
            return (self.start, self.current, self.previous);
        }
        let follows = cell.kind == WindowType::Sliding && cell.start.saturating_sub(self.start) == cell.size;
        (cell.start, 0, if follows { self.current } else { 0 })
    }

    /// Moves on to the window of this cell.
    fn move_on(&mut self, cell: &Cell) {
        if cell.start > self.start {
            (self.start, self.current, self.previous) = self.seen_from(cell);
            self.expires = cell.expires();
        }
    }
}

impl Shard {
    /// Checks and counts. A single window, the usual case, is looked up once.
    pub(super) fn count(
        &mut self,
        fingerprint: [u64; 2],
        cells: &mut [Cell],
        penalty: bool,
        now: u64,
        most: usize,
    ) -> bool {
        if let [cell] = cells
            && cell.cost != 0
        {
            let counter = self.counter(fingerprint, cell, now, most);
            (cell.start, cell.current, cell.previous) = (counter.start, counter.current, counter.previous);
            let admitted = cell.admits(now);
            if admitted || penalty {
                counter.current = counter.current.saturating_add(cell.cost);
            }
            return admitted;
        }
        let mut admitted = true;
        for cell in &mut *cells {
            self.look(fingerprint, cell);
            admitted &= cell.admits(now);
        }
        if admitted || penalty {
            for cell in cells.iter().filter(|cell| cell.cost != 0) {
                let counter = self.counter(fingerprint, cell, now, most);
                counter.current = counter.current.saturating_add(cell.cost);
            }
        }
        admitted
    }

    /// Tells the cell what was counted before.
    fn look(&self, fingerprint: [u64; 2], cell: &mut Cell) {
        let key = [fingerprint[0] ^ cell.id, fingerprint[1]];
        if let Some(counter) = self.counters.find(key[0], |counter| counter.key == key) {
            (cell.start, cell.current, cell.previous) = counter.seen_from(cell);
        }
    }

    /// Adds what was counted elsewhere, if the counter is still there and in that window.
    pub(super) fn learn(&mut self, fingerprint: [u64; 2], cell: &Cell, more: i64) {
        let key = [fingerprint[0] ^ cell.id, fingerprint[1]];
        if let Some(counter) = self.counters.find_mut(key[0], |counter| counter.key == key) {
            if counter.start == cell.start {
                counter.current = counter.current.saturating_add(more);
            } else if counter.start.saturating_sub(cell.start) == cell.size && cell.kind == WindowType::Sliding {
                counter.previous = counter.previous.saturating_add(more);
            }
        }
    }

    fn counter(&mut self, fingerprint: [u64; 2], cell: &Cell, now: u64, most: usize) -> &mut Counter {
        let key = [fingerprint[0] ^ cell.id, fingerprint[1]];
        if self.counters.len() == self.counters.capacity() && self.counters.find(key[0], |at| at.key == key).is_none() {
            self.make_room(now, most);
        }
        match self.counters.entry(key[0], |counter| counter.key == key, |counter| counter.key[0]) {
            Entry::Occupied(entry) => {
                let counter = entry.into_mut();
                counter.move_on(cell);
                counter
            }
            Entry::Vacant(entry) => entry.insert(Counter::new(key, cell)).into_mut(),
        }
    }

    /// Before the table would grow, what has expired goes. It grows only if that was less than half,
    /// so that this is done seldom enough to cost next to nothing per counter.
    fn make_room(&mut self, now: u64, most: usize) {
        let full = self.counters.len();
        self.counters.retain(|counter| counter.expires > now);
        if self.counters.len() >= most {
            self.evict(most);
        }
        if self.counters.len() > full / 2 {
            let more = self.counters.len().clamp(8, most.max(8));
            self.counters.reserve(more, |counter| counter.key[0]);
        }
    }

    /// Forgets a quarter of the counters, those first that have counted least.
    fn evict(&mut self, most: usize) {
        let keep = most - most / 4;
        let mut seldom = 1;
        while self.counters.len() > keep {
            let mut surplus = self.counters.len().saturating_sub(keep);
            self.counters.retain(|counter| {
                let goes = surplus > 0 && counter.current.saturating_add(counter.previous) <= seldom;
                surplus = surplus.saturating_sub(usize::from(goes));
                !goes
            });
            seldom = seldom.saturating_mul(2);
        }
    }

    /// Forgets what has expired, and gives memory back if little is left.
    pub(super) fn sweep(&mut self, now: u64) {
        self.counters.retain(|counter| counter.expires > now);
        if self.counters.len() < self.counters.capacity() / 4 {
            let keep = self.counters.len().saturating_mul(2);
            self.counters.shrink_to(keep, |counter| counter.key[0]);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.counters.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.counters.allocation_size()
    }
}
