//! What is said to whoever runs a command.
//!
//! Somebody may have stopped reading (`towergate check | head`): what cannot be written is then
//! left unsaid, where `println!` would panic.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Says a line on stdout: what the command was asked for.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Says a line on stderr: warnings and errors.
pub(crate) fn warn(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
