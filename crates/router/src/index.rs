//! Finds the few branches that could match without looking at all of them.
//!
//! A tree: each inner node tells branches apart by one attribute (host, path, header …), each leaf
//! lists a few of them, the best first. Whatever a leaf yields is checked in full, so a node may
//! yield too much but never too little. As every node knows the best branch below it, most nodes
//! are not entered once something has been found.

mod build;
mod key;
mod names;
mod trie;

use std::slice;

use self::{
    key::{Key, KeyMap},
    names::NameTable,
    trie::Trie,
};
use crate::{
    branch::{Branch, PathMatch},
    conditions::{Conditions, Family},
    name::without_dot,
    request::Request,
    set::Places,
};

/// One tree for each family of protocols.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    trees: Vec<(Family, Node)>,
}

impl Index {
    /// `branches` in order of their standing, the best first.
    pub(crate) fn new(conditions: &[Conditions], branches: &[Branch]) -> Self {
        Self { trees: build::trees(conditions, branches) }
    }

    /// Leaves the best branch that matches in the search.
    pub(crate) fn find(&self, search: &mut Search<'_>) {
        let family = Family::of(search.request.scheme);
        if let Some((_, tree)) = self.trees.iter().find(|(known, _)| *known == family) {
            tree.find(search);
        }
    }
}

/// A search under way.
pub(crate) struct Search<'a> {
    request: &'a Request<'a>,
    conditions: &'a [Conditions],
    branches: &'a [Branch],
    /// Rules that are passed over.
    gone: &'a Places,
    /// The best branch found so far.
    found: Option<Found>,
    #[cfg(test)]
    tried: usize,
}

/// A branch that matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Its place in the order of all.
    pub(crate) rank: usize,
    /// The place of its rule.
    pub(crate) rule: usize,
    pub(crate) path: PathMatch,
}

impl<'a> Search<'a> {
    pub(crate) const fn new(
        request: &'a Request<'a>,
        conditions: &'a [Conditions],
        branches: &'a [Branch],
        gone: &'a Places,
    ) -> Self {
        Self {
            request,
            conditions,
            branches,
            gone,
            found: None,
            #[cfg(test)]
            tried: 0,
        }
    }

    pub(crate) const fn found(&self) -> Option<Found> {
        self.found
    }

    /// Whether a branch of this rank would be better than what was found.
    fn is_better(&self, rank: usize) -> bool {
        self.found.is_none_or(|found| rank < found.rank)
    }

    /// Tries branches, the best first.
    fn attempt(&mut self, ranks: &[usize]) {
        for rank in ranks {
            if !self.is_better(*rank) {
                return;
            }
            #[cfg(test)]
            {
                self.tried += 1;
            }
            if let Some(found) = self.matched(*rank) {
                self.found = Some(found);
                return;
            }
        }
    }

    fn matched(&self, rank: usize) -> Option<Found> {
        let branch = self.branches.get(rank)?;
        let conditions = self.conditions.get(branch.rule).filter(|_| !self.gone.contains(branch.rule))?;
        let path = conditions.matches(self.request).then(|| branch.paths.find(self.request.path))?;
        (path != PathMatch::No).then_some(Found { rank, rule: branch.rule, path })
    }

    /// Takes a branch that matches, unless it is gone.
    fn take(&mut self, found: Found) {
        #[cfg(test)]
        {
            self.tried += 1;
        }
        if !self.gone.contains(found.rule) {
            self.found = Some(found);
        }
    }
}

/// Branches by their place in the order of all.
#[derive(Debug, Clone)]
enum Node {
    /// A leaf with one branch that asks for nothing but the prefix of so many bytes under which it stands: whoever comes
    /// here has it. As most are of very many, all that is to be known of it is here, so that nothing else is read.
    Prefix {
        rank: u32,
        rule: u32,
        length: u32,
    },
    /// A leaf with one branch.
    One(usize),
    Leaf(Box<Leaf>),
    Split(Box<Split>),
}

/// Several branches, the best first.
#[derive(Debug, Clone)]
struct Leaf {
    ranks: Box<[usize]>,
}

/// Branches told apart by one attribute.
#[derive(Debug, Clone)]
struct Split {
    /// The best branch anywhere below.
    best: usize,
    by: By,
    /// Branches to which the attribute does not matter, or not in a way that can be looked up.
    rest: Node,
}

#[derive(Debug, Clone)]
enum By {
    Host(NameTable),
    /// By prefix, or by what a regex begins with.
    Path(Trie<PathEntry>),
    /// By a fixed segment that a regex needs somewhere.
    Segment(KeyMap<Node>),
    Method(KeyMap<Node>),
    Header(HeaderTable),
    DestinationPort(KeyMap<Node>),
    /// `all` is for connections without TLS, on which server names do not matter.
    Sni {
        named: NameTable,
        all: Node,
    },
}

#[derive(Debug, Clone)]
struct PathEntry {
    node: Node,
    /// The best branch here and under all shorter prefixes of this one.
    best: usize,
}

#[derive(Debug, Clone)]
struct HeaderTable {
    /// Only these headers are looked at.
    names: Vec<Key>,
    by_name_and_value: KeyMap<Node>,
}

impl Node {
    fn leaf(ranks: &[usize]) -> Self {
        match ranks {
            [rank] => Self::One(*rank),
            _ => Self::Leaf(Box::new(Leaf { ranks: ranks.into() })),
        }
    }

    fn best(&self) -> usize {
        match self {
            Self::Prefix { rank, .. } => *rank as usize,
            Self::One(rank) => *rank,
            Self::Leaf(leaf) => leaf.ranks.first().copied().unwrap_or(usize::MAX),
            Self::Split(split) => split.best,
        }
    }

    /// As deep as there are attributes to tell branches apart by.
    fn find(&self, search: &mut Search<'_>) {
        if !search.is_better(self.best()) {
            return;
        }
        match self {
            Self::Prefix { rank, rule, length } => search.take(Found {
                rank: *rank as usize,
                rule: *rule as usize,
                path: PathMatch::Prefix(*length as usize),
            }),
            Self::One(rank) => search.attempt(slice::from_ref(rank)),
            Self::Leaf(leaf) => search.attempt(&leaf.ranks),
            Self::Split(split) => {
                split.by.find(search);
                split.rest.find(search);
            }
        }
    }
}

impl By {
    fn find(&self, search: &mut Search<'_>) {
        let request = search.request;
        match self {
            Self::Host(table) => table.find(without_dot(request.host), request.port, search),
            Self::Path(trie) => find_prefixes(trie, search),
            Self::Segment(table) => find_segments(table, search),
            Self::Method(table) => find_key(table, Key::exact(request.method.as_bytes()), search),
            Self::Header(table) => table.find(search),
            Self::DestinationPort(table) => {
                if let Some(destination) = request.destination {
                    find_key(table, port_key(destination.port()), search);
                }
            }
            Self::Sni { named, all } => match request.sni {
                Some(sni) => named.find(without_dot(sni), 0, search),
                None => all.find(search),
            },
        }
    }
}

impl HeaderTable {
    fn find(&self, search: &mut Search<'_>) {
        for (name, value) in search.request.headers {
            let name = Key::header_name(name.as_str().as_bytes());
            if self.names.contains(&name) {
                find_key(&self.by_name_and_value, name.with_any_case(value.as_bytes()), search);
            }
        }
    }
}

fn port_key(port: u16) -> Key {
    Key::exact(&port.to_le_bytes())
}

fn find_key(table: &KeyMap<Node>, key: Key, search: &mut Search<'_>) {
    if let Some(node) = table.get(&key) {
        node.find(search);
    }
}

/// The longest prefix first: among branches alike in all else it is the best, and ends the search.
fn find_prefixes(trie: &Trie<PathEntry>, search: &mut Search<'_>) {
    for entry in trie.prefixes_of(search.request.path.as_bytes()) {
        if !search.is_better(entry.value.best) {
            return;
        }
        entry.value.node.find(search);
    }
}

/// Paths of more segments are rare, and could name the same one very often.
const MAX_SEGMENTS: usize = 64;

fn find_segments(table: &KeyMap<Node>, search: &mut Search<'_>) {
    let segments = || search.request.path.split('/').filter(|segment| !segment.is_empty());
    if segments().nth(MAX_SEGMENTS).is_some() {
        return table.values().for_each(|node| node.find(search));
    }
    for segment in segments() {
        find_key(table, Key::exact(segment.as_bytes()), search);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use uuid::Uuid;

    use super::*;
    use crate::{Address, Protocols, Rule, Scheme, branch, error::Problems};

    /// A thousand rules of one kind, and how many of them are tried for a request for one.
    fn tried(rule: impl Fn(usize) -> Rule, host: &str, path: &str, change: impl FnOnce(&mut Request<'_>)) -> usize {
        let (mut conditions, mut branches) = (Vec::new(), Vec::new());
        for n in 0..1000 {
            let rule = Rule { id: Uuid::from_u128(n as u128), ..rule(n) };
            let mut problems = Problems::of(n);
            conditions.push(Conditions::read(&rule, &mut problems));
            branches.append(&mut branch::read(n, &rule, &mut problems));
            assert_eq!(problems.into_found(), []);
        }
        branches.sort_by_key(|branch| branch.standing);
        let index = Index::new(&conditions, &branches);
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x_tenant"), HeaderValue::from_static("T7"))]);
        let mut request = Request {
            method: "GET",
            scheme: Scheme::Http,
            host,
            port: 80,
            path,
            headers: &headers,
            sni: None,
            source: None,
            destination: None,
        };
        change(&mut request);
        let gone = Places::default();
        let mut search = Search::new(&request, &conditions, &branches, &gone);
        index.find(&mut search);
        assert_eq!(search.found().map(|found| found.rule), Some(7));
        search.tried
    }

    #[test]
    fn few_of_a_thousand_rules_are_tried() {
        let path = |path: String| Rule { paths: vec![path], ..Rule::default() };
        let host = |host: String| Rule { hosts: vec![host], ..path("/".to_owned()) };
        assert_eq!(tried(|n| path(format!("/r{n}/")), "a", "/r7/x", |_| {}), 1);
        assert_eq!(tried(|n| host(format!("h{n}.example")), "H7.Example.", "/", |_| {}), 1);
        assert_eq!(tried(|n| host(format!("*.h{n}.example")), "a.b.h7.example", "/", |_| {}), 1);
        assert_eq!(tried(|n| host(format!("h{n}.*")), "h7.example.com", "/", |_| {}), 1);
        assert_eq!(tried(|n| host(format!("a.example:{n}")), "a.example", "/", |request| request.port = 7), 1);
        assert_eq!(tried(|n| path(format!(r"~/api/\d+/r{n}/")), "a", "/api/1/r7/x", |_| {}), 1);
        assert_eq!(tried(|n| path(format!(r"~/r{n}-\d+$")), "a", "/r7-1", |_| {}), 1);
        let one_method = |n: usize| Rule {
            methods: vec![if n == 7 { "GET".into() } else { format!("M{n}") }],
            ..path("/".to_owned())
        };
        assert_eq!(tried(one_method, "a", "/", |_| {}), 1);
        let one_header = |n| Rule { headers: vec![("X-Tenant".into(), vec![format!("t{n}")])], ..path("/".to_owned()) };
        assert_eq!(tried(one_header, "a", "/", |_| {}), 1);
        let one_name = |n| Rule { snis: vec![format!("h{n}.example")], ..path("/".to_owned()) };
        assert_eq!(tried(one_name, "a", "/", |request| request.sni = Some("h7.example")), 1);
        let one_port = |n| {
            let port = u16::try_from(n).ok();
            Rule { protocols: Protocols::TCP, destinations: vec![Address { ip: None, port }], ..Rule::default() }
        };
        let at_seven = |request: &mut Request<'_>| {
            request.scheme = Scheme::Tcp;
            request.destination = "192.0.2.1:7".parse().ok();
        };
        assert_eq!(tried(one_port, "", "", at_seven), 1);
    }

    #[test]
    fn a_path_of_very_many_segments_is_still_found() {
        let path = format!("/api/1/r7/{}", "r8/r9/".repeat(500));
        let rule = |n| Rule { paths: vec![format!(r"~/api/\d+/r{n}/")], ..Rule::default() };
        assert!(tried(rule, "a", &path, |_| {}) <= 1000);
    }

    /// Every rule has a place under each of its hosts, paths and methods: 6,000,000 in all.
    #[test]
    fn combinations_do_not_fill_the_memory() {
        let many = |n: usize| Rule {
            hosts: (0..20).map(|host| format!("h{host}.example")).collect(),
            paths: (0..100).map(|path| format!("/{path:03}")).chain([format!("/{n}/")]).collect(),
            methods: ["GET", "PUT", "POST"].map(String::from).into(),
            ..Rule::default()
        };
        assert!(tried(many, "h19.example", "/7/", |_| {}) <= 2000);
    }
}
