//! `Router::find` against a second opinion: every rule tried one by one, written from the rules of
//! matching alone, with nothing shared with the crate.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{prelude::*, sample::select};
use regex::Regex;
use towergate_router::{Address, Match, Network, Protocols, Request, Router, Rule, Scheme};
use uuid::{Uuid, uuid};

/// A request that owns what it says.
#[derive(Debug, Clone)]
struct Sent {
    method: &'static str,
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
    headers: HeaderMap,
    sni: Option<&'static str>,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
}

impl Sent {
    fn request(&self) -> Request<'_> {
        Request {
            method: self.method,
            scheme: self.scheme,
            host: &self.host,
            port: self.port,
            path: &self.path,
            headers: &self.headers,
            sni: self.sni,
            source: self.source,
            destination: self.destination,
        }
    }
}

/// What the best match is: rule, bytes of the path, captures by number.
type Answer = Option<(usize, Option<usize>, Vec<Option<String>>)>;

fn answer(found: Option<Match>) -> Answer {
    let caught = |found: &Match| {
        found
            .captures
            .iter()
            .flat_map(|all| all.positional().map(|one| one.map(str::to_owned)).collect::<Vec<_>>())
            .collect()
    };
    found.map(|found| (found.rule, found.prefix, caught(&found)))
}

fn expected(rules: &[Rule], sent: &Sent) -> Answer {
    let mut best: Option<((u64, i64, Uuid), Answer)> = None;
    for (index, rule) in rules.iter().enumerate() {
        if !all_but_paths(rule, sent) {
            continue;
        }
        for (standing, paths) in parts(rule) {
            let Some((prefix, caught)) = path_match(&paths, &sent.path) else { continue };
            if best.as_ref().is_none_or(|(known, _)| standing > *known) {
                best = Some((standing, Some((index, prefix, caught))));
            }
        }
    }
    best.and_then(|(_, answer)| answer)
}

/// A rule's paths by length, the regexes together, each with number and id.
fn parts(rule: &Rule) -> Vec<((u64, i64, Uuid), Vec<String>)> {
    let size = |path: &str| if path.starts_with('~') { None } else { Some(path.len()) };
    let mut sizes = Vec::new();
    for path in &rule.paths {
        if !sizes.contains(&size(path)) {
            sizes.push(size(path));
        }
    }
    if sizes.len() < 2 {
        return vec![(standing(rule, rule.paths.first().map(|path| size(path)), rule.id), rule.paths.clone())];
    }
    let namespace = uuid!("7f145bf9-0dce-4f91-98eb-debbce4b9f6b");
    let part = |(n, wanted): (usize, &Option<usize>)| {
        let id = Uuid::new_v5(&namespace, format!("{}#{}", rule.id, n + 1).as_bytes());
        (standing(rule, Some(*wanted), id), rule.paths.iter().filter(|path| size(path) == *wanted).cloned().collect())
    };
    sizes.iter().enumerate().map(part).collect()
}

/// `path`: none at all, a regex, or a prefix of a length.
fn standing(rule: &Rule, path: Option<Option<usize>>, id: Uuid) -> (u64, i64, Uuid) {
    let stream = Protocols::TCP | Protocols::TLS | Protocols::UDP | Protocols::TLS_PASSTHROUGH;
    if rule.protocols.intersects(stream) {
        let bits = |ends: &[Address]| {
            ends.iter().fold(0u64, |bits, end| {
                bits | end.ip.map_or(0, |ip| if matches!(ip, Network::One(_)) { 8 } else { 1 })
                    | end.port.map_or(0, |_| 4)
            })
        };
        let top = !rule.snis.is_empty() || (!rule.sources.is_empty() && !rule.destinations.is_empty());
        return (u64::from(top) * 2u64.pow(61) + bits(&rule.sources) * 16 + bits(&rule.destinations), 0, id);
    }
    let mut number = 0;
    for set in [
        rule.methods.len(),
        rule.hosts.len(),
        rule.headers.len(),
        rule.paths.len(),
        rule.snis.len(),
        rule.sources.len(),
        rule.destinations.len(),
    ] {
        number += u64::from(set > 0) * 2u64.pow(61);
    }
    if !rule.hosts.is_empty() && rule.hosts.iter().all(|host| !host.contains('*')) {
        number += 2u64.pow(60);
    }
    number += rule.headers.len() as u64 * 2u64.pow(52);
    match path {
        None => (number, 0, id),
        Some(Some(length)) => (number + length as u64, 0, id),
        Some(None) => {
            (number + 2u64.pow(51) + rule.regex_priority.max(0) as u64 * 2u64.pow(19), rule.regex_priority, id)
        }
    }
}

fn path_match(paths: &[String], path: &str) -> Option<(Option<usize>, Vec<Option<String>>)> {
    if paths.is_empty() {
        return Some((None, Vec::new()));
    }
    paths.iter().find_map(|wanted| match wanted.strip_prefix('~') {
        None => path.starts_with(wanted).then(|| (Some(wanted.len()), Vec::new())),
        Some(pattern) => {
            let caught = regex(&format!("^(?:{pattern})")).captures(path)?;
            let groups = caught.iter().skip(1).map(|group| group.map(|group| group.as_str().to_owned())).collect();
            Some((Some(caught.get(0).unwrap().end()), groups))
        }
    })
}

fn all_but_paths(rule: &Rule, sent: &Sent) -> bool {
    let web = Protocols::HTTP | Protocols::HTTPS | Protocols::GRPC | Protocols::GRPCS;
    let wanted = match sent.scheme {
        Scheme::Tcp => Protocols::TCP,
        Scheme::Tls => Protocols::TCP | Protocols::TLS | Protocols::TLS_PASSTHROUGH,
        Scheme::Udp => Protocols::UDP,
        _ => web,
    };
    let name = |wanted: &str, name: &str| {
        let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
        match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
            (Some(end), _) => name.ends_with(end),
            (_, Some(start)) => name.starts_with(start),
            _ => name == wanted,
        }
    };
    let host = |wanted: &String| match wanted.split_once(':') {
        Some((wanted, port)) => name(wanted, &sent.host) && port == sent.port.to_string(),
        None => name(wanted, &sent.host),
    };
    let end = |wanted: &[Address], end: Option<SocketAddr>| {
        let ip = |wanted: Network, ip: IpAddr| match wanted {
            Network::One(one) => one == ip,
            Network::Cidr(network) => network.contains(&ip),
        };
        let fits = |wanted: &Address, end: SocketAddr| {
            wanted.ip.is_none_or(|one| ip(one, end.ip())) && wanted.port.is_none_or(|port| port == end.port())
        };
        wanted.is_empty() || end.is_some_and(|end| wanted.iter().any(|wanted| fits(wanted, end)))
    };
    rule.protocols.intersects(wanted)
        && (rule.methods.is_empty() || rule.methods.iter().any(|method| method == sent.method))
        && (rule.hosts.is_empty() || rule.hosts.iter().any(host))
        && (rule.snis.is_empty() || sent.sni.is_none_or(|sni| rule.snis.iter().any(|wanted| name(wanted, sni))))
        && rule.headers.iter().all(|(name, values)| header(name, values, &sent.headers))
        && end(&rule.sources, sent.source)
        && end(&rule.destinations, sent.destination)
}

fn header(name: &str, values: &[String], headers: &HeaderMap) -> bool {
    let fold = |name: &str| name.to_lowercase().replace('-', "_");
    let present = headers
        .iter()
        .filter(|(known, _)| fold(known.as_str()) == fold(name))
        .map(|(_, value)| value.to_str().unwrap().to_lowercase());
    let takes = |wanted: &String, value: &str| match wanted.strip_prefix("~*") {
        Some(pattern) => regex(&format!("(?i){pattern}")).is_match(value),
        None => wanted.to_lowercase() == value,
    };
    present.into_iter().any(|value| values.iter().any(|wanted| takes(wanted, &value)))
}

/// Compiling is most of the work otherwise.
fn regex(pattern: &str) -> Rc<Regex> {
    thread_local!(static KNOWN: RefCell<HashMap<String, Rc<Regex>>> = RefCell::default());
    let compile = || Rc::new(Regex::new(pattern).unwrap());
    KNOWN.with_borrow_mut(|known| known.entry(pattern.to_owned()).or_insert_with(compile).clone())
}

const HOSTS: &[&str] = &["a.example", "A.example", "b.a.example", "b.example", "x.b.example", "a.other"];
const HOST_RULES: &[&str] = &[
    "a.example",
    "A.EXAMPLE",
    "b.example",
    "*.example",
    "*.a.example",
    "a.*",
    "b.*",
    "x.b.*",
    "a.example:80",
    "*.example:81",
    "b.*:81",
    "a.other",
];
const PATHS: &[&str] =
    &["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/a/7", "/a/7/b/c", "/a/7/c/c", "/b/7/x/y", "/é/b", "/A"];
const PATH_RULES: &[&str] = &[
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/ab",
    "/b",
    "/é",
    "/a/7/b",
    "~/a",
    "~/a/(?<id>\\d+)",
    "~/a/(\\d+)/b/",
    "~/a/(\\d+)/c/",
    "~/(a|b)/(.*)",
    "~/(?<x>[a-z])(/b)?",
    "~/.*/x/",
    "~(/b)?/7/",
    "~/a$",
    "~.*",
    "~/(?i)A",
    "~/ab|/b",
    "~/é",
];

fn some<T: Clone + std::fmt::Debug + 'static>(all: &'static [T], most: usize) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(select(all), 0..=most)
}

fn texts(all: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    some(all, most).prop_map(|list| list.into_iter().map(str::to_owned).collect())
}

/// Empty twice as often as not.
fn rarely<T: Clone + std::fmt::Debug + 'static>(
    list: impl Strategy<Value = Vec<T>> + 'static,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![2 => Just(Vec::new()), 1 => list]
}

fn header_rules() -> impl Strategy<Value = Vec<(String, Vec<String>)>> {
    let values =
        proptest::collection::vec(select(&["1", "2", "V", "~*^v", "~*[12]"][..]).prop_map(str::to_owned), 1..3);
    proptest::collection::btree_map(select(&["x-a", "X_B", "xc"][..]).prop_map(str::to_owned), values, 0..3)
        .prop_map(|map| map.into_iter().collect())
}

fn addresses() -> impl Strategy<Value = Vec<Address>> {
    let ip = select(&["192.0.2.1", "192.0.2.0/24", "2001:db8::1", "0.0.0.0/0"][..])
        .prop_map(|ip| ip.parse::<Network>().unwrap());
    let address = (proptest::option::of(ip), proptest::option::of(1..4u16)).prop_map(|(ip, port)| Address { ip, port });
    proptest::collection::vec(address.prop_filter("says something", |address| *address != Address::default()), 0..3)
}

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn web_rule() -> impl Strategy<Value = Rule> {
    let protocols = select(&[Protocols::HTTP, Protocols::HTTPS, Protocols::GRPC][..]);
    let lists = (
        rarely(texts(&["GET", "POST", "PUT"], 2)),
        rarely(texts(HOST_RULES, 3)),
        texts(PATH_RULES, 4),
        rarely(header_rules()),
        rarely(texts(&["a.example", "*.example", "a.*"], 2)),
    );
    (id(), protocols, lists, rarely(addresses()), rarely(addresses()), -2..3i64).prop_map(
        |(id, protocols, (methods, hosts, mut paths, headers, snis), sources, destinations, regex_priority)| {
            let mut seen = std::collections::HashSet::new();
            paths.retain(|path| seen.insert(path.clone()));
            Rule { id, protocols, methods, hosts, paths, headers, snis, sources, destinations, regex_priority }
        },
    )
}

fn stream_rule() -> impl Strategy<Value = Rule> {
    let protocols = select(&[Protocols::TCP, Protocols::TLS, Protocols::TLS_PASSTHROUGH, Protocols::UDP][..]);
    (id(), protocols, rarely(texts(&["a.example", "*.example", "a.*"], 2)), addresses(), addresses()).prop_map(
        |(id, protocols, snis, sources, destinations)| Rule {
            id,
            protocols,
            snis,
            sources,
            destinations,
            ..Rule::default()
        },
    )
}

fn sent() -> impl Strategy<Value = Sent> {
    let schemes =
        [Scheme::Http, Scheme::Https, Scheme::Grpc, Scheme::Http, Scheme::Https, Scheme::Tcp, Scheme::Tls, Scheme::Udp];
    let socket = || {
        proptest::option::of(
            (select(&["192.0.2.1", "192.0.2.2", "2001:db8::1"][..]), 1..4u16)
                .prop_map(|(ip, port)| SocketAddr::new(ip.parse().unwrap(), port)),
        )
    };
    let header = (select(&["x-a", "x_a", "x-b", "xc"][..]), select(&["1", "2", "v", "V1"][..]));
    let headers = proptest::collection::vec(header, 0..4).prop_map(|lines| {
        lines
            .into_iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)))
            .collect::<HeaderMap>()
    });
    let sni = select(&[None, Some(""), Some("a.example"), Some("B.example"), Some("a.other")][..]);
    (
        select(&["GET", "POST", "get"][..]),
        select(schemes.to_vec()),
        select(HOSTS),
        80..83u16,
        select(PATHS),
        headers,
        sni,
        socket(),
        socket(),
    )
        .prop_map(|(method, scheme, host, port, path, headers, sni, source, destination)| Sent {
            method,
            scheme,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            headers,
            sni,
            source,
            destination,
        })
}

fn check(rules: Vec<Rule>, requests: &[Sent]) -> Result<(), TestCaseError> {
    let router = Router::new(rules.clone()).unwrap();
    for sent in requests {
        prop_assert_eq!(answer(router.find(&sent.request())), expected(&rules, sent), "{:?}", sent);
        let explained = router.explain(&sent.request());
        prop_assert!(explained.is_sorted_by(|a, b| a.number >= b.number));
        prop_assert_eq!(
            explained.iter().find(|one| one.matches()).map(|one| one.rule),
            router.find(&sent.request()).map(|found| found.rule)
        );
    }
    Ok(())
}

/// A router is changed again and again; it must find and say what one made of all rules does.
fn check_changes(rules: Vec<Rule>, writes: Vec<(usize, Option<Rule>)>, requests: &[Sent]) -> Result<(), TestCaseError> {
    let mut known: BTreeMap<usize, Rule> = rules.into_iter().enumerate().collect();
    let numbered = |known: &BTreeMap<usize, Rule>| {
        Router::numbered(known.iter().map(|(number, rule)| (*number, rule.clone()))).unwrap()
    };
    let mut changed = numbered(&known);
    let mut own = changed.clone();
    for (number, rule) in writes {
        // No two rules are level.
        let rule = rule.map(|rule| Rule { id: Uuid::from_u128(number as u128), ..rule });
        match &rule {
            Some(rule) => drop(known.insert(number, rule.clone())),
            None => drop(known.remove(&number)),
        }
        let all = numbered(&known);
        let next = changed.changed([(number, rule)]).unwrap().unwrap_or_else(|| numbered(&known));
        own = next.clone_after(&changed, &own);
        changed = next;
        for sent in requests {
            let request = sent.request();
            let found = answer(all.find(&request));
            prop_assert_eq!(answer(changed.find(&request)), found.clone(), "{:?}", sent);
            prop_assert_eq!(answer(own.find(&request)), found, "{:?}", sent);
            prop_assert_eq!(changed.explain(&request), all.explain(&request));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn few_rules(rules in proptest::collection::vec(prop_oneof![4 => web_rule(), 1 => stream_rule()], 0..6), requests in proptest::collection::vec(sent(), 20)) {
        check(rules, &requests)?;
    }

    #[test]
    fn enough_rules_for_every_index(rules in proptest::collection::vec(prop_oneof![4 => web_rule(), 1 => stream_rule()], 40..90), requests in proptest::collection::vec(sent(), 40)) {
        check(rules, &requests)?;
    }

    #[test]
    fn rules_that_differ_in_one_attribute_only(
        rules in prop_oneof![
            proptest::collection::vec(texts(HOST_RULES, 2).prop_map(|hosts| Rule { hosts, ..Rule::default() }), 20),
            proptest::collection::vec(texts(PATH_RULES, 1).prop_map(|paths| Rule { paths, ..Rule::default() }), 20),
            proptest::collection::vec(header_rules().prop_map(|headers| Rule { headers, ..Rule::default() }), 20),
            proptest::collection::vec(addresses().prop_map(|destinations| Rule { destinations, ..Rule::default() }), 20),
            proptest::collection::vec(texts(&["a.example", "*.example", "a.*", "a.other"], 2).prop_map(|snis| Rule { snis, ..Rule::default() }), 20),
        ],
        ids in proptest::collection::vec(id(), 20),
        requests in proptest::collection::vec(sent(), 20),
    ) {
        let rules = rules.into_iter().zip(ids).map(|(rule, id)| Rule { id, ..rule }).collect();
        check(rules, &requests)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_changed_router_is_like_a_new_one(
        rules in proptest::collection::vec(prop_oneof![4 => web_rule(), 1 => stream_rule()], 0..30),
        writes in proptest::collection::vec((0..34_usize, proptest::option::weighted(0.7, prop_oneof![4 => web_rule(), 1 => stream_rule()])), 1..12),
        requests in proptest::collection::vec(sent(), 10),
    ) {
        let rules = (0_u128..).zip(rules).map(|(n, rule)| Rule { id: Uuid::from_u128(n), ..rule }).collect();
        check_changes(rules, writes, &requests)?;
    }
}
