//! Looks up host names and server names, wildcards included.

use super::{
    Node, Search, find_key,
    key::{Key, KeyMap},
};
use crate::name::{NameKind, NamePattern};

/// Nodes by name pattern.
#[derive(Debug, Clone)]
pub(super) struct NameTable {
    nodes: KeyMap<Node>,
    has_ports: bool,
    /// Lengths of the longest wildcards; 0 if there are none. Spares lookups that cannot succeed.
    longest_suffix: usize,
    longest_prefix: usize,
}

impl NameTable {
    pub(super) fn new<'a>(nodes: KeyMap<Node>, patterns: impl Iterator<Item = &'a NamePattern>) -> Self {
        let mut table = Self { nodes, has_ports: false, longest_suffix: 0, longest_prefix: 0 };
        for pattern in patterns {
            table.has_ports |= pattern.port.is_some();
            match pattern.kind {
                NameKind::Plain => {}
                NameKind::Suffix => table.longest_suffix = table.longest_suffix.max(pattern.text.len()),
                NameKind::Prefix => table.longest_prefix = table.longest_prefix.max(pattern.text.len()),
            }
        }
        table
    }

    pub(super) fn key(pattern: &NamePattern) -> Key {
        let key = name_key(pattern.kind, pattern.text.as_bytes());
        pattern.port.map_or(key, |port| key.with(u64::from(port)))
    }

    pub(super) fn find(&self, name: &str, port: u16, search: &mut Search<'_>) {
        let name = name.as_bytes();
        self.find_one(NameKind::Plain, name, port, search);
        if self.longest_suffix == 0 && self.longest_prefix == 0 {
            return;
        }
        for (at, _) in name.iter().enumerate().filter(|(_, byte)| **byte == b'.') {
            let (before, after) = name.split_at(at);
            if after.len() <= self.longest_suffix {
                self.find_one(NameKind::Suffix, after, port, search);
            }
            if let Some(prefix) = name.get(..=before.len()).filter(|prefix| prefix.len() <= self.longest_prefix) {
                self.find_one(NameKind::Prefix, prefix, port, search);
            }
        }
    }

    fn find_one(&self, kind: NameKind, text: &[u8], port: u16, search: &mut Search<'_>) {
        let key = name_key(kind, text);
        find_key(&self.nodes, key, search);
        if self.has_ports {
            find_key(&self.nodes, key.with(u64::from(port)), search);
        }
    }
}

fn name_key(kind: NameKind, text: &[u8]) -> Key {
    Key::any_case(kind as u64, text)
}
