//! The scripts that count, and how they are called.

use std::sync::LazyLock;

use redis::{Cmd, FromRedisValue, Script, Value, cmd};
use smallvec::SmallVec;

use crate::{
    backend::Naming,
    store::{Cells, Count, Counted, StoreError},
    window::{Cell, WindowType},
};

static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(COUNT_TEXT));
static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(ADD_TEXT));

const COUNT_TEXT: &str = include_str!("count.lua");
const ADD_TEXT: &str = include_str!("add.lua");

/// A counter lives so much longer than it is needed, in milliseconds: the clocks of nodes differ.
const GRACE: u64 = 2000;

/// A script with its keys and arguments.
pub(crate) struct Call {
    hash: &'static str,
    text: &'static str,
    keys: SmallVec<[Vec<u8>; 4]>,
    arguments: SmallVec<[String; 9]>,
}

impl Call {
    /// Checks and counts.
    pub(crate) fn count(count: &Count<'_>, naming: &Naming) -> Self {
        let mut keys = SmallVec::new();
        let mut arguments: SmallVec<[String; 9]> = SmallVec::new();
        arguments.push(u8::from(count.penalty).to_string());
        let subject = naming.subject(&count.identifier);
        for (window, cell) in count.windows.iter().zip(&count.cells) {
            keys.push(naming.key(&subject, cell.start, &window.label));
            let before = cell.start.checked_sub(cell.size).filter(|_| cell.kind == WindowType::Sliding);
            let weight = before.map_or_else(|| "-".to_owned(), |_| cell.weight(count.now).to_string());
            keys.extend(before.map(|start| naming.key(&subject, start, &window.label)));
            arguments.extend([cell.ceiling.to_string(), weight, cell.cost.to_string(), life(cell, count.now)]);
        }
        Self { hash: COUNT.get_hash(), text: COUNT_TEXT, keys, arguments }
    }

    /// Adds to one counter.
    pub(crate) fn add(key: Vec<u8>, cell: &Cell, more: i64, now: u64) -> Self {
        let arguments = SmallVec::from_iter([more.to_string(), life(cell, now)]);
        Self { hash: ADD.get_hash(), text: ADD_TEXT, keys: SmallVec::from_iter([key]), arguments }
    }

    /// The command that names the script.
    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", self.hash)
    }

    /// The command that brings the script along.
    pub(crate) fn by_text(&self) -> Cmd {
        self.command("EVAL", self.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len());
        self.keys.iter().for_each(|key| _ = command.arg(key));
        self.arguments.iter().for_each(|argument| _ = command.arg(argument));
        command
    }
}

/// How long a counter is needed, in milliseconds.
fn life(cell: &Cell, now: u64) -> String {
    cell.expires().saturating_sub(now).saturating_add(GRACE).to_string()
}

/// What the counting script answered.
pub(crate) fn counted(answer: Value, mut cells: Cells) -> Result<Counted, StoreError> {
    let numbers = Vec::<i64>::from_redis_value(answer).map_err(|error| StoreError::new(error.to_string()))?;
    let Some((admitted, counts)) = numbers.split_first() else { return Err(StoreError::new("an empty answer")) };
    for (cell, counts) in cells.iter_mut().zip(counts.chunks_exact(2)) {
        if let [current, previous] = counts {
            (cell.current, cell.previous) = (*current, *previous);
        }
    }
    Ok(Counted { admitted: *admitted == 1, cells })
}

/// What the adding script answered: how much all nodes have counted.
pub(crate) fn total(answer: Value) -> Result<i64, StoreError> {
    let numbers = Vec::<i64>::from_redis_value(answer).map_err(|error| StoreError::new(error.to_string()))?;
    numbers.first().copied().ok_or_else(|| StoreError::new("an empty answer"))
}
