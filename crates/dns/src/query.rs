//! One look-up: which records are asked for, and what they mean. The only module that knows who speaks DNS.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::{Query, ResponseCode},
        rr::{Name, RData, RecordType, rdata::SRV},
    },
    system_conf::parse_resolv_conf,
};

use crate::{
    answer::{Failure, Found},
    settings::{Kind, Settings},
};

/// A TTL of zero would mean a look-up for each request.
const SHORTEST: Duration = Duration::from_secs(1);
/// What stands in the hosts file does not change.
const HOSTS_TTL: Duration = Duration::from_secs(24 * 3600);
/// Kong's words for the codes of DNS servers.
const CODES: [(ResponseCode, &str); 5] = [
    (ResponseCode::FormErr, "dns server error: 1 format error"),
    (ResponseCode::ServFail, "dns server error: 2 server failure"),
    (ResponseCode::NXDomain, "dns server error: 3 name error"),
    (ResponseCode::NotImp, "dns server error: 4 not implemented"),
    (ResponseCode::Refused, "dns server error: 5 refused"),
];

/// Asks servers and the hosts file.
pub(crate) struct Asker {
    resolver: Result<TokioResolver, Failure>,
    hosts: Hosts,
    order: Vec<Kind>,
}

/// What was asked for and found.
pub(crate) type Looked = Result<(Kind, Vec<Found>, Duration), Failure>;

impl Asker {
    pub(crate) fn new(settings: &Settings) -> Self {
        let (config, options) = system(settings);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(|error| Failure::Failed(format!("dns client error: {error}")));
        Self { resolver, hosts: hosts(settings), order: settings.order.clone() }
    }

    /// The addresses of a name; `last` is the kind that had an answer before.
    pub(crate) async fn look_up(&self, name: &str, last: Option<Kind>) -> Looked {
        // What is no name of a host has no address, whoever is asked.
        let name = Name::from_ascii(name).ok().filter(|_| is_host(name)).ok_or(Failure::NoSuchName)?;
        if let Some(found) = self.in_hosts(&name) {
            return Ok(found);
        }
        let mut failure = Failure::Empty;
        let mut asked = Vec::new();
        for kind in &self.order {
            let kind = match (kind, last) {
                (Kind::Last, Some(last)) => last,
                (Kind::Last | Kind::Cname, _) => continue,
                (kind, _) => *kind,
            };
            if asked.contains(&kind) {
                continue;
            }
            asked.push(kind);
            match self.records(&name, kind).await {
                Ok((found, ttl)) if !found.is_empty() => return Ok((kind, found, ttl)),
                Ok(_) => {}
                // What is not known weighs more than what is known not to be there.
                Err(why) => failure = if failure.is_certain() { why } else { failure },
            }
        }
        Err(failure)
    }

    fn in_hosts(&self, name: &Name) -> Option<(Kind, Vec<Found>, Duration)> {
        [(Kind::A, RecordType::A), (Kind::Aaaa, RecordType::AAAA)].into_iter().find_map(|(kind, record)| {
            let lookup = self.hosts.lookup_static_host(&Query::query(name.clone(), record))?;
            let found: Vec<_> = lookup.answers().iter().filter_map(|record| plain(&record.data)).collect();
            // As in Kong, IPv6 counts only where it is asked for.
            let counts = kind == Kind::A || self.order.contains(&Kind::Aaaa);
            (counts && !found.is_empty()).then_some((kind, found, HOSTS_TTL))
        })
    }

    async fn records(&self, name: &Name, kind: Kind) -> Result<(Vec<Found>, Duration), Failure> {
        match kind {
            Kind::Srv => self.services(name).await,
            Kind::Aaaa => self.addresses(name, RecordType::AAAA).await,
            Kind::A | Kind::Cname | Kind::Last => self.addresses(name, RecordType::A).await,
        }
    }

    async fn lookup(&self, name: &Name, kind: RecordType) -> Result<Lookup, Failure> {
        let resolver = self.resolver.as_ref().map_err(Clone::clone)?;
        resolver.lookup(name.clone(), kind).await.map_err(|error| failure(&error))
    }

    async fn addresses(&self, name: &Name, kind: RecordType) -> Result<(Vec<Found>, Duration), Failure> {
        let lookup = self.lookup(name, kind).await?;
        let found = lookup.answers().iter().filter_map(|record| plain(&record.data)).collect();
        Ok((found, shortest(lookup.answers().iter().map(|record| record.ttl))))
    }

    /// The addresses of the services of the highest priority, with their ports and weights.
    async fn services(&self, name: &Name) -> Result<(Vec<Found>, Duration), Failure> {
        let lookup = self.lookup(name, RecordType::SRV).await?;
        let mut ttl = shortest(lookup.answers().iter().map(|record| record.ttl));
        let services: Vec<&SRV> = lookup
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(service) => Some(service),
                _ => None,
            })
            .collect();
        let first = services.iter().map(|service| service.priority).min();
        let (mut found, mut why) = (Vec::new(), Failure::Empty);
        for service in services.into_iter().filter(|service| Some(service.priority) == first) {
            let (port, weight) = (Some(service.port), Some(service.weight));
            let name: Arc<str> = service.target.to_ascii().trim_end_matches('.').into();
            match self.target(&service.target).await {
                Ok((addresses, its)) => {
                    ttl = ttl.min(its);
                    found.extend(addresses.into_iter().map(|address| Found {
                        port,
                        weight,
                        name: Some(name.clone()),
                        ..address
                    }));
                }
                Err(failure) => why = failure,
            }
        }
        // One of several that cannot be found does not keep the others from being used.
        if found.is_empty() { Err(why) } else { Ok((found, ttl)) }
    }

    async fn target(&self, name: &Name) -> Result<(Vec<Found>, Duration), Failure> {
        if let Some((_, found, ttl)) = self.in_hosts(name) {
            return Ok((found, ttl));
        }
        match self.addresses(name, RecordType::A).await {
            Ok((found, ttl)) if !found.is_empty() => Ok((found, ttl)),
            other if !self.order.contains(&Kind::Aaaa) => other,
            _ => self.addresses(name, RecordType::AAAA).await,
        }
    }
}

/// What the system says, with the servers set in its place if there are any.
fn system(settings: &Settings) -> (ResolverConfig, ResolverOpts) {
    let mut text = fs::read(&settings.resolv_conf).unwrap_or_default();
    if !settings.servers.is_empty() {
        // One that is not used: without any, nothing else would be read.
        text.extend_from_slice(b"\nnameserver 127.0.0.1\n");
    }
    let (mut config, mut options) = parse_resolv_conf(&text).unwrap_or_else(|error| {
        tracing::warn!(file = %settings.resolv_conf.display(), cause = %error, "No DNS server is known");
        Default::default()
    });
    if !settings.servers.is_empty() {
        let servers = settings.servers.iter().map(server).collect();
        config = ResolverConfig::from_parts(config.domain().cloned(), config.search().to_vec(), servers);
    }
    // Ours is the memory, as long as the settings say; theirs is the hosts file.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    (config, options)
}

/// The hosts file; one that cannot be read is as if it were empty.
fn hosts(settings: &Settings) -> Hosts {
    let text = fs::read(&settings.hosts_file).unwrap_or_default();
    let mut hosts = Hosts::default();
    if let Err(error) = hosts.read_hosts_conf(&*text) {
        tracing::warn!(file = %settings.hosts_file.display(), cause = %error, "Hosts not read");
    }
    let localhost = Query::query(Name::from_ascii("localhost").unwrap_or_default(), RecordType::A);
    if hosts.lookup_static_host(&localhost).is_none() {
        // Kong knows it without a file.
        let _ = hosts.read_hosts_conf(&b"127.0.0.1 localhost\n"[..]);
    }
    hosts
}

fn is_host(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())])
}

fn plain(data: &RData) -> Option<Found> {
    data.ip_addr().map(|ip| Found { ip, port: None, weight: None, name: None })
}

fn shortest(ttls: impl Iterator<Item = u32>) -> Duration {
    ttls.min().map_or(SHORTEST, |seconds| Duration::from_secs(seconds.into())).max(SHORTEST)
}

fn failure(error: &NetError) -> Failure {
    match error {
        error if error.is_nx_domain() => Failure::NoSuchName,
        error if error.is_no_records_found() => Failure::Empty,
        NetError::Dns(DnsError::ResponseCode(code)) => {
            let words = CODES.iter().find(|(known, _)| known == code).map(|(_, words)| (*words).to_owned());
            Failure::Failed(words.unwrap_or_else(|| format!("dns server error: {code}")))
        }
        NetError::Timeout => {
            Failure::Failed("dns client error: failed to receive reply from the server: timeout".into())
        }
        error => Failure::Failed(format!("dns client error: {error}")),
    }
}
