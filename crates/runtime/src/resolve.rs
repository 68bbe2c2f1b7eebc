//! From entities as written to what requests meet.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use towergate_config::{
    Config, Kind,
    entities::{self, Endpoint},
};
use towergate_core::{Balancing, KeyPair, Protocol, Route, Service, Target, Tls};
use towergate_router::{Address, Protocols, Rule};
use uuid::Uuid;

use crate::balancing;

/// What Kong falls back to where an entity says `null`.
const TIMEOUT_MS: u32 = 60_000;
const RETRIES: u32 = 5;

/// A route that takes requests, and its service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) route: &'a entities::Route,
    pub(crate) service: Option<&'a entities::Service>,
}

impl<'a> Served<'a> {
    /// None if the route takes no HTTP requests. One of a disabled service does not exist for clients.
    pub(crate) fn of(route: &'a entities::Route, service: Option<&'a entities::Service>) -> Option<Self> {
        let served = service.is_none_or(|service| service.enabled) && route.protocols.iter().any(|p| p.is_http());
        served.then_some(Self { route, service })
    }
}

/// The conditions of a route. An address that is none was refused when the configuration was read.
pub(crate) fn rule(route: &entities::Route) -> Rule {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    Rule {
        id: route.id,
        protocols: route.protocols.iter().filter_map(|protocol| protocol.name().parse::<Protocols>().ok()).collect(),
        methods: list(&route.methods),
        hosts: list(&route.hosts),
        paths: list(&route.paths),
        headers: route.headers.clone().unwrap_or_default().into_iter().collect(),
        snis: list(&route.snis),
        sources: addresses(route.sources.as_deref()),
        destinations: addresses(route.destinations.as_deref()),
        regex_priority: route.regex_priority.unwrap_or(0),
    }
}

fn addresses(endpoints: Option<&[Endpoint]>) -> Vec<Address> {
    let address = |endpoint: &Endpoint| Address {
        ip: endpoint.ip.as_deref().and_then(|ip| ip.parse().ok()),
        port: endpoint.port,
    };
    endpoints.unwrap_or_default().iter().map(address).collect()
}

/// How a route treats its requests.
pub(crate) fn route(route: &entities::Route) -> Route {
    Route {
        id: route.id,
        name: route.name.clone(),
        protocols: route.protocols.iter().copied().map(protocol).collect(),
        strip_path: route.strip_path,
        preserve_host: route.preserve_host,
        request_buffering: route.request_buffering,
        response_buffering: route.response_buffering,
        https_redirect_status_code: route.https_redirect_status_code,
        tags: route.tags.clone().unwrap_or_default(),
    }
}

/// What services are resolved with; those of one upstream share its targets.
#[derive(Debug, Default)]
pub(crate) struct Services {
    balancing: HashMap<String, Arc<Balancing>>,
    /// What to show the targets of an upstream whose services show nothing of their own.
    of_upstreams: HashMap<String, KeyPair>,
    certificates: HashMap<Uuid, KeyPair>,
    authorities: HashMap<Uuid, Arc<str>>,
}

/// What services are resolved with, and which of them are resolved otherwise since.
#[derive(Debug, Default)]
pub(crate) struct Renewed {
    upstreams: HashSet<String>,
    certificates: HashSet<Uuid>,
    authorities: HashSet<Uuid>,
}

impl Renewed {
    /// Whether this service is resolved otherwise than before, though it has not changed itself.
    pub(crate) fn concerns(&self, service: &entities::Service) -> bool {
        self.upstreams.contains(&service.host)
            || service.client_certificate.is_some_and(|id| self.certificates.contains(&id))
            || service.ca_certificates.iter().flatten().any(|id| self.authorities.contains(id))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.upstreams.is_empty() && self.certificates.is_empty() && self.authorities.is_empty()
    }
}

impl Services {
    /// Of this configuration, which follows on `before`, and what is new in it.
    pub(crate) fn after(before: Option<(&Arc<Self>, &Config)>, config: &Config) -> (Arc<Self>, Renewed) {
        let kinds = [Kind::Upstreams, Kind::Targets, Kind::Certificates, Kind::CaCertificates];
        let mut renewed = Renewed::default();
        let Some((known, before)) = before else { return (Arc::new(Self::new(config, None)), renewed) };
        if kinds.into_iter().all(|kind| config.is_same(kind, before)) {
            return (known.clone(), renewed);
        }
        let next = Self::new(config, Some(known));
        renewed.upstreams = changed(&known.balancing, &next.balancing, Arc::ptr_eq);
        renewed.certificates = changed(&known.certificates, &next.certificates, PartialEq::eq);
        renewed.authorities = changed(&known.authorities, &next.authorities, PartialEq::eq);
        (Arc::new(next), renewed)
    }

    fn new(config: &Config, before: Option<&Self>) -> Self {
        let certificates: HashMap<_, _> = config.certificates.iter().map(|entity| (entity.id, pair(entity))).collect();
        let mut targets: HashMap<Uuid, Vec<Target>> = HashMap::new();
        for entity in &config.targets {
            targets.entry(entity.upstream).or_default().extend(balancing::target(entity));
        }
        let balancing = config.upstreams.iter().map(|upstream| {
            let targets = targets.remove(&upstream.id).unwrap_or_default();
            let identity = upstream.client_certificate.and_then(|id| certificates.get(&id)).cloned();
            let balancing = balancing::of(upstream, targets, identity);
            let known = before.and_then(|before| before.balancing.get(&upstream.name));
            let same = known.filter(|known| ***known == balancing).cloned();
            (upstream.name.clone(), same.unwrap_or_else(|| Arc::new(balancing)))
        });
        let balancing: HashMap<_, _> = balancing.collect();
        let of_upstreams = config.upstreams.iter().filter_map(|upstream| {
            Some((upstream.name.clone(), certificates.get(&upstream.client_certificate?)?.clone()))
        });
        let authority = |entity: &entities::CaCertificate| (entity.id, entity.cert.as_str().into());
        Self {
            balancing,
            of_upstreams: of_upstreams.collect(),
            authorities: config.ca_certificates.iter().map(authority).collect(),
            certificates,
        }
    }

    /// All upstreams, whether or not a service uses them.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = &Arc<Balancing>> {
        self.balancing.values()
    }

    /// Whom a service trusts and who we are to it.
    fn tls(&self, service: &entities::Service) -> Tls {
        let own = service.client_certificate.and_then(|id| self.certificates.get(&id));
        let ids = service.ca_certificates.iter().flatten();
        Tls {
            verify: service.tls_verify,
            depth: service.tls_verify_depth,
            // One that is not there was refused when the configuration was read; if it was not, an
            // empty text is no certificate, and nobody is trusted in its place.
            authorities: ids.map(|id| self.authorities.get(id).cloned().unwrap_or_default()).collect(),
            identity: own.or_else(|| self.of_upstreams.get(&service.host)).cloned(),
        }
    }

    /// A service at another host, port, or both, known by an id of its own.
    pub(crate) fn elsewhere(&self, service: &entities::Service, host: Option<&str>, port: Option<u16>) -> Service {
        let mut other = service.clone();
        other.host = host.map_or(other.host, str::to_owned);
        other.port = port.unwrap_or(other.port);
        other.id = Uuid::new_v5(&service.id, format!("{}:{}", other.host, other.port).as_bytes());
        self.service(&other)
    }

    /// Whether there is an upstream of this name.
    pub(crate) fn has_upstream(&self, name: &str) -> bool {
        self.balancing.contains_key(name)
    }

    /// Where the requests of a service's routes go. A host that is an upstream's name means its targets.
    pub(crate) fn service(&self, service: &entities::Service) -> Service {
        let timeout = |ms: Option<u32>| Duration::from_millis(ms.unwrap_or(TIMEOUT_MS).into());
        Service {
            id: service.id,
            name: service.name.clone(),
            protocol: protocol(service.protocol),
            host: service.host.clone(),
            port: service.port,
            path: service.path.clone(),
            retries: service.retries.unwrap_or(RETRIES),
            connect_timeout: timeout(service.connect_timeout),
            write_timeout: timeout(service.write_timeout),
            read_timeout: timeout(service.read_timeout),
            tls: protocol(service.protocol).is_tls().then(|| self.tls(service)),
            tags: service.tags.clone().unwrap_or_default(),
            balancing: self.balancing.get(&service.host).cloned(),
        }
    }
}

/// The keys whose values are others than before, or not in both.
fn changed<K: Clone + Eq + Hash, V>(
    before: &HashMap<K, V>,
    now: &HashMap<K, V>,
    is_same: fn(&V, &V) -> bool,
) -> HashSet<K> {
    let differs = |one: &HashMap<K, V>, other: &HashMap<K, V>| {
        let differs = |(key, value): &(&K, &V)| other.get(key).is_none_or(|other| !is_same(value, other));
        one.iter().filter(differs).map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    differs(before, now).into_iter().chain(differs(now, before)).collect()
}

fn pair(entity: &entities::Certificate) -> KeyPair {
    let entity = entity.effective();
    KeyPair { certificate: entity.cert.as_str().into(), key: entity.key.as_str().into() }
}

fn protocol(protocol: entities::Protocol) -> Protocol {
    match protocol {
        entities::Protocol::Grpc => Protocol::Grpc,
        entities::Protocol::Grpcs => Protocol::Grpcs,
        entities::Protocol::Http => Protocol::Http,
        entities::Protocol::Https => Protocol::Https,
        entities::Protocol::Tcp => Protocol::Tcp,
        entities::Protocol::Tls => Protocol::Tls,
        entities::Protocol::TlsPassthrough => Protocol::TlsPassthrough,
        entities::Protocol::Udp => Protocol::Udp,
    }
}
