//! What an operator may set about the proxy's listeners, connections and answers.

use std::{collections::HashMap, time::Duration};

use http::HeaderName;
use ipnet::IpNet;
use towergate_tls::Server;

/// Settings of the proxy side, typed; the binary fills it from `kong.conf` and `KONG_*`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Peers whose `X-Forwarded-*` and real-IP headers are believed (`trusted_ips`). Default: none.
    pub trusted_ips: Vec<IpNet>,
    /// Where a trusted peer says who the client is.
    pub real_ip: RealIp,
    /// Which headers of our own a response gets (`headers`).
    pub tokens: Tokens,
    /// The product token in `Server` and `Via` (`server_token`). Default `towergate/<version>`.
    pub server_token: String,
    /// Whether `Kong-Debug` is answered with the names of route and service (`allow_debug_header`).
    pub allow_debug_header: bool,
    /// Ports as clients see them, by the port we listen on (`port_maps`): what `Client::local` says,
    /// and what routes by `host:port` compare when the request's `Host` has no port.
    pub port_maps: HashMap<u16, u16>,
    /// How long is waited for a client.
    pub timeouts: Timeouts,
    /// How much a client may send.
    pub limits: Limits,
    /// What is offered on listeners with TLS; none are opened without it.
    pub tls: Option<Server>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            trusted_ips: Vec::new(),
            real_ip: RealIp::default(),
            tokens: Tokens::default(),
            server_token: concat!("towergate/", env!("CARGO_PKG_VERSION")).to_owned(),
            allow_debug_header: false,
            port_maps: HashMap::new(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            tls: None,
        }
    }
}

/// Where a trusted peer says who the client is.
#[derive(Debug, Clone)]
pub struct RealIp {
    /// In what (`real_ip_header`). Default: the header `X-Real-IP`.
    pub source: RealIpSource,
    /// Whether trusted addresses at the end of the list are skipped (`real_ip_recursive`): the
    /// client is then the last address that is not trusted. Default: no, it is the last one.
    pub recursive: bool,
}

impl Default for RealIp {
    fn default() -> Self {
        Self { source: RealIpSource::Header(HeaderName::from_static("x-real-ip")), recursive: false }
    }
}

/// In what a trusted peer says who the client is: the setting `real_ip_header`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealIpSource {
    /// In this header of each request. The lines of `X-Forwarded-For` count as one list; of any
    /// other header only the first line is read.
    Header(HeaderName),
    /// In the PROXY protocol header of the connection (`proxy_protocol`), on listeners that take one.
    ProxyProtocol,
}

/// Which headers of our own a response gets: the setting `headers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// `Server` on the gateway's own answers, and on proxied ones that have none.
    pub server: bool,
    /// `Via` on proxied responses.
    pub via: bool,
    /// `X-Kong-Proxy-Latency` on proxied responses: milliseconds spent here before the upstream was asked.
    pub proxy_latency: bool,
    /// `X-Kong-Upstream-Latency` on proxied responses: milliseconds waited for the response's head.
    pub upstream_latency: bool,
    /// `X-Kong-Response-Latency` on the gateway's own answers: milliseconds in all.
    pub response_latency: bool,
    /// `X-Kong-Upstream-Status`.
    pub upstream_status: bool,
    /// `X-Kong-Request-Id`.
    pub request_id: bool,
}

impl Default for Tokens {
    /// Kong's default: `server_tokens, latency_tokens, X-Kong-Request-Id`.
    fn default() -> Self {
        Self { server: true, via: true, request_id: true, ..Self::LATENCY }
    }
}

impl Tokens {
    /// No header at all (`headers = off`).
    pub const OFF: Self = Self {
        server: false,
        via: false,
        proxy_latency: false,
        upstream_latency: false,
        response_latency: false,
        upstream_status: false,
        request_id: false,
    };

    const LATENCY: Self = Self { proxy_latency: true, upstream_latency: true, response_latency: true, ..Self::OFF };
}

/// How long is waited for a client. Kept to about a second, by one look per second over all
/// connections (more often when the shortest of them asks for it).
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// The longest pause between two requests of a connection. Default 75 s.
    pub keep_alive: Duration,
    /// From a request's first byte (or from accepting the connection) to the end of its head. Default 60 s.
    pub header: Duration,
    /// The longest pause between two reads of a request's body. Default 60 s.
    pub body: Duration,
    /// The longest pause in which a client takes nothing of its response. Default 60 s.
    pub send: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { keep_alive: Duration::from_secs(75), header: minute, body: minute, send: minute }
    }
}

/// How much a client may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many requests one connection may bring. Default 10 000, as nginx in Kong.
    pub keep_alive_requests: u64,
    /// How many connections a worker serves at the same time (`nginx_events_worker_connections`), those to upstreams
    /// not counted. Default 16 384. When little room is left, connections between two requests are closed; when none
    /// is, new ones are closed without an answer, and the log says so once a second.
    pub connections: usize,
    /// Bytes of a request's body (`client_max_body_size`); `None`, the default, is no limit.
    pub body: Option<u64>,
    /// Bytes of the request line and of each header line. Default 8 KiB: a longer request line is
    /// answered with 414, a longer header line with 400.
    pub line: usize,
    /// Bytes of a request's whole head. Default 40 KiB, which is nginx's 1 + 4 buffers of 8 KiB;
    /// more is answered with 400.
    pub head: usize,
    /// How many header lines a request may have. Default 200; more is answered with 431.
    pub header_lines: usize,
    /// What an HTTP/2 client may do.
    pub http2: Http2,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            keep_alive_requests: 10_000,
            connections: 16_384,
            body: None,
            line: 8 << 10,
            head: 40 << 10,
            header_lines: 200,
            http2: Http2::default(),
        }
    }
}

/// What an HTTP/2 client may do, on each of its connections.
///
/// A client that exceeds what is called `max_` here is told to calm down and its connection ends
/// (`GOAWAY`, `ENHANCE_YOUR_CALM`), unless something else is said.
#[derive(Debug, Clone, Copy)]
pub struct Http2 {
    /// Requests at a time (`nginx_http_http2_max_concurrent_streams`); the next is refused
    /// (`REFUSED_STREAM`). Default 128, as in nginx.
    pub max_concurrent_streams: u32,
    /// Requests that are taken back before we have looked at them, at a time
    /// (`http2_max_pending_resets`). Default 20.
    pub max_pending_resets: usize,
    /// Requests that are taken back before they are answered, in ten seconds and not counting as
    /// many as were answered (`http2_max_resets`). Default 200.
    pub max_resets: u32,
    /// Requests that we refuse or reset because of what the client did, in all
    /// (`http2_max_stream_errors`). Default 256.
    pub max_stream_errors: usize,
    /// Frames other than `DATA` per second (`http2_max_control_frames`); what we send gives reason
    /// to more. Default 1000.
    pub max_control_frames: u32,
    /// Bytes of a request's header list, 32 more for each line (`http2_max_header_list_size`); a
    /// longer one is answered with 431, one of four times that much ends the connection. Default
    /// 48 KiB, which is room for [`Limits::head`] and [`Limits::header_lines`].
    pub max_header_list: u32,
    /// Bytes of a request's body that are taken before anybody reads it
    /// (`nginx_http_http2_body_preread_size`). Default 64 KiB.
    pub stream_window: u32,
    /// The same for all requests of a connection together (`http2_connection_window`). Default 1 MiB.
    pub connection_window: u32,
    /// How often a client is asked whether it is there (`http2_ping_interval`): one that does not
    /// answer within [`Timeouts::send`] is gone. `None`, the default, is never.
    pub ping_interval: Option<Duration>,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 128,
            max_pending_resets: 20,
            max_resets: 200,
            max_stream_errors: 256,
            max_control_frames: 1000,
            max_header_list: 48 << 10,
            stream_window: 64 << 10,
            connection_window: 1 << 20,
            ping_interval: None,
        }
    }
}
