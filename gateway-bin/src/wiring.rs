//! From settings to what each part of the gateway takes.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::{SocketAddr, ToSocketAddrs},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::HeaderName;
use tokio::runtime::Handle;
use towergate_compression::{Coding, CompressionLayer, Level, MediaRange};
use towergate_config::{
    Config, Settings,
    settings::{self, Listener, ResponseHeaders, SoKeepalive},
};
use towergate_core::{Balancing, Form, Instrumentations, Node, Pages, Policy, Service, UpstreamHealth};
use towergate_dns::Client;
use towergate_runtime::{Base, CompileProblem, LoadError, Registry, Runtime, TargetName, compile};
use towergate_server::{Http2, Keepalive, Limits, Listen, RealIp, RealIpSource, ServerConfig, Timeouts, Tokens};
use towergate_tls::Server;
use towergate_upstream::{Destinations, ProxySettings, TlsSettings};
use uuid::Uuid;

/// The upstream crate's destinations, as the compiler asks for them.
pub(crate) struct Reach {
    destinations: Destinations,
    tls: Trust,
}

/// Where DNS servers listen.
const DNS_PORT: u16 = 53;

/// What holds towards upstreams over TLS; it may change from one configuration to the next.
pub(crate) type Trust = Arc<Mutex<TlsSettings>>;

impl Reach {
    pub(crate) fn new(tls: Trust, names: Client) -> Self {
        let destinations = Destinations::trusting(newest(&tls)).resolving(names);
        Self { destinations, tls }
    }
}

fn newest(tls: &Trust) -> TlsSettings {
    tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl towergate_runtime::Destinations for Reach {
    fn next(&self) -> Box<dyn towergate_runtime::Destinations> {
        let destinations = Destinations::after_trusting(&self.destinations, newest(&self.tls));
        Box::new(Self { destinations, tls: self.tls.clone() })
    }

    fn upstream(&mut self, balancing: &Arc<Balancing>) {
        self.destinations.upstream(balancing);
    }

    fn destination(&mut self, service: &Service) -> Arc<Policy> {
        self.destinations.destination(service)
    }

    fn usable(&self, destination: &Arc<Policy>) -> Arc<dyn Fn() -> bool + Send + Sync> {
        self.destinations.usable(destination)
    }

    fn start(&mut self, handle: &Handle) {
        self.destinations.start(handle);
    }

    fn health(&self, upstream: Uuid) -> Option<UpstreamHealth> {
        self.destinations.health(upstream)
    }

    fn decide(&self, upstream: Uuid, target: &TargetName<'_>, healthy: bool) -> bool {
        self.destinations.decide(upstream, target.host, target.port, target.address, healthy)
    }
}

/// Compiles a configuration to see whether it can be, and what it would do; nothing is started.
///
/// # Errors
/// All problems that only show then.
pub(crate) fn try_compile(config: Config, registry: &Registry) -> Result<Runtime, LoadError> {
    let mut reach = Reach::new(Trust::default(), Client::default());
    let compiled: Result<_, Vec<CompileProblem>> =
        compile(Arc::new(config), registry, &mut reach, &Base::default(), None);
    compiled.map_err(LoadError::from)
}

/// What the server takes, with what it offers over TLS.
pub(crate) fn server(settings: &Settings, tls: Option<Server>) -> ServerConfig {
    let real_ip = RealIp { source: real_ip_source(&settings.real_ip_header), recursive: settings.real_ip_recursive };
    ServerConfig {
        trusted_ips: settings.trusted_ips.clone(),
        real_ip,
        tokens: tokens(&settings.headers),
        server_token: settings.server_token.clone(),
        allow_debug_header: settings.allow_debug_header,
        port_maps: settings.port_maps.iter().copied().collect::<HashMap<_, _>>(),
        timeouts: Timeouts {
            keep_alive: settings.keepalive_timeout,
            header: settings.client_header_timeout,
            body: settings.client_body_timeout,
            send: settings.send_timeout,
        },
        limits: Limits {
            keep_alive_requests: settings.keepalive_requests,
            connections: settings.worker_connections.get(),
            body: settings.client_max_body_size,
            http2: http2(&settings.http2),
            ..Limits::default()
        },
        tls,
    }
}

fn http2(settings: &settings::Http2) -> Http2 {
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Http2 {
        max_concurrent_streams: settings.max_concurrent_streams,
        max_pending_resets: count(settings.max_pending_resets),
        max_resets: settings.max_resets,
        max_stream_errors: count(settings.max_stream_errors),
        max_control_frames: settings.max_control_frames,
        max_header_list: settings.max_header_list_size,
        stream_window: settings.stream_window,
        connection_window: settings.connection_window,
        ping_interval: settings.ping_interval,
    }
}

fn real_ip_source(name: &str) -> RealIpSource {
    match name {
        "proxy_protocol" => RealIpSource::ProxyProtocol,
        _ => RealIpSource::Header(name.parse().unwrap_or(HeaderName::from_static("x-real-ip"))),
    }
}

fn tokens(headers: &ResponseHeaders) -> Tokens {
    Tokens {
        server: headers.server,
        via: headers.via,
        proxy_latency: headers.proxy_latency,
        upstream_latency: headers.upstream_latency,
        response_latency: headers.response_latency,
        upstream_status: headers.upstream_status,
        request_id: headers.request_id,
    }
}

/// What compresses responses, if anything does.
///
/// # Errors
/// A media type that is none.
pub(crate) fn compression(settings: &Settings) -> Result<Option<CompressionLayer>, String> {
    let Some(compression) = &settings.compression else { return Ok(None) };
    let codings = compression.codings.iter().map(|coding| match coding {
        settings::Coding::Gzip => Coding::Gzip,
        settings::Coding::Brotli => Coding::Brotli,
        settings::Coding::Zstd => Coding::Zstd,
    });
    let level = match compression.level {
        settings::Level::Fastest => Level::Fastest,
        settings::Level::Balanced => Level::Balanced,
        settings::Level::Best => Level::Best,
        settings::Level::Exact(level) => Level::Exact(level),
    };
    let layer = CompressionLayer::new(codings).level(level).min_length(compression.min_length);
    if compression.types.is_empty() {
        return Ok(Some(layer));
    }
    let types: Result<Vec<MediaRange>, _> = compression.types.iter().map(|text| text.parse()).collect();
    types.map(|types| Some(layer.types(types))).map_err(|error| error.to_string())
}

/// What the proxying service takes.
pub(crate) fn proxy(settings: &Settings) -> ProxySettings {
    ProxySettings {
        via_token: settings.server_token.clone(),
        headers_upstream_request_id: settings.headers_upstream.request_id,
        pool_size: settings.keepalive.pool_size,
        max_requests: settings.keepalive.max_requests.unwrap_or(0),
        idle_timeout: settings.keepalive.idle_timeout.unwrap_or(Duration::ZERO),
    }
}

/// How names are looked up.
///
/// # Errors
/// A server that is no address, a kind of record that is none.
pub(crate) fn dns(settings: &Settings) -> Result<towergate_dns::Settings, String> {
    let dns = &settings.dns;
    let server = |text: &String| {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let address = text.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse().ok()?, DNS_PORT)));
        let form = "dns_resolver must be a comma separated list in the form of IPv4/6 or IPv4/6:port";
        address.ok_or_else(|| format!("{form}, got '{text}'"))
    };
    let kind = |text: &String| text.parse().map_err(|error: towergate_dns::UnknownKind| format!("dns_order: {error}"));
    Ok(towergate_dns::Settings {
        servers: dns.resolvers.iter().map(server).collect::<Result<_, _>>()?,
        hosts_file: dns.hosts_file.clone(),
        order: dns.order.iter().map(kind).collect::<Result<_, _>>()?,
        valid_ttl: dns.valid_ttl,
        stale_ttl: dns.stale_ttl,
        not_found_ttl: dns.not_found_ttl,
        error_ttl: dns.error_ttl,
        cache_size: dns.cache_size,
        ..towergate_dns::Settings::default()
    })
}

/// What the gateway tells its plugins about itself. Without a `node_id` it makes one up.
pub(crate) fn node(settings: &Settings) -> Node {
    let tracing = &settings.tracing;
    let tracing = Instrumentations {
        request: tracing.is_on(),
        router: tracing.has("router"),
        plugin_access: tracing.has("plugin_access"),
        plugin_header_filter: tracing.has("plugin_header_filter"),
        balancer: tracing.has("balancer"),
        dns_query: tracing.has("dns_query"),
        sampling_rate: tracing.sampling_rate,
    };
    Node { id: settings.node_id.unwrap_or_else(Uuid::new_v4), version: towergate_admin::KONG_VERSION, tracing }
}

/// How the gateway writes its own answers.
///
/// # Errors
/// A template that cannot be read.
pub(crate) fn pages(settings: &Settings) -> Result<Pages, String> {
    let templates = &settings.error_templates;
    let defaults = Pages::default();
    Ok(Pages {
        default_form: Form::of_media_type(&settings.error_default_type),
        html: template(templates.html.as_deref(), defaults.html)?,
        json: template(templates.json.as_deref(), defaults.json)?,
        plain: template(templates.plain.as_deref(), defaults.plain)?,
        xml: template(templates.xml.as_deref(), defaults.xml)?,
    })
}

fn template(file: Option<&Path>, default: Cow<'static, str>) -> Result<Cow<'static, str>, String> {
    let Some(file) = file else { return Ok(default) };
    std::fs::read_to_string(file)
        .map(Cow::Owned)
        .map_err(|error| format!("cannot read the error template {}: {error}", file.display()))
}

/// Where the proxy listens.
///
/// # Errors
/// A host name that means no address.
pub(crate) fn proxy_listens(settings: &Settings) -> Result<Vec<Listen>, String> {
    settings.proxy_listen.iter().map(listen).collect()
}

/// Where the Admin API listens.
///
/// # Errors
/// A host name that means no address.
pub(crate) fn admin_listens(settings: &Settings) -> Result<Vec<Listen>, String> {
    settings.admin_listen.iter().map(listen).collect()
}

/// Where the Status API listens.
///
/// # Errors
/// A host name that means no address.
pub(crate) fn status_listens(settings: &Settings) -> Result<Vec<Listen>, String> {
    settings.status_listen.iter().map(listen).collect()
}

fn listen(listener: &Listener) -> Result<Listen, String> {
    let resolved = || (listener.host.as_str(), listener.port).to_socket_addrs().ok()?.next();
    let known = listener.ip().map(|ip| SocketAddr::new(ip, listener.port));
    let address = known
        .or_else(resolved)
        .ok_or_else(|| format!("cannot listen on {}: the name means no address of this machine", listener.address()))?;
    let mut listen = Listen::on(address);
    listen.backlog = listener.backlog.and_then(|backlog| backlog.try_into().ok()).unwrap_or(listen.backlog);
    listen.proxy_protocol = listener.proxy_protocol;
    listen.keepalive = listener.so_keepalive.map(keepalive);
    listen.transparent = listener.transparent;
    listen.ipv6_only = listener.ipv6only.unwrap_or(listen.ipv6_only);
    listen.tls = listener.ssl;
    listen.http2 = listener.http2;
    Ok(listen)
}

fn keepalive(written: SoKeepalive) -> Keepalive {
    match written {
        SoKeepalive::Off => Keepalive::Off,
        SoKeepalive::On { idle, interval, count } => Keepalive::On { idle, interval, count },
    }
}
