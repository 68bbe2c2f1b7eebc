//! A program that knows nothing but the OpenAPI document tries everything it says.
//!
//! `SCHEMATHESIS_EXAMPLES=300 SCHEMATHESIS_SEED=7` before `cargo test` lets it try harder, and others.

use std::{env, fs, path::Path, thread};

use serde_json::{Value, json};
use towergate_tests::{Gateway, tool};

use crate::setup::{gateway, put};

/// Something of every kind that belongs to as many others as it can, and its id. Ids stay when names are changed.
fn fill(gateway: &Gateway) -> Vec<(&'static str, String)> {
    let made = rcgen::generate_simple_self_signed(["seed.test".to_owned()]).expect("a certificate");
    let certificate = json!({"cert": made.cert.pem(), "key": made.signing_key.serialize_pem(), "snis": ["seed.test"]});
    let seed = json!({"username": "seed"});
    let named = json!({"name": "seed"});
    let id_of = |path: &str, body: &Value| put(gateway, "POST", path, body)["id"].clone();
    let held = json!({"id": id_of("/certificates", &certificate)});
    let service = json!({"name": "seed", "url": "https://h.test", "client_certificate": held});
    let everywhere =
        json!({"name": "rate-limiting", "config": {"minute": 5}, "service": named, "route": named, "consumer": seed});
    let token = json!({"access_token": "seed", "expires_in": 5, "credential": {"client_id": "seed"}, "service": named});
    let mut ids = vec![
        ("certificates", held["id"].clone()),
        ("snis", put(gateway, "PUT", "/snis/seed.test", &json!({"certificate": held}))["id"].clone()),
    ];
    for (parameter, path, body) in [
        ("services", "/services", service),
        ("routes", "/routes", json!({"name": "seed", "paths": ["/"], "service": named})),
        ("consumers", "/consumers", seed.clone()),
        ("consumer_groups", "/consumer_groups", named.clone()),
        ("plugins", "/plugins", everywhere),
        ("upstreams", "/upstreams", json!({"name": "seed", "client_certificate": held})),
        ("targets", "/upstreams/seed/targets", json!({"target": "seed.test:80"})),
        ("ca_certificates", "/ca_certificates", json!({"cert": authority()})),
        ("vaults", "/vaults", json!({"name": "env", "prefix": "seed"})),
        ("key_sets", "/key-sets", named.clone()),
        ("keys", "/keys", json!({"name": "seed", "kid": "1", "jwk": "{\"kid\":\"1\"}", "set": named})),
        ("keyauth_credentials", "/key-auths", json!({"key": "seed", "consumer": seed})),
        ("basicauth_credentials", "/basic-auths", json!({"username": "seed", "password": "p", "consumer": seed})),
        ("hmacauth_credentials", "/hmac-auths", json!({"username": "seed", "consumer": seed})),
        ("jwt_secrets", "/jwts", json!({"key": "seed", "consumer": seed})),
        ("acls", "/acls", json!({"group": "seed", "consumer": seed})),
        ("oauth2_credentials", "/oauth2", json!({"name": "n", "client_id": "seed", "consumer": seed})),
        ("oauth2_tokens", "/oauth2_tokens", token),
    ] {
        ids.push((parameter, id_of(path, &body)));
    }
    put(gateway, "POST", "/consumer_groups/seed/consumers", &json!({"consumer": "seed"}));
    ids.into_iter().map(|(parameter, id)| (parameter, id.as_str().expect("an id").to_owned())).collect()
}

fn authority() -> String {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate").pem()
}

#[test]
fn nothing_the_document_allows_is_answered_otherwise_than_it_says() {
    let gateway = gateway();
    let ids = fill(&gateway);
    let lines = ids.iter().map(|(parameter, id)| format!("\"path.{parameter}\" = \"{id}\"\n"));
    let settings = gateway.prefix().join("schemathesis.toml");
    fs::write(&settings, format!("[parameters]\n{}", lines.collect::<String>())).expect("a file");
    let examples = env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "20".to_owned());
    // All operations, what is right and what is wrong, in two processes: half of them each. Deletions at the end, so that
    // the others have something to work on.
    let half = "^/(services|consumers|plugins|certificates)(/|$)";
    let deletions = ["--include-method", "DELETE", "--max-examples", "2"];
    let others = ["--exclude-method", "DELETE", "--max-examples", &examples];
    thread::scope(|scope| {
        scope.spawn(|| try_out(&gateway, &settings, &others, &["--include-path-regex", half]));
        scope.spawn(|| try_out(&gateway, &settings, &others, &["--exclude-path-regex", half]));
    });
    try_out(&gateway, &settings, &deletions, &[]);
}

#[track_caller]
fn try_out(gateway: &Gateway, settings: &Path, how: &[&str], which: &[&str]) {
    let mut program = tool("schemathesis");
    // It leaves a cache where it stands.
    program.current_dir(gateway.prefix());
    program.arg("--config-file").arg(settings).arg("run");
    program.arg(format!("http://{}/openapi.json", gateway.admin()));
    program.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]);
    program.args(["--checks", "response_schema_conformance,unsupported_method", "--phases", "fuzzing"]);
    // `/status/dns` says 501 on purpose. One worker: Python 3.11 counts how deep it reads code for all threads
    // together, and fails when two do.
    program.args(["--workers", "1", "--no-color", "--exclude-path", "/status/dns"]).args(how).args(which);
    program.args(["--seed", &env::var("SCHEMATHESIS_SEED").unwrap_or_else(|_| "1".to_owned())]);
    let output = program.output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
