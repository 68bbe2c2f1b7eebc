//! Every collection: added, shown, changed, replaced, deleted, by id and by name; and what is refused.

use serde_json::{Value, json};

use crate::api::Api;

const NOBODY: &str = "99999999-9999-4999-8999-999999999999";

/// A certificate with its key, and an authority's.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn authority() -> String {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate").pem()
}

/// What is there before: a consumer, a service, an upstream, a set of keys.
async fn filled() -> Api {
    let api = Api::new();
    api.add("/consumers", json!({"username": "alice"})).await;
    api.add("/services", json!({"name": "orders", "host": "orders.test"})).await;
    api.add("/upstreams", json!({"name": "orders.up"})).await;
    api.add("/key-sets", json!({"name": "set"})).await;
    api.add("/oauth2", json!({"name": "app", "client_id": "app", "consumer": {"username": "alice"}})).await;
    let (cert, key) = certificate();
    api.add("/certificates", json!({"cert": cert, "key": key, "id": NOBODY.replace('9', "1")})).await;
    api
}

/// Path, a new entity, the name it can be found by, a change, and a field that the change sets.
fn table() -> Vec<(&'static str, Value, Option<&'static str>, Value, &'static str)> {
    let alice = json!({"username": "alice"});
    let (cert, key) = certificate();
    let tags = || json!({"tags": ["changed"]});
    vec![
        ("/services", json!({"name": "s", "url": "http://s.test:81/p"}), Some("s"), json!({"retries": 1}), "retries"),
        (
            "/routes",
            json!({"name": "r", "paths": ["/r"], "service": {"name": "orders"}}),
            Some("r"),
            json!({"paths": ["/x"]}),
            "paths",
        ),
        (
            "/consumers",
            json!({"username": "bob", "custom_id": "b"}),
            Some("bob"),
            json!({"custom_id": "c"}),
            "custom_id",
        ),
        ("/consumer_groups", json!({"name": "gold"}), Some("gold"), tags(), "tags"),
        (
            "/plugins",
            json!({"name": "limiter", "instance_name": "i", "config": {"minute": 3}}),
            Some("i"),
            json!({"enabled": false}),
            "enabled",
        ),
        ("/upstreams", json!({"name": "u.test"}), Some("u.test"), json!({"slots": 100}), "slots"),
        (
            "/certificates",
            json!({"cert": cert, "key": key, "snis": ["b.test", "a.test"]}),
            Some("a.test"),
            tags(),
            "tags",
        ),
        ("/ca_certificates", json!({"cert": authority()}), None, tags(), "tags"),
        (
            "/snis",
            json!({"name": "c.test", "certificate": {"id": NOBODY.replace('9', "1")}}),
            Some("c.test"),
            tags(),
            "tags",
        ),
        (
            "/vaults",
            json!({"name": "env", "prefix": "my-vault", "config": {"prefix": "X_"}}),
            Some("my-vault"),
            json!({"description": "mine"}),
            "description",
        ),
        ("/key-sets", json!({"name": "other"}), Some("other"), tags(), "tags"),
        (
            "/keys",
            json!({"name": "k", "kid": "1", "jwk": "{\"kid\":\"1\"}", "set": {"name": "set"}}),
            Some("k"),
            tags(),
            "tags",
        ),
        ("/key-auths", json!({"key": "secret", "consumer": alice}), Some("secret"), tags(), "tags"),
        ("/basic-auths", json!({"username": "a", "password": "p", "consumer": alice}), Some("a"), tags(), "tags"),
        ("/hmac-auths", json!({"username": "a", "consumer": alice}), Some("a"), json!({"secret": "s"}), "secret"),
        ("/jwts", json!({"key": "iss", "consumer": alice}), Some("iss"), json!({"secret": "s"}), "secret"),
        ("/acls", json!({"group": "g", "consumer": alice}), None, json!({"group": "h"}), "group"),
        ("/oauth2", json!({"name": "n", "client_id": "c", "consumer": alice}), Some("c"), json!({"name": "m"}), "name"),
        (
            "/oauth2_tokens",
            json!({"access_token": "t", "expires_in": 5, "credential": {"client_id": "app"}}),
            Some("t"),
            json!({"scope": "x"}),
            "scope",
        ),
    ]
}

#[tokio::test]
async fn every_collection_can_be_changed() {
    for (path, new, name, change, field) in table() {
        let api = filled().await;
        let added = api.add(path, new.clone()).await;
        let id = added["id"].as_str().unwrap_or_else(|| panic!("{path}: {added}"));
        let by_id = format!("{path}/{id}");
        assert_eq!(api.get(&by_id).await.body, added, "{path}");
        let by_name = name.map_or_else(|| by_id.clone(), |name| format!("{path}/{name}"));
        assert_eq!(api.get(&by_name).await.body, added, "{path}");
        assert_eq!(api.ask("HEAD", &by_id).await.status, 200, "{path}");
        let listed = api.get(path).await.body;
        assert!(listed["data"].as_array().expect("a list").contains(&added), "{path}: {listed}");

        let changed = api.write("PATCH", &by_name, change.clone()).await;
        assert_eq!((changed.status, &changed.body[field]), (200, &change[field]), "{path}: {}", changed.body);
        assert_eq!(changed.body["created_at"], added["created_at"], "{path}");
        assert_eq!(api.get(&by_id).await.body, changed.body, "{path}");

        let again = api.write("PUT", &by_id, new.clone()).await;
        assert_eq!(again.status, 200, "{path}: {}", again.body);
        assert_eq!((&again.body["id"], &again.body["created_at"]), (&added["id"], &added["created_at"]), "{path}");

        assert_eq!(api.ask("DELETE", &by_name).await.status, 204, "{path}");
        let gone = api.get(&by_id).await;
        assert_eq!((gone.status, gone.body), (404, json!({"message": "Not found"})), "{path}");
        assert_eq!(api.ask("DELETE", &by_id).await.status, 204, "{path}: what is not there is as good as deleted");
        let put = api.write("PUT", &by_id, new).await;
        assert_eq!((put.status, &put.body["id"]), (200, &added["id"]), "{path}: {}", put.body);
    }
}

#[tokio::test]
async fn what_is_added_is_complete() {
    let api = Api::new();
    let service = api.add("/services", json!({"url": "http://s.test:81/p"})).await;
    let fields: Vec<_> = ["protocol", "host", "port", "path", "retries", "connect_timeout", "enabled"].into();
    let values = fields.iter().map(|field| service[field].clone()).collect::<Vec<_>>();
    assert_eq!(values, [json!("http"), json!("s.test"), json!(81), json!("/p"), json!(5), json!(60_000), json!(true)]);
    for field in ["name", "client_certificate", "tags", "ca_certificates", "tls_verify"] {
        assert_eq!(service.get(field), Some(&Value::Null), "{field} is told, if only as null");
    }
    assert_eq!(service.get("url"), None, "a short form is not kept");
}

#[tokio::test]
async fn refusals_are_those_of_kong() {
    let api = filled().await;
    let unknown = format!("could not find the entity with primary key '{{id=\"{NOBODY}\"}}'");
    let reference = format!("the foreign key '{{id=\"{NOBODY}\"}}' does not reference an existing 'services' entity.");
    let unresolved = "foreign key unresolved (service.name: the foreign key cannot be resolved with '{name=\"x\"}' \
                      for an existing 'services' entity)";
    let invalid = "invalid primary key: '{id=\"expected a valid UUID\"}'";
    let by_id = &format!("/services/{NOBODY}");
    for (method, path, body, status, code, name, text) in [
        ("POST", "/services", json!({}), 400, 2, "schema violation", "schema violation (host: required field missing)"),
        (
            "POST",
            "/services",
            json!({"host": "a:1", "nope": 1}),
            400,
            2,
            "schema violation",
            "2 schema violations (host: must not have a port; nope: unknown field)",
        ),
        (
            "PUT",
            by_id,
            json!({"path": "/"}),
            400,
            2,
            "schema violation",
            "schema violation (host: required field missing)",
        ),
        (
            "PATCH",
            "/services/orders",
            json!({"port": 70_000}),
            400,
            2,
            "schema violation",
            "schema violation (port: value should be between 0 and 65535)",
        ),
        ("PATCH", by_id, json!({}), 404, 6, "not found", &unknown),
        ("PATCH", "/services/x", json!({}), 404, 6, "not found", "could not find the entity with '{name=\"x\"}'"),
        (
            "POST",
            "/services",
            json!({"name": "orders", "host": "h"}),
            409,
            5,
            "unique constraint violation",
            "UNIQUE violation detected on '{name=\"orders\"}'",
        ),
        (
            "PATCH",
            "/consumers/alice",
            json!({"username": null}),
            400,
            2,
            "schema violation",
            "schema violation (when updating, at least one of these fields must be non-empty: 'custom_id', 'username')",
        ),
        (
            "POST",
            "/routes",
            json!({"paths": ["/"], "service": {"id": NOBODY}}),
            400,
            4,
            "foreign key violation",
            &reference,
        ),
        (
            "POST",
            "/routes",
            json!({"paths": ["/"], "service": {"name": "x"}}),
            400,
            13,
            "foreign keys unresolved",
            unresolved,
        ),
        (
            "POST",
            "/plugins",
            json!({"name": "nope"}),
            400,
            2,
            "schema violation",
            "schema violation (name: plugin 'nope' not enabled; add it to the 'plugins' configuration property)",
        ),
        (
            "POST",
            "/plugins",
            json!({"name": "limiter", "config": {"minute": 13}}),
            400,
            2,
            "schema violation",
            "schema violation (config.minute: 13 is unlucky; any other is fine)",
        ),
        (
            "POST",
            "/plugins",
            json!({"name": "keys", "consumer": {"username": "alice"}}),
            400,
            2,
            "schema violation",
            "schema violation (consumer: value must be null)",
        ),
        ("GET", "/ca_certificates/x", json!(null), 400, 1, "invalid primary key", invalid),
        ("DELETE", "/acls/x", json!(null), 400, 1, "invalid primary key", invalid),
    ] {
        let answer = if body.is_null() { api.ask(method, path).await } else { api.write(method, path, body).await };
        assert_eq!(answer.refusal(), (status, code, name, text), "{method} {path}");
    }
}

#[tokio::test]
async fn what_others_need_stays() {
    let api = filled().await;
    api.add("/services/orders/routes", json!({"paths": ["/"]})).await;
    let answer = api.ask("DELETE", "/services/orders").await;
    let text = "an existing 'routes' entity references this 'services' entity";
    assert_eq!(answer.refusal(), (400, 4, "foreign key violation", text));
    assert_eq!(answer.body["fields"], json!({"@referenced_by": "routes"}));

    let authority = api.add("/ca_certificates", json!({"cert": authority()})).await["id"].clone();
    let trusting = json!({"host": "h", "protocol": "https", "ca_certificates": [authority]});
    let service = api.add("/services", trusting).await["id"].clone();
    let (authority, service) = (authority.as_str().unwrap(), service.as_str().unwrap());
    let answer = api.ask("DELETE", &format!("/ca_certificates/{authority}")).await;
    let text = format!("ca certificate {authority} is still referenced by services (id = {service})");
    assert_eq!(answer.refusal(), (400, 19, "referenced by others", text.as_str()));
}

#[tokio::test]
async fn what_belongs_to_it_goes_with_it() {
    let api = filled().await;
    api.add("/consumers/alice/key-auth", json!({"key": "k"})).await;
    api.add("/consumers/alice/plugins", json!({"name": "limiter"})).await;
    assert_eq!(api.ask("DELETE", "/consumers/alice").await.status, 204);
    for path in ["/key-auths", "/plugins", "/oauth2"] {
        assert_eq!(api.get(path).await.body["data"], json!([]), "{path}");
    }
}

#[tokio::test]
async fn old_names_of_fields_are_taken_and_shown() {
    let api = Api::new();
    let plugin = api.add("/plugins", json!({"name": "limiter", "config": {"redis_host": "old.test"}})).await;
    assert_eq!(plugin["config"], json!({"minute": 5, "redis": {"host": "old.test"}, "redis_host": "old.test"}));
    let path = format!("/plugins/{}", plugin["id"].as_str().unwrap());
    let changed = api.write("PATCH", &path, json!({"config": {"redis_host": "new.test"}})).await.body;
    assert_eq!(changed["config"]["redis"], json!({"host": "new.test"}));
    let again = api.write("PUT", &path, changed.clone()).await;
    assert_eq!((again.status, &again.body["config"]), (200, &changed["config"]), "what is shown can be written");
}

#[tokio::test]
async fn a_change_that_is_refused_changes_nothing() {
    let api = filled().await;
    let before = api.get("/services/orders").await.body;
    assert_eq!(api.write("PATCH", "/services/orders", json!({"retries": 9, "port": -1})).await.status, 400);
    assert_eq!(api.get("/services/orders").await.body, before);
    let regex = api.write("POST", "/routes", json!({"paths": ["~/("]})).await;
    assert_eq!(regex.status, 400, "{}", regex.body);
    assert_eq!(api.get("/routes").await.body["data"], json!([]));
}
