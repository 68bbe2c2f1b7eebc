//! Entries to the system's log.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use tokio::{net::UnixDatagram, time::timeout};
use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError, Task};
use towergate_queue::{Deliver, Queue, Queues};
use towergate_schema::Schema;

use crate::{
    entry::{CustomFields, custom_fields, serialized},
    network::plain_queue,
    severity::{self, Severities},
};

/// The configuration of the plugin `syslog`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct SyslogConfig {
    /// The least severe requests that are told.
    #[schema(required, default = "info", like = severity::named)]
    pub log_level: String,
    /// How severe a request with a status below 400 is.
    #[schema(required, default = "info", like = severity::named)]
    pub successful_severity: String,
    /// How severe a request with a status of 400 to 499 is.
    #[schema(required, default = "info", like = severity::named)]
    pub client_errors_severity: String,
    /// How severe a request with a status of 500 or above is.
    #[schema(required, default = "info", like = severity::named)]
    pub server_errors_severity: String,
    /// Fields to add to each entry, by name, see `file-log`.
    #[schema(like = custom_fields)]
    pub custom_fields_by_lua: Option<BTreeMap<String, String>>,
    /// By which part of the system entries are said to be from.
    #[schema(
        required,
        default = "user",
        one_of(
            "auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp",
            "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"
        )
    )]
    pub facility: String,
}

impl Default for SyslogConfig {
    fn default() -> Self {
        let info = || "info".to_owned();
        Self {
            log_level: info(),
            successful_severity: info(),
            client_errors_severity: info(),
            server_errors_severity: info(),
            custom_fields_by_lua: None,
            facility: "user".into(),
        }
    }
}

/// Facilities by their numbers (RFC 5424 section 6.2.1), in the names of `syslog(3)`.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// Where the system's log listens.
const DEVICE: &str = "/dev/log";

/// How long is waited for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends an entry for each request to the system's log, as `kong` and in the form of `syslog(3)`: the
/// policy of the plugin `syslog`. Times are UTC.
#[derive(Debug)]
pub struct Syslog {
    queue: Queue<Box<[u8]>>,
    queues: Arc<Queues>,
    device: Device,
    severities: Severities,
    facility: u8,
    custom_fields: CustomFields,
}

#[derive(Debug, Clone)]
struct Device(PathBuf);

impl Syslog {
    /// To a socket at another place than `/dev/log`.
    #[must_use]
    pub fn at(self, device: &Path) -> Self {
        Self { device: Device(device.to_owned()), ..self }
    }
}

impl Plugin for Syslog {
    const NAME: &'static str = "syslog";
    const PRIORITY: i32 = 4;

    type Config = SyslogConfig;

    fn new(config: SyslogConfig, env: &Env) -> Result<Self, PluginError> {
        let facility = FACILITIES.iter().find(|(name, _)| *name == config.facility);
        Ok(Self {
            queue: Queue::new(Self::NAME, env.id.to_string(), plain_queue()),
            queues: env.shared.of(),
            device: Device(DEVICE.into()),
            severities: Severities::new(
                &config.log_level,
                &config.successful_severity,
                &config.client_errors_severity,
                &config.server_errors_severity,
            ),
            facility: facility.map_or(1, |(_, number)| *number),
            custom_fields: CustomFields::new(config.custom_fields_by_lua.as_ref())?,
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(self.queues.deliver(&self.queue, self.device.clone()))
    }
}

impl Observe for Syslog {
    fn observe(&self, cx: &Context, ended: &Ended) {
        let Some(severity) = self.severities.of(ended.status) else { return };
        let priority = u16::from(self.facility).saturating_mul(8).saturating_add(severity.into());
        let head = format!("<{priority}>{} kong: ", stamp(SystemTime::now()));
        serialized(cx, ended, &self.custom_fields, |entry| {
            self.queue.push([head.as_bytes(), entry].concat().into());
        });
    }
}

impl Deliver<Box<[u8]>> for Device {
    async fn deliver(&self, batch: &[Box<[u8]>]) -> Result<(), String> {
        let sending = async {
            let socket = UnixDatagram::unbound()?;
            socket.connect(&self.0)?;
            for entry in batch {
                socket.send(entry).await?;
            }
            Ok(())
        };
        let sent: std::io::Result<()> =
            timeout(TIMEOUT, sending).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        sent.map_err(|error| format!("could not send data to {}: {error}", self.0.display()))
    }
}

/// `Nov 28 15:04:05`.
fn stamp(now: SystemTime) -> String {
    const FORM: &[BorrowedFormatItem<'_>] =
        format_description!("[month repr:short] [day padding:space] [hour]:[minute]:[second]");
    OffsetDateTime::from(now).format(FORM).unwrap_or_default()
}
