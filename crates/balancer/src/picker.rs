//! The algorithm of an upstream.

use std::time::Instant;

use towergate_core::{Algorithm, Balancing};
use towergate_lb::{ConsistentHash, LeastConnections, PeakEwma, Pick, RoundRobin, Sticky, TwoChoices};

use crate::{member::Member, ring::Ring};

#[derive(Debug)]
pub(crate) enum Picker {
    RoundRobin(RoundRobin),
    ConsistentHash(ConsistentHash),
    LeastConnections(LeastConnections),
    PeakEwma(PeakEwma),
    TwoChoices(TwoChoices),
    Sticky(Sticky<RoundRobin>),
}

impl Picker {
    /// One for these members; what the one before knew of latencies is taken over.
    pub(crate) fn new(balancing: &Balancing, members: &[Member], before: Option<&Ring>, now: Instant) -> Self {
        let weights = members.iter().map(|member| member.weight);
        match balancing.algorithm {
            Algorithm::RoundRobin => Self::RoundRobin(RoundRobin::new(weights)),
            Algorithm::PowerOfTwoChoices => Self::TwoChoices(TwoChoices::new(weights)),
            Algorithm::StickySessions => {
                let names = members.iter().map(|member| member.address.to_string());
                Self::Sticky(Sticky::new(RoundRobin::new(weights), names))
            }
            Algorithm::LeastConnections => Self::LeastConnections(LeastConnections::new(weights)),
            Algorithm::Latency => {
                let picker = PeakEwma::new(weights, now);
                if let Some(before) = before {
                    take_over(&picker, members, before, now);
                }
                Self::PeakEwma(picker)
            }
            Algorithm::ConsistentHashing => {
                // As Kong names the points of its ring; the weights decide how many.
                let names = members.iter().map(|member| match member.address {
                    address if address.is_ipv6() => format!("[{}]::{}", address.ip(), address.port()),
                    address => format!("{}::{}", address.ip(), address.port()),
                });
                Self::ConsistentHash(ConsistentHash::new(balancing.slots, balancing.targets.len(), names.zip(weights)))
            }
        }
    }

    pub(crate) fn as_pick(&self) -> &dyn Pick {
        match self {
            Self::RoundRobin(picker) => picker,
            Self::ConsistentHash(picker) => picker,
            Self::LeastConnections(picker) => picker,
            Self::PeakEwma(picker) => picker,
            Self::TwoChoices(picker) => picker,
            Self::Sticky(sticky) => sticky.picker(),
        }
    }
}

/// Goes on with known latencies; who is new begins with the average of the others, so that it is not
/// run over.
fn take_over(picker: &PeakEwma, members: &[Member], before: &Ring, now: Instant) {
    let Picker::PeakEwma(old) = &before.picker else { return };
    let known: Vec<_> = members
        .iter()
        .map(|member| old.latency(before.members.iter().position(|other| other.address == member.address)?, now))
        .collect();
    let latencies: Vec<_> = known.iter().flatten().copied().collect();
    let count = u32::try_from(latencies.len()).unwrap_or(u32::MAX);
    let Some(average) = latencies.iter().sum::<std::time::Duration>().checked_div(count) else { return };
    for (place, latency) in known.into_iter().enumerate() {
        picker.observe(place, latency.unwrap_or(average), now);
    }
}
