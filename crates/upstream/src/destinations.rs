//! The destinations of one configuration, and what is done beside requests for its upstreams.

use std::{any::Any, collections::HashMap, net::SocketAddr, sync::Arc, time::Instant};

use tokio::runtime::Handle;
use towergate_balancer::Balancer;
use towergate_core::{Balancing, Service, Tls, UpstreamHealth};
use uuid::Uuid;

use crate::{
    destination::Destination,
    probe::Prober,
    resolve::Resolver,
    tls::{TlsSettings, Trusts},
    watch::Watch,
};

/// Makes the destinations of one configuration.
///
/// Services that name the same upstream share its state (whose turn it is, who is healthy), and what did
/// not change since the previous configuration is carried over with its state. An upstream that did
/// change goes on with what is known of the health of its targets.
///
/// ```
/// # use towergate_upstream::Destinations;
/// let first = Destinations::new();
/// // … `first.destination(&service)` for each service; at the next change of configuration:
/// let second = Destinations::after(&first);
/// ```
#[derive(Debug)]
pub struct Destinations {
    trusts: Arc<Trusts>,
    names: Arc<Resolver>,
    made: Made,
    previous: Made,
    /// What is done beside requests for upstreams, from [`start`](Self::start) on.
    watches: Vec<Arc<Watch>>,
}

impl Default for Destinations {
    /// Under the default settings of TLS.
    fn default() -> Self {
        Self::trusting(TlsSettings::default())
    }
}

#[derive(Debug, Default, Clone)]
struct Made {
    services: HashMap<Uuid, (Service, Arc<Destination>)>,
    balancers: HashMap<Uuid, Arc<Balancer>>,
}

impl Destinations {
    /// For a first configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a first configuration, under these settings of TLS.
    pub fn trusting(settings: TlsSettings) -> Self {
        let (made, previous) = (Made::default(), Made::default());
        Self { trusts: Trusts::new(settings), names: Arc::default(), made, previous, watches: Vec::new() }
    }

    /// The same, with names looked up by this client for what is done beside requests.
    #[must_use]
    pub fn resolving(mut self, names: towergate_dns::Client) -> Self {
        self.names = Arc::new(Resolver::new(names));
        self
    }

    /// For a configuration that follows on one these were made for.
    pub fn after(previous: &Self) -> Self {
        let (trusts, names, watches) = (previous.trusts.clone(), previous.names.clone(), previous.watches.clone());
        Self { trusts, names, made: Made::default(), previous: previous.made.clone(), watches }
    }

    /// The same, under settings of TLS that may have changed.
    pub fn after_trusting(previous: &Self, settings: TlsSettings) -> Self {
        let mut next = Self::after(previous);
        if next.trusts.settings != settings {
            next.trusts = Trusts::new(settings);
            next.previous.services.retain(|_, (service, _)| !service.protocol.is_tls());
            next.watches.clear();
        }
        next
    }

    /// Begins what is done for upstreams beside requests, on this runtime: active health checks, looking up
    /// names. What was begun for those that did not change goes on; the rest ends when the
    /// destinations before are dropped.
    pub fn start(&mut self, handle: &Handle) {
        let mut watches = Vec::new();
        for balancer in self.made.balancers.values() {
            let running = self.watches.iter().find(|watch| watch.is_of(balancer)).cloned();
            watches.extend(running.or_else(|| self.watch(balancer, handle)));
        }
        self.watches = watches;
    }

    fn watch(&self, balancer: &Arc<Balancer>, handle: &Handle) -> Option<Arc<Watch>> {
        match Prober::new(balancer.balancing(), &self.trusts) {
            Ok(prober) => Some(Watch::start(balancer.clone(), prober, self.names.clone(), handle)),
            Err(error) => {
                let upstream = balancer.balancing().name.as_str();
                tracing::error!(upstream, cause = %error, "Health is not watched: the client certificate cannot be used");
                None
            }
        }
    }

    /// How well the targets of the upstream of this id are.
    pub fn health(&self, upstream: Uuid) -> Option<UpstreamHealth> {
        self.made.balancers.get(&upstream).map(|balancer| balancer.health())
    }

    /// Decides that a target of the upstream of this id is healthy or not, or only this address of it.
    /// Answers whether there is one, and its health is watched.
    pub fn decide(&self, upstream: Uuid, host: &str, port: u16, address: Option<SocketAddr>, healthy: bool) -> bool {
        let balancer = self.made.balancers.get(&upstream);
        balancer.is_some_and(|balancer| balancer.decide(host, port, address, healthy, Instant::now()))
    }

    /// Watches an upstream, whether or not a service uses it.
    pub fn upstream(&mut self, balancing: &Arc<Balancing>) {
        self.balancer(balancing);
    }

    /// The destination of this service, for [`Plan::destination`](towergate_core::Plan::destination).
    pub fn destination(&mut self, service: &Service) -> Arc<dyn Any + Send + Sync> {
        self.make(service)
    }

    /// Tells of such a destination whether it can be used now: one with an upstream of which nobody is
    /// well cannot.
    pub fn usable(&self, destination: &Arc<dyn Any + Send + Sync>) -> Arc<dyn Fn() -> bool + Send + Sync> {
        let made = destination.downcast_ref::<Destination>();
        match made.and_then(Destination::balancer).cloned() {
            Some(balancer) => Arc::new(move || balancer.is_usable()),
            None => Arc::new(|| true),
        }
    }

    pub(crate) fn make(&mut self, service: &Service) -> Arc<Destination> {
        let known = [&self.made, &self.previous]
            .into_iter()
            .filter_map(|made| made.services.get(&service.id))
            .find(|(known, _)| known == service);
        let destination = match known {
            Some((_, destination)) => destination.clone(),
            None => {
                let balancer = service.balancing.as_ref().map(|balancing| self.balancer(balancing));
                let silent = Tls::default();
                let tls = service.protocol.is_tls().then(|| service.tls.as_ref().unwrap_or(&silent));
                let client = tls.map(|tls| self.trusts.client(tls, service.protocol));
                Arc::new(Destination::new(service, balancer, client))
            }
        };
        self.remember(service, &destination);
        destination
    }

    fn remember(&mut self, service: &Service, destination: &Arc<Destination>) {
        if let Some(balancer) = destination.balancer() {
            self.made.balancers.entry(balancer.balancing().id).or_insert_with(|| balancer.clone());
        }
        self.made.services.insert(service.id, (service.clone(), destination.clone()));
    }

    fn balancer(&mut self, balancing: &Arc<Balancing>) -> Arc<Balancer> {
        let known: Vec<_> =
            [&self.made, &self.previous].into_iter().filter_map(|made| made.balancers.get(&balancing.id)).collect();
        let same = known.iter().find(|balancer| **balancer.balancing() == **balancing);
        let balancer = match (same, known.last()) {
            (Some(same), _) => Arc::clone(same),
            (None, Some(before)) => Arc::new(Balancer::after(before, balancing.clone(), Instant::now())),
            (None, None) => Arc::new(Balancer::new(balancing.clone(), Instant::now())),
        };
        self.made.balancers.insert(balancing.id, balancer.clone());
        balancer
    }
}
