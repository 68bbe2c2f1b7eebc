//! From entities as written to what requests meet.

use std::{collections::HashMap, sync::Arc, time::Duration};

use towergate_config::{
    Config,
    entities::{self, Endpoint},
};
use towergate_core::{Balancing, Protocol, Route, Service, Target};
use towergate_router::{Address, Protocols, Rule};
use uuid::Uuid;

/// What Kong falls back to where an entity says `null`.
const TIMEOUT_MS: u32 = 60_000;
const RETRIES: u32 = 5;

/// A route that takes requests, and its service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served<'a> {
    pub(crate) route: &'a entities::Route,
    pub(crate) service: Option<&'a entities::Service>,
}

/// The routes that take HTTP requests: those of a disabled service do not exist for clients.
pub(crate) fn served(config: &Config) -> Vec<Served<'_>> {
    let services: HashMap<_, _> = config.services.iter().map(|service| (service.id, service)).collect();
    let serve = |route| {
        let route: &entities::Route = route;
        let service = route.service.and_then(|id| services.get(&id).copied());
        let served = service.is_none_or(|service| service.enabled) && route.protocols.iter().any(|p| p.is_http());
        served.then_some(Served { route, service })
    };
    config.routes.iter().filter_map(serve).collect()
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

/// The services of a configuration, resolved; those of one upstream share its targets.
pub(crate) struct Services {
    balancing: HashMap<String, Arc<Balancing>>,
}

impl Services {
    pub(crate) fn new(config: &Config) -> Self {
        let mut targets: HashMap<Uuid, Vec<Target>> = HashMap::new();
        for entity in &config.targets {
            targets.entry(entity.upstream).or_default().extend(target(entity));
        }
        let balancing = config.upstreams.iter().map(|upstream| {
            let targets = targets.remove(&upstream.id).unwrap_or_default();
            let (id, name, host_header) = (upstream.id, upstream.name.clone(), upstream.host_header.clone());
            (name.clone(), Arc::new(Balancing { id, name, host_header, targets }))
        });
        Self { balancing: balancing.collect() }
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
            tags: service.tags.clone().unwrap_or_default(),
            balancing: self.balancing.get(&service.host).cloned(),
        }
    }
}

/// A target, taken apart. It was normalised to `host:port` when the configuration was read.
fn target(entity: &entities::Target) -> Option<Target> {
    let (host, port) = entity.target.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Target { host, port: port.parse().ok()?, weight: entity.weight.unwrap_or(100) })
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
