//! Tables of dubious requests: what each may become, and running them.

use crate::trial::{Ending, Outcome, Trial};

/// The request after the dubious one. Whoever answers it took it for a request.
pub const TAIL: &str = "GET /tail HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n";

/// Which requests the upstream may get, by their targets.
pub type Allowed = &'static [&'static [&'static str]];

/// Refused, and the tail with it.
pub const NONE: Allowed = &[&[]];

/// The dubious request only; the tail belongs to its body, or is not trusted any more.
pub const FIRST: Allowed = &[&["/first"]];

/// Refused or understood, but the tail is no request.
pub const PERHAPS_FIRST: Allowed = &[&[], &["/first"]];

/// Nothing is dubious: both are requests.
pub const BOTH: Allowed = &[&["/first", "/tail"]];

/// Refused, or understood in the one way there is, with or without trust in what comes after.
pub const PERHAPS_BOTH: Allowed = &[&[], &["/first"], &["/first", "/tail"]];

/// The first is refused for what it wants, not for how it is written: the tail is a request of its own.
pub const PERHAPS_TAIL: Allowed = &[&[], &["/tail"]];

/// One row of a table.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is dubious about it.
    pub name: &'static str,
    /// What the client sends.
    pub bytes: Vec<u8>,
    /// What it may become.
    pub allowed: Allowed,
    /// The body of `/first`, if that reaches the upstream.
    pub body: Vec<u8>,
    /// Whether the client ends there, inside a request.
    pub is_cut: bool,
}

impl Case {
    /// Exact bytes; `/first` has no body.
    pub fn raw(name: &'static str, bytes: impl Into<Vec<u8>>, allowed: Allowed) -> Self {
        Self { name, bytes: bytes.into(), allowed, body: Vec::new(), is_cut: false }
    }

    /// `POST /first` with these header lines and these bytes after its head, then [`TAIL`].
    pub fn post(name: &'static str, lines: &str, rest: &str, allowed: Allowed, body: &str) -> Self {
        let bytes = format!("POST /first HTTP/1.1\r\nHost: gateway.test\r\n{lines}\r\n\r\n{rest}{TAIL}");
        Self::raw(name, bytes, allowed).with_body(body)
    }

    /// The body that `/first` must have at the upstream.
    pub fn with_body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The client sends nothing after these bytes, and says so.
    pub fn cut(self) -> Self {
        Self { is_cut: true, ..self }
    }

    /// What is wrong with what became of it.
    fn check(&self, trial: &Trial) -> Result<Outcome, String> {
        let most = self.allowed.iter().map(|targets| targets.len()).max().unwrap_or(0);
        let ending = match most {
            _ if self.is_cut => Ending::AtOnce,
            // Refusals are followed by the end of the connection.
            0 => Ending::AfterAnswers(usize::MAX),
            most => Ending::AfterAnswers(most),
        };
        let outcome = trial.send(&self.bytes, ending)?;
        if !self.allowed.contains(&outcome.targets().as_slice()) {
            return Err(format!("the upstream got {:?}, the client {:?}", outcome.requests, outcome.refusal));
        }
        if outcome.targets().is_empty() && self.allowed == BOTH {
            return Err(format!("refused with {:?}", outcome.refusal));
        }
        match outcome.requests.iter().find(|request| request.target == "/first" && request.body != self.body) {
            Some(first) => Err(format!("the body became {:?}", String::from_utf8_lossy(&first.body))),
            None => Ok(outcome),
        }
    }
}

/// Sends each case through a gateway that collects bodies before it goes on with them, and through one that does not.
///
/// # Panics
/// With the names of all cases that became what they may not.
#[track_caller]
pub fn hold(cases: &[Case]) {
    let mut failures = Vec::new();
    for buffering in ["true", "false"] {
        let trial = Trial::with(&format!("    request_buffering: {buffering}\n"));
        for case in cases {
            if let Err(why) = case.check(&trial) {
                failures.push(format!("{} (request_buffering: {buffering}): {why}", case.name));
            }
        }
        let log = trial.gateway().log();
        assert!(!log.contains("panicked"), "{log}");
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), 2 * cases.len(), failures.join("\n"));
}
