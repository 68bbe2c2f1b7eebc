//! What is said to whoever runs a command.
//!
//! Somebody may have stopped reading (`towergate check | head`): what cannot be written is then
//! left unsaid, where `println!` would panic.

use std::{
    fmt::Display,
    io::{self, Write},
};

use clap::builder::styling::{AnsiColor, Style};

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// Says a line on stdout: what the command was asked for.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Says a line on stderr, as it is.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says on stderr what loads but will not work, or was not done.
pub(crate) fn warn(line: impl Display) {
    labelled(YELLOW, "warning:", &line);
}

/// Says on stderr why what was asked for was not done.
pub(crate) fn fail(error: impl Display) {
    labelled(RED, "Error:", &error);
}

/// Colours come out on a terminal only, and not with `NO_COLOR`.
fn labelled(style: Style, label: &str, text: &dyn Display) {
    let mut out = anstream::stderr().lock();
    let _ = write!(out, "{style}{label}{style:#} ");
    for line in text.to_string().split_inclusive('\n') {
        // What points at a place in an excerpt.
        let points = line.trim_start().strip_prefix('|').is_some_and(|rest| rest.trim_start().starts_with('^'));
        let _ = if points { write!(out, "{style}{line}{style:#}") } else { write!(out, "{line}") };
    }
    let _ = writeln!(out);
}
