//! One address of a target.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use towergate_core::{Balancing, Target};

use crate::{book::Book, health::Health, names::Answer};

/// One address of a target: what is chosen.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// The place of its target in the configuration.
    pub(crate) target: usize,
    pub(crate) address: SocketAddr,
    pub(crate) weight: u16,
    pub(crate) health: Arc<Health>,
    /// The name of the service there, if that is to be the host.
    pub(crate) name: Option<Arc<str>>,
}

/// The address of a target that is named by one.
pub(crate) fn literal(target: &Target) -> Option<IpAddr> {
    let host = target.host.as_str();
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// All addresses of the targets, in the order in which Kong puts them on its ring: by the targets'
/// names and ports, then by address. Every address of a name has the whole weight of its target. Whether
/// they are the first there ever were decides whether new ones have to warm up.
pub(crate) fn all(
    balancing: &Balancing,
    answers: &[Option<Answer>],
    book: &Book,
    are_first: bool,
    now: Instant,
) -> Vec<Member> {
    let mut order: Vec<_> = balancing.targets.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| (&a.host, a.port).cmp(&(&b.host, b.port)));
    let member = |place: usize, target: &Target, address: SocketAddr, weight: u16| Member {
        target: place,
        address,
        weight,
        health: book.health(address, &target.host, are_first, now),
        name: None,
    };
    let mut members = Vec::new();
    for (place, target) in order {
        if let Some(ip) = literal(target) {
            members.push(member(place, target, SocketAddr::new(ip, target.port), target.weight));
            continue;
        }
        let Some(Some(answer)) = answers.get(place) else { continue };
        let mut addresses: Vec<_> = answer
            .addresses
            .iter()
            .map(|found| {
                let weight = if target.weight == 0 { 0 } else { found.weight.unwrap_or(target.weight).max(1) };
                let name = found.name.clone().filter(|_| balancing.use_srv_name);
                (SocketAddr::new(found.ip, found.port.unwrap_or(target.port)), weight, name)
            })
            .collect();
        addresses.sort_by_cached_key(|(address, ..)| address.to_string());
        let named = |(address, weight, name)| Member { name, ..member(place, target, address, weight) };
        members.extend(addresses.into_iter().map(named));
    }
    members
}
