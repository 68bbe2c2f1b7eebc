//! A program that knows nothing but the OpenAPI document tries everything it says.

use std::{fs, path::Path};

use serde_json::{Value, json};
use towergate_tests::{Gateway, tool};

use crate::setup::{gateway, put};

/// Something of every kind, and what it is called in a path.
fn fill(gateway: &Gateway) -> Vec<(&'static str, String)> {
    let made = rcgen::generate_simple_self_signed(["seed.test".to_owned()]).expect("a certificate");
    let certificate = json!({"cert": made.cert.pem(), "key": made.signing_key.serialize_pem(), "snis": ["seed.test"]});
    let seed = json!({"username": "seed"});
    let mut names = Vec::new();
    for (parameter, path, body, field) in [
        ("services", "/services", json!({"name": "seed", "host": "h"}), "name"),
        ("routes", "/routes", json!({"name": "seed", "paths": ["/"], "service": {"name": "seed"}}), "name"),
        ("consumers", "/consumers", seed.clone(), "username"),
        ("plugins", "/plugins", json!({"name": "cors", "instance_name": "seed"}), "instance_name"),
        ("upstreams", "/upstreams", json!({"name": "seed"}), "name"),
        ("targets", "/upstreams/seed/targets", json!({"target": "seed.test:80"}), "target"),
        ("certificates", "/certificates", certificate, "id"),
        ("vaults", "/vaults", json!({"name": "env", "prefix": "seed"}), "prefix"),
        ("key_sets", "/key-sets", json!({"name": "seed"}), "name"),
        ("keys", "/keys", json!({"name": "seed", "kid": "1", "jwk": "{\"kid\":\"1\"}"}), "name"),
        ("keyauth_credentials", "/key-auths", json!({"key": "seed", "consumer": seed}), "key"),
        ("jwt_secrets", "/jwts", json!({"key": "seed", "consumer": seed}), "key"),
        ("hmacauth_credentials", "/hmac-auths", json!({"username": "seed", "consumer": seed}), "username"),
        ("acls", "/acls", json!({"group": "seed", "consumer": seed}), "id"),
        ("oauth2_credentials", "/oauth2", json!({"name": "n", "client_id": "seed", "consumer": seed}), "client_id"),
    ] {
        let entity = put(gateway, "POST", path, &body);
        names.push((parameter, entity[field].as_str().expect("a text").to_owned()));
    }
    names
}

#[test]
fn nothing_the_document_allows_is_answered_otherwise_than_it_says() {
    let gateway = gateway();
    let names = fill(&gateway);
    let lines =
        names.iter().map(|(parameter, name)| format!("\"path.{parameter}\" = {}\n", Value::from(name.as_str())));
    let settings = gateway.prefix().join("schemathesis.toml");
    fs::write(&settings, format!("[parameters]\n{}", lines.collect::<String>())).expect("a file");
    // Every path a little; of each shape of path one collection thoroughly.
    try_out(&gateway, &settings, &["--phases", "fuzzing", "--max-examples", "1"]);
    let shapes = r"^/(services|tags|schemas|status)(/|$)|^/(routes/\{routes\}/service|upstreams/\{upstreams\}/targets)";
    try_out(&gateway, &settings, &["--phases", "coverage", "--include-path-regex", shapes]);
}

#[track_caller]
fn try_out(gateway: &Gateway, settings: &Path, how: &[&str]) {
    let mut program = tool("schemathesis");
    program.arg("--config-file").arg(settings).arg("run");
    program.arg(format!("http://{}/openapi.json", gateway.admin()));
    program.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]);
    program.args(["--checks", "response_schema_conformance,unsupported_method"]);
    // `/status/dns` says 501 on purpose. One worker: Python 3.11 counts how deep it reads code for all threads
    // together, and fails when two do.
    program.args(["--workers", "1", "--seed", "1", "--no-color", "--exclude-path", "/status/dns"]).args(how);
    let output = program.output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
