//! `/schemas`: what entities may say, as data, and whether one would be accepted.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};
use towergate_config::{Catalog, Config, Edit, Kind, Options, PluginLookup, PluginSchema, entities::record};

use crate::{
    Admin,
    answer::{answer, message},
    body,
    entities::Denied,
    in_path::InPath,
};

/// `GET /schemas/{name}`
pub(crate) async fn entity(InPath(name): InPath<String>) -> Response {
    match Kind::named(&name) {
        Some(kind) => answer(StatusCode::OK, record(kind).describe()),
        None => no_entity(&name),
    }
}

/// `GET /schemas/plugins/{name}`: what the schema of a plugin adds to that of all plugins.
pub(crate) async fn plugin(State(admin): State<Arc<Admin>>, InPath(name): InPath<String>) -> Response {
    let PluginLookup::Known(schema) = admin.control.registry().plugin(&name) else { return no_plugin(&name) };
    let mut described = schema.entity().describe();
    if let Some(Value::Array(fields)) = described.get_mut("fields") {
        fields.retain(|field| field.as_object().is_some_and(|field| is_own(schema, field)));
    }
    answer(StatusCode::OK, described)
}

fn is_own(schema: &PluginSchema, field: &Map<String, Value>) -> bool {
    field.keys().all(|name| match name.as_str() {
        "config" | "protocols" => true,
        "consumer" => schema.no_consumer,
        "consumer_group" => schema.no_consumer_group,
        "service" => schema.no_service,
        "route" => schema.no_route,
        _ => false,
    })
}

/// `GET /plugins/schema/{name}`
pub(crate) async fn plugin_config(State(admin): State<Arc<Admin>>, InPath(name): InPath<String>) -> Response {
    match admin.control.registry().plugin(&name) {
        PluginLookup::Known(schema) => answer(StatusCode::OK, schema.config.describe()),
        PluginLookup::NotYet | PluginLookup::Unknown => no_plugin(&name),
    }
}

/// `GET /plugins/enabled`
pub(crate) async fn enabled(State(admin): State<Arc<Admin>>) -> Response {
    let registry = admin.control.registry();
    let is_enabled = |name: &&str| matches!(registry.plugin(name), PluginLookup::Known(_));
    let mut names: Vec<_> = registry.kinds().iter().map(|kind| kind.name).filter(is_enabled).collect();
    names.sort_unstable();
    answer(StatusCode::OK, json!({ "enabled_plugins": names }))
}

/// `GET /schemas/vaults/{name}`: there is one vault, the environment.
pub(crate) async fn vault(InPath(name): InPath<String>) -> Response {
    if name != "env" {
        return message(StatusCode::NOT_FOUND, &format!("No vault named '{name}'"));
    }
    let prefix = json!({
        "type": "string",
        "match": "^[%a_-][%a%d_-]*$",
        "description": "The prefix for the environment variable that the value will be stored in.",
    });
    let config = json!({ "type": "record", "required": true, "fields": [{ "prefix": prefix }] });
    answer(StatusCode::OK, json!({ "fields": [{ "config": config }], "entity_checks": [] }))
}

/// `GET /schemas/filters/{name}`
pub(crate) async fn filter(InPath(name): InPath<String>) -> Response {
    message(StatusCode::NOT_FOUND, &format!("Filter '{name}' not found"))
}

/// `POST /schemas/{name}/validate`
pub(crate) async fn validate(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
    request: Request,
) -> Response {
    match Kind::named(&name) {
        Some(kind) => validated(&admin, kind, request).await,
        None => no_entity(&name),
    }
}

/// `POST /schemas/plugins/validate`
pub(crate) async fn validate_plugin(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    validated(&admin, Kind::Plugins, request).await
}

/// `POST /schemas/vaults/validate`
pub(crate) async fn validate_vault(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    validated(&admin, Kind::Vaults, request).await
}

async fn validated(admin: &Admin, kind: Kind, request: Request) -> Response {
    let body = match body::read(request).await {
        Ok(body) => body,
        Err(answer) => return *answer,
    };
    let registry = admin.control.registry();
    let name = body.fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let fields = match (kind, registry.plugin(name)) {
        (Kind::Plugins, PluginLookup::Known(schema)) => body.into_fields(&schema.entity()),
        _ => body.into_fields(record(kind)),
    };
    let options = Options::default();
    match Edit::new(Config::empty(), registry, &options).validate(kind, fields) {
        Ok(()) => message(StatusCode::OK, "schema validation successful"),
        Err(refusal) => Denied::from(refusal).into_response(),
    }
}

fn no_entity(name: &str) -> Response {
    message(StatusCode::NOT_FOUND, &format!("No entity named '{name}'"))
}

fn no_plugin(name: &str) -> Response {
    message(StatusCode::NOT_FOUND, &format!("No plugin named '{name}'"))
}
