//! nginx's variables.

use std::{
    cell::RefCell,
    io::Write as _,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use http::{HeaderName, Version, header};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use towergate_core::{Context, Ended, Tries};

use super::escape::Escape;
use crate::entry::Redact;

/// One of nginx's variables, or one of ours in their manner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variable {
    Plain(Plain),
    /// `$http_user_agent`: a header of the request.
    Header(HeaderName),
    /// `$sent_http_content_type`: a header of the response.
    SentHeader(HeaderName),
    /// `$sent_trailer_grpc_status`: what followed the response's body.
    SentTrailer(HeaderName),
}

macro_rules! plain {
    ($($variant:ident = $name:literal,)*) => {
        /// A variable without a name of its own in it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Plain {
            $($variant,)*
        }

        const PLAIN: &[(&str, Plain)] = &[$(($name, Plain::$variant),)*];
    };
}

plain! {
    RemoteAddress = "remote_addr",
    RemotePort = "remote_port",
    RemoteUser = "remote_user",
    TimeLocal = "time_local",
    TimeIso8601 = "time_iso8601",
    Msec = "msec",
    Request = "request",
    RequestMethod = "request_method",
    RequestUri = "request_uri",
    Uri = "uri",
    Arguments = "args",
    ServerProtocol = "server_protocol",
    Scheme = "scheme",
    Host = "host",
    ServerAddress = "server_addr",
    ServerPort = "server_port",
    Status = "status",
    BodyBytesSent = "body_bytes_sent",
    BytesSent = "bytes_sent",
    RequestLength = "request_length",
    RequestTime = "request_time",
    UpstreamAddress = "upstream_addr",
    UpstreamStatus = "upstream_status",
    UpstreamTime = "upstream_response_time",
    Connection = "connection",
    ConnectionRequests = "connection_requests",
    SslProtocol = "ssl_protocol",
    SslCipher = "ssl_cipher",
    SslServerName = "ssl_server_name",
    RequestId = "kong_request_id",
    Route = "route",
    Service = "service",
    Consumer = "consumer",
    TraceId = "trace_id",
}

/// What is written as a number where that makes a difference.
const NUMBERS: &[Plain] = &[
    Plain::Msec,
    Plain::RemotePort,
    Plain::ServerPort,
    Plain::Status,
    Plain::BodyBytesSent,
    Plain::BytesSent,
    Plain::RequestLength,
    Plain::RequestTime,
    Plain::UpstreamTime,
    Plain::Connection,
    Plain::ConnectionRequests,
];

impl Variable {
    /// The variable of this name, without `$`.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let header = |name: &str| name.replace('_', "-").parse::<HeaderName>().ok();
        let plain = PLAIN.iter().find(|(known, _)| *known == name).map(|(_, plain)| Self::Plain(*plain));
        let of_header = || {
            let sent = name.strip_prefix("sent_http_").and_then(header).map(Self::SentHeader);
            let trailer = || name.strip_prefix("sent_trailer_").and_then(header).map(Self::SentTrailer);
            sent.or_else(trailer).or_else(|| name.strip_prefix("http_").and_then(header).map(Self::Header))
        };
        plain.or_else(of_header).ok_or_else(|| {
            let known: Vec<_> = PLAIN.iter().map(|(name, _)| *name).collect();
            format!(
                "'${name}' is not known here; there are {}, http_<header>, sent_http_<header>, sent_trailer_<name>",
                known.join(", ")
            )
        })
    }

    /// Whether it is a number wherever it is there.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Plain(plain) if NUMBERS.contains(plain))
    }

    /// Writes its value; nothing if there is none.
    pub(super) fn write(&self, cx: &Context, ended: &Ended, escape: Escape, out: &mut Vec<u8>) {
        let mut put = |value: &[u8]| {
            if !value.is_empty() {
                escape.write(value, out);
            }
        };
        match self {
            Self::Plain(plain) => plain.write(cx, ended, escape, out),
            Self::Header(name) => {
                if let Some(value) = cx.request_headers().and_then(|headers| headers.get(name)) {
                    put(&Redact::of(cx).header(name, value));
                }
            }
            Self::SentHeader(name) => {
                let sent = cx.records.response().and_then(|(_, headers)| headers.get(name));
                put(sent.map(|value| value.as_bytes()).unwrap_or_default());
            }
            Self::SentTrailer(name) => {
                let sent = ended.trailers.as_deref().and_then(|trailers| trailers.get(name));
                put(sent.map(|value| value.as_bytes()).unwrap_or_default());
            }
        }
    }
}

impl Plain {
    fn write(self, cx: &Context, ended: &Ended, escape: Escape, out: &mut Vec<u8>) {
        let client = &cx.client;
        match self {
            Self::RemoteAddress => shown(client.address, out),
            Self::RemotePort => shown(client.port, out),
            Self::RemoteUser => put(user(cx).as_deref(), escape, out),
            Self::TimeLocal | Self::TimeIso8601 => time(self, cx.timing.started_at() + ended.took, out),
            Self::Msec => seconds(since_1970(cx.timing.started_at() + ended.took), out),
            Self::Request => {
                put(Some(ended.method.as_str()), escape, out);
                out.push(b' ');
                put(Some(&Redact::of(cx).target(&ended.uri)), escape, out);
                out.push(b' ');
                out.extend_from_slice(protocol(ended.version).as_bytes());
            }
            Self::RequestMethod => put(Some(ended.method.as_str()), escape, out),
            Self::RequestUri => put(Some(&Redact::of(cx).target(&ended.uri)), escape, out),
            Self::Uri => put(Some(ended.uri.path()), escape, out),
            Self::Arguments => {
                let query = ended.uri.query();
                let shown = Redact::of(cx).query(query);
                put(shown.as_deref().or(query), escape, out);
            }
            Self::ServerProtocol => out.extend_from_slice(protocol(ended.version).as_bytes()),
            Self::Scheme => out.extend_from_slice(client.scheme.as_str().as_bytes()),
            Self::Host => put(Some(&cx.host), escape, out),
            Self::ServerAddress => shown(client.local.map(|local| local.ip()), out),
            Self::ServerPort => shown(client.local.map(|local| local.port()), out),
            Self::Status => number(ended.status, out),
            Self::BodyBytesSent => number(ended.body_sent, out),
            Self::BytesSent => number(ended.sent, out),
            Self::RequestLength => number(ended.received, out),
            Self::RequestTime => seconds(ended.took, out),
            Self::UpstreamAddress => upstream(cx, out, |attempt, out| match attempt.ip {
                IpAddr::V4(ip) => _ = write!(out, "{ip}:{}", attempt.port),
                IpAddr::V6(ip) => _ = write!(out, "[{ip}]:{}", attempt.port),
            }),
            Self::UpstreamStatus => upstream(cx, out, |attempt, out| number(attempt.code, out)),
            Self::UpstreamTime => {
                if let Some(here) = cx.timing.proxy_latency() {
                    seconds(ended.took.saturating_sub(here), out);
                }
            }
            Self::Connection if client.connection > 0 => number(client.connection, out),
            Self::ConnectionRequests if client.connection_requests > 0 => number(client.connection_requests, out),
            Self::Connection | Self::ConnectionRequests => {}
            Self::SslProtocol => put(client.session.map(|session| session.version), escape, out),
            Self::SslCipher => put(client.session.map(|session| session.cipher), escape, out),
            Self::SslServerName => put(client.server_name.as_deref(), escape, out),
            Self::RequestId => out.extend_from_slice(cx.request_id.as_str().as_bytes()),
            Self::Route => put(cx.route().and_then(|route| route.name.as_deref()), escape, out),
            Self::Service => put(cx.service().and_then(|service| service.name.as_deref()), escape, out),
            Self::Consumer => put(cx.consumer().and_then(|consumer| consumer.username.as_deref()), escape, out),
            Self::TraceId => {
                if let Some(trace) = cx.trace() {
                    let _ = write!(out, "{:032x}", trace.id);
                }
            }
        }
    }
}

fn put(value: Option<&str>, escape: Escape, out: &mut Vec<u8>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        escape.write(value.as_bytes(), out);
    }
}

fn shown(value: Option<impl std::fmt::Display>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        let _ = write!(out, "{value}");
    }
}

fn number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `1.234`.
fn seconds(time: Duration, out: &mut Vec<u8>) {
    number(time.as_secs(), out);
    let _ = write!(out, ".{:03}", time.subsec_millis());
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// Something of each attempt, with commas between them.
fn upstream(cx: &Context, out: &mut Vec<u8>, write: impl Fn(&towergate_core::Try, &mut Vec<u8>)) {
    for (nth, attempt) in cx.records.tries().into_iter().flat_map(Tries::iter).enumerate() {
        if nth > 0 {
            out.extend_from_slice(b", ");
        }
        write(attempt, out);
    }
}

/// The name in `Authorization: Basic`, as nginx shows it; never the password.
fn user(cx: &Context) -> Option<String> {
    let value = cx.request_headers()?.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = data_encoding::BASE64.decode(encoded.trim().as_bytes()).ok()?;
    let name = decoded.split(|byte| *byte == b':').next().filter(|name| name.len() < decoded.len())?;
    Some(String::from_utf8_lossy(name).into_owned())
}

const LOCAL: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
const ISO8601: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+00:00");

/// The second that was written last, in both forms: most lines fall into the same one.
#[derive(Default)]
struct Second {
    number: u64,
    local: String,
    iso8601: String,
}

thread_local! {
    static SECOND: RefCell<Second> = RefCell::default();
}

/// The time in UTC.
fn time(variable: Plain, now: SystemTime, out: &mut Vec<u8>) {
    let number = since_1970(now).as_secs();
    SECOND.with_borrow_mut(|second| {
        if second.number != number || second.local.is_empty() {
            let now = i64::try_from(number).ok().and_then(|number| OffsetDateTime::from_unix_timestamp(number).ok());
            let text = |format| now.and_then(|now| now.format(format).ok()).unwrap_or_default();
            *second = Second { number, local: text(LOCAL), iso8601: text(ISO8601) };
        }
        let text = if variable == Plain::TimeLocal { &second.local } else { &second.iso8601 };
        out.extend_from_slice(text.as_bytes());
    });
}
