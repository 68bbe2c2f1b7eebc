//! What is compared: the load, what the proxies do with it, and what is to be reached.

use crate::load::{Protocol, Work};

/// What a proxy is set up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Setup {
    /// Proxies everything to the upstream: in cleartext, over TLS, over HTTP/2 and both.
    Plain,
    /// The plugins of the guide's first page, or the nearest thing: keys of 1,000 consumers, a limit per consumer and
    /// minute, an id in both directions, CORS, metrics.
    Chain,
    /// So many routes, by path.
    Routes(usize),
    /// Keys of so many consumers.
    Consumers(usize),
}

impl Setup {
    /// Whether the two differ in nothing but a number.
    pub(crate) fn is_alike(self, other: Self) -> bool {
        matches!((self, other), (Self::Routes(_), Self::Routes(_)) | (Self::Consumers(_), Self::Consumers(_)))
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Processor time per request, and how long requests take.
    Requests,
    /// Memory, with so many idle connections.
    Memory { connections: usize },
}

/// One row of the tables.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// How it is called on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) setup: Setup,
    pub(crate) kind: Kind,
    /// Whether the others are measured, too. What is about Towergate's own growth is compared with itself.
    pub(crate) has_peers: bool,
    pub(crate) work: Work,
    /// What processor time per request is to be, at most, as a share of each peer's.
    pub(crate) targets: &'static [(&'static str, f64)],
}

impl Scenario {
    fn new(name: &'static str, title: &'static str, setup: Setup, work: Work) -> Self {
        let kind = Kind::Requests;
        Self { name, title, setup, kind, has_peers: true, work, targets: &[] }
    }

    fn targets(self, targets: &'static [(&'static str, f64)]) -> Self {
        Self { targets, ..self }
    }

    fn alone(self) -> Self {
        Self { has_peers: false, ..self }
    }
}

/// The header a consumer proves itself with, in the setups that ask for one.
const KEY: &str = "apikey: key-{n}-abcdef0123456789";

/// All scenarios, in the order of the tables.
pub(crate) fn all() -> Vec<Scenario> {
    let get = |path: &str| Work { path: path.into(), ..Work::default() };
    let h2 = |tls| Work { protocol: Protocol::Http2, tls, connections: 16, streams: 4, ..Work::default() };
    let chain = Work { header: KEY.into(), numbers: 1000, ..Work::default() };
    vec![
        Scenario::new("get-128", "GET 128 B", Setup::Plain, get("/")).targets(&[
            ("nginx", 0.92),
            ("haproxy", 0.92),
            ("envoy", 0.42),
        ]),
        Scenario::new("get-10k", "GET 10 KiB", Setup::Plain, get("/10k")),
        Scenario::new("post-10k", "POST 10 KiB", Setup::Plain, Work { body: 10 << 10, ..get("/") })
            .targets(&[("nginx", 0.88)]),
        Scenario::new("get-1m", "GET 1 MiB", Setup::Plain, Work { connections: 16, ..get("/1m") })
            .targets(&[("nginx", 0.45)]),
        Scenario::new("chain", "the guide's chain", Setup::Chain, chain).targets(&[
            ("nginx", 0.68),
            ("haproxy", 0.92),
            ("envoy", 0.43),
        ]),
        Scenario::new("tls", "TLS, GET 128 B", Setup::Plain, Work { tls: true, ..get("/") })
            .targets(&[("nginx", 0.88)]),
        Scenario::new("h2c", "HTTP/2, GET 128 B", Setup::Plain, h2(false)).targets(&[("nginx", 0.62)]),
        Scenario::new("h2-tls", "HTTP/2 over TLS, GET 128 B", Setup::Plain, h2(true)),
        Scenario {
            kind: Kind::Memory { connections: 5000 },
            ..Scenario::new("idle", "5,000 idle connections", Setup::Plain, get("/"))
        },
        routes("routes-1", "1 route", 1),
        routes("routes-100", "100 routes", 100),
        routes("routes-10000", "10,000 routes", 10_000),
        consumers("consumers-1", "1 consumer", 1),
        consumers("consumers-10000", "10,000 consumers", 10_000),
        consumers("consumers-1000000", "1,000,000 consumers", 1_000_000),
    ]
}

fn routes(name: &'static str, title: &'static str, count: usize) -> Scenario {
    let work = Work { path: "/api/v1/route-{n}/items".into(), numbers: count, ..Work::default() };
    Scenario::new(name, title, Setup::Routes(count), work).alone()
}

fn consumers(name: &'static str, title: &'static str, count: usize) -> Scenario {
    let work = Work { header: KEY.into(), numbers: count, ..Work::default() };
    Scenario::new(name, title, Setup::Consumers(count), work).alone()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn scenarios_are_told_apart_by_name() {
        let names: HashSet<_> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
