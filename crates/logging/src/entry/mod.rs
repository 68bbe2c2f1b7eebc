//! What is written of a request when it is over: Kong's log serializer.

mod custom_fields;
mod entities;
mod json;
mod redact;
mod request;

use std::{
    cell::RefCell,
    time::{Duration, SystemTime},
};

use towergate_core::{Context, Ended, Tries};

pub(crate) use self::{
    custom_fields::{CustomFields, custom_fields},
    redact::Redact,
};
use self::{
    json::{Json, name},
    request::{Asked, headers},
};

/// The workspace that all entities are in: Kong's id for it where there is no database.
pub(crate) const WORKSPACE_ID: &str = "0dc6f45b-8f8d-40d2-a504-473544ee190b";

/// Its name.
pub(crate) const WORKSPACE: &str = "default";

thread_local! {
    /// Where each worker writes its entries, one after the other.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// More than this is not kept from one entry to the next.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Writes an entry and shows it to `with`.
pub(crate) fn serialized<T>(
    cx: &Context,
    ended: &Ended,
    custom: &CustomFields,
    with: impl FnOnce(&mut Vec<u8>) -> T,
) -> T {
    let mut buffer = BUFFER.take();
    buffer.clear();
    write(cx, ended, &mut buffer);
    custom.apply(cx, ended, &mut buffer);
    let done = with(&mut buffer);
    if buffer.capacity() <= KEPT_CAPACITY {
        BUFFER.set(buffer);
    }
    done
}

/// Writes to the end of `out` what Kong's `kong.log.serialize()` makes of a request: one JSON object.
///
/// Credentials are not shown: `Authorization`, `Proxy-Authorization` and every place the guards of the
/// configuration look for one read `REDACTED`.
pub fn write(cx: &Context, ended: &Ended, out: &mut Vec<u8>) {
    let asked = Asked::new(cx, ended);
    Json::new(out).object(|json| {
        json.key(name!("request")).object(|json| asked.write(json));
        json.key(name!("upstream_uri")).pieces(|pieces| asked.upstream_uri(pieces));
        upstream_status(json, cx);
        json.key(name!("response")).object(|json| response(json, cx, ended, Redact::of(cx)));
        json.key(name!("latencies")).object(|json| latencies(json, cx, ended));
        if cx.route().is_some() {
            json.key(name!("tries")).array(|json| tries(json, cx));
        }
        who(json, cx);
        entities::write(json, cx);
        if let Some(address) = cx.client.address {
            json.key(name!("client_ip")).address(address);
        }
        json.key(name!("started_at")).number(milliseconds(cx.timing.started_at()));
        json.key(name!("source")).plain(if cx.is_proxied() { b"upstream" } else { b"kong" });
        json.key(name!("workspace")).plain(WORKSPACE_ID.as_bytes());
        json.key(name!("workspace_name")).plain(WORKSPACE.as_bytes());
        correlation(json, cx);
    });
}

/// The statuses of all attempts: `502, 200`.
fn upstream_status(json: &mut Json<'_>, cx: &Context) {
    json.key(name!("upstream_status")).pieces(|pieces| {
        for (nth, attempt) in cx.records.tries().into_iter().flat_map(Tries::iter).enumerate() {
            if nth > 0 {
                pieces.add(b", ");
            }
            pieces.number(attempt.code);
        }
    });
}

fn response(json: &mut Json<'_>, cx: &Context, ended: &Ended, redact: Redact<'_>) {
    json.key(name!("status")).number(ended.status);
    json.key(name!("size")).number(ended.sent);
    json.key(name!("headers")).object(|json| {
        if let Some((_, sent)) = cx.records.response() {
            headers(json, sent, |name, value, json| json.text(&redact.sent(name, value)));
        }
    });
    // Kong tells none.
    if let Some(trailers) = ended.trailers.as_deref() {
        json.key(name!("trailers")).object(|json| {
            headers(json, trailers, |_, value, json| json.text(value.as_bytes()));
        });
    }
}

/// In milliseconds: `kong` until the request went upstream, or until the gateway's own answer;
/// `proxy` until the upstream's answer, -1 if it was not asked; `receive` from then on; `request` all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latencies {
    pub(crate) kong: u64,
    pub(crate) proxy: Option<u64>,
    pub(crate) receive: u64,
    pub(crate) request: u64,
}

impl Latencies {
    pub(crate) fn of(cx: &Context, ended: &Ended) -> Self {
        let until_head = ended.took.saturating_sub(ended.receiving);
        let here = cx.timing.proxy_latency();
        let waited = here.map(|here| cx.timing.upstream_latency().unwrap_or(until_head.saturating_sub(here)));
        Self {
            kong: milliseconds_of(here.unwrap_or(until_head)),
            proxy: waited.map(milliseconds_of),
            receive: milliseconds_of(ended.receiving),
            request: milliseconds_of(ended.took),
        }
    }
}

fn latencies(json: &mut Json<'_>, cx: &Context, ended: &Ended) {
    let Latencies { kong, proxy, receive, request } = Latencies::of(cx, ended);
    json.key(name!("request")).number(request);
    json.key(name!("kong")).number(kong);
    match proxy {
        Some(proxy) => json.key(name!("proxy")).number(proxy),
        None => json.key(name!("proxy")).raw(b"-1"),
    }
    json.key(name!("receive")).number(receive);
}

fn tries(json: &mut Json<'_>, cx: &Context) {
    let Some(tries) = cx.records.tries() else { return };
    for attempt in tries.iter() {
        json.next().object(|json| {
            json.key(name!("balancer_start")).number(milliseconds(attempt.started_at));
            json.key(name!("balancer_start_ns")).number(nanoseconds(attempt.started_at));
            json.key(name!("ip")).address(attempt.ip);
            json.key(name!("port")).number(attempt.port);
            json.key(name!("balancer_latency")).number(milliseconds_of(attempt.balancer_latency));
            json.key(name!("balancer_latency_ns")).number(nanoseconds_of(attempt.balancer_latency));
            // Of one that was answered Kong says nothing.
            if let Some(state) = attempt.state.as_str() {
                json.key(name!("state")).text(state.as_bytes());
                json.key(name!("code")).number(attempt.code);
            }
        });
    }
}

/// The credential, and the consumer.
fn who(json: &mut Json<'_>, cx: &Context) {
    let consumer = cx.consumer();
    let credential = cx.credential().map(|credential| credential.id);
    let vouched = cx.identity().and_then(|identity| identity.vouched_identifier());
    if credential.is_some() || vouched.is_some() {
        json.key(name!("authenticated_entity")).object(|json| {
            let json = json.key(name!("id"));
            match credential {
                Some(id) => json.id(id),
                None => json.text(vouched.unwrap_or_default().as_bytes()),
            }
            if let Some(consumer) = consumer {
                json.key(name!("consumer_id")).id(consumer.id);
            }
        });
    }
    if let Some(consumer) = consumer {
        json.key(name!("consumer")).object(|json| entities::consumer(json, consumer));
    }
}

/// By which other systems know the request.
fn correlation(json: &mut Json<'_>, cx: &Context) {
    if let Some(id) = cx.correlation_id() {
        json.key(name!("correlation_id")).text(id.as_bytes());
    }
    if cx.trace().is_some() {
        json.key(name!("trace_id")).object(|json| {
            for (format, id) in cx.trace_formats() {
                json.foreign_key(format.as_bytes()).text(id.as_bytes());
            }
        });
    }
}

/// Since 1970.
fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanoseconds_of)
}

fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, milliseconds_of)
}

/// In 64 bits, which end in the year 2554: numbers of 128 are divided slowly.
fn nanoseconds_of(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into())
}

fn milliseconds_of(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1000).saturating_add(time.subsec_millis().into())
}
