//! Settings of the gateway itself: kong.conf with `KONG_*` variables over it.
//!
//! Every key of Kong's kong.conf is known with its default and may be given. The ones that mean
//! something here become the typed fields of [`Settings`]; all are kept as text in
//! [`Settings::value`]. Keys nobody knows are accepted and ignored.

mod admin;
mod compression;
mod database;
mod file;
mod gather;
mod headers;
mod known;
mod later;
mod listen;
mod problem;
mod renewal;
mod resolve;
mod tls;
mod tracing;
mod value;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use uuid::Uuid;

pub use admin::{AdminAccess, AdminClient, AdminRole, AdminToken, ListenerTls};
pub use compression::{Coding, Compression, Level};
pub use database::{Database, Keeping, Postgres};
pub use headers::{ResponseHeaders, UpstreamHeaders};
pub use listen::{Listener, Protocol, SoKeepalive, parse as parse_listeners};
pub use problem::{Origin, Problem, Problems};
pub use renewal::Renewal;
pub use tls::{CipherSuite, Tls, TlsVersion, UpstreamTls};
pub use tracing::Tracing;

use crate::source::{self, ReadError, Source};
use crate::vault::Environment;
use gather::Gathered;

/// All settings, resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where pid files, logs and state live. Default `/usr/local/kong/`.
    pub prefix: PathBuf,
    /// Least severe messages that are written to the error logs. Default `notice`.
    pub log_level: LogLevel,
    /// Where clients connect. Default `0.0.0.0:8000` and `0.0.0.0:8443` with TLS.
    pub proxy_listen: Vec<Listener>,
    /// Where the Admin API listens. Default `127.0.0.1:8001` and `127.0.0.1:8444` with TLS.
    pub admin_listen: Vec<Listener>,
    /// Where the Status API listens. Default `127.0.0.1:8007`.
    pub status_listen: Vec<Listener>,
    /// Where raw TCP and UDP connect. Default none.
    pub stream_listen: Vec<Listener>,
    /// Who may use the Admin API. Default everybody who reaches it.
    pub admin_access: AdminAccess,
    /// What the Admin API shows on its listeners with TLS (`admin_ssl_cert`, `admin_ssl_cert_key`).
    pub admin_tls: ListenerTls,
    /// What the Status API shows on its listeners with TLS (`status_ssl_cert`, `status_ssl_cert_key`).
    pub status_tls: ListenerTls,
    /// TLS towards clients.
    pub tls: Tls,
    /// TLS towards upstreams.
    pub upstream_tls: UpstreamTls,
    /// Where each log goes.
    pub logs: Logs,
    /// Names of plugins as written: `bundled`, `off`, names. See [`Settings::enables_plugin`].
    pub plugins: Vec<String>,
    /// Peers whose word about the client's address is believed. Default none.
    pub trusted_ips: Vec<IpNet>,
    /// Whether `trusted_ips` has `unix:`: peers on a unix socket are believed.
    pub trusts_unix_sockets: bool,
    /// The header in which trusted peers name the client, or `proxy_protocol`. Default `X-Real-IP`.
    pub real_ip_header: String,
    /// Whether to skip trusted addresses in that header from the right. Default `false`.
    pub real_ip_recursive: bool,
    /// Headers the gateway adds to responses.
    pub headers: ResponseHeaders,
    /// Headers the gateway adds to requests to upstreams.
    pub headers_upstream: UpstreamHeaders,
    /// What we call ourselves in `Server` and `Via`. Default `towergate/<version>`.
    pub server_token: String,
    /// Content type of gateway-made answers when the client has no preference. Default `text/plain`.
    pub error_default_type: String,
    /// Files that replace the bodies of gateway-made answers.
    pub error_templates: ErrorTemplates,
    /// Idle connections to upstreams.
    pub keepalive: Keepalive,
    /// Worker threads. Default one for each core.
    pub workers: NonZeroUsize,
    /// Client connections of one worker at the same time. Default 16384.
    pub worker_connections: NonZeroUsize,
    /// Most bytes of a request body; `None` is no limit, the default.
    pub client_max_body_size: Option<u64>,
    /// Most bytes of a request body to the Admin API; `None` is no limit. Default 10 MiB.
    pub admin_max_body_size: Option<u64>,
    /// Requests on one client connection. Default 10000.
    pub keepalive_requests: u64,
    /// How long an idle client connection is kept. Default 75 s.
    pub keepalive_timeout: Duration,
    /// How long a client may take to send the request head. Default 60 s.
    pub client_header_timeout: Duration,
    /// Longest pause between two reads of a request body. Default 60 s.
    pub client_body_timeout: Duration,
    /// Longest pause between two writes of a response. Default 60 s.
    pub send_timeout: Duration,
    /// What an HTTP/2 client may do.
    pub http2: Http2,
    /// Compression of responses; `None` is off, the default.
    pub compression: Option<Compression>,
    /// Which rules order routes. Default traditional compatible.
    pub router_flavor: RouterFlavor,
    /// From the port listened on to the port clients see.
    pub port_maps: Vec<(u16, u16)>,
    /// Files and directories of declarative configuration. Kong takes one file; here several, with
    /// commas between them, are merged.
    pub declarative_config: Vec<PathBuf>,
    /// Declarative configuration as text.
    pub declarative_config_string: Option<String>,
    /// Where the configuration is kept.
    pub database: Database,
    /// How that is used.
    pub keeping: Keeping,
    /// Whether the request header `Kong-Debug` is answered with route and service. Default `false`.
    pub allow_debug_header: bool,
    /// Whether latencies are shown under the name they had in Kong 2.x, too (`kong_latency`). Ours.
    /// Default `false`.
    pub prometheus_legacy_latency: bool,
    /// What becomes of traces.
    pub tracing: Tracing,
    /// Name resolution.
    pub dns: Dns,
    /// How many headers and arguments are looked at.
    pub max: Maxima,
    /// The id of this node, if given.
    pub node_id: Option<Uuid>,
    warnings: Vec<String>,
    gathered: Gathered,
}

/// Severities, from the least to the most severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are nginx's own names")]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warn,
    Error,
    Crit,
    Alert,
    Emerg,
}

impl LogLevel {
    /// All, in order.
    pub const ALL: [Self; 8] =
        [Self::Debug, Self::Info, Self::Notice, Self::Warn, Self::Error, Self::Crit, Self::Alert, Self::Emerg];

    /// The name as in nginx's logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Crit => "crit",
            Self::Alert => "alert",
            Self::Emerg => "emerg",
        }
    }
}

/// Where logs go. A relative path was taken from the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Logs {
    pub proxy_access: Log,
    pub proxy_error: Log,
    pub admin_access: Log,
    pub admin_error: Log,
    pub status_access: Log,
    pub status_error: Log,
    pub stream_access: Log,
    /// The name of the format of `proxy_access`, if one is given after the path.
    pub proxy_access_format: Option<String>,
    /// The same of `admin_access`.
    pub admin_access_format: Option<String>,
    /// The same of `status_access`.
    pub status_access_format: Option<String>,
    /// A format of the operator's own (`nginx_http_log_format`): its name, and what it says.
    pub access_format: Option<(String, String)>,
    /// The fields of an access log in JSON (`access_log_fields`); without any, all that matter.
    pub access_fields: Vec<String>,
    pub stream_error: Log,
}

/// Where one log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Log {
    /// Nowhere.
    #[default]
    Off,
    /// To a file or device such as `/dev/stdout`.
    File(PathBuf),
}

/// Files that replace the bodies of gateway-made answers, by content type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ErrorTemplates {
    pub html: Option<PathBuf>,
    pub json: Option<PathBuf>,
    pub xml: Option<PathBuf>,
    pub plain: Option<PathBuf>,
}

/// Idle connections to upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Idle connections kept for each address; 0 keeps none. Default 512.
    pub pool_size: usize,
    /// Requests on one connection; `None` is no limit. Default 10000.
    pub max_requests: Option<u64>,
    /// How long an idle connection is kept; `None` is forever. Default 60 s.
    pub idle_timeout: Option<Duration>,
}

/// What an HTTP/2 client may do on one connection. None of these is 0, except the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2 {
    /// Requests at a time. Default 128.
    pub max_concurrent_streams: u32,
    /// Requests taken back before they were looked at, at a time. Default 20.
    pub max_pending_resets: u32,
    /// Requests taken back before they were answered, in ten seconds. Default 200.
    pub max_resets: u32,
    /// Requests refused or reset because of what the client did. Default 256.
    pub max_stream_errors: u32,
    /// Frames other than `DATA` per second that no answer gives reason to. Default 1000.
    pub max_control_frames: u32,
    /// Bytes of a request's header list. Default 48 KiB.
    pub max_header_list_size: u32,
    /// Bytes of a request's body taken before they are read. Default 64 KiB.
    pub stream_window: u32,
    /// The same for all requests of a connection. Default 1 MiB.
    pub connection_window: u32,
    /// How often an idle client is asked whether it is there; `None`, the default, is never.
    pub ping_interval: Option<Duration>,
}

/// Which rules order routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Kong's own names")]
pub enum RouterFlavor {
    Traditional,
    TraditionalCompatible,
    Expressions,
}

/// Name resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Name servers as written; empty takes those of the system.
    pub resolvers: Vec<String>,
    /// The hosts file. Default `/etc/hosts`.
    pub hosts_file: PathBuf,
    /// Record types in the order they are asked for. Default `LAST, SRV, A, CNAME`.
    pub order: Vec<String>,
    /// How long answers count, instead of their own TTL.
    pub valid_ttl: Option<Duration>,
    /// How long an answer may be used past its time while a new one is fetched. Default 1 h.
    pub stale_ttl: Duration,
    /// How long "no such name" counts. Default 30 s.
    pub not_found_ttl: Duration,
    /// How long a failure counts. Default 1 s.
    pub error_ttl: Duration,
    /// Most answers kept. Default 10000.
    pub cache_size: usize,
}

/// How many headers and arguments are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maxima {
    /// Request headers. Default 100.
    pub request_headers: usize,
    /// Response headers. Default 100.
    pub response_headers: usize,
    /// Query arguments. Default 100.
    pub query_args: usize,
    /// Arguments of a form body. Default 100.
    pub post_args: usize,
}

impl Settings {
    /// Resolves the settings of `file`, if any, with those of `environment` over them.
    ///
    /// # Errors
    /// All problems at once, each with the line or variable it comes from.
    pub fn load(file: Option<&Source>, environment: &Environment) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let gathered = Gathered::gather(file, environment, &mut problems);
        let settings = resolve::settings(gathered, &mut problems);
        if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
    }

    /// The settings of a gateway nobody configured.
    #[must_use]
    pub fn defaults() -> Self {
        resolve::settings(Gathered::gather(None, &Environment::default(), &mut Vec::new()), &mut Vec::new())
    }

    /// Reads the settings file: `path` if given, else the first of `/etc/kong/kong.conf` and
    /// `/etc/kong.conf` that exists, else none.
    ///
    /// # Errors
    /// [`ReadError`] when the file is there but cannot be read, or was named and is not there.
    pub fn read_file(path: Option<&Path>) -> Result<Option<Source>, ReadError> {
        const USUAL: [&str; 2] = ["/etc/kong/kong.conf", "/etc/kong.conf"];
        match path.or_else(|| USUAL.iter().map(Path::new).find(|path| path.exists())) {
            Some(path) => source::read_file(path).map(Some),
            None => Ok(None),
        }
    }

    /// The value of any setting as text, by Kong's name: as given, or the default; `None` when it
    /// has neither.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.gathered.text(name)
    }

    /// Where the setting `name` got its value.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        self.gathered.origin(name)
    }

    /// All settings that have a value, by name, secrets included: mask before showing.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.gathered.all()
    }

    /// Whether the setting `name` is a list with commas.
    #[must_use]
    pub fn is_list(&self, name: &str) -> bool {
        known::find(name).is_some_and(|known| known.kind == known::Kind::List)
    }

    /// Whether the setting `plugins` allows the plugin `name`, which comes with the gateway or not.
    #[must_use]
    pub fn enables_plugin(&self, name: &str, bundled: bool) -> bool {
        let lists = |word: &str| self.plugins.iter().any(|entry| entry == word);
        !lists("off") && (lists(name) || (bundled && lists("bundled")))
    }

    /// What was set but does nothing yet in this version, and what is risky: one line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
