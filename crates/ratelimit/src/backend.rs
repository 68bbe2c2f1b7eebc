//! Which store a plugin counts in, and what that needs beside requests.

use std::sync::Arc;

use towergate_core::{Env, PluginError, Task};

use crate::{local::Local, redis::Settings, store::Store};

/// The store of a plugin.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    /// Counters of this process.
    Local(Arc<Local>),
}

/// How counters are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naming {
    /// What all of them begin with.
    pub(crate) prefix: String,
}

impl Naming {
    /// `ratelimit:<route>:<service>:<identifier>:<start in milliseconds>:<period>`, as Kong names them.
    pub(crate) fn kong(scope: String) -> Self {
        Self { prefix: scope }
    }
}

impl Backend {
    /// Counters of this process, under this name shared with other plugins and with the
    /// configuration to come.
    pub(crate) fn local(env: &Env, name: &str) -> Self {
        Self::Local(env.share(name, Local::new))
    }

    /// Counters in Redis.
    pub(crate) fn redis(_: &Env, _: &Settings, _: Naming, _: Option<()>) -> Result<Self, PluginError> {
        Err(PluginError::new("policy", "redis needs the cargo feature `redis`, which this build does not have"))
    }

    /// Counters of this process that learn from Redis every so many seconds.
    pub(crate) fn synchronised(_: &Env, _: &Settings, _: Naming, _: f64) -> Result<Self, PluginError> {
        Err(PluginError::new("policy", "redis needs the cargo feature `redis`, which this build does not have"))
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Local(local) => local.clone(),
        }
    }

    pub(crate) fn background(&self) -> Option<Task> {
        match self {
            Self::Local(local) => Some(Box::pin(local.clone().keep_swept())),
        }
    }
}
