//! The endpoints that are not of the table of collections.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::Method;
use towergate_config::Kind;

use crate::{
    Admin, answer,
    collections::Place,
    config,
    endpoints::{self, Body, Content, Endpoint, Operation, serve},
    explain,
    in_path::InPath,
    log_level, metrics, node, openapi, plugin_state, schemas, status, tags, upstream_health,
};

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = of_the_node();
    endpoints.extend(of_schemas());
    endpoints.extend(of_targets());
    endpoints
}

fn get(summary: &str) -> Operation {
    Operation::new(Method::GET, summary).answers(200, Content::Object)
}

fn of_the_node() -> Vec<Endpoint> {
    let load = Operation::new(Method::POST, "Replace the configuration")
        .takes(Body::Configuration)
        .answers(201, Content::Object)
        .refuses(&[304, 400, 413, 415])
        .asks(&["check_hash", "flatten_errors"]);
    let text = |summary: &str| get(summary).answers(200, Content::Text);
    let status = get("How the node is doing").refuses(&[400]).asks(&["unit", "scale"]);
    let explain = Operation::new(Method::POST, "What would become of a request, without sending it")
        .takes(Body::Object)
        .answers(200, Content::Object)
        .refuses(&[400, 413, 415]);
    let level = |of: &str| {
        Operation::new(Method::PUT, format!("Another log level {of} for a while"))
            .answers(200, Content::Message)
            .refuses(&[400, 404])
            .asks(&["timeout"])
    };
    vec![
        Endpoint::new("/").on(get("What this node is"), node::show),
        Endpoint::new("/robots.txt").on(text("Search engines have no business here"), answer::robots),
        Endpoint::new("/openapi.json").on(get("This document"), openapi::show),
        Endpoint::new("/endpoints").on(get("All paths"), endpoints::list),
        Endpoint::new("/status").on(status, status::show),
        Endpoint::new("/explain").on(explain, explain::explain),
        Endpoint::new("/debug/node/log-level").on(get("How much the log tells"), log_level::show),
        Endpoint::new("/debug/node/log-level/{level}").on(level("of this node"), log_level::set),
        Endpoint::new("/debug/cluster/log-level/{level}").on(level("of all nodes: of this one"), log_level::set),
        Endpoint::new("/metrics").on(text("All metrics"), metrics::show),
        Endpoint::new("/config")
            .on(get("The configuration in force").refuses(&[400]), config::show)
            .on(load, config::replace),
        Endpoint::new("/tags").on(tags::operation("Which entity has which tag"), tags::all),
        Endpoint::new("/tags/{tags}").on(tags::operation("Which entities have a tag"), tags::one),
    ]
}

fn of_schemas() -> Vec<Endpoint> {
    let found = |summary: &str| get(summary).refuses(&[404]);
    let filter = get("The schema of a WebAssembly filter: there are none").answers(404, Content::Message);
    let validate = |what: &str| {
        Operation::new(Method::POST, format!("Check {what} without keeping it"))
            .takes(Body::Object)
            .answers(200, Content::Message)
            .refuses(&[400, 404, 413, 415])
    };
    vec![
        Endpoint::new("/plugins/enabled").on(get("Which plugins may be used"), schemas::enabled),
        Endpoint::new("/plugins/schema/{name}").on(found("The schema of a plugin's config"), schemas::plugin_config),
        Endpoint::new("/plugins/{plugins}/state").on(found("What a plugin tells of itself"), plugin_state::show),
        Endpoint::new("/schemas/{name}").on(found("The schema of a kind of entity"), schemas::entity),
        Endpoint::new("/schemas/plugins/{name}").on(found("The schema of a plugin"), schemas::plugin),
        Endpoint::new("/schemas/vaults/{name}").on(found("The schema of a vault"), schemas::vault),
        Endpoint::new("/schemas/filters/{name}").on(filter, schemas::filter),
        Endpoint::new("/schemas/{name}/validate").on(validate("an entity"), schemas::validate),
        Endpoint::new("/schemas/plugins/validate").on(validate("a plugin"), schemas::validate_plugin),
        Endpoint::new("/schemas/vaults/validate").on(validate("a vault"), schemas::validate_vault),
    ]
}

fn of_targets() -> Vec<Endpoint> {
    let decide = |what: &str| Operation::new(Method::PUT, format!("Decide that {what}")).refuses(&[400, 404]);
    let health = get("How well the targets of an upstream are").refuses(&[400, 404]);
    let health = health.asks(&["balancer_health", "size", "offset"]);
    let all = get("List: each target of an upstream")
        .answers(200, Content::Page(TARGETS))
        .refuses(&[400, 404])
        .asks(&["size", "offset"]);
    let targets = |rest: &str| Endpoint::new(format!("/upstreams/{{upstreams}}/targets/{rest}"));
    vec![
        Endpoint::new("/upstreams/{upstreams}/health").on(health, upstream_health::show),
        targets("all").on(all, all_targets),
        targets("{targets}/healthy").on(decide("a target is healthy"), upstream_health::healthy),
        targets("{targets}/unhealthy").on(decide("a target is not healthy"), upstream_health::unhealthy),
        targets("{targets}/{address}/healthy").on(decide("an address is healthy"), upstream_health::healthy_address),
        targets("{targets}/{address}/unhealthy")
            .on(decide("an address is not healthy"), upstream_health::unhealthy_address),
    ]
}

const TARGETS: Place = Place::Children { parent: Kind::Upstreams, field: "upstream", kind: Kind::Targets };

/// `/upstreams/{upstreams}/targets/all` lists what `/upstreams/{upstreams}/targets` does.
async fn all_targets(
    state: State<Arc<Admin>>,
    names: Result<InPath<Vec<String>>, Response>,
    request: Request,
) -> Response {
    serve(TARGETS, state, names, request).await
}
