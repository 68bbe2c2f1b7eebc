//! What arrived, told to whoever sent it.

use std::{fs, process};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request};
use serde_json::{Map, Value, json};
use towergate_core::{Context, Reply};

use crate::arguments;

/// The longest body that is told: Kong's `client_body_buffer_size`.
pub(crate) const MOST: usize = 8 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The answer; `body` is `None` if it was larger than [`MOST`].
pub(crate) fn reply(
    status: StatusCode,
    message: Option<&str>,
    cx: &Context,
    head: &request::Parts,
    body: Option<&Bytes>,
) -> Reply {
    if cx.asker.is_grpc() {
        return match message {
            Some(message) => Reply::exit(status, message.to_owned()),
            None => Reply::empty(status),
        };
    }
    let told = json!({
        "message": message,
        "kong": { "hostname": hostname(), "worker_pid": process::id() },
        "request": request(cx, head, body),
        "matched_route": entity(cx.route().and_then(|route| cx.generation()?.entities.as_ref()?.route(route.id))),
        "matched_service": entity(cx.service().and_then(|service| cx.generation()?.entities.as_ref()?.service(service.id))),
    });
    Reply::raw(status, JSON, without_nulls(told).to_string())
}

fn request(cx: &Context, head: &request::Parts, body: Option<&Bytes>) -> Value {
    without_nulls(json!({
        "scheme": cx.client.scheme.as_str(),
        "host": cx.host,
        "port": cx.client.local.map(|local| local.port()),
        "headers": headers(&head.headers),
        "query": arguments::object(head.uri.query().unwrap_or_default()),
        "body": body.and_then(|body| parsed(&head.headers, body)),
        "raw_body": body.map(|body| String::from_utf8_lossy(body)),
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "uri_captures": captures(cx),
    }))
}

/// A field that is nothing is not there, as in Lua. What is inside the others stays as it is.
fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !value.is_null());
    }
    value
}

fn headers(headers: &HeaderMap) -> Value {
    let mut object = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        arguments::add(&mut object, name.as_str().to_owned(), Value::String(value));
    }
    Value::Object(object)
}

/// The body taken apart, if it is of a kind that can be.
fn parsed(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/json" => serde_json::from_slice(body).ok(),
        "application/x-www-form-urlencoded" => Some(arguments::object(&String::from_utf8_lossy(body))),
        _ => None,
    }
}

fn captures(cx: &Context) -> Value {
    let captures = &cx.matched.captures;
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let unnamed: Vec<_> = captures.iter().filter(|(name, _)| is_number(name)).map(|(_, text)| text).collect();
    let named: Map<_, _> = captures
        .iter()
        .filter(|(name, _)| !is_number(name))
        .map(|(name, text)| (name.clone(), Value::String(text.clone())))
        .collect();
    json!({ "named": named, "unnamed": unnamed })
}

fn entity(json: Option<String>) -> Value {
    json.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The name of this machine, if the system tells it. Asked anew each time: it is for people who look for something.
fn hostname() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim_end().to_owned())
}
