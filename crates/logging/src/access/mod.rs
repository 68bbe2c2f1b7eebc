//! The access log: a line for each request, in nginx's words or as JSON.

mod escape;
mod format;
mod variable;

use std::cell::RefCell;

use towergate_core::{Context, Ended, Observe};

pub use self::format::Format;
use crate::file::Lines;

/// Writes a line for each request.
///
/// The line is formatted on the worker's thread into a buffer of its own, and written by the writer's.
/// Credentials are not shown, wherever guards look for them.
#[derive(Debug, Clone)]
pub struct AccessLog {
    lines: Lines,
    format: Format,
}

impl AccessLog {
    /// Lines of this format to this file.
    pub fn new(lines: Lines, format: Format) -> Self {
        Self { lines, format }
    }
}

thread_local! {
    /// Where each worker formats its lines, one after the other.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Observe for AccessLog {
    fn observe(&self, cx: &Context, ended: &Ended) {
        let mut line = BUFFER.take();
        line.clear();
        self.format.write(cx, ended, &mut line);
        line.push(b'\n');
        self.lines.write(&line);
        BUFFER.set(line);
    }
}
