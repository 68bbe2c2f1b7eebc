//! `/upstreams/{upstream}/health` and what a person decides about targets' health.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use towergate_config::entities::{Entity as _, Target, Upstream};
use towergate_runtime::{Runtime, TargetHealth, TargetName, UpstreamHealth};

use crate::{
    Admin,
    answer::{answer, message, not_found},
    body::is_asked,
    entities::{Denied, of_upstream},
    in_path::InPath,
    page::{Asked, Page},
};

/// `GET /upstreams/{upstream}/health`: each target with how well it is, a page at a time in the order of
/// `/upstreams/{upstream}/targets`; or, with `?balancer_health=1`, the upstream as a whole.
pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    InPath(named): InPath<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let current = admin.control.current();
    let Some(upstream) = upstream(&current, &named) else { return not_found().await };
    let Some(health) = admin.control.health(upstream.id) else { return not_found().await };
    if is_asked(query.as_deref(), "balancer_health") {
        let data = as_a_whole(upstream, &health);
        return answer(StatusCode::OK, json!({ "data": data, "next": null, "node_id": admin.node_id }));
    }
    let asked = Asked::of(query.as_deref());
    let size = match asked.size() {
        Ok(size) => size,
        Err(refusal) => return Denied::from(refusal).into_response(),
    };
    let page = Page::by_position(targets(&current, upstream, &health), size, &asked);
    let mut body = page.body(&format!("/upstreams/{named}/health"), None);
    if let Value::Object(body) = &mut body {
        body.insert("node_id".to_owned(), json!(admin.node_id));
    }
    answer(StatusCode::OK, body)
}

/// `PUT /upstreams/{upstream}/targets/{target}/healthy`.
pub(crate) async fn healthy(
    state: State<Arc<Admin>>,
    InPath((upstream, target)): InPath<(String, String)>,
) -> Response {
    decide(&state, &upstream, &target, None, true).await
}

/// `PUT /upstreams/{upstream}/targets/{target}/unhealthy`.
pub(crate) async fn unhealthy(
    state: State<Arc<Admin>>,
    InPath((upstream, target)): InPath<(String, String)>,
) -> Response {
    decide(&state, &upstream, &target, None, false).await
}

/// `PUT /upstreams/{upstream}/targets/{target}/{address}/healthy`.
pub(crate) async fn healthy_address(
    state: State<Arc<Admin>>,
    InPath((upstream, target, address)): InPath<(String, String, String)>,
) -> Response {
    decide(&state, &upstream, &target, Some(&address), true).await
}

/// `PUT /upstreams/{upstream}/targets/{target}/{address}/unhealthy`.
pub(crate) async fn unhealthy_address(
    state: State<Arc<Admin>>,
    InPath((upstream, target, address)): InPath<(String, String, String)>,
) -> Response {
    decide(&state, &upstream, &target, Some(&address), false).await
}

async fn decide(admin: &Admin, named: &str, target: &str, address: Option<&str>, healthy: bool) -> Response {
    let current = admin.control.current();
    let Some(upstream) = upstream(&current, named) else { return not_found().await };
    let Some((host, port)) = self::target(&current, upstream, target).and_then(taken_apart) else {
        return not_found().await;
    };
    let address = match address.map(|address| socket_address(address, port)) {
        Some(None) => return not_found().await,
        known => known.flatten(),
    };
    let name = TargetName { host, port, address };
    if admin.control.decide_health(upstream.id, &name, healthy) {
        return StatusCode::NO_CONTENT.into_response();
    }
    if admin.control.health(upstream.id).is_some_and(|health| health.is_watched) {
        return not_found().await;
    }
    message(StatusCode::BAD_REQUEST, &format!("no healthchecker found for {}", upstream.name))
}

fn upstream<'a>(current: &'a Runtime, named: &str) -> Option<&'a Upstream> {
    let mut upstreams = current.config.upstreams.iter();
    upstreams.find(|upstream| upstream.name == named || named.parse() == Ok(upstream.id))
}

/// The target of an upstream by its id or by `host:port`.
fn target<'a>(current: &'a Runtime, upstream: &Upstream, named: &str) -> Option<&'a Target> {
    let mut targets = current.config.targets.iter().filter(|target| target.upstream == upstream.id);
    targets.find(|target| target.target == named || named.parse() == Ok(target.id))
}

fn taken_apart(target: &Target) -> Option<(&str, u16)> {
    let (host, port) = target.target.rsplit_once(':')?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok()?))
}

/// An address with a port, or without: then the target's counts.
fn socket_address(text: &str, port: u16) -> Option<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    text.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, port)))
}

/// The targets as configured, each with its health, the newest first.
fn targets(current: &Runtime, upstream: &Upstream, health: &UpstreamHealth) -> Vec<Value> {
    let shown = of_upstream(&current.config, upstream.id).into_iter().map(|target| {
        let mut entity = target.to_json();
        let known = taken_apart(target)
            .and_then(|(host, port)| health.targets.iter().find(|known| known.host == host && known.port == port));
        if let (Value::Object(fields), Some(known)) = (&mut entity, known) {
            fields.insert("health".into(), json!(word(known, health.is_watched)));
            fields.insert("data".into(), details(known, health.is_watched));
        }
        entity
    });
    shown.collect()
}

/// Kong's word for a target's health.
fn word(target: &TargetHealth, is_watched: bool) -> &'static str {
    match target.addresses.as_slice() {
        _ if target.weight == 0 => "HEALTHCHECKS_OFF",
        [] => "DNS_ERROR",
        _ if !is_watched => "HEALTHCHECKS_OFF",
        addresses if addresses.iter().any(|address| address.is_healthy) => "HEALTHY",
        _ => "UNHEALTHY",
    }
}

fn details(target: &TargetHealth, is_watched: bool) -> Value {
    let addresses: Vec<_> = target
        .addresses
        .iter()
        .map(|address| {
            let health = match (is_watched, address.is_healthy) {
                (false, _) => "HEALTHCHECKS_OFF",
                (true, true) => "HEALTHY",
                (true, false) => "UNHEALTHY",
            };
            json!({
                "ip": ip(address.address),
                "port": address.address.port(),
                "weight": address.weight,
                "health": health,
            })
        })
        .collect();
    json!({
        "host": target.host,
        "port": target.port,
        "dns": target.dns,
        "nodeWeight": target.weight,
        "weight": weights([target]),
        "addresses": addresses,
    })
}

/// The weights of all addresses, of those in rotation, and of those that are not.
fn weights<'a>(targets: impl IntoIterator<Item = &'a TargetHealth>) -> Value {
    let (mut available, mut unavailable) = (0u64, 0u64);
    for address in targets.into_iter().flat_map(|target| &target.addresses) {
        let sum = if address.is_healthy { &mut available } else { &mut unavailable };
        *sum = sum.saturating_add(address.weight.into());
    }
    json!({ "total": available.saturating_add(unavailable), "unavailable": unavailable, "available": available })
}

fn ip(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The upstream as a whole.
fn as_a_whole(upstream: &Upstream, health: &UpstreamHealth) -> Value {
    let word = match (health.is_watched, health.is_healthy) {
        (false, _) => "HEALTHCHECKS_OFF",
        (true, true) => "HEALTHY",
        (true, false) => "UNHEALTHY",
    };
    let hosts: Vec<_> = health.targets.iter().map(|target| details(target, health.is_watched)).collect();
    let details = health
        .is_watched
        .then(|| json!({ "healthy": health.is_healthy, "weight": weights(&health.targets), "hosts": hosts }));
    json!({ "id": upstream.id, "health": word, "balancer_health": word, "details": details })
}
