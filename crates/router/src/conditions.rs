//! A rule made ready for matching: everything but its paths.

use std::net::SocketAddr;

use crate::{
    error::Problems,
    header::HeaderCondition,
    name::{NamePattern, Names, without_dot},
    request::{Request, Scheme},
    rule::{Address, Protocols, Rule},
};

/// What a rule asks of a request besides its path.
///
/// Most rules ask for a path alone. So the rest is elsewhere, and of very many rules, one of which is looked at for a
/// request, several are side by side in memory.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    pub(crate) protocols: Protocols,
    attributes: Option<Box<Attributes>>,
}

/// Attributes that are empty do not matter.
#[derive(Debug, Clone)]
pub(crate) struct Attributes {
    pub(crate) methods: Box<[Box<str>]>,
    pub(crate) hosts: Names,
    pub(crate) headers: Box<[HeaderCondition]>,
    pub(crate) snis: Names,
    pub(crate) sources: Box<[Address]>,
    pub(crate) destinations: Box<[Address]>,
}

impl Conditions {
    /// Reads a rule; what cannot be used is left out and told.
    pub(crate) fn read(rule: &Rule, problems: &mut Problems) -> Self {
        check_protocols(rule, problems);
        check_methods(&rule.methods, problems);
        check_addresses("sources", &rule.sources, problems);
        check_addresses("destinations", &rule.destinations, problems);
        let attributes = Attributes {
            methods: rule.methods.iter().map(|method| method.as_str().into()).collect(),
            hosts: read_names("hosts", &rule.hosts, NamePattern::host, problems),
            headers: read_headers(rule, problems),
            snis: read_names("snis", &rule.snis, NamePattern::sni, problems),
            sources: rule.sources.as_slice().into(),
            destinations: rule.destinations.as_slice().into(),
        };
        Self { protocols: rule.protocols, attributes: (!attributes.is_empty()).then(|| Box::new(attributes)) }
    }

    /// What is asked for besides protocol and path, if anything is.
    pub(crate) fn attributes(&self) -> Option<&Attributes> {
        self.attributes.as_deref()
    }

    /// Whether the request has all that is asked for.
    pub(crate) fn matches(&self, request: &Request<'_>) -> bool {
        self.takes_protocol(request) && self.attributes().is_none_or(|attributes| attributes.matches(request))
    }

    /// The attributes that keep the request from matching.
    pub(crate) fn obstacles(&self, request: &Request<'_>) -> Vec<&'static str> {
        let protocols = (!self.takes_protocol(request)).then_some("protocols");
        let others = self.attributes().map(|attributes| attributes.obstacles(request)).unwrap_or_default();
        protocols.into_iter().chain(others).collect()
    }

    fn takes_protocol(&self, request: &Request<'_>) -> bool {
        Family::of(request.scheme).takes(self.protocols)
    }
}

impl Attributes {
    fn is_empty(&self) -> bool {
        let Self { methods, hosts, headers, snis, sources, destinations } = self;
        let (names, ends) = (hosts.is_empty() && snis.is_empty(), sources.is_empty() && destinations.is_empty());
        methods.is_empty() && headers.is_empty() && names && ends
    }

    /// Cheap questions first.
    fn matches(&self, request: &Request<'_>) -> bool {
        self.takes_method(request)
            && self.takes_host(request)
            && self.takes_headers(request)
            && self.takes_sni(request)
            && self.takes_source(request)
            && self.takes_destination(request)
    }

    fn obstacles(&self, request: &Request<'_>) -> Vec<&'static str> {
        let met = [
            ("methods", self.takes_method(request)),
            ("hosts", self.takes_host(request)),
            ("headers", self.takes_headers(request)),
            ("snis", self.takes_sni(request)),
            ("sources", self.takes_source(request)),
            ("destinations", self.takes_destination(request)),
        ];
        met.into_iter().filter(|(_, met)| !met).map(|(attribute, _)| attribute).collect()
    }

    fn takes_method(&self, request: &Request<'_>) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|method| **method == *request.method)
    }

    fn takes_host(&self, request: &Request<'_>) -> bool {
        self.hosts.is_empty() || self.hosts.matches(without_dot(request.host), request.port)
    }

    fn takes_headers(&self, request: &Request<'_>) -> bool {
        self.headers.iter().all(|header| header.matches(request.headers))
    }

    /// Not asked without TLS: such a request is to be redirected to where it can be.
    fn takes_sni(&self, request: &Request<'_>) -> bool {
        self.snis.is_empty() || request.sni.is_none_or(|sni| self.snis.matches(without_dot(sni), 0))
    }

    fn takes_source(&self, request: &Request<'_>) -> bool {
        takes_end(&self.sources, request.source)
    }

    fn takes_destination(&self, request: &Request<'_>) -> bool {
        takes_end(&self.destinations, request.destination)
    }
}

fn takes_end(wanted: &[Address], end: Option<SocketAddr>) -> bool {
    wanted.is_empty() || end.is_some_and(|end| wanted.iter().any(|address| address.contains(&end)))
}

/// Kinds of traffic that never share a rule's match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// HTTP and gRPC, with and without TLS. A request that came by the wrong one still matches:
    /// Kong answers it with a redirect or an error of its own afterwards.
    Web,
    Tcp,
    Tls,
    Udp,
}

impl Family {
    pub(crate) const ALL: [Self; 4] = [Self::Web, Self::Tcp, Self::Tls, Self::Udp];

    pub(crate) const fn of(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Http | Scheme::Https | Scheme::Grpc | Scheme::Grpcs => Self::Web,
            Scheme::Tcp => Self::Tcp,
            Scheme::Tls => Self::Tls,
            Scheme::Udp => Self::Udp,
        }
    }

    /// Whether rules with these protocols take part.
    pub(crate) fn takes(self, protocols: Protocols) -> bool {
        protocols.intersects(match self {
            Self::Web => Protocols::WEB,
            Self::Tcp => Protocols::TCP,
            Self::Tls => Protocols::TCP | Protocols::TLS | Protocols::TLS_PASSTHROUGH,
            Self::Udp => Protocols::UDP,
        })
    }
}

fn check_protocols(rule: &Rule, problems: &mut Problems) {
    if rule.protocols.is_empty() {
        problems.add("protocols", "is empty; name at least one, such as http");
    }
    if !rule.protocols.intersects(Protocols::STREAM) {
        return;
    }
    if rule.protocols.intersects(Protocols::WEB) {
        problems.add("protocols", "mixes http or grpc with tcp, tls, udp or tls_passthrough; make two rules of it");
    }
    let web_only = [
        ("methods", rule.methods.is_empty()),
        ("hosts", rule.hosts.is_empty()),
        ("paths", rule.paths.is_empty()),
        ("headers", rule.headers.is_empty()),
    ];
    for (field, _) in web_only.into_iter().filter(|(_, empty)| !empty) {
        problems.add(
            field,
            "cannot be set for tcp, tls, udp or tls_passthrough, which have none; use sources, destinations or snis",
        );
    }
}

fn check_methods(methods: &[String], problems: &mut Problems) {
    for (i, method) in methods.iter().enumerate() {
        if method.parse::<http::Method>().is_err() {
            problems.add(format!("methods[{i}]"), format!("'{method}' is not a method; write one such as GET"));
        } else if method.bytes().any(|sign| sign.is_ascii_lowercase()) {
            problems.add(
                format!("methods[{i}]"),
                format!("'{method}' would never match, methods are upper case: write {}", method.to_ascii_uppercase()),
            );
        }
    }
}

fn check_addresses(field: &str, addresses: &[Address], problems: &mut Problems) {
    for (i, _) in addresses.iter().enumerate().filter(|(_, address)| address.ip.is_none() && address.port.is_none()) {
        problems.add(format!("{field}[{i}]"), "has neither ip nor port; give at least one");
    }
}

fn read_names(
    field: &str,
    texts: &[String],
    read: fn(&str) -> Result<NamePattern, String>,
    problems: &mut Problems,
) -> Names {
    let read = texts.iter().enumerate().filter_map(|(i, text)| problems.keep(|| format!("{field}[{i}]"), read(text)));
    Names::new(read.collect())
}

fn read_headers(rule: &Rule, problems: &mut Problems) -> Box<[HeaderCondition]> {
    let mut conditions = Vec::with_capacity(rule.headers.len());
    for (name, values) in &rule.headers {
        match HeaderCondition::new(name, values) {
            Ok(condition) => conditions.push(condition),
            Err((field, message)) => problems.add(field, message),
        }
    }
    conditions.into()
}
