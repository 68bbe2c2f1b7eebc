//! How to reach Redis, resolved.

use std::{fmt, time::Duration};

use towergate_core::PluginError;

use super::RedisConfig;

/// How to reach Redis.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "without it nothing is reached"))]
pub(crate) struct Settings {
    pub(crate) topology: Topology,
    /// The longest wait for a connection.
    pub(crate) connect_timeout: Duration,
    /// The longest wait for an answer.
    pub(crate) answer_timeout: Duration,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: i64,
    pub(crate) tls: Option<Tls>,
}

/// Which servers make up the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Topology {
    /// One server.
    Single(Node),
    /// The master that these sentinels name.
    Sentinel { nodes: Vec<Node>, master: String, username: Option<String>, password: Option<String> },
    /// A cluster, known by some of its nodes.
    Cluster(Vec<Node>),
}

/// A server's name or address, and its port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// How TLS is spoken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tls {
    /// Whether the certificate is checked.
    pub(crate) verify: bool,
    /// The name to ask for, instead of the host's.
    pub(crate) server_name: Option<String>,
}

impl RedisConfig {
    /// The settings that this configuration means.
    pub(crate) fn settings(&self) -> Result<Settings, PluginError> {
        let host = self.host.clone().ok_or_else(|| PluginError::new("redis.host", "required field missing"))?;
        let timeout = milliseconds(self.timeout);
        Ok(Settings {
            topology: Topology::Single(Node { host, port: self.port.unwrap_or(6379) }),
            connect_timeout: timeout,
            answer_timeout: timeout,
            username: filled(&self.username),
            password: filled(&self.password),
            database: self.database.unwrap_or(0),
            tls: self
                .ssl
                .unwrap_or(false)
                .then(|| Tls { verify: self.ssl_verify.unwrap_or(false), server_name: self.server_name.clone() }),
        })
    }
}

/// A time-out that was written in milliseconds; 0 would never let anything happen.
pub(crate) fn milliseconds(timeout: Option<u64>) -> Duration {
    Duration::from_millis(timeout.unwrap_or(2000).max(1))
}

/// Empty texts are as good as none, as in Kong.
pub(crate) fn filled(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

impl Settings {
    /// Says everything that makes two clients different. It holds secrets: not to be shown.
    #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "there are no clients"))]
    pub(crate) fn key(&self) -> String {
        let Self { topology, connect_timeout, answer_timeout, username, password, database, tls } = self;
        format!("{topology:?} {connect_timeout:?} {answer_timeout:?} {username:?} {password:?} {database} {tls:?}")
    }
}

impl fmt::Display for Settings {
    /// Where it is: `redis.internal:6379`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.topology {
            Topology::Single(node) => write!(f, "{node}"),
            Topology::Sentinel { nodes, master, .. } => {
                write!(f, "master '{master}' of the sentinels {}", listed(nodes))
            }
            Topology::Cluster(nodes) => write!(f, "cluster {}", listed(nodes)),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({self})")
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn listed(nodes: &[Node]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
