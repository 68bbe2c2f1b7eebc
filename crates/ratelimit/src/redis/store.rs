//! Counting each request in Redis.

use std::sync::Arc;

use towergate_core::PluginError;

use towergate_core::PerWorker;

use super::{
    AdvancedRedisConfig,
    client::{RedisClient, Worker},
    script::{self, Call},
};
use crate::{
    backend::Naming,
    local::Local,
    store::{Count, Counted, Counting, Store},
};

/// Counts each request in Redis: exactly, however many nodes do so, in one round trip.
///
/// Each thread has one connection, made on the runtime that first needs it (tokio). Without an answer
/// a count is an error, which is logged, at most once in ten seconds, and counted
/// (`towergate_ratelimit_store_errors_total`).
#[derive(Debug)]
pub struct RedisStore {
    naming: Naming,
    own: PerWorker<Own>,
}

/// What a thread has for itself.
struct Own {
    worker: Arc<Worker>,
    fallback: Option<Arc<Local>>,
}

impl RedisStore {
    /// Counts in this Redis. Layers of one namespace count together, on all nodes.
    ///
    /// # Errors
    /// What is missing in the configuration, with its place.
    pub fn new(config: &AdvancedRedisConfig, namespace: &str) -> Result<Self, PluginError> {
        let client = Arc::new(RedisClient::new(config.settings()?));
        Ok(Self::by(client, Naming { scope: format!("ratelimit:{namespace}"), tagged: true }, None))
    }

    /// Counts by this client. While it does not answer, this node counts for itself if there is a
    /// fallback.
    pub(crate) fn by(client: Arc<RedisClient>, naming: Naming, fallback: Option<Arc<Local>>) -> Self {
        let own = PerWorker::new(move || Own { worker: client.worker().clone(), fallback: fallback.clone() });
        Self { naming, own }
    }
}

impl Store for RedisStore {
    fn count(&self, count: Count<'_>) -> Counting {
        let call = Call::count(&count, &self.naming);
        let own = self.own.own().clone();
        let fingerprint = own.fallback.as_ref().map(|local| count.identifier.fingerprint(local.key()));
        let Count { mut cells, penalty, now, .. } = count;
        Counting::Later(Box::pin(async move {
            let answer = own.worker.call(&call).await.and_then(|answer| script::counted(answer, cells.clone()));
            match (answer, &own.fallback, fingerprint) {
                (Err(_), Some(local), Some(fingerprint)) => {
                    let admitted = local.count_cells(fingerprint, &mut cells, penalty, now);
                    Ok(Counted { admitted, cells })
                }
                (answer, ..) => answer,
            }
        }))
    }
}
