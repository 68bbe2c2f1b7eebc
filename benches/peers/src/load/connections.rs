//! The connections of a turn.

use std::{
    io::{self, Read, Write},
    ops::Range,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token};

use super::{
    Turn,
    client::Client,
    request::Requests,
    stream::{Stream, Trust},
    tally::Tally,
};
use crate::{Problem, interrupt::Interrupt};

/// How often the clock is looked at while nothing comes.
const LOOK: Duration = Duration::from_millis(20);

/// How long idle connections may take to get their one answer each.
const ONCE: Duration = Duration::from_secs(60);

/// How many connections that ask once do so at the same time.
const AT_ONCE: usize = 50;

/// How many connections are made before their proxy is given time to accept them.
const GROUP: usize = 200;

/// The open connections to a proxy.
pub(super) struct Connections<C> {
    poll: Poll,
    open: Vec<Option<Connection<C>>>,
    requests: Requests,
    streams: usize,
    buffer: Vec<u8>,
}

struct Connection<C> {
    stream: Stream,
    client: C,
    out: Vec<u8>,
    sent: usize,
}

impl<C: Client> Connections<C> {
    /// Makes them, handshakes included.
    pub(super) fn open(turn: &Turn) -> Result<Self, Problem> {
        let (poll, work) = (Poll::new()?, &turn.work);
        let trust = if work.tls { Some(Trust::new(&turn.certificate, C::ALPN)?) } else { None };
        let mut open = Vec::new();
        for place in 0..work.connections {
            let mut stream = Stream::connect(turn.port, trust.as_ref())?;
            stream.register(poll.registry(), Token(place))?;
            open.push(Some(Connection { stream, client: C::new(work.streams), out: Vec::new(), sent: 0 }));
            if place % GROUP == GROUP - 1 {
                std::thread::sleep(LOOK);
            }
        }
        let (requests, streams) = (Requests::new(work), work.streams);
        Ok(Self { poll, open, requests, streams, buffer: vec![0; 256 << 10] })
    }

    /// Keeps all of them busy for so long. Requests under way at its end stay so, for the next time.
    pub(super) fn drive(&mut self, tally: &mut Tally, time: Duration, interrupt: &Interrupt) -> Result<(), Problem> {
        self.begin(0..self.open.len(), tally);
        let (mut events, began) = (Events::with_capacity(256), Instant::now());
        while began.elapsed() < time {
            interrupt.check()?;
            self.poll.poll(&mut events, Some(LOOK))?;
            for event in &events {
                self.step(event.token().0, tally, true);
            }
            if self.open.iter().all(Option::is_none) {
                return Err("all connections broke".into());
            }
        }
        Ok(())
    }

    /// Lets each ask once, a few at a time: what is looked for is what idle connections take, not busy ones.
    pub(super) fn ask_once(&mut self, tally: &mut Tally, interrupt: &Interrupt) -> Result<(), Problem> {
        let (mut events, began) = (Events::with_capacity(256), Instant::now());
        for first in (0..self.open.len()).step_by(AT_ONCE) {
            let last = (first + AT_ONCE).min(self.open.len());
            self.begin(first..last, tally);
            while (tally.requests + tally.errors) < last as u64 {
                interrupt.check()?;
                if began.elapsed() > ONCE {
                    return Err(format!("only {} of {} were answered", tally.requests, self.open.len()).into());
                }
                self.poll.poll(&mut events, Some(LOOK))?;
                for event in &events {
                    self.step(event.token().0, tally, false);
                }
            }
        }
        if tally.errors > 0 { Err(format!("{} connections broke", tally.errors).into()) } else { Ok(()) }
    }

    /// Begins as many requests as may be under way on these connections, where none is.
    fn begin(&mut self, places: Range<usize>, tally: &mut Tally) {
        for slot in self.open.get_mut(places).unwrap_or_default() {
            let Some(connection) = slot.as_mut().filter(|connection| connection.out.is_empty()) else { continue };
            if !connection.client.is_idle() {
                continue;
            }
            for _ in 0..self.streams {
                connection.client.ask(&mut self.requests, Instant::now(), &mut connection.out);
            }
            if connection.send().is_err() {
                tally.broke();
                *slot = None;
            }
        }
    }

    fn step(&mut self, place: usize, tally: &mut Tally, goes_on: bool) {
        let Some(slot) = self.open.get_mut(place) else { return };
        let Some(connection) = slot else { return };
        if connection.step(&mut self.requests, tally, &mut self.buffer, goes_on).is_err() {
            tally.broke();
            *slot = None;
        }
    }
}

impl<C: Client> Connection<C> {
    /// Reads what is there and asks anew for each answer.
    fn step(&mut self, requests: &mut Requests, tally: &mut Tally, buffer: &mut [u8], goes_on: bool) -> io::Result<()> {
        self.send()?;
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let now = Instant::now();
            let complete = self.client.take(buffer.get(..count).unwrap_or_default(), now, tally, &mut self.out)?;
            for _ in 0..if goes_on { complete } else { 0 } {
                self.client.ask(requests, now, &mut self.out);
            }
            self.send()?;
            // A read that did not fill the buffer has emptied the socket; TLS may hold more.
            if count < buffer.len() && matches!(self.stream, Stream::Plain(_)) {
                return Ok(());
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while let Some(left) = self.out.get(self.sent..).filter(|left| !left.is_empty()) {
            match self.stream.write(left) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        self.stream.flush()
    }
}
