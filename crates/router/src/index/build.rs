//! Grows the trees.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use super::{
    By, HeaderTable, Node, PathEntry, Split,
    key::{Key, KeyMap},
    names::NameTable,
    port_key,
    trie::Trie,
};
use crate::{
    branch::{Branch, Paths},
    conditions::{Attributes, Conditions, Family},
    name::Names,
};

/// So few branches are tried one by one.
const LEAF: usize = 4;

/// A branch with many hosts, paths and methods has a place under every combination of them. The
/// tree may have this many places for each value that is configured; beyond, it tells branches
/// apart by fewer attributes.
const PLACES_PER_VALUE: usize = 16;

/// In this order: what usually tells most apart goes first.
#[derive(Debug, Clone, Copy)]
enum Attribute {
    Host,
    Path,
    Segment,
    Method,
    Header,
    DestinationPort,
    Sni,
}

const WEB: &[Attribute] = &[
    Attribute::Host,
    Attribute::Path,
    Attribute::Segment,
    Attribute::Method,
    Attribute::Header,
    Attribute::DestinationPort,
    Attribute::Sni,
];
const STREAM: &[Attribute] = &[Attribute::DestinationPort, Attribute::Sni];

pub(super) fn trees(conditions: &[Conditions], branches: &[Branch]) -> Vec<(Family, Node)> {
    let mut builder = Builder { conditions, branches, places: 0 };
    let mut trees = Vec::new();
    for family in Family::ALL {
        let takes =
            |(_, branch): &(usize, &Branch)| conditions.get(branch.rule).is_some_and(|one| family.takes(one.protocols));
        let ranks: Vec<_> = branches.iter().enumerate().filter(takes).map(|(rank, _)| rank).collect();
        if !ranks.is_empty() {
            builder.places =
                ranks.iter().map(|rank| builder.values(*rank)).sum::<usize>().saturating_mul(PLACES_PER_VALUE);
            let attributes = if family == Family::Web { WEB } else { STREAM };
            trees.push((family, builder.node(ranks, attributes)));
        }
    }
    trees
}

struct Builder<'a> {
    conditions: &'a [Conditions],
    branches: &'a [Branch],
    /// How many more places the tree may have.
    places: usize,
}

/// Branches by the value they ask for, and those that cannot be put so; each in order.
struct Groups<K> {
    by_value: BTreeMap<K, Vec<usize>>,
    rest: Vec<usize>,
}

impl<'a> Builder<'a> {
    /// Tells the branches apart by the first of the attributes that can; `ranks` in order.
    fn node(&mut self, ranks: Vec<usize>, attributes: &[Attribute]) -> Node {
        let Some((attribute, others)) = attributes.split_first().filter(|_| ranks.len() > LEAF) else {
            return Node::leaf(&ranks);
        };
        match attribute {
            Attribute::Host => {
                self.split_names(ranks, others, |attributes| &attributes.hosts, |_, named, _| By::Host(named))
            }
            Attribute::Path => self.split_paths(ranks, others),
            Attribute::Segment => self.split_segments(ranks, others),
            Attribute::Method => self.split_methods(ranks, others),
            Attribute::Header => self.split_headers(ranks, others),
            Attribute::DestinationPort => self.split_ports(ranks, others),
            Attribute::Sni => {
                let by = |_: &mut Self, named, all: &[usize]| By::Sni { named, all: Node::leaf(all) };
                self.split_names(ranks, others, |attributes| &attributes.snis, by)
            }
        }
    }

    fn split_names(
        &mut self,
        ranks: Vec<usize>,
        others: &[Attribute],
        names: fn(&Attributes) -> &Names,
        by: impl FnOnce(&mut Self, NameTable, &[usize]) -> By,
    ) -> Node {
        let keys = |builder: &Self, rank| {
            builder.attributes(rank).map(|one| names(one).iter().map(NameTable::key).collect()).unwrap_or_default()
        };
        let groups = self.group(&ranks, keys);
        self.split(ranks, groups, others, |builder, groups, ranks| {
            let nodes = builder.table(groups, others);
            let patterns = ranks.iter().filter_map(|rank| builder.attributes(*rank)).flat_map(|one| names(one).iter());
            let table = NameTable::new(nodes, patterns);
            by(builder, table, ranks)
        })
    }

    fn split_paths(&mut self, ranks: Vec<usize>, others: &[Attribute]) -> Node {
        let keys = |builder: &Self, rank: usize| match builder.branches.get(rank).map(|branch| &branch.paths) {
            Some(Paths::Prefix(prefix)) => vec![prefix.as_bytes().to_vec()],
            Some(Paths::Prefixes(prefixes)) => prefixes.iter().map(|prefix| prefix.as_bytes().to_vec()).collect(),
            Some(Paths::Regex(regex)) if regex.hints().iter().all(|hint| !hint.prefix.is_empty()) => {
                regex.hints().iter().map(|hint| hint.prefix.clone()).collect()
            }
            _ => Vec::new(),
        };
        let groups = self.group(&ranks, keys);
        self.split(ranks, groups, others, |builder, groups, _| {
            let entry = |(prefix, ranks): (Vec<u8>, Vec<usize>)| {
                let node = builder.node(ranks, others);
                let node = builder.prefix(&node, prefix.len()).unwrap_or(node);
                (prefix, PathEntry { best: node.best(), node })
            };
            let mut trie = Trie::new(groups.into_iter().map(entry).collect());
            trie.inherit(|entry, shorter| entry.best = entry.best.min(shorter.best));
            By::Path(trie)
        })
    }

    /// The leaf for the one branch of a node under a prefix of so many bytes, if it asks for nothing else.
    fn prefix(&self, node: &Node, length: usize) -> Option<Node> {
        let Node::One(rank) = node else { return None };
        let branch = self.branches.get(*rank)?;
        let is_prefix = matches!(branch.paths, Paths::Prefix(_) | Paths::Prefixes(_));
        let asks_for_more = self.attributes(*rank).is_some();
        let number = |number: usize| u32::try_from(number).ok().filter(|_| is_prefix && !asks_for_more);
        Some(Node::Prefix { rank: number(*rank)?, rule: number(branch.rule)?, length: number(length)? })
    }

    /// Each regex goes by the segment that the fewest others have.
    fn split_segments(&mut self, ranks: Vec<usize>, others: &[Attribute]) -> Node {
        let counts = count(ranks.iter().flat_map(|rank| self.hints(*rank)).flat_map(|hint| &hint.segments));
        let keys = |builder: &Self, rank| {
            let rarest =
                builder.hints(rank).iter().map(|hint| hint.segments.iter().min_by_key(|segment| counts.get(segment)));
            rarest
                .map(|segment| segment.map(|segment| Key::exact(segment)))
                .collect::<Option<Vec<_>>>()
                .unwrap_or_default()
        };
        let groups = self.group(&ranks, keys);
        self.split(ranks, groups, others, |builder, groups, _| By::Segment(builder.table(groups, others)))
    }

    fn split_methods(&mut self, ranks: Vec<usize>, others: &[Attribute]) -> Node {
        let keys = |builder: &Self, rank| {
            builder
                .attributes(rank)
                .map(|one| one.methods.iter().map(|method| Key::exact(method.as_bytes())).collect())
                .unwrap_or_default()
        };
        let groups = self.group(&ranks, keys);
        self.split(ranks, groups, others, |builder, groups, _| By::Method(builder.table(groups, others)))
    }

    /// Each branch goes by that one of its headers whose values the fewest others want.
    fn split_headers(&mut self, ranks: Vec<usize>, others: &[Attribute]) -> Node {
        let counts = count(ranks.iter().flat_map(|rank| self.header_keys(*rank)).flat_map(|(_, values)| values));
        let crowd = |values: &[Key]| values.iter().filter_map(|value| counts.get(value)).sum::<usize>();
        let chosen =
            |builder: &Self, rank| builder.header_keys(rank).into_iter().min_by_key(|(_, values)| crowd(values));
        let mut names: Vec<_> = ranks.iter().filter_map(|rank| chosen(self, *rank)).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let groups =
            self.group(&ranks, |builder, rank| chosen(builder, rank).map(|(_, values)| values).unwrap_or_default());
        self.split(ranks, groups, others, |builder, groups, _| {
            By::Header(HeaderTable { names, by_name_and_value: builder.table(groups, others) })
        })
    }

    fn split_ports(&mut self, ranks: Vec<usize>, others: &[Attribute]) -> Node {
        let keys = |builder: &Self, rank| {
            let ports = builder.attributes(rank).map(|one| {
                one.destinations.iter().map(|address| address.port.map(port_key)).collect::<Option<Vec<_>>>()
            });
            ports.flatten().unwrap_or_default()
        };
        let groups = self.group(&ranks, keys);
        self.split(ranks, groups, others, |builder, groups, _| By::DestinationPort(builder.table(groups, others)))
    }

    /// Groups branches by their keys; one without keys goes to the rest.
    fn group<K: Ord>(&self, ranks: &[usize], keys: impl Fn(&Self, usize) -> Vec<K>) -> Groups<K> {
        let mut groups = Groups { by_value: BTreeMap::new(), rest: Vec::new() };
        for rank in ranks {
            let keys = keys(self, *rank);
            if keys.is_empty() {
                groups.rest.push(*rank);
            }
            for key in keys {
                let group: &mut Vec<usize> = groups.by_value.entry(key).or_default();
                if group.last() != Some(rank) {
                    group.push(*rank);
                }
            }
        }
        groups
    }

    /// Makes a split, unless it would tell nothing apart or take too many places.
    fn split<K>(
        &mut self,
        ranks: Vec<usize>,
        groups: Groups<K>,
        others: &[Attribute],
        by: impl FnOnce(&mut Self, BTreeMap<K, Vec<usize>>, &[usize]) -> By,
    ) -> Node {
        let places = groups.by_value.values().map(Vec::len).sum::<usize>();
        let Some(left) = self.places.checked_sub(places).filter(|_| places > 0) else {
            return self.node(ranks, others);
        };
        self.places = left;
        let best = ranks.first().copied().unwrap_or(usize::MAX);
        let by = by(self, groups.by_value, &ranks);
        let rest = self.node(groups.rest, others);
        Node::Split(Box::new(Split { best, by, rest }))
    }

    fn table(&mut self, groups: BTreeMap<Key, Vec<usize>>, others: &[Attribute]) -> KeyMap<Node> {
        groups.into_iter().map(|(key, ranks)| (key, self.node(ranks, others))).collect()
    }

    fn attributes(&self, rank: usize) -> Option<&'a Attributes> {
        self.conditions.get(self.branches.get(rank)?.rule)?.attributes()
    }

    fn hints(&self, rank: usize) -> &'a [crate::regex::Hint] {
        match self.branches.get(rank).map(|branch| &branch.paths) {
            Some(Paths::Regex(regex)) => regex.hints(),
            _ => &[],
        }
    }

    /// Name and values of each header for which no regex is needed.
    fn header_keys(&self, rank: usize) -> Vec<(Key, Vec<Key>)> {
        let headers = self.attributes(rank).map_or(&[][..], |one| &one.headers);
        let keys = |name: &str, values: &[Box<str>]| {
            let name = Key::header_name(name.as_bytes());
            (name, values.iter().map(|value| name.with_any_case(value.as_bytes())).collect())
        };
        headers.iter().filter(|header| header.is_literal()).map(|header| keys(&header.name, &header.values)).collect()
    }

    /// How many values a branch was configured with.
    fn values(&self, rank: usize) -> usize {
        let paths = match self.branches.get(rank).map(|branch| &branch.paths) {
            Some(Paths::Prefix(_)) => 1,
            Some(Paths::Prefixes(prefixes)) => prefixes.len(),
            Some(Paths::Regex(regex)) => regex.hints().len(),
            _ => 0,
        };
        let others = self.attributes(rank).map_or(0, |one| {
            let headers = one.headers.iter().map(|header| header.values.len()).sum::<usize>();
            one.hosts.iter().count() + one.methods.len() + headers + one.destinations.len() + one.snis.iter().count()
        });
        paths.saturating_add(others)
    }
}

fn count<T: Eq + Hash>(items: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        let count: &mut usize = counts.entry(item).or_default();
        *count = count.saturating_add(1);
    }
    counts
}
