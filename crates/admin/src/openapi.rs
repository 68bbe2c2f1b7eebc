//! The OpenAPI 3.1 document of the Admin API. It is made of the same list as the router, so it cannot
//! say anything else.

use std::{collections::BTreeSet, sync::LazyLock};

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};
use towergate_config::{Kind, entities::record};

use crate::{
    KONG_VERSION,
    answer::answer,
    collections::COLLECTIONS,
    endpoints::{self, Body, Content, Endpoint, Operation},
};

/// `GET /openapi.json`
pub(crate) async fn show() -> Response {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
    answer(StatusCode::OK, DOCUMENT.clone())
}

fn document() -> Value {
    let paths: Map<_, _> = endpoints::all().iter().map(|endpoint| (endpoint.path.clone(), path(endpoint))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Towergate Admin API",
            "version": KONG_VERSION,
            "description": "Kong's Admin API. Without a database entities can only be read: writing one is 405.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas() },
    })
}

fn path(endpoint: &Endpoint) -> Value {
    let mut item = Map::new();
    let parameters: Vec<_> = parameters(&endpoint.path).map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
    }).collect();
    if !parameters.is_empty() {
        item.insert("parameters".to_owned(), parameters.into());
    }
    for operation in &endpoint.operations {
        item.insert(operation.method.as_str().to_ascii_lowercase(), self::operation(endpoint, operation));
    }
    Value::Object(item)
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn operation(endpoint: &Endpoint, operation: &Operation) -> Value {
    let id: String = endpoint.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let method = operation.method.as_str().to_ascii_lowercase();
    let mut out = json!({
        "operationId": format!("{method}{id}"),
        "summary": operation.summary,
        "responses": responses(operation),
    });
    if !operation.query.is_empty() {
        put(&mut out, "parameters", operation.query.iter().map(|name| query(name)).collect());
    }
    if let Some(content) = body(operation.body) {
        put(&mut out, "requestBody", json!({ "content": content }));
    }
    out
}

fn query(name: &str) -> Value {
    let schema = match name {
        "size" => json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
        "check_hash" | "flatten_errors" | "balancer_health" => json!({ "type": "string", "enum": ["0", "1"] }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    json!({ "name": name, "in": "query", "schema": schema })
}

fn responses(operation: &Operation) -> Value {
    let (status, content) = operation.success;
    let mut out = Map::from_iter([(status.to_string(), response(status, content))]);
    for status in operation.refusals.iter().filter(|refusal| **refusal != status) {
        let content = if *status == 304 { Content::Nothing } else { Content::Message };
        out.insert(status.to_string(), response(*status, content));
    }
    Value::Object(out)
}

fn response(status: u16, content: Content) -> Value {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let json =
        |schema: Value| json!({ "description": reason, "content": { "application/json": { "schema": schema } } });
    match content {
        Content::Nothing => json!({ "description": reason }),
        Content::Object => json(json!({ "type": "object" })),
        Content::Message => json(reference("error")),
        Content::Text => {
            json!({ "description": reason, "content": { "text/plain": { "schema": { "type": "string" } } } })
        }
        Content::Entity(place) => json(reference(place.kind().singular())),
        Content::Page(place) => json(json!({
            "type": "object",
            "required": ["data", "next"],
            "properties": {
                "data": { "type": "array", "items": reference(place.kind().singular()) },
                "next": { "type": ["string", "null"] },
                "offset": { "type": "string" },
            },
        })),
    }
}

fn body(body: Body) -> Option<Value> {
    let forms = |schema: Value| {
        let form = json!({ "schema": { "type": "object" } });
        json!({
            "application/json": { "schema": schema },
            "application/x-www-form-urlencoded": form,
            "multipart/form-data": form,
        })
    };
    match body {
        Body::Nothing => None,
        Body::Object => Some(forms(json!({ "type": "object" }))),
        Body::Entity(place) => Some(forms(reference(place.kind().singular()))),
        Body::Change(place) => Some(forms(reference(&format!("{}_change", place.kind().singular())))),
        Body::Configuration => {
            let text = json!({ "schema": { "type": "string" } });
            let mut content = forms(json!({ "type": "object" }));
            put(&mut content, "application/yaml", text.clone());
            put(&mut content, "text/yaml", text);
            Some(content)
        }
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn schemas() -> Value {
    let mut out = Map::new();
    let error = json!({
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": { "type": "string" },
            "code": { "type": "integer" },
            "name": { "type": "string" },
            "fields": { "type": "object" },
            "options": { "type": "object" },
        },
    });
    out.insert("error".to_owned(), error);
    let kinds: BTreeSet<Kind> = COLLECTIONS.iter().map(|collection| collection.kind).collect();
    for kind in kinds {
        let whole = schema(kind);
        let mut change = whole.clone();
        if let Value::Object(change) = &mut change {
            change.remove("required");
        }
        out.insert(kind.singular().to_owned(), whole);
        out.insert(format!("{}_change", kind.singular()), change);
    }
    Value::Object(out)
}

/// The schema of a kind, with what the Admin API adds.
fn schema(kind: Kind) -> Value {
    let mut schema = record(kind).json_schema();
    if let Value::Object(schema) = &mut schema {
        schema.remove("$schema");
    }
    if let (Kind::Certificates, Some(properties)) = (kind, schema.get_mut("properties")) {
        put(properties, "snis", json!({ "type": "array", "items": { "type": "string" } }));
    }
    schema
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(name.to_owned(), value);
    }
}
