//! How to reach Redis servers of any kind, as operators write it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use towergate_core::PluginError;
use towergate_schema::{Schema, typedefs};

use super::settings::{Node, Settings, Tls, Topology, filled, milliseconds};

/// Redis: a server, the master that sentinels name, or a cluster (`redis` of `rate-limiting-advanced`).
#[derive(Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(mutually_required("sentinel_master", "sentinel_nodes"))]
#[schema(mutually_exclusive("sentinel_nodes", "cluster_nodes"))]
#[schema(shorthand_fn("timeout", kind = integer, between(0, 2147483646), expand = expand_timeout))]
#[schema(shorthand_fn("sentinel_addresses", kind = array(string), expand = expand_sentinels))]
#[schema(shorthand_fn("cluster_addresses", kind = array(string), expand = expand_cluster))]
pub struct AdvancedRedisConfig {
    /// The server's name or address, unless there are sentinels or a cluster.
    #[schema(like = typedefs::host, default = "127.0.0.1")]
    pub host: Option<String>,
    /// Its port.
    #[schema(like = typedefs::port, default = 6379)]
    pub port: Option<u16>,
    /// The longest wait for a connection, in milliseconds.
    #[schema(like = typedefs::timeout, default = 2000)]
    pub connect_timeout: Option<u64>,
    /// Accepted as in Kong; the wait for an answer is `read_timeout`.
    #[schema(like = typedefs::timeout, default = 2000)]
    pub send_timeout: Option<u64>,
    /// The longest wait for an answer, in milliseconds.
    #[schema(like = typedefs::timeout, default = 2000)]
    pub read_timeout: Option<u64>,
    /// Accepted as in Kong; each worker has one connection, which its requests share.
    #[schema(between(1, 2147483646), default = 256)]
    pub keepalive_pool_size: Option<u64>,
    /// Accepted as in Kong; see `keepalive_pool_size`.
    #[schema(between(0, 2147483646))]
    pub keepalive_backlog: Option<u64>,
    /// The number of the database; a cluster has only 0.
    #[schema(default = 0)]
    pub database: Option<i64>,
    /// The user of an access control list (Redis 6). Without one, the password is that of the server.
    #[schema(referenceable)]
    pub username: Option<String>,
    /// The password; without one, nothing is proven.
    #[schema(referenceable, encrypted)]
    pub password: Option<String>,
    /// Whether to speak TLS.
    #[schema(default = false)]
    pub ssl: Option<bool>,
    /// Whether the server's certificate is checked: against the authorities that the system trusts, or
    /// those in the file that the environment's `SSL_CERT_FILE` names.
    #[schema(default = false)]
    pub ssl_verify: Option<bool>,
    /// The name to ask a single server for in TLS, and that its certificate must have; `host` unless
    /// said. Those of masters and of a cluster's nodes have their own names.
    #[schema(like = typedefs::sni)]
    pub server_name: Option<String>,
    /// The name under which sentinels know the master.
    pub sentinel_master: Option<String>,
    /// Accepted as in Kong; counters are written, so the master is asked in any case.
    #[schema(one_of("master", "slave", "any"))]
    pub sentinel_role: Option<String>,
    /// The sentinels.
    #[schema(len_min = 1)]
    pub sentinel_nodes: Option<Vec<SentinelNode>>,
    /// The user that sentinels ask for.
    #[schema(referenceable)]
    pub sentinel_username: Option<String>,
    /// The password that sentinels ask for.
    #[schema(referenceable, encrypted)]
    pub sentinel_password: Option<String>,
    /// Some nodes of the cluster; the others are found.
    #[schema(len_min = 1)]
    pub cluster_nodes: Option<Vec<ClusterNode>>,
    /// Accepted as in Kong; moved slots are followed three times.
    #[schema(default = 5)]
    pub cluster_max_redirections: Option<i64>,
    /// Accepted as in Kong: whether a proxy such as Envoy stands before the server.
    #[schema(default = false)]
    pub connection_is_proxied: Option<bool>,
    /// Accepted as in Kong: which proxy.
    #[schema(one_of("envoy_v1.31"))]
    pub redis_proxy_type: Option<String>,
}

/// A sentinel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SentinelNode {
    /// Its name or address.
    #[schema(like = typedefs::host, required, default = "127.0.0.1")]
    pub host: String,
    /// Its port.
    #[schema(like = typedefs::port, default = 6379)]
    pub port: Option<u16>,
}

/// A node of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ClusterNode {
    /// Its name or address.
    #[schema(like = typedefs::host, required, default = "127.0.0.1")]
    pub ip: String,
    /// Its port.
    #[schema(like = typedefs::port, default = 6379)]
    pub port: Option<u16>,
}

impl Default for AdvancedRedisConfig {
    fn default() -> Self {
        Self {
            host: Some("127.0.0.1".to_owned()),
            port: Some(6379),
            connect_timeout: Some(2000),
            send_timeout: Some(2000),
            read_timeout: Some(2000),
            keepalive_pool_size: Some(256),
            keepalive_backlog: None,
            database: Some(0),
            username: None,
            password: None,
            ssl: Some(false),
            ssl_verify: Some(false),
            server_name: None,
            sentinel_master: None,
            sentinel_role: None,
            sentinel_nodes: None,
            sentinel_username: None,
            sentinel_password: None,
            cluster_nodes: None,
            cluster_max_redirections: Some(5),
            connection_is_proxied: Some(false),
            redis_proxy_type: None,
        }
    }
}

impl AdvancedRedisConfig {
    /// The settings that this configuration means.
    pub(crate) fn settings(&self) -> Result<Settings, PluginError> {
        Ok(Settings {
            topology: self.topology()?,
            connect_timeout: milliseconds(self.connect_timeout),
            answer_timeout: milliseconds(self.read_timeout),
            username: filled(&self.username),
            password: filled(&self.password),
            database: self.database.unwrap_or(0),
            tls: self
                .ssl
                .unwrap_or(false)
                .then(|| Tls { verify: self.ssl_verify.unwrap_or(false), server_name: self.server_name.clone() }),
        })
    }

    fn topology(&self) -> Result<Topology, PluginError> {
        let node = |host: &String, port: Option<u16>| Node { host: host.clone(), port: port.unwrap_or(6379) };
        if let (Some(nodes), Some(master)) = (&self.sentinel_nodes, &self.sentinel_master) {
            return Ok(Topology::Sentinel {
                nodes: nodes.iter().map(|sentinel| node(&sentinel.host, sentinel.port)).collect(),
                master: master.clone(),
                username: filled(&self.sentinel_username),
                password: filled(&self.sentinel_password),
            });
        }
        if let Some(nodes) = &self.cluster_nodes {
            if self.database.is_some_and(|database| database != 0) {
                return Err(PluginError::new("redis.database", "must be 0: a cluster has no other"));
            }
            return Ok(Topology::Cluster(nodes.iter().map(|member| node(&member.ip, member.port)).collect()));
        }
        let host = self.host.as_ref().ok_or_else(|| PluginError::new("redis.host", "required field missing"))?;
        Ok(Topology::Single(node(host, self.port)))
    }
}

/// The older `timeout` is all three of them.
fn expand_timeout(timeout: Value) -> Result<Map<String, Value>, String> {
    let names = ["connect_timeout", "send_timeout", "read_timeout"];
    Ok(names.into_iter().map(|name| (name.to_owned(), timeout.clone())).collect())
}

/// The older `sentinel_addresses`: `["host:port"]`.
fn expand_sentinels(addresses: Value) -> Result<Map<String, Value>, String> {
    nodes(&addresses, "host").map(|nodes| Map::from_iter([("sentinel_nodes".to_owned(), nodes)]))
}

/// The older `cluster_addresses`: `["host:port"]`.
fn expand_cluster(addresses: Value) -> Result<Map<String, Value>, String> {
    nodes(&addresses, "ip").map(|nodes| Map::from_iter([("cluster_nodes".to_owned(), nodes)]))
}

fn nodes(addresses: &Value, host: &str) -> Result<Value, String> {
    let one = |address: &Value| {
        let (name, port) = address.as_str().and_then(|text| text.rsplit_once(':'))?;
        Some(json!({ host: name, "port": port.parse::<u16>().ok()? }))
    };
    let nodes: Option<Vec<_>> = addresses.as_array().map_or(&[][..], Vec::as_slice).iter().map(one).collect();
    nodes.map(Value::Array).ok_or_else(|| "must be addresses with ports, such as redis-1.internal:26379".to_owned())
}

impl std::fmt::Debug for AdvancedRedisConfig {
    /// Without the passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdvancedRedisConfig")
            .field("host", &self.host)
            .field("sentinel_nodes", &self.sentinel_nodes)
            .field("cluster_nodes", &self.cluster_nodes)
            .finish_non_exhaustive()
    }
}
