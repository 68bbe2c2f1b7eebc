//! From gathered texts to typed settings.
//!
//! Texts were checked against the kind of their setting before they come here; what is left to
//! refuse is what only one setting knows.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::gather::Gathered;
use super::problem::{Origin, Problem};
use super::value::{list, number, size, switch, time};
use super::{
    Dns, ErrorTemplates, Http2, Keepalive, Listener, ListenerTls, Log, LogLevel, Logs, Maxima, Protocol, RouterFlavor,
    Settings, Tls, UpstreamTls, admin, compression, database, headers, later, listen, tls, tracing,
};

/// All settings; problems are added to `problems` and their settings left at something harmless.
pub(super) fn settings(gathered: Gathered, problems: &mut Vec<Problem>) -> Settings {
    let mut from = Resolver { gathered: &gathered, problems };
    let prefix = PathBuf::from(from.text("prefix"));
    let audit_log = from.log(&prefix, "admin_audit_log");
    let database = database::database(&mut from, &prefix);
    let (trusted_ips, trusts_unix_sockets) = from.trusted_ips();
    let mut settings = Settings {
        log_level: from.log_level(),
        proxy_listen: from.listeners("proxy_listen", Protocol::Http),
        admin_listen: from.listeners("admin_listen", Protocol::Http),
        status_listen: from.listeners("status_listen", Protocol::Http),
        stream_listen: from.listeners("stream_listen", Protocol::Stream),
        admin_access: admin::access(&mut from, audit_log),
        admin_tls: ListenerTls::default(),
        status_tls: ListenerTls::default(),
        tls: from.tls(),
        upstream_tls: from.upstream_tls(),
        logs: from.logs(&prefix),
        prefix,
        plugins: from.list("plugins"),
        trusted_ips,
        trusts_unix_sockets,
        real_ip_header: from.text(from.alias("real_ip_header", "nginx_proxy_real_ip_header")),
        real_ip_recursive: from.switch(from.alias("real_ip_recursive", "nginx_proxy_real_ip_recursive")),
        headers: from.checked("headers", headers::response),
        headers_upstream: from.checked("headers_upstream", headers::upstream),
        server_token: from.text("server_token"),
        error_default_type: from.text("error_default_type"),
        error_templates: from.error_templates(),
        keepalive: from.keepalive(),
        workers: from.workers(),
        worker_connections: from.worker_connections(),
        client_max_body_size: from.body_limit(from.first_given(
            &["client_max_body_size", "nginx_proxy_client_max_body_size"],
            "nginx_http_client_max_body_size",
        )),
        admin_max_body_size: from.body_limit("nginx_admin_client_max_body_size"),
        keepalive_requests: from.whole("nginx_http_keepalive_requests"),
        keepalive_timeout: from.time("nginx_http_keepalive_timeout"),
        client_header_timeout: from.time("nginx_http_client_header_timeout"),
        client_body_timeout: from.time("nginx_http_client_body_timeout"),
        send_timeout: from.time("nginx_http_send_timeout"),
        http2: from.http2(),
        compression: compression::compression(&mut from),
        router_flavor: from.router_flavor(),
        port_maps: from.port_maps(),
        declarative_config: from.list("declarative_config").into_iter().map(PathBuf::from).collect(),
        declarative_config_string: from.given("declarative_config_string"),
        database,
        keeping: database::keeping(&from),
        allow_debug_header: from.switch("allow_debug_header"),
        prometheus_legacy_latency: from.switch("prometheus_legacy_latency"),
        tracing: tracing::tracing(&mut from),
        dns: from.dns(),
        max: from.maxima(),
        node_id: from.node_id(),
        warnings: Vec::new(),
        gathered: gathered.clone(),
    };
    let is_spoken = |listeners: &[Listener]| listeners.iter().any(|listener| listener.ssl);
    let mut from = Resolver { gathered: &gathered, problems };
    if is_spoken(&settings.proxy_listen) {
        settings.tls.certificates = from.certificates();
    }
    if is_spoken(&settings.admin_listen) {
        settings.admin_tls = admin::tls(&mut from, "admin_ssl_cert", "admin_ssl_cert_key");
    }
    if is_spoken(&settings.status_listen) {
        settings.status_tls = admin::tls(&mut from, "status_ssl_cert", "status_ssl_cert_key");
    }
    let is_open = admin::check(&settings.admin_access, !settings.admin_listen.is_empty(), &from);
    problems.extend(is_open);
    settings.warnings = later::warnings(&settings);
    settings
}

pub(super) struct Resolver<'a> {
    gathered: &'a Gathered,
    problems: &'a mut Vec<Problem>,
}

impl Resolver<'_> {
    pub(super) fn report(&mut self, name: &str, message: String) {
        self.problems.push(Problem::new(self.gathered.origin(name), message));
    }

    /// The text of a setting; empty when it has neither value nor default.
    pub(super) fn text(&self, name: &str) -> String {
        self.given(name).unwrap_or_default()
    }

    pub(super) fn origin(&self, name: &str) -> Origin {
        self.gathered.origin(name)
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.gathered.is_given(name)
    }

    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.gathered.text(name).map(str::to_owned)
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        list(&self.text(name)).map(str::to_owned).collect()
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        self.gathered.text(name).and_then(switch).unwrap_or(false)
    }

    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds = self.gathered.text(name).and_then(number)?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    pub(super) fn whole(&self, name: &str) -> u64 {
        // Checked to be finite and not negative; beyond the largest u64 the largest is meant.
        self.gathered.text(name).and_then(number).map_or(0, |n| n as u64)
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.whole(name)).unwrap_or(usize::MAX)
    }

    fn time(&self, name: &str) -> Duration {
        self.gathered.text(name).and_then(time).unwrap_or_default()
    }

    /// nginx and Kong both write "no limit" as 0.
    fn body_limit(&self, name: &str) -> Option<u64> {
        self.gathered.text(name).and_then(size).filter(|bytes| *bytes > 0)
    }

    /// `other` when it was given and `name` was not.
    pub(super) fn alias(&self, name: &'static str, other: &'static str) -> &'static str {
        if !self.gathered.is_given(name) && self.gathered.is_given(other) { other } else { name }
    }

    fn first_given(&self, names: &[&'static str], otherwise: &'static str) -> &'static str {
        names.iter().copied().find(|name| self.gathered.is_given(name)).unwrap_or(otherwise)
    }

    fn checked<T: Default>(&mut self, name: &str, read: fn(&str) -> Result<T, String>) -> T {
        read(&self.text(name)).unwrap_or_else(|why| {
            self.report(name, why);
            T::default()
        })
    }

    fn listeners(&mut self, name: &str, protocol: Protocol) -> Vec<Listener> {
        listen::parse(&self.text(name), protocol).unwrap_or_else(|why| {
            self.report(name, format!("{name}: {why}"));
            Vec::new()
        })
    }

    fn tls(&mut self) -> Tls {
        let protocols = self.alias("ssl_protocols", "nginx_http_ssl_protocols");
        let versions = tls::versions(&self.text(protocols));
        Tls {
            certificates: Vec::new(),
            cipher_suite: tls::CipherSuite::named(&self.text("ssl_cipher_suite")),
            protocols: versions.unwrap_or_else(|why| {
                self.report(protocols, format!("{protocols}: {why}"));
                Vec::new()
            }),
            ciphers: self.given("ssl_ciphers"),
            prefer_server_ciphers: self
                .switch(self.alias("ssl_prefer_server_ciphers", "nginx_http_ssl_prefer_server_ciphers")),
            session_tickets: self.switch(self.alias("ssl_session_tickets", "nginx_http_ssl_session_tickets")),
            session_timeout: self.time(self.alias("ssl_session_timeout", "nginx_http_ssl_session_timeout")),
            session_cache_size: self.gathered.text("ssl_session_cache_size").and_then(size).unwrap_or_default(),
        }
    }

    /// As in Kong, nobody looks at them unless a listener needs them.
    fn certificates(&mut self) -> Vec<(String, String)> {
        tls::pairs(self.list("ssl_cert"), self.list("ssl_cert_key")).unwrap_or_else(|(name, why)| {
            self.report(&name, why);
            Vec::new()
        })
    }

    fn upstream_tls(&mut self) -> UpstreamTls {
        let (certificate, key) = (self.given("client_ssl_cert"), self.given("client_ssl_cert_key"));
        let identity = match (self.switch("client_ssl"), certificate, key) {
            (false, ..) | (true, None, None) => None,
            (true, Some(certificate), Some(key)) => Some((certificate, key)),
            (true, Some(_), None) => {
                self.report("client_ssl_cert", "client_ssl_cert_key must be specified".to_owned());
                None
            }
            (true, None, Some(_)) => {
                self.report("client_ssl_cert_key", "client_ssl_cert must be specified".to_owned());
                None
            }
        };
        UpstreamTls {
            identity,
            trusted: self.list("lua_ssl_trusted_certificate"),
            verify_depth: self.count("lua_ssl_verify_depth"),
        }
    }

    fn log_level(&self) -> LogLevel {
        let name = self.text("log_level");
        LogLevel::ALL.into_iter().find(|level| level.name() == name).unwrap_or(LogLevel::Notice)
    }

    fn log(&self, prefix: &Path, name: &str) -> Log {
        // A format may follow the path: `logs/access.log basic`.
        match self.text(name).split_whitespace().next() {
            None | Some("off") => Log::Off,
            // nginx's word for datagrams to a log server, which is told to come later.
            Some(server) if server.starts_with("syslog:") => Log::Off,
            Some(path) => Log::File(prefix.join(path)),
        }
    }

    fn logs(&self, prefix: &Path) -> Logs {
        let log = |name: &str| self.log(prefix, name);
        let format = |name: &str| self.text(name).split_whitespace().nth(1).map(str::to_owned);
        Logs {
            proxy_access_format: format("proxy_access_log"),
            admin_access_format: format("admin_access_log"),
            status_access_format: format("status_access_log"),
            access_format: access_format(&self.text("nginx_http_log_format")),
            access_fields: self.list("access_log_fields"),
            proxy_access: log("proxy_access_log"),
            proxy_error: log("proxy_error_log"),
            admin_access: log("admin_access_log"),
            admin_error: log("admin_error_log"),
            status_access: log("status_access_log"),
            status_error: log("status_error_log"),
            stream_access: log("proxy_stream_access_log"),
            stream_error: log("proxy_stream_error_log"),
        }
    }

    fn trusted_ips(&mut self) -> (Vec<IpNet>, bool) {
        let mut nets = Vec::new();
        let mut unix = false;
        for entry in self.list("trusted_ips") {
            match entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from)) {
                Ok(net) => nets.push(net),
                Err(_) if entry == "unix:" => unix = true,
                Err(_) => self.report(
                    "trusted_ips",
                    format!("trusted_ips must be a comma separated list of IP addresses, CIDR blocks or 'unix:', got '{entry}'"),
                ),
            }
        }
        (nets, unix)
    }

    fn error_templates(&self) -> ErrorTemplates {
        let path = |name: &str| self.given(name).map(PathBuf::from);
        ErrorTemplates {
            html: path("error_template_html"),
            json: path("error_template_json"),
            xml: path("error_template_xml"),
            plain: path("error_template_plain"),
        }
    }

    fn keepalive(&self) -> Keepalive {
        Keepalive {
            pool_size: self.count("upstream_keepalive_pool_size"),
            max_requests: Some(self.whole("upstream_keepalive_max_requests")).filter(|n| *n > 0),
            idle_timeout: self.seconds("upstream_keepalive_idle_timeout").filter(|t| !t.is_zero()),
        }
    }

    fn workers(&mut self) -> NonZeroUsize {
        let name = self.alias("nginx_worker_processes", "nginx_main_worker_processes");
        let text = self.text(name);
        if let Ok(count) = text.parse() {
            return count;
        }
        if text != "auto" {
            self.report(name, format!("{name} has an invalid value: '{text}' (auto, or a number from 1)"));
        }
        std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    fn http2(&mut self) -> Http2 {
        let ping_interval = Some(self.time("http2_ping_interval")).filter(|interval| !interval.is_zero());
        Http2 {
            max_concurrent_streams: self.positive("nginx_http_http2_max_concurrent_streams"),
            max_pending_resets: self.positive("http2_max_pending_resets"),
            max_resets: self.positive("http2_max_resets"),
            max_stream_errors: self.positive("http2_max_stream_errors"),
            max_control_frames: self.positive("http2_max_control_frames"),
            max_header_list_size: self.positive("http2_max_header_list_size"),
            stream_window: self.positive("nginx_http_http2_body_preread_size"),
            connection_window: self.positive("http2_connection_window"),
            ping_interval,
        }
    }

    /// A number or size that must not be 0; beyond the largest u32 the largest is meant.
    fn positive(&mut self, name: &str) -> u32 {
        let text = self.text(name);
        let value = size(&text).unwrap_or_else(|| self.whole(name));
        if value == 0 {
            self.report(name, format!("{name} has an invalid value: '{text}' (a number from 1)"));
        }
        u32::try_from(value).unwrap_or(u32::MAX)
    }

    fn worker_connections(&mut self) -> NonZeroUsize {
        const AUTO: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
        let name = "nginx_events_worker_connections";
        let text = self.text(name);
        if text == "auto" {
            return AUTO;
        }
        text.parse().unwrap_or_else(|_| {
            self.report(name, format!("{name} has an invalid value: '{text}' (auto, or a number from 1)"));
            AUTO
        })
    }

    fn router_flavor(&self) -> RouterFlavor {
        match self.text("router_flavor").as_str() {
            "traditional" => RouterFlavor::Traditional,
            "expressions" => RouterFlavor::Expressions,
            _ => RouterFlavor::TraditionalCompatible,
        }
    }

    fn port_maps(&mut self) -> Vec<(u16, u16)> {
        let mut maps = Vec::new();
        for entry in self.list("port_maps") {
            let pair =
                entry.split_once(':').and_then(|(outer, inner)| Some((inner.parse().ok()?, outer.parse().ok()?)));
            match pair {
                Some(pair) => maps.push(pair),
                None => self.report(
                    "port_maps",
                    format!("invalid port mapping (`port_maps`): {entry} (the form is <port clients see>:<port listened on>, as in 80:8000)"),
                ),
            }
        }
        maps
    }

    fn dns(&self) -> Dns {
        let seconds = |name: &str| self.seconds(name).unwrap_or_default();
        Dns {
            resolvers: self.list("dns_resolver"),
            hosts_file: PathBuf::from(self.text(self.alias("dns_hostsfile", "resolver_hosts_file"))),
            order: self.list("dns_order").iter().map(|word| word.to_ascii_uppercase()).collect(),
            valid_ttl: self.seconds("dns_valid_ttl"),
            stale_ttl: seconds("dns_stale_ttl"),
            not_found_ttl: seconds("dns_not_found_ttl"),
            error_ttl: seconds("dns_error_ttl"),
            cache_size: self.count("dns_cache_size"),
        }
    }

    fn maxima(&self) -> Maxima {
        Maxima {
            request_headers: self.count("lua_max_req_headers"),
            response_headers: self.count("lua_max_resp_headers"),
            query_args: self.count("lua_max_uri_args"),
            post_args: self.count("lua_max_post_args"),
        }
    }

    fn node_id(&mut self) -> Option<uuid::Uuid> {
        let text = self.given("node_id")?;
        let id = text.parse().ok();
        if id.is_none() {
            self.report("node_id", format!("node_id: '{text}' is not a valid UUID"));
        }
        id
    }
}
/// nginx's `log_format`, as Kong takes it in a setting: a name, perhaps `escape=…`, and quoted pieces.
fn access_format(written: &str) -> Option<(String, String)> {
    let (name, rest) = written.trim().trim_end_matches(';').split_once(char::is_whitespace)?;
    let rest = rest.trim();
    let rest = match rest.strip_prefix("escape=") {
        Some(rest) => rest.split_once(char::is_whitespace)?.1.trim(),
        None => rest,
    };
    let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else {
        return Some((name.to_owned(), rest.to_owned()));
    };
    // What stands between pieces is left out: every second part is inside quotes.
    let inside = rest.split(quote).skip(1).step_by(2);
    Some((name.to_owned(), inside.collect()))
}
