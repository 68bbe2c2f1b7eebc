//! Entries over TCP.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError, Task};
use towergate_queue::{Deliver, Queue, Queues};
use towergate_schema::{Schema, typedefs};

use crate::{
    entry::{CustomFields, custom_fields, serialized},
    network::{milliseconds, plain_queue, tcp::Tcp},
};

/// The configuration of the plugin `tcp-log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct TcpLogConfig {
    /// The collector's name or address.
    #[schema(required, like = typedefs::host)]
    pub host: String,
    /// Its port.
    #[schema(required, like = typedefs::port)]
    pub port: u16,
    /// How many milliseconds connecting and sending may take, together.
    #[schema(default = 10_000)]
    pub timeout: Option<f64>,
    /// How many milliseconds an idle connection is kept.
    #[schema(default = 60_000)]
    pub keepalive: Option<f64>,
    /// Whether to speak TLS. Nobody checks the certificate.
    #[schema(required, default = false)]
    pub tls: bool,
    /// The server name to ask for; `host` unless said.
    pub tls_sni: Option<String>,
    /// Fields to add to each entry, by name, see `file-log`.
    #[schema(like = custom_fields)]
    pub custom_fields_by_lua: Option<BTreeMap<String, String>>,
}

impl Default for TcpLogConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            timeout: Some(10_000.0),
            keepalive: Some(60_000.0),
            tls: false,
            tls_sni: None,
            custom_fields_by_lua: None,
        }
    }
}

/// Sends an entry for each request over TCP, one JSON object on a line: the policy of the plugin
/// `tcp-log`. What cannot be sent is lost, told and counted.
#[derive(Debug)]
pub struct TcpLog {
    queue: Queue<Box<[u8]>>,
    queues: Arc<Queues>,
    collector: Arc<Collector>,
    custom_fields: CustomFields,
}

struct Collector(Tcp);

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("host", &self.0.host).field("port", &self.0.port).finish_non_exhaustive()
    }
}

impl Plugin for TcpLog {
    const NAME: &'static str = "tcp-log";
    const PRIORITY: i32 = 7;

    type Config = TcpLogConfig;

    fn new(config: TcpLogConfig, env: &Env) -> Result<Self, PluginError> {
        let timeout = milliseconds(config.timeout, Duration::from_secs(10));
        let keepalive = milliseconds(config.keepalive, Duration::from_secs(60));
        let tls = config.tls.then(|| config.tls_sni.unwrap_or_else(|| config.host.clone()));
        let tcp = Tcp::new(config.host, config.port, timeout, keepalive, tls);
        Ok(Self {
            queue: Queue::new(Self::NAME, env.id.to_string(), plain_queue()),
            queues: env.shared.of(),
            collector: Arc::new(Collector(tcp)),
            custom_fields: CustomFields::new(config.custom_fields_by_lua.as_ref())?,
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(self.queues.deliver(&self.queue, self.collector.clone()))
    }
}

impl Observe for TcpLog {
    fn observe(&self, cx: &Context, ended: &Ended) {
        serialized(cx, ended, &self.custom_fields, |entry| {
            entry.push(b'\n');
            self.queue.push(entry.as_slice().into());
        });
    }
}

impl Deliver<Box<[u8]>> for Collector {
    async fn deliver(&self, batch: &[Box<[u8]>]) -> Result<(), String> {
        self.0.send(&batch.concat()).await
    }
}
