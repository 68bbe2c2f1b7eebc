//! The keys of an issuer, kept fresh.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::watch};

use super::{issuer::Issuer, key_set::KeySet};
use crate::{jose::Algorithm, published::Published};

/// When keys are fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// How old they may become.
    pub(super) refresh: Duration,
    /// How long to wait at least between two fetches because of an unknown key, or after a failure.
    pub(super) cooldown: Duration,
}

/// The keys of an issuer: those known last, for as long as no newer ones are to be had.
pub(super) struct Keys {
    issuer: Issuer,
    algorithms: Vec<Algorithm>,
    schedule: Schedule,
    /// The newest keys, with a number that grows with each change; `None` before the first.
    known: Published<Option<(u64, KeySet)>>,
    /// What was published last, to the letter: equal keys are no change.
    progress: Mutex<Progress>,
    /// Counts the fetches that have ended.
    ended: watch::Sender<u64>,
    born: Instant,
    /// From when on, in milliseconds since `born`, keys are to be fetched again.
    due: AtomicU64,
}

#[derive(Default)]
struct Progress {
    fetching: bool,
    asked: Option<Instant>,
    fetched_at: Option<SystemTime>,
    text: Vec<u8>,
    changes: u64,
    failures: u32,
    error: Option<String>,
}

impl Keys {
    pub(super) fn new(issuer: Issuer, algorithms: Vec<Algorithm>, schedule: Schedule) -> Arc<Self> {
        Arc::new(Self {
            issuer,
            algorithms,
            schedule,
            known: Published::new(None),
            progress: Mutex::new(Progress::default()),
            ended: watch::Sender::new(0),
            born: Instant::now(),
            due: AtomicU64::new(0),
        })
    }

    /// The algorithms of tokens that are taken.
    pub(super) fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Reads the newest keys and the number of their version.
    pub(super) fn read<T>(&self, read: impl FnOnce(Option<(u64, &KeySet)>) -> T) -> T {
        self.known.read(|known| read(known.as_ref().map(|(version, set)| (*version, set))))
    }

    /// Begins to fetch if the keys are old; nobody waits for it. One load of a number otherwise.
    pub(super) fn refresh_if_due(self: &Arc<Self>, now: Instant) {
        if self.is_due(now) {
            drop(self.begin(now, |_| true));
        }
    }

    /// Begins to fetch because of a key that is not known, or joins a fetch that is on its way; `None`
    /// if one was made just before.
    pub(super) fn refresh_for_unknown(self: &Arc<Self>, now: Instant) -> Option<Fetching> {
        let cooldown = self.schedule.cooldown;
        self.begin(now, |asked| asked.is_none_or(|asked| now.saturating_duration_since(asked) >= cooldown))
    }

    /// Keeps the keys fresh for as long as it is polled.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        loop {
            let now = Instant::now();
            if self.is_due(now) {
                if let Some(fetching) = self.begin(now, |_| true) {
                    fetching.ended().await;
                }
            } else {
                let due = Duration::from_millis(self.due.load(Ordering::Relaxed));
                let wait = due.saturating_sub(now.saturating_duration_since(self.born));
                tokio::time::sleep(wait.max(Duration::from_millis(10))).await;
            }
        }
    }

    /// What operators may see.
    pub(super) fn state(&self) -> Value {
        let progress = self.progress();
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        json!({
            "keys": self.read(|known| known.map_or(0, |(_, set)| set.keys)),
            "fetched_at": progress.fetched_at.map(seconds),
            "failures": progress.failures,
            "error": progress.error,
        })
    }

    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.born).as_millis() >= u128::from(self.due.load(Ordering::Relaxed))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the fetch that is on its way, or begins one if `may` allows it.
    fn begin(self: &Arc<Self>, now: Instant, may: impl FnOnce(Option<Instant>) -> bool) -> Option<Fetching> {
        let mut progress = self.progress();
        let fetching = Fetching(self.ended.subscribe());
        if progress.fetching {
            return Some(fetching);
        }
        let runtime = Handle::try_current().ok()?;
        if !may(progress.asked) {
            return None;
        }
        progress.fetching = true;
        progress.asked = Some(now);
        drop(progress);
        // A task of its own: it goes on when the request that began it goes away.
        runtime.spawn(Fetch(self.clone()).run());
        Some(fetching)
    }

    fn accept(&self, answer: Result<Vec<u8>, String>, now: Instant) {
        let mut progress = self.progress();
        let known = match answer {
            Ok(text) if progress.changes > 0 && text == progress.text => Ok(None),
            Ok(text) => KeySet::parse(&text, &self.algorithms).map(|set| Some((text, set))),
            Err(error) => Err(error),
        };
        let wait = match known {
            Ok(new) => {
                if let Some((text, set)) = new {
                    progress.text = text;
                    progress.changes = progress.changes.saturating_add(1);
                    self.known.replace(Some((progress.changes, set)));
                }
                if progress.failures > 0 {
                    tracing::info!(uri = %self.issuer.uri(), "jwks-auth: the issuer's keys can be fetched again");
                }
                progress.failures = 0;
                progress.error = None;
                progress.fetched_at = Some(SystemTime::now());
                self.schedule.refresh
            }
            Err(error) => self.note_failure(&mut progress, error),
        };
        let due = now.saturating_duration_since(self.born).saturating_add(wait).as_millis();
        self.due.store(u64::try_from(due).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Notes a failure, tells of the first one of a row, and says when to try again: after the
    /// cool-down, then twice as long each time.
    fn note_failure(&self, progress: &mut Progress, error: String) -> Duration {
        if progress.failures == 0 {
            let stale = if progress.changes > 0 { "those known last go on to count" } else { "there are none yet" };
            let uri = self.issuer.uri();
            tracing::warn!(%uri, "jwks-auth: the issuer's keys cannot be fetched ({error}); {stale}; it is tried again");
        }
        progress.error = Some(error);
        progress.failures = progress.failures.saturating_add(1);
        let factor = 2_u32.saturating_pow(progress.failures.saturating_sub(1).min(16));
        self.schedule.cooldown.saturating_mul(factor).min(self.schedule.refresh.max(self.schedule.cooldown))
    }
}

/// A fetch that somebody may wait for.
pub(super) struct Fetching(watch::Receiver<u64>);

impl Fetching {
    /// Done when the fetch has ended, well or not.
    pub(super) async fn ended(mut self) {
        // An error says that the keys are gone, and with them everybody who asks.
        let _ = self.0.changed().await;
    }
}

/// A fetch under way; when it goes, however it ends, another may begin.
struct Fetch(Arc<Keys>);

impl Fetch {
    async fn run(self) {
        let answer = self.0.issuer.ask().await;
        self.0.accept(answer.map(|body| body.to_vec()), Instant::now());
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.progress().fetching = false;
        self.0.ended.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("uri", self.issuer.uri()).finish_non_exhaustive()
    }
}
