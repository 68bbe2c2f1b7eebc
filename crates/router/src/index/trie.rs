//! Which of many prefixes does a path begin with?

use std::collections::VecDeque;

/// A radix tree over prefixes, flat in memory: the children of a node lie side by side.
#[derive(Debug, Clone)]
pub(crate) struct Trie<T> {
    nodes: Vec<TrieNode<T>>,
    /// The first byte of each node's label: all that is needed to choose a child.
    firsts: Vec<u8>,
    /// What else labels have.
    labels: Vec<u8>,
}

/// A prefix that was put in, and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Entry<T> {
    pub(crate) value: T,
    /// The node of the longest other entry that is a prefix of this one.
    shorter: Option<u32>,
}

/// What is read of one of very many prefixes, which is in no cache: one line of it.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct TrieNode<T> {
    /// Without its first byte. Of many prefixes alike there is no more of it, and nothing is looked up.
    label: Span,
    children: Span,
    entry: Option<Entry<T>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    length: u32,
}

impl Span {
    fn new(start: usize, length: usize) -> Self {
        Self { start: place(start), length: place(length) }
    }

    /// What is left of `text` after this of `all`; `None` if it does not begin with it.
    fn taken_from<'a>(self, text: &'a [u8], all: &[u8]) -> Option<&'a [u8]> {
        if self.length == 0 { Some(text) } else { text.strip_prefix(self.of(all)) }
    }

    fn of<T>(self, all: &[T]) -> &[T] {
        let start = self.start as usize;
        all.get(start..start.saturating_add(self.length as usize)).unwrap_or_default()
    }
}

/// A place in one of a trie's lists, which do not grow to four thousand millions: their rules would not fit into memory.
fn place(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A node still without its children.
struct Pending {
    node: usize,
    /// The entries below: all begin with the same `depth` bytes.
    entries: std::ops::Range<usize>,
    depth: usize,
    /// The node of the longest entry above.
    shorter: Option<u32>,
}

impl<T> Trie<T> {
    /// Takes prefixes in ascending order, no two of them equal.
    pub(crate) fn new(sorted: Vec<(Vec<u8>, T)>) -> Self {
        let (keys, mut values): (Vec<_>, Vec<_>) = sorted.into_iter().map(|(key, value)| (key, Some(value))).unzip();
        let root = TrieNode { label: Span::default(), children: Span::default(), entry: None };
        let mut trie = Self { nodes: vec![root], firsts: vec![0], labels: Vec::new() };
        // A queue, not recursion: paths may be nested as deep as they are long.
        let mut queue = VecDeque::from([Pending { node: 0, entries: 0..keys.len(), depth: 0, shorter: None }]);
        while let Some(pending) = queue.pop_front() {
            trie.grow(&keys, &mut values, pending, &mut queue);
        }
        trie.nodes.shrink_to_fit();
        trie.firsts.shrink_to_fit();
        trie.labels.shrink_to_fit();
        trie
    }

    /// The entries that are prefixes of the path, the longest first.
    pub(crate) fn prefixes_of(&self, path: &[u8]) -> impl Iterator<Item = &Entry<T>> {
        let mut next = self.longest(path);
        std::iter::from_fn(move || {
            let entry = self.nodes.get(next? as usize)?.entry.as_ref()?;
            next = entry.shorter;
            Some(entry)
        })
    }

    /// Calls `take` for each entry that has a shorter one, with both; the shorter ones first.
    pub(crate) fn inherit(&mut self, take: impl Fn(&mut T, &T)) {
        // A prefix is before all that begin with it.
        for n in 0..self.nodes.len() {
            let (before, from) = self.nodes.split_at_mut(n);
            let Some(entry) = from.first_mut().and_then(|node| node.entry.as_mut()) else { continue };
            let shorter = entry.shorter.and_then(|shorter| before.get(shorter as usize)?.entry.as_ref());
            if let Some(shorter) = shorter {
                take(&mut entry.value, &shorter.value);
            }
        }
    }

    /// The node of the longest entry that is a prefix of the path.
    fn longest(&self, path: &[u8]) -> Option<u32> {
        let (mut number, mut node) = (0, self.nodes.first()?);
        let mut found = node.entry.is_some().then_some(number);
        let mut rest = path;
        while let Some((first, after)) = rest.split_first() {
            let Some(n) = node.children.of(&self.firsts).iter().position(|known| known == first) else { break };
            let Some(child) = node.children.of(&self.nodes).get(n) else { break };
            let Some(after) = child.label.taken_from(after, &self.labels) else { break };
            (number, node, rest) = (node.children.start.saturating_add(place(n)), child, after);
            if node.entry.is_some() {
                found = Some(number);
            }
        }
        found
    }

    /// Gives a node its entry and its children, one for each byte that can follow.
    fn grow(&mut self, keys: &[Vec<u8>], values: &mut [Option<T>], pending: Pending, queue: &mut VecDeque<Pending>) {
        let Pending { node, mut entries, depth, mut shorter } = pending;
        if keys.get(entries.start).is_some_and(|key| key.len() == depth) && !entries.is_empty() {
            let value = values.get_mut(entries.start).and_then(Option::take);
            if let (Some(value), Some(here)) = (value, self.nodes.get_mut(node)) {
                here.entry = Some(Entry { value, shorter });
            }
            shorter = Some(place(node));
            entries.start = entries.start.saturating_add(1);
        }
        let start = self.nodes.len();
        while let Some(first) = keys.get(entries.start).and_then(|key| key.get(depth)).filter(|_| !entries.is_empty()) {
            let below = keys.get(entries.clone()).unwrap_or_default();
            let same = below.partition_point(|key| key.get(depth) == Some(first));
            let group = entries.start..entries.start.saturating_add(same.max(1));
            entries.start = group.end;
            let depth = self.add_child(keys, &group, depth, *first);
            queue.push_back(Pending { node: self.nodes.len().saturating_sub(1), entries: group, depth, shorter });
        }
        let length = self.nodes.len().saturating_sub(start);
        if let Some(node) = self.nodes.get_mut(node) {
            node.children = Span::new(start, length);
        }
    }

    /// Adds a node labelled with all that its entries share beyond `depth`; returns its own depth.
    fn add_child(&mut self, keys: &[Vec<u8>], group: &std::ops::Range<usize>, depth: usize, first: u8) -> usize {
        let tail = |n: usize| keys.get(n).and_then(|key| key.get(depth..)).unwrap_or_default();
        let (low, high) = (tail(group.start), tail(group.end.saturating_sub(1)));
        // In order, so what the outermost two share, all share.
        let length = low.iter().zip(high).take_while(|(a, b)| a == b).count();
        let label = Span::new(self.labels.len(), length.saturating_sub(1));
        self.labels.extend(low.iter().take(length).skip(1));
        self.firsts.push(first);
        self.nodes.push(TrieNode { label, children: Span::default(), entry: None });
        depth.saturating_add(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::PathEntry;

    fn trie(prefixes: &[&str]) -> Trie<String> {
        let mut sorted: Vec<_> = prefixes.iter().map(|one| (one.as_bytes().to_vec(), (*one).to_owned())).collect();
        sorted.sort();
        sorted.dedup();
        Trie::new(sorted)
    }

    fn found(trie: &Trie<String>, path: &str) -> Vec<String> {
        trie.prefixes_of(path.as_bytes()).map(|entry| entry.value.clone()).collect()
    }

    #[test]
    fn longest_first() {
        let trie = trie(&["/", "/api", "/api/v1/r1", "/api/v1/r12", "/apple", "/é"]);
        assert_eq!(found(&trie, "/api/v1/r123"), ["/api/v1/r12", "/api/v1/r1", "/api", "/"]);
        assert_eq!(found(&trie, "/ap"), ["/"]);
        assert_eq!(found(&trie, "/apples"), ["/apple", "/"]);
        assert_eq!(found(&trie, "/é/x"), ["/é", "/"]);
        assert!(found(&trie, "").is_empty());
    }

    #[test]
    fn a_node_is_a_line_of_a_cache() {
        assert_eq!(size_of::<TrieNode<PathEntry>>(), 64);
    }

    #[test]
    fn odd_sets() {
        assert!(found(&trie(&[]), "/a").is_empty());
        assert_eq!(found(&trie(&[""]), "/a"), [""]);
        let deep: Vec<_> = (1..3000).map(|n| "/a".repeat(n)).collect();
        let deep = trie(&deep.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found(&deep, &"/a".repeat(2500)).len(), 2500);
    }

    proptest! {
        #[test]
        fn finds_what_a_list_would(prefixes in proptest::collection::vec("[/ab]{0,6}", 0..30), path in "[/abc]{0,10}") {
            let mut expected: Vec<_> = prefixes.iter().filter(|prefix| path.starts_with(*prefix)).cloned().collect();
            expected.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
            expected.dedup();
            let trie = trie(&prefixes.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(found(&trie, &path), expected);
        }
    }
}
