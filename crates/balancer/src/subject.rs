//! Who is asked how they are, and what they say.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use crate::{balancer::Balancer, health::Health, rules::Outcome, state::Report};

/// An address that is to be asked.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The address.
    pub address: SocketAddr,
    /// The host name of its target, or the address in its place.
    pub host: String,
    health: Arc<Health>,
}

impl Balancer {
    /// The addresses that are healthy, or those that are not, and get requests at all.
    #[must_use]
    pub fn subjects(&self, healthy: bool) -> Vec<Subject> {
        let targets = &self.balancing().targets;
        let ring = self.ring();
        let members = ring.members.iter();
        members
            .filter(|member| member.weight > 0 && member.health.state().is_in_rotation() == healthy)
            .filter_map(|member| {
                let host = targets.get(member.target)?.host.clone();
                Some(Subject { address: member.address, host, health: member.health.clone() })
            })
            .collect()
    }

    /// Takes in what an address said when it was asked (active health checks).
    pub fn probed(&self, subject: &Subject, outcome: Outcome, now: Instant) {
        let rules = self.active_rules();
        let Some(report) = rules.judge(outcome) else { return };
        if let Some(is_healthy) = subject.health.report(report, rules.limits(), None, now) {
            self.tell(subject.address, is_healthy, "asked");
        }
        if report != Report::Success {
            subject.health.hold();
        }
    }
}
