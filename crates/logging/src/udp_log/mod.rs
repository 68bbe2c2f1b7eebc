//! Entries over UDP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError, Task};
use towergate_queue::{Deliver, Queue, Queues};
use towergate_schema::{Schema, typedefs};

use crate::{
    entry::{CustomFields, custom_fields, serialized},
    network::{milliseconds, plain_queue, udp::Udp},
};

/// The configuration of the plugin `udp-log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct UdpLogConfig {
    /// The collector's name or address.
    #[schema(required, like = typedefs::host)]
    pub host: String,
    /// Its port.
    #[schema(required, like = typedefs::port)]
    pub port: u16,
    /// How many milliseconds sending may take.
    #[schema(default = 10_000)]
    pub timeout: Option<f64>,
    /// Fields to add to each entry, by name, see `file-log`.
    #[schema(like = custom_fields)]
    pub custom_fields_by_lua: Option<BTreeMap<String, String>>,
}

impl Default for UdpLogConfig {
    fn default() -> Self {
        Self { host: String::new(), port: 0, timeout: Some(10_000.0), custom_fields_by_lua: None }
    }
}

/// Sends an entry for each request in a datagram: the policy of the plugin `udp-log`.
#[derive(Debug)]
pub struct UdpLog {
    queue: Queue<Box<[u8]>>,
    queues: Arc<Queues>,
    collector: Collector,
    custom_fields: CustomFields,
}

#[derive(Debug, Clone)]
struct Collector(Udp);

impl Plugin for UdpLog {
    const NAME: &'static str = "udp-log";
    const PRIORITY: i32 = 8;

    type Config = UdpLogConfig;

    fn new(config: UdpLogConfig, env: &Env) -> Result<Self, PluginError> {
        let timeout = milliseconds(config.timeout, Duration::from_secs(10));
        Ok(Self {
            queue: Queue::new(Self::NAME, env.id.to_string(), plain_queue()),
            queues: env.shared.of(),
            collector: Collector(Udp { host: config.host, port: config.port, timeout }),
            custom_fields: CustomFields::new(config.custom_fields_by_lua.as_ref())?,
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(self.queues.deliver(&self.queue, self.collector.clone()))
    }
}

impl Observe for UdpLog {
    fn observe(&self, cx: &Context, ended: &Ended) {
        serialized(cx, ended, &self.custom_fields, |entry| self.queue.push(entry.as_slice().into()));
    }
}

impl Deliver<Box<[u8]>> for Collector {
    async fn deliver(&self, batch: &[Box<[u8]>]) -> Result<(), String> {
        self.0.send(batch).await
    }
}
