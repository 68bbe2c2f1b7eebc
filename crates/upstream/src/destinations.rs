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
    /// Whether other settings of TLS hold than before.
    is_renewed: bool,
}

impl Default for Destinations {
    /// Under the default settings of TLS.
    fn default() -> Self {
        Self::trusting(TlsSettings::default())
    }
}

/// A copy shares what was made for services until it changes.
#[derive(Debug, Default, Clone)]
struct Made {
    services: Arc<HashMap<Uuid, Arc<Reached>>>,
    balancers: HashMap<Uuid, Arc<Balancer>>,
}

/// A service, and the destination that was made for it.
type Reached = (Service, Arc<Destination>);

impl Destinations {
    /// For a first configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a first configuration, under these settings of TLS.
    pub fn trusting(settings: TlsSettings) -> Self {
        let (made, previous) = (Made::default(), Made::default());
        let (trusts, names, watches) = (Trusts::new(settings), Arc::default(), Vec::new());
        Self { trusts, names, made, previous, watches, is_renewed: false }
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
        let (made, previous) = (Made::default(), previous.made.clone());
        Self { trusts, names, made, previous, watches, is_renewed: false }
    }

    /// The same, under settings of TLS that may have changed.
    pub fn after_trusting(previous: &Self, settings: TlsSettings) -> Self {
        let mut next = Self::after(previous);
        if next.trusts.settings != settings {
            next.trusts = Trusts::new(settings);
            Arc::make_mut(&mut next.previous.services).retain(|_, known| !known.0.protocol.is_tls());
            next.watches.clear();
            next.is_renewed = true;
        }
        next
    }

    /// Begins what is done for upstreams beside requests, on this runtime: active health checks, looking up
    /// names. What was begun for those that did not change goes on; the rest ends when the
    /// destinations before are dropped.
    pub fn start(&mut self, handle: &Handle) {
        let mut watches = Vec::new();
        let running: HashMap<_, _> = self.watches.iter().map(|watch| (Arc::as_ptr(watch.balancer()), watch)).collect();
        for balancer in self.made.balancers.values() {
            let running = running.get(&Arc::as_ptr(balancer)).map(|watch| Arc::clone(watch));
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

    /// Goes on with all destinations of the configuration before, so that only those of services that have changed need be
    /// asked for. Answers whether that can be: under other settings of TLS all need be.
    pub fn carry_over(&mut self) -> bool {
        if !self.is_renewed {
            self.made.services = self.previous.services.clone();
        }
        !self.is_renewed
    }

    /// Lets go of the destination of a service that is no longer there.
    pub fn forget(&mut self, service: Uuid) {
        if self.made.services.contains_key(&service) {
            Arc::make_mut(&mut self.made.services).remove(&service);
        }
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
            .find(|known| known.0 == *service);
        let destination = match known {
            Some(known) => known.1.clone(),
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
        let is_known = |known: &Arc<(Service, _)>| Arc::ptr_eq(&known.1, destination) && known.0 == *service;
        if !self.made.services.get(&service.id).is_some_and(is_known) {
            let made = Arc::new((service.clone(), destination.clone()));
            Arc::make_mut(&mut self.made.services).insert(service.id, made);
        }
    }

    fn balancer(&mut self, balancing: &Arc<Balancing>) -> Arc<Balancer> {
        let known: Vec<_> =
            [&self.made, &self.previous].into_iter().filter_map(|made| made.balancers.get(&balancing.id)).collect();
        let is_same = |known: &Arc<Balancing>| Arc::ptr_eq(known, balancing) || **known == **balancing;
        let same = known.iter().find(|balancer| is_same(balancer.balancing()));
        let balancer = match (same, known.last()) {
            (Some(same), _) => Arc::clone(same),
            (None, Some(before)) => Arc::new(Balancer::after(before, balancing.clone(), Instant::now())),
            (None, None) => Arc::new(Balancer::new(balancing.clone(), Instant::now())),
        };
        self.made.balancers.insert(balancing.id, balancer.clone());
        balancer
    }
}
