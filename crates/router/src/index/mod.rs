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
    /// The place of the best branch found so far, and how it matched the path.
    best: usize,
    path: PathMatch,
}

impl<'a> Search<'a> {
    pub(crate) const fn new(request: &'a Request<'a>, conditions: &'a [Conditions], branches: &'a [Branch]) -> Self {
        Self { request, conditions, branches, best: usize::MAX, path: PathMatch::No }
    }

    pub(crate) fn found(&self) -> Option<(&'a Branch, PathMatch)> {
        Some((self.branches.get(self.best)?, self.path))
    }

    /// Tries branches, the best first.
    fn attempt(&mut self, ranks: &[usize]) {
        for rank in ranks {
            if *rank >= self.best {
                return;
            }
            let path = self.path_match(*rank);
            if path != PathMatch::No {
                (self.best, self.path) = (*rank, path);
                return;
            }
        }
    }

    fn path_match(&self, rank: usize) -> PathMatch {
        let Some(branch) = self.branches.get(rank) else { return PathMatch::No };
        let Some(conditions) = self.conditions.get(branch.rule) else { return PathMatch::No };
        if conditions.matches(self.request) { branch.paths.find(self.request.path) } else { PathMatch::No }
    }
}

/// Branches by their place in the order of all.
#[derive(Debug, Clone)]
enum Node {
    Leaf(Box<[usize]>),
    Split(Box<Split>),
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
    fn best(&self) -> usize {
        match self {
            Self::Leaf(ranks) => ranks.first().copied().unwrap_or(usize::MAX),
            Self::Split(split) => split.best,
        }
    }

    /// As deep as there are attributes to tell branches apart by.
    fn find(&self, search: &mut Search<'_>) {
        if self.best() >= search.best {
            return;
        }
        match self {
            Self::Leaf(ranks) => search.attempt(ranks),
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
        if entry.value.best >= search.best {
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
