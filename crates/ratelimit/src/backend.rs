//! Which store a plugin counts in, and what that needs beside requests.

use std::{sync::Arc, time::Duration};

use towergate_core::{Env, PluginError, Task};

#[cfg(feature = "redis")]
use crate::redis::{RedisClient, RedisStore, Synced, SyncedStore};
use crate::{identifier::Identifier, local::Local, redis::Settings, store::Store};

/// Where a plugin counts.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "without it all of Redis is refused"))]
pub(crate) enum Place {
    /// In this process.
    Here,
    /// In Redis, each request. While that does not answer, this process counts if `fall_back`.
    Redis { settings: Settings, fall_back: bool },
    /// In this process, exchanging with Redis every so often. If `strict`, nobody is let through after
    /// an exchange has failed.
    Exchanging { settings: Settings, every: Duration, strict: bool },
}

/// The store of a plugin, and its work beside requests.
pub(crate) struct Backend {
    pub(crate) store: Arc<dyn Store>,
    background: Box<dyn Fn() -> Option<Task> + Send + Sync>,
}

/// How counters are named in Redis: `<scope>:<identifier>:<start in milliseconds>:<window>`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "counters in memory have no names"))]
pub(crate) struct Naming {
    /// What all of them begin with.
    pub(crate) scope: String,
    /// Whether scope and identifier are a hash tag, so that a cluster keeps all of a request's
    /// counters together.
    pub(crate) tagged: bool,
}

#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "counters in memory have no names"))]
impl Naming {
    /// What the counters of one identifier begin with.
    pub(crate) fn subject(&self, identifier: &Identifier<'_>) -> Vec<u8> {
        let mut subject = Vec::with_capacity(128);
        if self.tagged {
            subject.push(b'{');
        }
        subject.extend_from_slice(self.scope.as_bytes());
        subject.push(b':');
        identifier.write(&mut subject);
        if self.tagged {
            subject.push(b'}');
        }
        subject
    }

    /// The counter of the window with this label that begins there.
    pub(crate) fn key(&self, subject: &[u8], start: u64, label: &str) -> Vec<u8> {
        let mut key = Vec::with_capacity(subject.len() + label.len() + 16);
        key.extend_from_slice(subject);
        key.extend_from_slice(format!(":{start}:{label}").as_bytes());
        key
    }
}

impl Backend {
    /// The store at this place. Plugins with the same name share their counters, those with the same
    /// settings their connections; so does the configuration to come.
    pub(crate) fn new(place: Place, naming: Naming, env: &Env) -> Result<Self, PluginError> {
        match place {
            Place::Here => {
                let local = env.share(&naming.scope, Local::new);
                Ok(Self::of_local(local.clone(), local))
            }
            place => Self::beyond(place, naming, env),
        }
    }

    /// Memory comes back when nothing is counted any more only where there are timers, which come
    /// with Redis; else whenever something is counted.
    #[cfg(feature = "redis")]
    fn of_local(store: Arc<dyn Store>, local: Arc<Local>) -> Self {
        Self { store, background: Box::new(move || Some(Box::pin(local.clone().keep_swept()))) }
    }

    #[cfg(not(feature = "redis"))]
    fn of_local(store: Arc<dyn Store>, _: Arc<Local>) -> Self {
        Self { store, background: Box::new(|| None) }
    }

    #[cfg(not(feature = "redis"))]
    fn beyond(_: Place, _: Naming, _: &Env) -> Result<Self, PluginError> {
        Err(PluginError::new("redis", "this build has no Redis: it needs the cargo feature `redis`"))
    }

    #[cfg(feature = "redis")]
    fn beyond(place: Place, naming: Naming, env: &Env) -> Result<Self, PluginError> {
        let client = |settings: &Settings| env.share(&settings.key(), || RedisClient::new(settings.clone()));
        let local = env.share(&naming.scope, Local::new);
        match place {
            Place::Here => Ok(Self::of_local(local.clone(), local)),
            Place::Redis { settings, fall_back } => {
                let fallback = fall_back.then(|| local.clone());
                Ok(Self::of_local(Arc::new(RedisStore::by(client(&settings), naming, fallback)), local))
            }
            Place::Exchanging { settings, every, strict } => {
                let key = format!("{} {}", naming.scope, settings.key());
                let synced = env.share(&key, || Synced::new(client(&settings), naming));
                let store = Arc::new(SyncedStore { synced: synced.clone(), strict });
                let background = Box::new(move || Some(Box::pin(synced.clone().keep_exchanging(every)) as Task));
                Ok(Self { store, background })
            }
        }
    }

    pub(crate) fn background(&self) -> Option<Task> {
        (self.background)()
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn key(naming: &Naming, identifier: &[u8]) -> String {
        let subject = naming.subject(&Identifier::Text(Cow::Borrowed(identifier)));
        String::from_utf8(naming.key(&subject, 1_700_000_000_000, "minute")).unwrap()
    }

    #[test]
    fn counters_are_named_as_in_kong_and_tagged_for_a_cluster() {
        let naming = |tagged| Naming { scope: "ratelimit:r:s".to_owned(), tagged };
        assert_eq!(key(&naming(false), b"192.0.2.1"), "ratelimit:r:s:192.0.2.1:1700000000000:minute");
        assert_eq!(key(&naming(true), b"a}b"), "{ratelimit:r:s:a}b}:1700000000000:minute");
    }
}
