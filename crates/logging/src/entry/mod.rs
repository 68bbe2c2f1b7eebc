//! What is written of a request when it is over: Kong's log serializer.

mod custom_fields;
mod entities;
mod json;
mod redact;
mod request;

use std::{cell::RefCell, time::SystemTime};

use http::{HeaderName, HeaderValue};
use towergate_core::{Context, Ended, Tries};

pub(crate) use self::{custom_fields::CustomFields, redact::Redact};
use self::{json::Json, request::headers};

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
    let redact = Redact::of(cx);
    Json::new(out).object(|json| {
        json.key("request").object(|json| request::write(json, cx, ended, redact));
        json.key("upstream_uri").pieces(|pieces| request::upstream_uri(pieces, cx, ended, redact));
        upstream_status(json, cx);
        json.key("response").object(|json| response(json, cx, ended));
        json.key("latencies").object(|json| latencies(json, cx, ended));
        if cx.route().is_some() {
            json.key("tries").array(|json| tries(json, cx));
        }
        who(json, cx);
        entities::write(json, cx);
        if let Some(address) = cx.client.address {
            json.key("client_ip").plain(address);
        }
        json.key("started_at").number(milliseconds(cx.timing.started_at()));
        json.key("source").text(if cx.is_proxied() { b"upstream" } else { b"kong" });
        json.key("workspace").text(WORKSPACE_ID.as_bytes());
        json.key("workspace_name").text(WORKSPACE.as_bytes());
        correlation(json, cx);
    });
}

/// The statuses of all attempts: `502, 200`.
fn upstream_status(json: &mut Json<'_>, cx: &Context) {
    json.key("upstream_status").pieces(|pieces| {
        for (nth, attempt) in cx.records.tries().into_iter().flat_map(Tries::iter).enumerate() {
            if nth > 0 {
                pieces.add(b", ");
            }
            pieces.number(attempt.code);
        }
    });
}

fn response(json: &mut Json<'_>, cx: &Context, ended: &Ended) {
    json.key("status").number(ended.status);
    json.key("size").number(ended.sent);
    json.key("headers").object(|json| {
        if let Some((_, sent)) = cx.records.response() {
            headers(json, sent, |_: &HeaderName, value: &HeaderValue, json| json.text(value.as_bytes()));
        }
    });
    // Kong tells none.
    if let Some(trailers) = ended.trailers.as_deref() {
        json.key("trailers").object(|json| {
            headers(json, trailers, |_: &HeaderName, value: &HeaderValue, json| json.text(value.as_bytes()));
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
        let whole = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            kong: whole(here.unwrap_or(until_head)),
            proxy: waited.map(whole),
            receive: whole(ended.receiving),
            request: whole(ended.took),
        }
    }
}

fn latencies(json: &mut Json<'_>, cx: &Context, ended: &Ended) {
    let Latencies { kong, proxy, receive, request } = Latencies::of(cx, ended);
    json.key("request").number(request);
    json.key("kong").number(kong);
    match proxy {
        Some(proxy) => json.key("proxy").number(proxy),
        None => json.key("proxy").raw(b"-1"),
    }
    json.key("receive").number(receive);
}

fn tries(json: &mut Json<'_>, cx: &Context) {
    let Some(tries) = cx.records.tries() else { return };
    for attempt in tries.iter() {
        json.next().object(|json| {
            json.key("balancer_start").number(milliseconds(attempt.started_at));
            json.key("balancer_start_ns").number(nanoseconds(attempt.started_at));
            json.key("ip").plain(attempt.ip);
            json.key("port").number(attempt.port);
            json.key("balancer_latency").number(attempt.balancer_latency.as_millis());
            json.key("balancer_latency_ns").number(attempt.balancer_latency.as_nanos());
            // Of one that was answered Kong says nothing.
            if let Some(state) = attempt.state.as_str() {
                json.key("state").text(state.as_bytes());
                json.key("code").number(attempt.code);
            }
        });
    }
}

/// The credential, and the consumer.
fn who(json: &mut Json<'_>, cx: &Context) {
    let consumer = cx.consumer();
    let credential = cx.credential().map(|credential| credential.id.to_string());
    let vouched = || cx.identity().and_then(|identity| identity.vouched_identifier()).map(str::to_owned);
    if let Some(id) = credential.or_else(vouched) {
        json.key("authenticated_entity").object(|json| {
            json.key("id").text(id.as_bytes());
            if let Some(consumer) = consumer {
                json.key("consumer_id").plain(consumer.id);
            }
        });
    }
    if let Some(consumer) = consumer {
        json.key("consumer").object(|json| entities::consumer(json, consumer));
    }
}

/// By which other systems know the request.
fn correlation(json: &mut Json<'_>, cx: &Context) {
    if let Some(id) = cx.correlation_id() {
        json.key("correlation_id").text(id.as_bytes());
    }
    if cx.trace().is_some() {
        json.key("trace_id").object(|json| {
            for (format, id) in cx.trace_formats() {
                json.key(format).text(id.as_bytes());
            }
        });
    }
}

fn nanoseconds(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

fn milliseconds(time: SystemTime) -> u128 {
    nanoseconds(time) / 1_000_000
}
