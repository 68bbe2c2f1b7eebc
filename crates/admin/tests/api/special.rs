//! Certificates and their names, schemas, and what stands for itself.

use serde_json::{Value, json};

use crate::api::Api;

fn certificate() -> Value {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
    json!({"cert": made.cert.pem(), "key": made.signing_key.serialize_pem()})
}

fn with(mut entity: Value, field: &str, value: Value) -> Value {
    entity[field] = value;
    entity
}

#[tokio::test]
async fn certificates_come_with_their_names() {
    let api = Api::new();
    let made = api.add("/certificates", with(certificate(), "snis", json!(["b.test", "a.test"]))).await;
    assert_eq!(made["snis"], json!(["a.test", "b.test"]));
    assert_eq!(api.get("/certificates/b.test").await.body, made);
    assert_eq!(api.get("/snis/a.test").await.body["certificate"]["id"], made["id"]);
    assert_eq!(api.get("/certificates/a.test/snis").await.body["data"].as_array().map(Vec::len), Some(2));
    let id = made["id"].as_str().unwrap();
    let patched = api.write("PATCH", &format!("/certificates/{id}"), json!({"snis": ["b.test", "c.test"]})).await;
    assert_eq!((patched.status, &patched.body["snis"]), (200, &json!(["b.test", "c.test"])), "{}", patched.body);
    assert_eq!(api.get("/snis/a.test").await.status, 404);
    let unknown = api.get("/certificates/a.test").await;
    assert_eq!((unknown.status, unknown.body), (404, json!({"message": "SNI not found"})));
    assert_eq!(api.ask("DELETE", &format!("/certificates/{id}")).await.status, 204);
    assert_eq!(api.get("/snis").await.body["data"], json!([]));
}

#[tokio::test]
async fn a_certificate_is_put_by_a_name() {
    let api = Api::new();
    let put = api.write("PUT", "/certificates/a.test", certificate()).await;
    assert_eq!((put.status, &put.body["snis"]), (200, &json!(["a.test"])), "{}", put.body);
    let again = api.write("PUT", "/certificates/a.test", with(certificate(), "snis", json!(["b.test"]))).await;
    assert_eq!((&again.body["id"], &again.body["snis"]), (&put.body["id"], &json!(["a.test", "b.test"])));
}

#[tokio::test]
async fn names_of_certificates_are_refused_in_the_words_of_kong() {
    let api = Api::new();
    let first = api.add("/certificates", with(certificate(), "snis", json!(["a.test"]))).await;
    let id = first["id"].as_str().unwrap();
    for (snis, text) in [
        (json!(["a.test"]), format!("a.test already associated with existing certificate '{id}'")),
        (json!(["x.test", "x.test"]), "x.test is duplicated".to_owned()),
    ] {
        let answer = api.write("POST", "/certificates", with(certificate(), "snis", snis)).await;
        assert_eq!((answer.status, &answer.body["fields"]), (400, &json!({"snis": text})));
    }
    assert_eq!(api.get("/certificates").await.body["data"].as_array().map(Vec::len), Some(1));
    let wrong = api.write("POST", "/certificates", json!({"cert": "x", "key": "y"})).await;
    assert_eq!(wrong.refusal().1, 2, "{}", wrong.body);
}

#[tokio::test]
async fn schemas_are_shown() {
    let api = Api::new();
    let names = |schema: &Value| -> Vec<String> {
        let fields = schema["fields"].as_array().expect("fields").iter();
        fields.flat_map(|field| field.as_object().unwrap().keys().cloned()).collect()
    };
    for kind in ["services", "routes", "consumers", "plugins", "upstreams", "targets", "keyauth_credentials"] {
        let answer = api.get(&format!("/schemas/{kind}")).await;
        assert_eq!(answer.status, 200, "{kind}");
        assert!(names(&answer.body).contains(&"id".to_owned()), "{kind}: {}", answer.body);
    }
    assert_eq!(names(&api.get("/schemas/plugins/limiter").await.body), ["config", "protocols"]);
    assert_eq!(
        names(&api.get("/schemas/plugins/keys").await.body),
        ["consumer", "consumer_group", "config", "protocols"]
    );
    assert_eq!(names(&api.get("/plugins/schema/limiter").await.body), ["minute", "redis"]);
    assert_eq!(names(&api.get("/schemas/vaults/env").await.body), ["config"]);
    assert_eq!(api.get("/plugins/enabled").await.body, json!({"enabled_plugins": ["keys", "limiter"]}));
    for (path, text) in [
        ("/schemas/x", "No entity named 'x'"),
        ("/schemas/plugins/x", "No plugin named 'x'"),
        ("/plugins/schema/x", "No plugin named 'x'"),
        ("/schemas/vaults/x", "No vault named 'x'"),
        ("/schemas/filters/x", "Filter 'x' not found"),
    ] {
        let answer = api.get(path).await;
        assert_eq!((answer.status, answer.body), (404, json!({"message": text})), "{path}");
    }
}

#[tokio::test]
async fn entities_are_checked_without_being_kept() {
    let api = Api::new();
    let good = json!({"message": "schema validation successful"});
    for (path, body) in [
        ("/schemas/services/validate", json!({"host": "h"})),
        (
            "/schemas/routes/validate",
            json!({"paths": ["/"], "service": {"id": "99999999-9999-4999-8999-999999999999"}}),
        ),
        ("/schemas/plugins/validate", json!({"name": "limiter", "config": {"minute": 1}})),
        ("/schemas/vaults/validate", json!({"name": "env", "prefix": "my-vault"})),
    ] {
        let answer = api.write("POST", path, body).await;
        assert_eq!((answer.status, &answer.body), (200, &good), "{path}");
    }
    for (path, body, text) in [
        ("/schemas/services/validate", json!({}), "schema violation (host: required field missing)"),
        (
            "/schemas/plugins/validate",
            json!({"name": "limiter", "config": {"x": 1}}),
            "schema violation (config.x: unknown field)",
        ),
    ] {
        assert_eq!(api.write("POST", path, body).await.refusal(), (400, 2, "schema violation", text), "{path}");
    }
    assert_eq!(
        api.write("POST", "/schemas/x/validate", json!({})).await.body,
        json!({"message": "No entity named 'x'"})
    );
    assert_eq!(api.get("/services").await.body["data"], json!([]));
}

#[tokio::test]
async fn what_is_not_there_is_answered_as_by_a_kong_that_does_not_use_it() {
    let api = Api::new();
    for (method, path, status) in [
        ("GET", "/timers", 200),
        ("GET", "/status/dns", 501),
        ("GET", "/cache/x", 404),
        ("DELETE", "/cache/x", 204),
        ("DELETE", "/cache", 204),
        ("GET", "/clustering/data-planes", 400),
        ("GET", "/clustering/status", 400),
        ("GET", "/filter-chains", 400),
        ("GET", "/routes/x/filters/enabled", 400),
        ("GET", "/nowhere", 404),
        ("PUT", "/services", 405),
        ("POST", "/services/x", 405),
        ("GET", "/services/%ff", 404),
    ] {
        assert_eq!(api.ask(method, path).await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn every_path_tells_its_methods() {
    let api = Api::new();
    for (path, methods) in [
        ("/services", "GET, HEAD, OPTIONS, POST"),
        ("/services/x", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/services/x/routes/", "GET, HEAD, OPTIONS, POST"),
        ("/cache", "DELETE, OPTIONS"),
    ] {
        let answer = api.ask("OPTIONS", path).await;
        let allowed = answer.headers.get("allow").and_then(|value| value.to_str().ok());
        assert_eq!((answer.status, allowed), (204, Some(methods)), "{path}");
    }
}
