//! The list of endpoints and the OpenAPI document are what the router does.

use serde_json::{Value, json};

use crate::api::Api;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The path with something for each parameter.
fn filled(path: &str) -> String {
    path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment }).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_document_says_what_the_router_does() {
    let api = Api::new();
    let document = api.get("/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in METHODS {
            let answer = api.ask(&method.to_uppercase(), &filled(path)).await;
            let is_answered = answer.status != 405 || answer.body.get("code").is_some();
            assert_eq!(item.get(method).is_some(), is_answered, "{method} {path}: {} {}", answer.status, answer.body);
            if let Some(operation) = item.get(method) {
                let told = operation["responses"].as_object().expect("responses");
                assert!(told.contains_key(&answer.status.to_string()), "{method} {path}: {}", answer.status);
            }
        }
    }
}

#[tokio::test]
async fn all_endpoints_are_in_the_document() {
    let api = Api::new();
    let document = api.get("/openapi.json").await.body;
    let mut documented: Vec<_> = document["paths"].as_object().expect("paths").keys().cloned().collect();
    let endpoints = api.get("/endpoints").await.body;
    let listed: Vec<String> = serde_json::from_value(endpoints["data"].clone()).expect("texts");
    documented.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    assert_eq!(listed, documented);
    assert!(listed.len() > 130, "{}", listed.len());
}

#[tokio::test]
async fn references_in_the_document_lead_somewhere() {
    let document = Api::new().get("/openapi.json").await.body;
    let mut waiting = vec![&document];
    let mut ids = Vec::new();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("inside the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                ids.extend(fields.get("operationId"));
                waiting.extend(fields.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    let count = ids.len();
    ids.sort_by_key(|id| id.to_string());
    ids.dedup();
    assert_eq!(ids.len(), count, "no operation is called like another");
    assert_ne!(document["components"]["schemas"]["service"], json!(null));
}
