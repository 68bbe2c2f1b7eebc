//! The load on one proxy: a process of its own, so that it has a core and a priority of its own.
//!
//! Closed loop: each connection (each stream, over HTTP/2) asks again as soon as it was answered. What the proxy has
//! used is read when the load has run for a while and when it ends, so that neither connections being made nor
//! handshakes are counted.

mod client;
mod connections;
mod http1;
mod http2;
mod request;
mod stream;
mod tally;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use self::{client::Client, connections::Connections, http1::Http1, http2::Http2, tally::Tally};
use crate::{Problem, interrupt::Interrupt, say, usage};

/// How long the load runs before anything is counted: this part of the time that is.
const WARM_UP: u32 = 6;

/// The version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// What is asked for, how, and of whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) protocol: Protocol,
    pub(crate) tls: bool,
    pub(crate) connections: usize,
    /// How many requests of a connection are under way at once (HTTP/2 only).
    pub(crate) streams: usize,
    /// `{n}` in the path and in the header stands for a number.
    pub(crate) path: String,
    /// One more header line, without its end; empty for none.
    pub(crate) header: String,
    /// How many different numbers there are.
    pub(crate) numbers: usize,
    /// How many bytes are sent; with any the method is `POST`.
    pub(crate) body: usize,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            protocol: Protocol::Http1,
            tls: false,
            connections: 64,
            streams: 1,
            path: "/".into(),
            header: String::new(),
            numbers: 1,
            body: 0,
        }
    }
}

/// A turn of one proxy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) work: Work,
    pub(crate) port: u16,
    /// The certificate of the proxy.
    pub(crate) certificate: PathBuf,
    /// The proxy's processes.
    pub(crate) pids: Vec<u32>,
    pub(crate) seconds: f64,
    /// Whether each connection asks once and is then left alone.
    pub(crate) is_idle: bool,
}

/// What a turn has shown.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    /// Connections that broke, and answers other than 200.
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
    /// How long the proxy ran, in seconds.
    pub(crate) run_time: f64,
    /// Its resident memory at the end, in bytes.
    pub(crate) resident: u64,
    /// How long a request took at most, in seconds, for half of them, 99 % and 99.9 %.
    pub(crate) latency: [f64; 3],
}

impl Outcome {
    /// Seconds of processor time for one request.
    pub(crate) fn per_request(&self) -> f64 {
        self.run_time / self.requests as f64
    }

    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Does what the argument says, as JSON, and prints the outcome, as JSON.
pub(crate) fn run(turn: &str) -> Result<(), Problem> {
    let turn: Turn = serde_json::from_str(turn)?;
    let interrupt = Interrupt::listen()?;
    let outcome = match turn.work.protocol {
        Protocol::Http1 => drive::<Http1>(&turn, &interrupt),
        Protocol::Http2 => drive::<Http2>(&turn, &interrupt),
    }?;
    say(serde_json::to_string(&outcome)?);
    Ok(())
}

fn drive<C: Client>(turn: &Turn, interrupt: &Interrupt) -> Result<Outcome, Problem> {
    let mut connections = Connections::<C>::open(turn)?;
    if turn.is_idle {
        let mut tally = Tally::default();
        connections.ask_once(&mut tally, interrupt)?;
        return Ok(Outcome { requests: tally.requests, resident: usage::resident(&turn.pids), ..Outcome::default() });
    }
    let time = Duration::try_from_secs_f64(turn.seconds)?;
    connections.drive(&mut Tally::default(), time / WARM_UP, interrupt)?;
    let mut tally = Tally::default();
    let (before, began) = (usage::run_time(&turn.pids), Instant::now());
    connections.drive(&mut tally, time, interrupt)?;
    let (seconds, run_time) = (began.elapsed().as_secs_f64(), usage::run_time(&turn.pids).saturating_sub(before));
    Ok(Outcome {
        requests: tally.requests,
        errors: tally.errors,
        seconds,
        run_time: run_time.as_secs_f64(),
        resident: usage::resident(&turn.pids),
        latency: tally.latency(),
    })
}
