//! What is said to whoever runs a command.
//!
//! Somebody may have stopped reading (`towergate check | head`): what cannot be written is then
//! left unsaid, where `println!` would panic.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write},
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
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

/// Shows what a command is at, and for how many seconds, in a line on stderr that goes when this does. On a terminal only.
#[derive(Debug)]
pub(crate) struct Progress(Option<mpsc::Sender<String>>, Option<JoinHandle<()>>);

impl Progress {
    /// It is at this.
    pub(crate) fn of(doing: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None, None);
        }
        let (sender, steps) = mpsc::channel();
        let showing = thread::Builder::new().spawn(move || show(&steps)).ok();
        let progress = Self(Some(sender), showing);
        progress.now(doing);
        progress
    }

    /// It is at this now.
    pub(crate) fn now(&self, doing: &str) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(doing.to_owned());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0 = None;
        if let Some(showing) = self.1.take() {
            let _ = showing.join();
        }
    }
}

fn show(steps: &mpsc::Receiver<String>) {
    const CLEAR: &str = "\r\x1b[2K";
    let (mut doing, mut since) = (String::new(), Instant::now());
    loop {
        match steps.recv_timeout(Duration::from_secs(1)) {
            Ok(next) if next == doing => {}
            Ok(next) => (doing, since) = (next, Instant::now()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let seconds = since.elapsed().as_secs();
        let mut out = io::stderr().lock();
        let _ = if seconds == 0 {
            write!(out, "{CLEAR}{doing} …")
        } else {
            write!(out, "{CLEAR}{doing} … {seconds} s")
        };
        let _ = out.flush();
    }
    let _ = write!(io::stderr().lock(), "{CLEAR}");
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
