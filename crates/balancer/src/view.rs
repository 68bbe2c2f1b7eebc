//! What is shown of a balancer, and what somebody decides about it.

use std::{net::SocketAddr, time::Instant};

use towergate_core::{AddressHealth, Target, TargetHealth, UpstreamHealth};

use crate::{
    balancer::Balancer,
    member::{self, Member},
    names::Answer,
    ring::Ring,
};

impl Balancer {
    /// How well all targets are now.
    #[must_use]
    pub fn health(&self) -> UpstreamHealth {
        let answers = self.answers();
        let ring = self.ring();
        let (available, _) = ring.weights();
        let targets = self.balancing().targets.iter().enumerate();
        let target = |(place, target)| {
            let answer = answers.get(place).and_then(Option::as_ref);
            self.target_health(&ring, place, target, answer)
        };
        UpstreamHealth {
            is_watched: self.is_watched(),
            is_healthy: ring.is_usable() && (available > 0 || ring.is_panicking() || !self.is_watched()),
            targets: targets.map(target).collect(),
        }
    }

    fn target_health(&self, ring: &Ring, place: usize, target: &Target, answer: Option<&Answer>) -> TargetHealth {
        let address = |member: &Member| AddressHealth {
            address: member.address,
            weight: member.weight,
            is_healthy: !self.is_watched() || member.health.is_available(),
        };
        let dns = match (member::literal(target), answer) {
            (Some(ip), _) => if ip.is_ipv4() { "A" } else { "AAAA" }.to_owned(),
            (None, Some(answer)) => answer.kind.clone(),
            (None, None) => "not looked up yet".to_owned(),
        };
        let members = ring.members.iter().filter(|member| member.target == place);
        TargetHealth {
            host: target.host.clone(),
            port: target.port,
            weight: target.weight,
            dns,
            is_looked_up: answer.is_some() || member::literal(target).is_some(),
            addresses: members.map(address).collect(),
        }
    }

    /// Decides that a target is healthy or not, or only this address of it: its counts begin anew.
    /// What is reported from then on changes it again. Answers whether there is anything of that kind
    /// whose health is watched.
    pub fn decide(&self, host: &str, port: u16, address: Option<SocketAddr>, healthy: bool, now: Instant) -> bool {
        let ring = self.ring();
        let targets = &self.balancing().targets;
        let is_meant = |member: &&Member| {
            let target = targets.get(member.target);
            target.is_some_and(|target| target.host == host && target.port == port)
                && address.is_none_or(|address| address == member.address)
        };
        let mut is_found = false;
        for member in ring.members.iter().filter(is_meant).filter(|_| self.is_watched()) {
            is_found = true;
            if let Some(is_healthy) = member.health.decide(healthy, now) {
                self.tell(member.address, is_healthy, "decided through the Admin API");
            }
        }
        is_found
    }
}
