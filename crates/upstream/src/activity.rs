//! What has happened on an upstream connection, told by its socket and asked by its request.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// What has happened on a connection since its current request began.
#[derive(Debug)]
pub(crate) struct Activity {
    opened: Instant,
    /// Milliseconds from `opened` to the last successful read or write.
    last: AtomicU64,
    /// Whether any byte of a response has come.
    heard: AtomicBool,
    /// Bytes read while there is no response yet; [`ANSWERED`] from then on.
    before_answer: AtomicU64,
    /// Whether the whole request was handed to the connection.
    given: AtomicBool,
    /// Whether a write waits for the peer.
    blocked: AtomicBool,
    /// Milliseconds a write may take.
    write_timeout: AtomicU64,
}

/// Stands for "there is a response", when what is read is its body.
const ANSWERED: u64 = u64::MAX;

/// How many bytes an upstream may send before its response. No head is as long; but interim
/// responses (1xx) can be sent without end, and each of them is work.
pub(crate) const BEFORE_ANSWER: u64 = 4 << 20;

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            opened: Instant::now(),
            last: AtomicU64::new(0),
            heard: AtomicBool::new(false),
            before_answer: AtomicU64::new(0),
            given: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            write_timeout: AtomicU64::new(u64::MAX),
        }
    }

    /// A request begins.
    pub(crate) fn begin(&self, write_timeout: Duration) {
        self.heard.store(false, Ordering::Relaxed);
        self.before_answer.store(0, Ordering::Relaxed);
        self.given.store(false, Ordering::Relaxed);
        self.write_timeout.store(milliseconds(write_timeout), Ordering::Relaxed);
        self.touch();
    }

    fn touch(&self) {
        self.last.store(milliseconds(self.opened.elapsed()), Ordering::Relaxed);
    }

    /// Bytes were written.
    pub(crate) fn wrote(&self) {
        self.blocked.store(false, Ordering::Relaxed);
        self.touch();
    }

    /// A write has to wait.
    pub(crate) fn write_blocked(&self) {
        self.blocked.store(true, Ordering::Relaxed);
    }

    /// Bytes were read. Answers whether more have come than may before a response.
    pub(crate) fn read(&self, bytes: usize) -> bool {
        self.heard.store(true, Ordering::Relaxed);
        self.touch();
        // Only the connection's own task writes while a response is awaited.
        match self.before_answer.load(Ordering::Relaxed) {
            ANSWERED => false,
            before => {
                let all = before.saturating_add(bytes as u64);
                self.before_answer.store(all, Ordering::Relaxed);
                all > BEFORE_ANSWER
            }
        }
    }

    /// The head of the response is complete.
    pub(crate) fn answered(&self) {
        self.before_answer.store(ANSWERED, Ordering::Relaxed);
    }

    /// The last of the request was handed to the connection.
    pub(crate) fn request_given(&self) {
        self.given.store(true, Ordering::Relaxed);
        self.touch();
    }

    /// Whether the request is on its way to the last byte, so that it is the upstream's turn.
    pub(crate) fn is_request_sent(&self) -> bool {
        self.given.load(Ordering::Relaxed) && !self.blocked.load(Ordering::Relaxed)
    }

    /// Whether any byte of a response has come.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// When something was last read or written.
    pub(crate) fn last(&self) -> Instant {
        self.opened + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// How long a write may take.
    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout.load(Ordering::Relaxed))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
