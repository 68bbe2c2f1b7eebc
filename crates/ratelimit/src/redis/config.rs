//! How to reach a Redis server, as operators write it.

use serde::{Deserialize, Serialize};
use towergate_schema::{Schema, typedefs};

/// A Redis server (`redis` of `rate-limiting` and `response-ratelimiting`).
#[derive(Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// The server's name or address.
    #[schema(like = typedefs::host)]
    pub host: Option<String>,
    /// Its port.
    #[schema(like = typedefs::port, default = 6379)]
    pub port: Option<u16>,
    /// The longest wait, in milliseconds, for a connection, and for an answer.
    #[schema(like = typedefs::timeout, default = 2000)]
    pub timeout: Option<u64>,
    /// The user of an access control list (Redis 6). Without one, the password is that of the server.
    #[schema(referenceable)]
    pub username: Option<String>,
    /// The password; without one, nothing is proven.
    #[schema(referenceable, encrypted, len_min = 0)]
    pub password: Option<String>,
    /// The number of the database.
    #[schema(default = 0)]
    pub database: Option<i64>,
    /// Whether to speak TLS.
    #[schema(default = false)]
    pub ssl: Option<bool>,
    /// Whether the server's certificate is checked: against the authorities that the system trusts, or
    /// those in the file that the environment's `SSL_CERT_FILE` names.
    #[schema(default = false)]
    pub ssl_verify: Option<bool>,
    /// The name to ask for in TLS, and that the certificate must have; `host` unless said.
    #[schema(like = typedefs::sni)]
    pub server_name: Option<String>,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: Some(6379),
            timeout: Some(2000),
            username: None,
            password: None,
            database: Some(0),
            ssl: Some(false),
            ssl_verify: Some(false),
            server_name: None,
        }
    }
}

impl std::fmt::Debug for RedisConfig {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisConfig").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}
