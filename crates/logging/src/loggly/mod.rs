//! Entries to Loggly.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError, Task};
use towergate_queue::{Deliver, Queue, Queues};
use towergate_schema::{Schema, typedefs};

use crate::{
    entry::{CustomFields, custom_fields, serialized},
    host_name::host_name,
    network::{milliseconds, plain_queue, udp::Udp},
    severity::{self, Severities},
};

/// The configuration of the plugin `loggly`.
#[derive(Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct LogglyConfig {
    /// Loggly's name or address.
    #[schema(like = typedefs::host, default = "logs-01.loggly.com")]
    pub host: Option<String>,
    /// Its port for syslog over UDP.
    #[schema(like = typedefs::port, default = 514)]
    pub port: Option<u16>,
    /// The customer's token.
    #[schema(required, referenceable, encrypted)]
    pub key: String,
    /// Tags to find entries by.
    #[schema(set, default = ["kong"])]
    pub tags: Option<Vec<String>>,
    /// The least severe requests that are told.
    #[schema(default = "info", like = severity::named)]
    pub log_level: Option<String>,
    /// How severe a request with a status below 400 is.
    #[schema(default = "info", like = severity::named)]
    pub successful_severity: Option<String>,
    /// How severe a request with a status of 400 to 499 is.
    #[schema(default = "info", like = severity::named)]
    pub client_errors_severity: Option<String>,
    /// How severe a request with a status of 500 or above is.
    #[schema(default = "info", like = severity::named)]
    pub server_errors_severity: Option<String>,
    /// How many milliseconds sending may take.
    #[schema(default = 10_000)]
    pub timeout: Option<f64>,
    /// Fields to add to each entry, by name, see `file-log`.
    #[schema(like = custom_fields)]
    pub custom_fields_by_lua: Option<BTreeMap<String, String>>,
}

impl Default for LogglyConfig {
    fn default() -> Self {
        let info = || Some("info".to_owned());
        Self {
            host: Some("logs-01.loggly.com".into()),
            port: Some(514),
            key: String::new(),
            tags: Some(vec!["kong".into()]),
            log_level: info(),
            successful_severity: info(),
            client_errors_severity: info(),
            server_errors_severity: info(),
            timeout: Some(10_000.0),
            custom_fields_by_lua: None,
        }
    }
}

impl std::fmt::Debug for LogglyConfig {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogglyConfig").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Sends an entry for each request to Loggly, in a datagram in the form of RFC 5424: the policy of the
/// plugin `loggly`.
pub struct Loggly {
    queue: Queue<Box<[u8]>>,
    queues: Arc<Queues>,
    collector: Collector,
    severities: Severities,
    /// ` <host> kong - - [<key>@41058 tag="…"] `.
    head: String,
    custom_fields: CustomFields,
}

impl std::fmt::Debug for Loggly {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loggly").field("collector", &self.collector).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Collector(Udp);

impl Plugin for Loggly {
    const NAME: &'static str = "loggly";
    const PRIORITY: i32 = 6;

    type Config = LogglyConfig;

    fn new(config: LogglyConfig, env: &Env) -> Result<Self, PluginError> {
        let timeout = milliseconds(config.timeout, Duration::from_secs(10));
        let host = config.host.unwrap_or_else(|| "logs-01.loggly.com".into());
        let tags =
            config.tags.unwrap_or_default().iter().map(|tag| format!("tag=\"{tag}\"")).collect::<Vec<_>>().join(" ");
        let severity = |name: &Option<String>| name.clone().unwrap_or_default();
        Ok(Self {
            queue: Queue::new(Self::NAME, env.id.to_string(), plain_queue()),
            queues: env.shared.of(),
            collector: Collector(Udp { host, port: config.port.unwrap_or(514), timeout }),
            severities: Severities::new(
                &severity(&config.log_level),
                &severity(&config.successful_severity),
                &severity(&config.client_errors_severity),
                &severity(&config.server_errors_severity),
            ),
            head: format!(" {} kong - - [{}@41058 {tags}] ", host_name(), config.key),
            custom_fields: CustomFields::new(config.custom_fields_by_lua.as_ref())?,
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(self.queues.deliver(&self.queue, self.collector.clone()))
    }
}

impl Observe for Loggly {
    fn observe(&self, cx: &Context, ended: &Ended) {
        let Some(severity) = self.severities.of(ended.status) else { return };
        // The facility is `user`.
        let head = format!("<{}>1 {}{}", severity.saturating_add(8), stamp(SystemTime::now()), self.head);
        serialized(cx, ended, &self.custom_fields, |entry| {
            self.queue.push([head.as_bytes(), entry].concat().into());
        });
    }
}

impl Deliver<Box<[u8]>> for Collector {
    async fn deliver(&self, batch: &[Box<[u8]>]) -> Result<(), String> {
        self.0.send(batch).await
    }
}

/// `2026-11-28T15:04:05Z`.
fn stamp(now: SystemTime) -> String {
    const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    OffsetDateTime::from(now).format(FORM).unwrap_or_default()
}
