//! What is remembered of names, and one look-up at a time for each.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::watch};

use crate::{
    answer::{Answer, Failure},
    query::{Asker, Looked},
    settings::{Kind, Settings},
};

/// A look-up that was lost is begun again; so often in all it is waited for.
const TIMES: usize = 3;

/// Whatever is set, one look-up is enough for so long.
const SHORTEST: Duration = Duration::from_millis(50);

/// Looks names up and remembers them. Clones share one memory.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    asker: Asker,
    names: Mutex<HashMap<Box<str>, Name>>,
    runtime: Option<Handle>,
}

/// What is known of one name.
#[derive(Default)]
struct Name {
    /// The newest answer, whatever it says.
    answer: Option<Arc<Answer>>,
    /// The newest answer with addresses, if the newest of all could not be had.
    good: Option<Arc<Answer>>,
    /// The kind that had an answer last.
    last: Option<Kind>,
    /// Told when the look-up under way is over.
    asking: Option<watch::Receiver<()>>,
}

impl Client {
    /// A client whose look-ups run where they are asked for.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::made(settings, None)
    }

    /// A client whose look-ups run on this runtime, whoever asks for them.
    #[must_use]
    pub fn on(runtime: Handle, settings: Settings) -> Self {
        Self::made(settings, Some(runtime))
    }

    fn made(settings: Settings, runtime: Option<Handle>) -> Self {
        let asker = Asker::new(&settings);
        Self { shared: Arc::new(Shared { settings, asker, names: Mutex::default(), runtime }) }
    }

    /// What is known of this name: at once, if anything is that may still be used. In that case, and if
    /// its time is over, it is asked for again beside.
    pub async fn look_up(&self, name: &str) -> Arc<Answer> {
        self.wait_for(name).await.0
    }

    /// The same, and whether it was waited for: nothing was known that could be used at once.
    pub async fn wait_for(&self, name: &str) -> (Arc<Answer>, bool) {
        for turn in 0..TIMES {
            let mut asking = match self.known(name, Instant::now()) {
                Ok(answer) => return (answer, turn > 0),
                Err(asking) => asking,
            };
            // Whoever looks it up tells nothing but its end.
            let _ = asking.changed().await;
        }
        // Only where look-ups have no runtime to run on any more.
        let lost = Err(Failure::Failed("dns client error: the look-up was given up".into()));
        (Arc::new(self.shared.answer(lost, Instant::now())), true)
    }

    /// The answer to be used now, or the look-up to wait for.
    fn known(&self, name: &str, now: Instant) -> Result<Arc<Answer>, watch::Receiver<()>> {
        let mut names = self.shared.lock();
        let known = names.entry(name.into()).or_default();
        if let Some(answer) = known.answer.as_ref().filter(|answer| now < answer.expires) {
            let failed = answer.found.as_ref().is_err_and(|failure| !failure.is_certain());
            let good = known.good.as_ref().filter(|_| failed).filter(|good| self.shared.is_usable(good, now));
            return Ok(good.unwrap_or(answer).clone());
        }
        let asking = match &known.asking {
            // A task that was lost with its runtime has told nobody.
            Some(asking) if asking.has_changed().is_ok() => asking.clone(),
            _ => {
                let (over, asking) = watch::channel(());
                known.asking = Some(asking.clone());
                self.ask(name, known.last, over);
                asking
            }
        };
        match known.good.as_ref().filter(|good| self.shared.is_usable(good, now)) {
            Some(good) => Ok(good.clone()),
            None => Err(asking),
        }
    }

    fn ask(&self, name: &str, last: Option<Kind>, over: watch::Sender<()>) {
        let (shared, name) = (self.shared.clone(), name.to_owned());
        let asking = async move {
            let looked = shared.asker.look_up(&name, last).await;
            shared.learn(&name, looked, Instant::now());
            drop(over);
        };
        match &self.shared.runtime {
            Some(runtime) => runtime.spawn(asking),
            None => tokio::spawn(asking),
        };
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an answer whose time may be over is still good enough.
    fn is_usable(&self, answer: &Answer, now: Instant) -> bool {
        now.saturating_duration_since(answer.expires) < self.settings.stale_ttl
    }

    fn learn(&self, name: &str, looked: Looked, now: Instant) {
        if let Err(failure) = &looked {
            tracing::warn!(name, cause = %failure, "Name not resolved");
        }
        let last = looked.as_ref().ok().map(|(kind, ..)| *kind);
        let answer = Arc::new(self.answer(looked, now));
        let mut names = self.lock();
        if names.len() > self.settings.cache_size {
            names.retain(|known, entry| {
                **known == *name || entry.answer.as_ref().is_none_or(|answer| now < answer.expires)
            });
        }
        let known = names.entry(name.into()).or_default();
        match &answer.found {
            Ok(_) => known.good = Some(answer.clone()),
            Err(failure) if failure.is_certain() => known.good = None,
            Err(_) => {}
        }
        known.last = last.or(known.last);
        known.answer = Some(answer);
        known.asking = None;
    }

    fn answer(&self, looked: Looked, now: Instant) -> Answer {
        let settings = &self.settings;
        let (found, kind, ttl) = match looked {
            Ok((kind, mut found, ttl)) => {
                // Servers turn the order of records; here an answer that says the same is the same.
                found.sort_unstable_by_key(|found| (found.ip, found.port, found.weight));
                (Ok(found), word(kind), settings.valid_ttl.unwrap_or(ttl))
            }
            Err(failure @ Failure::Failed(_)) => (Err(failure), "", settings.error_ttl),
            Err(failure) => (Err(failure), "", settings.not_found_ttl),
        };
        Answer { found, kind, expires: now.checked_add(ttl.max(SHORTEST)).unwrap_or(now) }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Srv => "SRV",
        Kind::Aaaa => "AAAA",
        Kind::A | Kind::Cname | Kind::Last => "A",
    }
}

impl Default for Client {
    /// As the system says.
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
