//! Where the requests of a service go: worked out once per configuration, picked from per attempt.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use http::HeaderValue;
use towergate_balancer::{Balancer, LookUp, Permit};
use towergate_core::{Algorithm, Balancing, Protocol, Service, StickyCookie};
use towergate_tls::{Client, PemError};

use crate::{
    chosen::{Chosen, Tried},
    error::{Error, Kind},
    resolve::{Noting, Resolver},
    transport::{Key, Secured},
};

/// Where the requests of one service go.
#[derive(Debug)]
pub(crate) struct Destination {
    way: Way,
    /// Whom to trust and who to be there, if it is reached over TLS.
    client: Option<Client>,
    is_http2: bool,
}

#[derive(Debug)]
enum Way {
    Single(Endpoint),
    Balanced {
        balancer: Arc<Balancer>,
        endpoints: Vec<Endpoint>,
    },
    Unsupported(Protocol),
    /// Over TLS with certificates that cannot be read.
    Broken(String),
}

/// One place to connect to.
#[derive(Debug)]
struct Endpoint {
    place: Place,
    port: u16,
    /// The target as configuration names it, with its port.
    target: Box<str>,
    /// The `Host` of requests sent there.
    host: HeaderValue,
    /// The same without a port: who is to be there.
    name: Arc<str>,
    /// The host without the port that may be added.
    shown: Box<str>,
    /// Whether the upstream has set it.
    is_named: bool,
    protocol: Protocol,
}

#[derive(Debug)]
enum Place {
    Address(IpAddr),
    Name(Box<str>),
}

/// What one attempt connects to.
#[derive(Debug)]
pub(crate) struct Peer<'a> {
    pub(crate) address: SocketAddr,
    /// Whether it took time to find out, or may have.
    pub(crate) was_asked_for: bool,
    named: Named<'a>,
    client: Option<&'a Client>,
}

/// The `Host` to send, and who is to be there.
#[derive(Debug)]
enum Named<'a> {
    /// Those of its endpoint.
    Endpoint(&'a Endpoint),
    /// Others.
    Otherwise(Box<(HeaderValue, Arc<str>)>),
}

impl Peer<'_> {
    /// The `Host` to send.
    pub(crate) fn host(&self) -> &HeaderValue {
        match &self.named {
            Named::Endpoint(endpoint) => &endpoint.host,
            Named::Otherwise(named) => &named.0,
        }
    }

    fn name(&self) -> &Arc<str> {
        match &self.named {
            Named::Endpoint(endpoint) => &endpoint.name,
            Named::Otherwise(named) => &named.1,
        }
    }

    /// What a connection to it must be made to, if this is the `Host` that is sent in place of its own.
    pub(crate) fn key(&self, host: Option<&HeaderValue>) -> Key {
        let tls = self.client.map(|client| {
            let name = host.and_then(name_in).unwrap_or_else(|| Arc::clone(self.name()));
            Secured { client: client.clone(), name }
        });
        Key { address: self.address, tls }
    }
}

impl Destination {
    pub(crate) fn new(
        service: &Service,
        balancer: Option<Arc<Balancer>>,
        client: Option<Result<Client, PemError>>,
    ) -> Self {
        let protocol = service.protocol;
        let client = match client.transpose() {
            Ok(client) => client,
            Err(error) => return Self { way: Way::Broken(error.to_string()), client: None, is_http2: false },
        };
        let way = match balancer {
            _ if !(protocol.is_grpc() || matches!(protocol, Protocol::Http | Protocol::Https)) => {
                Way::Unsupported(protocol)
            }
            None => Way::Single(Endpoint::new(&service.host, service.port, None, protocol)),
            Some(balancer) => {
                let name = balancer.balancing().host_header.as_deref();
                let targets = balancer.balancing().targets.iter();
                let endpoints =
                    targets.map(|target| Endpoint::new(&target.host, target.port, name, protocol)).collect();
                Way::Balanced { balancer, endpoints }
            }
        };
        Self { way, client, is_http2: protocol.is_grpc() }
    }

    /// Whether headers of a request say where it goes.
    pub(crate) fn reads_headers(&self) -> bool {
        self.hashing().is_some() || self.sticky().is_some()
    }

    /// Whether HTTP/2 is spoken there: to gRPC services only, as in Kong.
    pub(crate) fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// The targets of its upstream, if it has one.
    pub(crate) fn balancer(&self) -> Option<&Arc<Balancer>> {
        if let Way::Balanced { balancer, .. } = &self.way { Some(balancer) } else { None }
    }

    /// The upstream whose targets are chosen by a key, if they are.
    pub(crate) fn hashing(&self) -> Option<&Balancing> {
        let Way::Balanced { balancer, .. } = &self.way else { return None };
        Some(&**balancer.balancing()).filter(|balancing| balancing.algorithm == Algorithm::ConsistentHashing)
    }

    /// The cookie by which clients come back to their targets, if they do.
    pub(crate) fn sticky(&self) -> Option<&StickyCookie> {
        let Way::Balanced { balancer, .. } = &self.way else { return None };
        let balancing = balancer.balancing();
        balancing.sticky.as_ref().filter(|_| balancing.algorithm == Algorithm::StickySessions)
    }

    /// A place for one more request, if its upstream is given but so many at the same time.
    pub(crate) async fn admit(&self) -> Result<Option<Permit>, Error> {
        let Some(limit) = self.balancer().and_then(|balancer| balancer.limit()) else { return Ok(None) };
        // Boxed: where there is no limit a request does not make room for it.
        Box::pin(limit).await.map(Some).map_err(|full| Error::new(Kind::Full(full.retry_after)))
    }

    /// Where the next attempt goes.
    pub(crate) async fn pick<'a>(
        &'a self,
        resolver: &Arc<Resolver>,
        tried: &Tried<'a>,
        now: Instant,
    ) -> Result<Chosen<'a>, Error> {
        let mut chosen = match &self.way {
            Way::Unsupported(protocol) => Err(Error::new(Kind::Unsupported(*protocol))),
            Way::Broken(why) => Err(Error::new(Kind::Certificates(why.clone()))),
            Way::Single(endpoint) => match tried.admit(&endpoint.target) {
                None => Err(Error::new(Kind::Barred)),
                Some(leave) => Ok(Chosen::new(endpoint.peer(resolver, tried).await?, leave)),
            },
            Way::Balanced { balancer, endpoints } => {
                let was_asked_for = look_up(balancer, resolver, tried, now).await;
                let mut chosen = pick_target(balancer, endpoints, tried, now)?;
                chosen.peer.was_asked_for = was_asked_for;
                Ok(chosen)
            }
        }?;
        chosen.peer.client = self.client.as_ref();
        Ok(chosen)
    }
}

/// Has names looked up that are due: beside requests, unless nothing is known yet. Answers whether
/// that was waited for.
async fn look_up(balancer: &Arc<Balancer>, resolver: &Arc<Resolver>, tried: &Tried<'_>, now: Instant) -> bool {
    match balancer.look_up(now) {
        LookUp::None => false,
        LookUp::Beside => {
            let (balancer, resolver) = (balancer.clone(), resolver.clone());
            tokio::spawn(async move { balancer.refresh(&*resolver, now).await });
            false
        }
        LookUp::First => {
            // Boxed: all but the first requests make no room for it.
            let first = async { balancer.refresh(&Noting { resolver, spans: tried.spans() }, now).await };
            Box::pin(first).await;
            true
        }
    }
}

/// Picks a target; one that is not to be tried now is passed over, which is not an attempt.
fn pick_target<'a>(
    balancer: &'a Balancer,
    endpoints: &'a [Endpoint],
    tried: &Tried<'a>,
    now: Instant,
) -> Result<Chosen<'a>, Error> {
    let mut barred = Vec::new();
    loop {
        let picked = balancer.pick(&tried.wish(&barred, now));
        let Some((endpoint, picked)) = picked.and_then(|picked| Some((endpoints.get(picked.target)?, picked))) else {
            return Err(Error::new(if barred.is_empty() { Kind::NoPeer } else { Kind::Barred }));
        };
        if let Some(leave) = tried.admit(&endpoint.target) {
            let peer = endpoint.at(picked.address, picked.name.as_deref());
            return Ok(Chosen::new(peer, leave).of(balancer, picked));
        }
        barred.push(picked.target);
    }
}

impl Endpoint {
    fn new(host: &str, port: u16, named: Option<&str>, protocol: Protocol) -> Self {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let place = bare.parse().map_or_else(|_| Place::Name(bare.into()), Place::Address);
        let shown = match (named, &place) {
            (Some(name), _) => name.to_owned(),
            (None, Place::Address(IpAddr::V6(address))) => format!("[{address}]"),
            (None, _) => bare.to_owned(),
        };
        let host = host_header(shown.clone(), port, protocol);
        let target = match &place {
            Place::Address(address) => SocketAddr::new(*address, port).to_string(),
            Place::Name(name) => format!("{name}:{port}"),
        };
        let name = name_in(&host).unwrap_or_else(|| bare.into());
        Self {
            place,
            port,
            target: target.into(),
            name,
            host,
            shown: shown.into(),
            is_named: named.is_some(),
            protocol,
        }
    }

    async fn peer<'a>(&'a self, resolver: &Resolver, tried: &Tried<'_>) -> Result<Peer<'a>, Error> {
        let (address, was_asked_for) = match &self.place {
            Place::Address(address) => (SocketAddr::new(*address, self.port), false),
            Place::Name(name) => (resolver.resolve(name, self.port, tried).await?, true),
        };
        Ok(Peer { was_asked_for, ..self.at(address, None) })
    }

    /// This address of it. What an SRV record brings is the host: always the port, and the name where
    /// that is asked for and the upstream has set none.
    fn at<'a>(&'a self, address: SocketAddr, service: Option<&str>) -> Peer<'a> {
        let service = service.filter(|_| !self.is_named);
        let named = match service {
            None if address.port() == self.port => Named::Endpoint(self),
            _ => {
                let shown = service.unwrap_or(&self.shown).to_owned();
                let host = host_header(shown, address.port(), self.protocol);
                let name = name_in(&host).unwrap_or_else(|| self.name.clone());
                Named::Otherwise(Box::new((host, name)))
            }
        };
        Peer { address, was_asked_for: false, named, client: None }
    }
}

/// Who is to be at the other end of a connection for requests with this `Host`.
pub(crate) fn name_in(host: &HeaderValue) -> Option<Arc<str>> {
    let authority: http::uri::Authority = host.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_ascii_lowercase().into())
}

/// A name and the port, unless it is the protocol's own or the name (an upstream's `host_header`)
/// brings one.
fn host_header(name: String, port: u16, protocol: Protocol) -> HeaderValue {
    let complete =
        port == protocol.default_port() || name.parse::<http::uri::Authority>().is_ok_and(|a| a.port().is_some());
    let text = if complete { name } else { format!("{name}:{port}") };
    // Names are checked with the configuration; one that is no header value cannot be connected to either.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use towergate_balancer::Outcome;
    use towergate_core::{Target, Tls};
    use uuid::Uuid;

    use super::*;
    use crate::{destinations::Destinations, tls::TlsSettings};

    fn service(host: &str, port: u16, balancing: Option<Arc<Balancing>>) -> Service {
        Service {
            id: Uuid::new_v4(),
            name: None,
            protocol: Protocol::Http,
            host: host.into(),
            port,
            path: None,
            retries: 5,
            connect_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            tls: None,
            tags: vec![],
            balancing,
        }
    }

    fn upstream(host_header: Option<&str>, targets: &[(&str, u16, u16)]) -> Arc<Balancing> {
        let targets =
            targets.iter().map(|(host, port, weight)| Target { host: (*host).into(), port: *port, weight: *weight });
        let host_header = host_header.map(Into::into);
        Arc::new(Balancing { host_header, ..Balancing::new(Uuid::new_v4(), "up", targets.collect()) })
    }

    async fn pick(service: &Service) -> Result<(String, String), Error> {
        let destination = Destinations::new().make(service);
        let resolver = Arc::default();
        let Chosen { peer, .. } = &destination.pick(&resolver, &Tried::default(), Instant::now()).await?;
        Ok((peer.address.to_string(), peer.host().to_str().unwrap().to_owned()))
    }

    #[tokio::test]
    async fn host_names_the_target_and_a_port_that_is_not_the_default() {
        let one = |host_header, target| Some(upstream(host_header, &[target]));
        for (service, address, host) in [
            (service("127.0.0.1", 80, None), "127.0.0.1:80", "127.0.0.1"),
            (service("127.0.0.1", 8080, None), "127.0.0.1:8080", "127.0.0.1:8080"),
            (service("127.0.0.1", 443, None), "127.0.0.1:443", "127.0.0.1:443"),
            (service("::1", 80, None), "[::1]:80", "[::1]"),
            (service("[::1]", 81, None), "[::1]:81", "[::1]:81"),
            (service("up", 1, one(None, ("127.0.0.1", 80, 1))), "127.0.0.1:80", "127.0.0.1"),
            (service("up", 1, one(None, ("::1", 8000, 1))), "[::1]:8000", "[::1]:8000"),
            (service("up", 1, one(Some("shop.test"), ("127.0.0.1", 8000, 1))), "127.0.0.1:8000", "shop.test:8000"),
            (service("up", 1, one(Some("shop.test:9"), ("127.0.0.1", 8000, 1))), "127.0.0.1:8000", "shop.test:9"),
        ] {
            assert_eq!(pick(&service).await.unwrap(), (address.into(), host.into()));
        }
    }

    #[tokio::test]
    async fn without_a_usable_target_there_is_no_peer() {
        for targets in [&[] as &[_], &[("127.0.0.1", 80, 0)], &[("no name.invalid", 80, 1)]] {
            let error = pick(&service("up", 80, Some(upstream(None, targets)))).await.unwrap_err();
            assert_eq!(error.reply().message(), Some("failure to get a peer from the ring-balancer"));
        }
    }

    #[tokio::test]
    async fn a_target_without_an_address_is_passed_over() {
        let service = service("up", 80, Some(upstream(None, &[("no name.invalid", 80, 9), ("127.0.0.1", 80, 1)])));
        for _ in 0..10 {
            assert_eq!(pick(&service).await.unwrap().0, "127.0.0.1:80");
        }
    }

    #[tokio::test]
    async fn an_attempt_goes_to_another_target_while_one_is_left() {
        let service = service("up", 80, Some(upstream(None, &[("127.0.0.1", 1, 1), ("127.0.0.1", 2, 1)])));
        let destination = Destinations::new().make(&service);
        let resolver = Arc::default();
        let mut tried = Tried::default();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let mut chosen = destination.pick(&resolver, &tried, Instant::now()).await.unwrap();
            chosen.failed(Outcome::Broken);
            tried.addresses.push(chosen.peer.address);
            seen.push(chosen.peer.address.port());
        }
        assert_ne!(seen[0], seen[1], "{seen:?}: the second attempt goes elsewhere, later ones anywhere");
    }

    #[test]
    fn other_protocols_are_told_apart() {
        let of = |protocol| Destinations::new().make(&Service { protocol, ..service("127.0.0.1", 443, None) });
        for (protocol, is_http2) in
            [(Protocol::Http, false), (Protocol::Https, false), (Protocol::Grpc, true), (Protocol::Grpcs, true)]
        {
            assert_eq!(of(protocol).is_http2(), is_http2);
        }
        assert!(matches!(of(Protocol::Tcp).way, Way::Unsupported(Protocol::Tcp)));
    }

    fn secure(host: &str, port: u16, balancing: Option<Arc<Balancing>>) -> Service {
        Service { protocol: Protocol::Https, ..service(host, port, balancing) }
    }

    #[tokio::test]
    async fn the_other_end_is_to_be_who_the_host_says() {
        let one = |host_header, target| Some(upstream(host_header, &[target]));
        for (service, host, expected) in [
            (secure("127.0.0.1", 443, None), None, "127.0.0.1"),
            (secure("::1", 8443, None), None, "[::1]"),
            (secure("up", 1, one(None, ("127.0.0.1", 443, 1))), None, "127.0.0.1"),
            (secure("up", 1, one(Some("Shop.test"), ("127.0.0.1", 8443, 1))), None, "shop.test"),
            (secure("up", 1, one(Some("shop.test:9"), ("127.0.0.1", 8443, 1))), None, "shop.test"),
            (secure("127.0.0.1", 443, None), Some("Client.test:8443"), "client.test"),
            (secure("127.0.0.1", 443, None), Some("not a name"), "127.0.0.1"),
        ] {
            let destination = Destinations::new().make(&service);
            let (resolver, tried) = (Arc::default(), Tried::default());
            let chosen = destination.pick(&resolver, &tried, Instant::now()).await.unwrap();
            let key = chosen.peer.key(host.map(HeaderValue::from_static).as_ref());
            assert_eq!(&*key.tls.unwrap().name, expected, "{host:?}");
        }
        let plain = Destinations::new().make(&service("127.0.0.1", 443, None));
        let (resolver, tried) = (Arc::default(), Tried::default());
        assert!(plain.pick(&resolver, &tried, Instant::now()).await.unwrap().peer.key(None).tls.is_none());
    }

    #[tokio::test]
    async fn keys_are_equal_only_under_equal_trust() {
        let made = |destinations: &mut Destinations, tls: Tls| {
            destinations.make(&Service { tls: Some(tls), ..secure("127.0.0.1", 443, None) })
        };
        let mut first = Destinations::new();
        let strict = || Tls { verify: Some(true), ..Tls::default() };
        let all = [
            made(&mut first, Tls::default()),
            made(&mut first, Tls::default()),
            made(&mut first, Tls { verify: Some(false), ..Tls::default() }),
            made(&mut first, strict()),
            made(&mut first, Tls { depth: Some(3), ..strict() }),
        ];
        let mut second = Destinations::after(&first);
        let after = made(&mut second, strict());
        let mut third = Destinations::after_trusting(&second, TlsSettings::default());
        let same = made(&mut third, strict());
        let mut fourth = Destinations::after_trusting(&third, TlsSettings { depth: 2, ..TlsSettings::default() });
        let other = made(&mut fourth, strict());
        let mut keys = Vec::new();
        for destination in all.iter().chain([&after, &same, &other]) {
            let (resolver, tried) = (Arc::default(), Tried::default());
            keys.push(destination.pick(&resolver, &tried, Instant::now()).await.unwrap().peer.key(None));
        }
        let equal: Vec<_> = keys.iter().map(|key| keys.iter().position(|other| other == key).unwrap()).collect();
        assert_eq!(equal, [0, 0, 0, 3, 4, 3, 3, 7], "{keys:#?}");
    }

    #[tokio::test]
    async fn certificates_that_cannot_be_read_are_told_and_never_ignored() {
        let tls = Tls { verify: Some(true), authorities: vec!["".into()], ..Tls::default() };
        let destination = Destinations::new().make(&Service { tls: Some(tls), ..secure("127.0.0.1", 443, None) });
        let error = destination.pick(&Arc::default(), &Tried::default(), Instant::now()).await.err().unwrap();
        let expected = "the service's certificates cannot be used: invalid certificate: expected PEM";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.status().as_u16(), 502);
    }

    #[test]
    fn equal_upstreams_share_their_turns_and_survive_a_change() {
        let up = upstream(None, &[("127.0.0.1", 80, 1)]);
        let (a, mut b) = (service("up", 80, Some(up.clone())), service("up", 80, Some(up.clone())));
        let balancer = |destination: &Destination| destination.balancer().unwrap().clone();
        let mut first = Destinations::new();
        let (to_a, to_b) = (first.make(&a), first.make(&b));
        assert!(Arc::ptr_eq(&balancer(&to_a), &balancer(&to_b)), "one upstream, two services");

        b.retries = 0;
        let mut second = Destinations::after(&first);
        assert!(Arc::ptr_eq(&second.make(&a), &to_a), "an unchanged service keeps its destination");
        assert!(Arc::ptr_eq(&balancer(&second.make(&b)), &balancer(&to_b)), "a changed one its upstream's state");

        let mut changed = Balancing::clone(&up);
        changed.targets[0].port = 81;
        let mut third = Destinations::after(&second);
        let a = Service { balancing: Some(Arc::new(changed)), ..a };
        assert!(!Arc::ptr_eq(&balancer(&third.make(&a)), &balancer(&to_a)), "a changed upstream starts anew");
    }
}
