//! Counters in Redis, shared by all nodes of a gateway.
//!
//! One connection per worker, made when it is first needed on the runtime of that worker; commands of
//! all its requests are written to it without waiting for each other's answers. One script does a
//! request's whole work in one round trip. What fails is counted, and told in a line now and then.

mod advanced_config;
mod config;
mod settings;

#[cfg(feature = "redis")]
mod client;
#[cfg(feature = "redis")]
mod connect;
#[cfg(feature = "redis")]
mod failures;
#[cfg(feature = "redis")]
mod script;
#[cfg(feature = "redis")]
mod store;
#[cfg(feature = "redis")]
mod synced;

pub use advanced_config::{AdvancedRedisConfig, ClusterNode, SentinelNode};
pub use config::RedisConfig;
pub(crate) use settings::Settings;

#[cfg(feature = "redis")]
pub use store::RedisStore;
#[cfg(feature = "redis")]
pub(crate) use {
    client::RedisClient,
    synced::{Synced, SyncedStore},
};
