//! The fields of one mapping while it is read: no key twice, and YAML's merge key.

use std::collections::HashSet;

use super::{Key, Node, SyntaxError, Value};

/// The fields read so far, in written order.
#[derive(Default)]
pub(super) struct Fields {
    own: Vec<(Key, Node)>,
    /// Names in `own`, once there are too many to compare one by one.
    names: HashSet<Box<str>>,
}

const COMPARE_ONE_BY_ONE: usize = 24;

impl Fields {
    /// Adds a field; a name that is there already is refused.
    pub(super) fn add(&mut self, key: Key, value: Node) -> Result<(), SyntaxError> {
        if self.has(&key.name) {
            let first = self.own.iter().find(|(k, _)| k.name == key.name).map_or(0, |(k, _)| k.at.line);
            let message = format!("duplicate key '{}' (the first one is in line {first})", key.name);
            return Err(SyntaxError { at: key.at, message });
        }
        self.put(key, value);
        Ok(())
    }

    /// All fields.
    pub(super) fn finish(self) -> Vec<(Key, Node)> {
        self.own
    }

    /// All fields with those of the values of `<<` that are not there yet: own fields win over
    /// merged ones, earlier merged ones over later ones.
    pub(super) fn merge(mut self, merged: Vec<Node>) -> Result<Vec<(Key, Node)>, SyntaxError> {
        for node in merged {
            match node.value {
                Value::List(maps) => maps.into_iter().try_for_each(|map| self.merge_one(map))?,
                _ => self.merge_one(node)?,
            }
        }
        Ok(self.finish())
    }

    fn merge_one(&mut self, node: Node) -> Result<(), SyntaxError> {
        let Value::Map(fields) = node.value else {
            let message = "'<<' takes a mapping or a list of mappings".to_owned();
            return Err(SyntaxError { at: node.at, message });
        };
        for (key, value) in fields {
            if !self.has(&key.name) {
                self.put(key, value);
            }
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        if self.names.is_empty() {
            self.own.iter().any(|(key, _)| &*key.name == name)
        } else {
            self.names.contains(name)
        }
    }

    fn put(&mut self, key: Key, value: Node) {
        if self.names.is_empty() && self.own.len() == COMPARE_ONE_BY_ONE {
            self.names = self.own.iter().map(|(key, _)| key.name.clone()).collect();
        }
        if !self.names.is_empty() {
            self.names.insert(key.name.clone());
        }
        self.own.push((key, value));
    }
}
