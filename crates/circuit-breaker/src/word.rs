//! What every call reads of a circuit, in one word.

use crate::circuit::State;

/// The places that fit into a word: more trial calls at once are as good as no limit.
const MOST: u32 = (1 << 30) - 1;

/// A circuit's state and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    /// How often it has changed its state.
    pub(crate) generation: u32,
    pub(crate) state: State,
    /// How many more trial calls may be made at once, if it is half open.
    pub(crate) free: u32,
}

impl Word {
    pub(crate) fn closed(generation: u32) -> Self {
        Self { generation, state: State::Closed, free: 0 }
    }

    pub(crate) fn pack(self) -> u64 {
        let state = match self.state {
            State::Closed => 0,
            State::Open => 1,
            State::HalfOpen => 2,
        };
        u64::from(self.generation) << 32 | u64::from(self.free.min(MOST)) << 2 | state
    }

    pub(crate) fn unpack(word: u64) -> Self {
        let state = match word & 3 {
            0 => State::Closed,
            1 => State::Open,
            _ => State::HalfOpen,
        };
        Self { generation: (word >> 32) as u32, state, free: (word as u32) >> 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_in_a_word() {
        for state in [State::Closed, State::Open, State::HalfOpen] {
            for (generation, free) in [(0, 0), (1, 7), (u32::MAX, MOST), (1 << 31, 1 << 29)] {
                let word = Word { generation, state, free };
                assert_eq!(Word::unpack(word.pack()), word);
            }
        }
    }

    #[test]
    fn too_many_places_are_as_many_as_fit() {
        let word = Word { generation: 3, state: State::HalfOpen, free: u32::MAX };
        assert_eq!(Word::unpack(word.pack()), Word { free: MOST, ..word });
    }
}
