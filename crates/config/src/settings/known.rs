//! Every setting of kong.conf by name, with its default and what its value must look like.
//!
//! Settings that are not in this list are accepted and ignored, as operators' environments hold
//! many; a setting in this list with a value that cannot be right is an error.

/// A setting Kong knows.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Empty when the setting has no value unless given.
    pub(super) default: &'static str,
    pub(super) kind: Kind,
}

/// What the value of a setting must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything.
    Text,
    /// A number that is not negative.
    Number,
    /// `on` or `off`, also `true` or `false`.
    Switch,
    /// Texts with commas between them.
    List,
    /// Bytes, with `k`, `m` or `g` after the number if wanted.
    Size,
    /// Seconds, or a number followed by `ms`, `s`, `m`, `h` or `d`.
    Time,
    /// One of a few words.
    OneOf(&'static [&'static str]),
}

const LEVELS: &[&str] = &["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"];
const ERROR_TYPES: &[&str] = &["application/json", "application/xml", "text/html", "text/plain"];
const FLAVORS: &[&str] = &["traditional", "traditional_compatible", "expressions"];

const fn known(name: &'static str, default: &'static str, kind: Kind) -> Known {
    Known { name, default, kind }
}

/// The setting called `name`.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

use Kind::{List, Number, OneOf, Size, Switch, Text, Time};

/// In the groups and order of Kong's own documentation, then what is ours.
#[rustfmt::skip]
pub(super) const KNOWN: &[Known] = &[
    known("prefix", "/usr/local/kong/", Text),
    known("log_level", "notice", OneOf(LEVELS)),
    known("proxy_access_log", "logs/access.log", Text),
    known("proxy_error_log", "logs/error.log", Text),
    known("proxy_stream_access_log", "logs/access.log basic", Text),
    known("proxy_stream_error_log", "logs/error.log", Text),
    known("admin_access_log", "logs/admin_access.log", Text),
    known("admin_error_log", "logs/error.log", Text),
    known("status_access_log", "off", Text),
    known("status_error_log", "logs/status_error.log", Text),
    known("vaults", "bundled", List),
    known("plugins", "bundled", List),
    known("port_maps", "", List),
    known("anonymous_reports", "on", Switch),
    known("proxy_server", "", Text),
    known("proxy_server_ssl_verify", "on", Switch),
    known("error_template_html", "", Text),
    known("error_template_json", "", Text),
    known("error_template_xml", "", Text),
    known("error_template_plain", "", Text),
    known("node_id", "", Text),
    known("role", "traditional", OneOf(&["data_plane", "control_plane", "traditional"])),
    known("kic", "off", Switch),
    // Listeners and TLS.
    known("proxy_listen", "0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl reuseport backlog=16384", List),
    known("stream_listen", "off", List),
    known("admin_listen", "127.0.0.1:8001 reuseport backlog=16384, 127.0.0.1:8444 http2 ssl reuseport backlog=16384", List),
    known("admin_gui_listen", "0.0.0.0:8002, 0.0.0.0:8445 ssl", List),
    known("status_listen", "127.0.0.1:8007 reuseport backlog=16384", List),
    known("cluster_listen", "0.0.0.0:8005", List),
    known("ssl_cert", "", List),
    known("ssl_cert_key", "", List),
    known("ssl_cipher_suite", "intermediate", OneOf(&["modern", "intermediate", "old", "fips", "custom"])),
    known("ssl_ciphers", "", Text),
    known("ssl_protocols", "TLSv1.2 TLSv1.3", Text),
    known("ssl_prefer_server_ciphers", "on", Switch),
    known("ssl_dhparam", "", Text),
    known("ssl_session_tickets", "on", Switch),
    known("ssl_session_timeout", "1d", Time),
    known("ssl_session_cache_size", "10m", Size),
    known("client_ssl", "off", Switch),
    known("client_ssl_cert", "", Text),
    known("client_ssl_cert_key", "", Text),
    known("admin_ssl_cert", "", List),
    known("admin_ssl_cert_key", "", List),
    known("admin_gui_ssl_cert", "", List),
    known("admin_gui_ssl_cert_key", "", List),
    known("status_ssl_cert", "", List),
    known("status_ssl_cert_key", "", List),
    // Proxy behaviour.
    known("headers", "server_tokens, latency_tokens, x-kong-request-id", List),
    known("headers_upstream", "x-kong-request-id", List),
    known("trusted_ips", "", List),
    known("real_ip_header", "X-Real-IP", Text),
    known("real_ip_recursive", "off", Switch),
    known("error_default_type", "text/plain", OneOf(ERROR_TYPES)),
    known("upstream_keepalive_pool_size", "512", Number),
    known("upstream_keepalive_max_requests", "10000", Number),
    known("upstream_keepalive_idle_timeout", "60", Number),
    known("allow_debug_header", "off", Switch),
    known("request_debug", "on", Switch),
    known("request_debug_token", "", Text),
    known("client_body_buffer_size", "8k", Size),
    known("client_max_body_size", "", Size),
    known("router_flavor", "traditional_compatible", OneOf(FLAVORS)),
    known("lua_max_req_headers", "100", Number),
    known("lua_max_resp_headers", "100", Number),
    known("lua_max_uri_args", "100", Number),
    known("lua_max_post_args", "100", Number),
    // nginx directives that mean something here; all others are accepted and ignored.
    known("nginx_worker_processes", "auto", Text),
    known("nginx_main_worker_processes", "", Text),
    known("nginx_http_client_max_body_size", "0", Size),
    known("nginx_proxy_client_max_body_size", "", Size),
    known("nginx_admin_client_max_body_size", "10m", Size),
    known("nginx_http_client_body_buffer_size", "8k", Size),
    known("nginx_http_keepalive_requests", "10000", Number),
    known("nginx_http_keepalive_timeout", "75", Time),
    known("nginx_http_client_header_timeout", "60", Time),
    known("nginx_http_client_body_timeout", "60", Time),
    known("nginx_http_send_timeout", "60", Time),
    known("nginx_http_http2_max_concurrent_streams", "128", Number),
    known("nginx_http_http2_body_preread_size", "64k", Size),
    known("nginx_proxy_real_ip_header", "", Text),
    known("nginx_proxy_real_ip_recursive", "", Switch),
    // Database and cache.
    known("database", "off", OneOf(&["postgres", "cassandra", "off"])),
    known("pg_host", "127.0.0.1", Text),
    known("pg_port", "5432", Number),
    known("pg_database", "kong", Text),
    known("pg_schema", "", Text),
    known("pg_timeout", "5000", Number),
    known("pg_user", "kong", Text),
    known("pg_password", "", Text),
    known("pg_ssl", "off", Switch),
    known("pg_ssl_verify", "off", Switch),
    known("pg_max_concurrent_queries", "0", Number),
    known("pg_semaphore_timeout", "60000", Number),
    known("pg_keepalive_timeout", "", Number),
    known("pg_pool_size", "", Number),
    known("pg_backlog", "", Number),
    known("pg_ro_host", "", Text),
    known("pg_ro_port", "", Number),
    known("pg_ro_database", "", Text),
    known("pg_ro_schema", "", Text),
    known("pg_ro_timeout", "", Number),
    known("pg_ro_user", "", Text),
    known("pg_ro_password", "", Text),
    known("pg_ro_ssl", "", Switch),
    known("pg_ro_ssl_verify", "", Switch),
    known("pg_ro_max_concurrent_queries", "", Number),
    known("pg_ro_semaphore_timeout", "", Number),
    known("pg_ro_keepalive_timeout", "", Number),
    known("pg_ro_pool_size", "", Number),
    known("pg_ro_backlog", "", Number),
    known("declarative_config", "", List),
    known("declarative_config_string", "", Text),
    known("lmdb_environment_path", "dbless.lmdb", Text),
    known("lmdb_map_size", "2048m", Size),
    known("mem_cache_size", "128m", Size),
    known("db_update_frequency", "5", Number),
    known("db_update_propagation", "0", Number),
    known("db_cache_ttl", "0", Number),
    known("db_cache_neg_ttl", "", Number),
    known("db_resurrect_ttl", "30", Number),
    known("db_cache_warmup_entities", "services", List),
    known("worker_consistency", "eventual", OneOf(&["strict", "eventual"])),
    known("worker_state_update_frequency", "5", Number),
    known("dedicated_config_processing", "on", Switch),
    known("worker_events_max_payload", "65535", Number),
    // DNS.
    known("dns_resolver", "", List),
    known("dns_hostsfile", "/etc/hosts", Text),
    known("dns_order", "LAST,SRV,A,CNAME", List),
    known("dns_valid_ttl", "", Number),
    known("dns_stale_ttl", "3600", Number),
    known("dns_cache_size", "10000", Number),
    known("dns_not_found_ttl", "30", Number),
    known("dns_error_ttl", "1", Number),
    known("dns_no_sync", "off", Switch),
    known("new_dns_client", "off", Switch),
    known("resolver_address", "", List),
    known("resolver_hosts_file", "/etc/hosts", Text),
    known("resolver_family", "A,SRV", List),
    known("resolver_valid_ttl", "", Number),
    known("resolver_stale_ttl", "3600", Number),
    known("resolver_lru_cache_size", "10000", Number),
    known("resolver_mem_cache_size", "5m", Size),
    known("resolver_error_ttl", "1", Number),
    // Hybrid mode.
    known("cluster_control_plane", "127.0.0.1:8005", Text),
    known("cluster_cert", "", Text),
    known("cluster_cert_key", "", Text),
    known("cluster_mtls", "shared", OneOf(&["shared", "pki"])),
    known("cluster_ca_cert", "", Text),
    known("cluster_server_name", "", Text),
    known("cluster_data_plane_purge_delay", "1209600", Number),
    known("cluster_ocsp", "off", OneOf(&["on", "off", "optional"])),
    known("cluster_max_payload", "16777216", Number),
    known("cluster_use_proxy", "off", Switch),
    known("cluster_dp_labels", "", List),
    known("cluster_rpc", "off", Switch),
    known("cluster_rpc_sync", "off", Switch),
    known("cluster_cjson", "off", Switch),
    // Lua, plugins, tracing, WebAssembly.
    known("lua_socket_pool_size", "256", Number),
    known("lua_ssl_trusted_certificate", "system", List),
    known("lua_ssl_verify_depth", "1", Number),
    known("lua_ssl_protocols", "TLSv1.2 TLSv1.3", Text),
    known("lua_package_path", "./?.lua;./?/init.lua;", Text),
    known("lua_package_cpath", "", Text),
    known("pluginserver_names", "", List),
    known("untrusted_lua", "sandbox", OneOf(&["on", "off", "sandbox", "strict", "lax"])),
    known("untrusted_lua_sandbox_requires", "", List),
    known("untrusted_lua_sandbox_environment", "", List),
    known("tracing_instrumentations", "off", List),
    known("tracing_sampling_rate", "0.01", Number),
    known("opentelemetry_tracing", "off", List),
    known("opentelemetry_tracing_sampling_rate", "0.01", Number),
    known("wasm", "off", Switch),
    known("wasm_filters_path", "", Text),
    known("wasm_filters", "bundled,user", List),
    known("wasm_dynamic_module", "", Text),
    // Graphical interface.
    known("admin_gui_url", "", List),
    known("admin_gui_path", "/", Text),
    known("admin_gui_api_url", "", Text),
    known("admin_gui_csp_header", "off", Switch),
    known("admin_gui_access_log", "logs/admin_gui_access.log", Text),
    known("admin_gui_error_log", "logs/admin_gui_error.log", Text),
    // Ours.
    known("server_token", concat!("towergate/", env!("CARGO_PKG_VERSION")), Text),
    known("http2_max_pending_resets", "20", Number),
    known("http2_max_resets", "200", Number),
    known("http2_max_stream_errors", "256", Number),
    known("http2_max_control_frames", "1000", Number),
    known("http2_max_header_list_size", "48k", Size),
    known("http2_connection_window", "1m", Size),
    known("http2_ping_interval", "0", Time),
];
