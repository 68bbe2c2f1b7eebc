//! Problems as the Admin API reports them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    path::Segment,
    problem::{ENTITY, Problem},
};

/// Kong's `fields`: problems nested as the value is, `@entity` holding a list, and lists as long as their last problem,
/// with null where there is none.
#[must_use]
pub fn fields(problems: &[Problem]) -> Value {
    match Tree::of(problems) {
        Tree::Table(table) => to_object(&table),
        Tree::Text(text) => Value::String(text),
    }
}

/// Kong's `message`: `schema violation (name: …)` for one, `2 schema violations (…; …)` for several. Those of the whole
/// record come first, the others by field name; what lies deeper than one level is printed as Lua would.
#[must_use]
pub fn message(problems: &[Problem]) -> String {
    let mut parts = Vec::new();
    if let Tree::Table(table) = Tree::of(problems) {
        if let Some(Tree::Table(entity)) = table.get(&Key::entity()) {
            parts.extend(entity.values().map(Tree::pretty));
        }
        for (key, tree) in table.iter().filter(|(key, _)| **key != Key::entity()) {
            match tree {
                Tree::Text(text) => parts.push(format!("{}: {text}", key.text())),
                Tree::Table(inner) => {
                    parts.extend(
                        inner.iter().map(|(sub, tree)| format!("{}.{}: {}", key.text(), sub.text(), tree.pretty())),
                    );
                }
            }
        }
    }
    match parts.as_slice() {
        [only] => format!("schema violation ({only})"),
        _ => format!("{} schema violations ({})", parts.len(), parts.join("; ")),
    }
}

/// Problems as the Lua table Kong keeps them in.
enum Tree {
    Text(String),
    Table(Table),
}

type Table = BTreeMap<Key, Tree>;

/// Positions sort before names, as numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Position(usize),
    Name(String),
}

impl Key {
    fn entity() -> Self {
        Self::Name(ENTITY.to_owned())
    }

    fn text(&self) -> String {
        match self {
            Self::Position(position) => position.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

impl Tree {
    fn of(problems: &[Problem]) -> Self {
        let mut root = Self::Table(Table::new());
        for problem in problems {
            root.insert(problem.path.segments(), &problem.message);
        }
        root
    }

    /// The first problem in a place stays: a text is not replaced, nor does one replace what lies below it.
    fn insert(&mut self, path: &[Segment], message: &str) {
        let Self::Table(table) = self else { return };
        let (key, rest) = match path {
            [Segment::Entry(_), rest @ ..] => return self.insert(rest, message),
            [Segment::Key(name), rest @ ..] => (Key::Name(name.clone()), rest),
            [Segment::Index(index), rest @ ..] => (Key::Position(index.saturating_add(1)), rest),
            [] => return,
        };
        let is_list = key == Key::entity();
        if is_list {
            let Self::Table(list) = table.entry(key).or_insert_with(|| Self::Table(Table::new())) else {
                return;
            };
            list.insert(Key::Position(list.len() + 1), Self::Text(message.to_owned()));
        } else if rest.iter().all(|segment| matches!(segment, Segment::Entry(_))) {
            table.entry(key).or_insert_with(|| Self::Text(message.to_owned()));
        } else {
            table.entry(key).or_insert_with(|| Self::Table(Table::new())).insert(rest, message);
        }
    }

    /// A text as it is, a table as Penlight's `pretty.write` prints it.
    fn pretty(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Table(table) => {
                let mut out = String::new();
                write_table(table, 1, &mut out);
                out
            }
        }
    }
}

fn write_table(table: &Table, depth: usize, out: &mut String) {
    out.push_str("{\n");
    let mut next = 1;
    for (position, (key, tree)) in table.iter().enumerate() {
        if position > 0 {
            out.push_str(",\n");
        }
        out.push_str(&"  ".repeat(depth));
        match key {
            Key::Position(index) if *index == next => next += 1,
            Key::Position(index) => out.push_str(&format!("[{index}] = ")),
            Key::Name(name) if is_identifier(name) => out.push_str(&format!("{name} = ")),
            Key::Name(name) => out.push_str(&format!("[\"{name}\"] = ")),
        }
        match tree {
            Tree::Text(text) => out.push_str(&format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
            Tree::Table(inner) => write_table(inner, depth + 1, out),
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth - 1));
    out.push('}');
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn to_value(tree: &Tree) -> Value {
    match tree {
        Tree::Text(text) => Value::String(text.clone()),
        Tree::Table(table) => to_list(table).unwrap_or_else(|| to_object(table)),
    }
}

/// The longest list Kong writes as an array.
const LONGEST: usize = 1 << 15;

fn to_list(table: &Table) -> Option<Value> {
    let last = match table.last_key_value() {
        Some((Key::Position(last), _)) if *last <= LONGEST => *last,
        _ => return None,
    };
    let item = |position| table.get(&Key::Position(position)).map_or(Value::Null, to_value);
    Some((1..=last).map(item).collect())
}

fn to_object(table: &Table) -> Value {
    Value::Object(table.iter().map(|(key, tree)| (key.text(), to_value(tree))).collect::<Map<_, _>>())
}
