//! The plugin jwt as a whole: tokens made by PyJWT and OpenSSL, Kong's answers, reloads.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use towergate_tests::{Answer, Gateway, Request, Upstream, proxying, tool};

const SECRET: &str = "a-secret-of-sixty-four-bytes-which-is-enough-for-all-of-the-three";

/// Runs a program of Python, with PyJWT at hand; what it prints is JSON.
fn python(program: &str, input: &Value) -> Value {
    let mut child =
        tool("python").args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
    child.stdin.take().expect("piped").write_all(input.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "Python failed");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A token of PyJWT.
fn token(key: &str, algorithm: &str, claims: &Value) -> String {
    let program = "import json,sys,jwt; i=json.load(sys.stdin); \
                   print(json.dumps(jwt.encode(i['claims'], i['key'], algorithm=i['algorithm'], headers=i['headers'])))";
    let input = json!({"key": key, "algorithm": algorithm, "claims": claims, "headers": {}});
    python(program, &input).as_str().expect("a text").to_owned()
}

/// A private key of OpenSSL and its public key, both in PEM.
fn key_pair(arguments: &[&str]) -> (String, String) {
    let openssl = |arguments: &[&str], input: &str| {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "openssl {arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let private = openssl(&[&["genpkey"], arguments].concat(), "");
    let public = openssl(&["pkey", "-pubout"], &private);
    (private, public)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// The document of [`proxying`] with alice's credentials, as JSON, and jwt with this configuration.
fn document(upstream: &Upstream, credentials: &Value, config: &str) -> String {
    let consumers = json!([
        {"username": "alice", "custom_id": "a-1", "jwt_secrets": credentials},
        {"username": "guest"},
    ]);
    format!("{}consumers: {consumers}\nplugins: [{{name: jwt, config: {config}}}]\n", proxying(upstream))
}

fn hs256() -> Value {
    json!([{"key": "app", "secret": SECRET}])
}

fn bearer(token: &str) -> Request {
    Request::get("/").header("Authorization", &format!("Bearer {token}"))
}

#[track_caller]
fn assert_refused(answer: &Answer, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (401, body));
    assert_eq!(answer.header("WWW-Authenticate"), Some(r#"Bearer error="invalid_token""#));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
}

#[test]
fn tokens_of_another_library_are_taken_in_all_algorithms() {
    let upstream = Upstream::echo();
    let rsa = key_pair(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let curve = |name: &str| key_pair(&["-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{name}")]);
    let secret = (SECRET.to_owned(), String::new());
    let keys = [
        (&["HS256", "HS384", "HS512"][..], secret),
        (&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"], rsa),
        (&["ES256"], curve("P-256")),
        (&["ES384"], curve("P-384")),
        (&["ES512"], curve("P-521")),
        (&["EdDSA"], key_pair(&["-algorithm", "ED25519"])),
    ];
    let all = || keys.iter().flat_map(|(names, pair)| names.iter().map(move |name| (*name, pair)));
    let credentials: Vec<Value> = all()
        .map(|(name, (private, public))| match public.as_str() {
            "" => json!({"key": name, "algorithm": name, "secret": private}),
            public => json!({"key": name, "algorithm": name, "rsa_public_key": public}),
        })
        .collect();
    let gateway = Gateway::serving(&document(&upstream, &json!(credentials), "{claims_to_verify: [exp, nbf]}"));
    for (name, (private, _)) in all() {
        let good = token(private, name, &json!({"iss": name, "exp": now() + 60, "nbf": now() - 60}));
        for _ in 0..2 {
            assert_eq!(gateway.send(&bearer(&good)).status, 200, "{name}");
            assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
            assert_eq!(upstream.last().header("X-Credential-Identifier"), Some(name));
            assert_eq!(upstream.last().header("Authorization"), Some(format!("Bearer {good}").as_str()));
        }
        let other = token(private, name, &json!({"iss": "HS256", "exp": now() + 60, "nbf": 0}));
        if name != "HS256" {
            assert_refused(&gateway.send(&bearer(&other)), r#"{"message":"Invalid algorithm"}"#);
        }
    }
}

#[test]
fn refusals_are_kongs_whatever_the_client_accepts() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream, &hs256(), "{claims_to_verify: [exp], realm: shop}"));
    let answer = gateway.send(&Request::get("/").header("Accept", "text/html"));
    assert_eq!((answer.status, answer.text().as_str()), (401, r#"{"message":"Unauthorized"}"#));
    assert_eq!(answer.header("WWW-Authenticate"), Some(r#"Bearer realm="shop""#));
    let answer = gateway.send(&bearer("x").header("Accept", "text/html"));
    assert_eq!((answer.status, answer.text().as_str()), (401, r#"{"message":"Bad token; invalid JSON"}"#));
    assert_eq!(answer.header("WWW-Authenticate"), Some(r#"Bearer realm="shop" error="invalid_token""#));
    let old = token(SECRET, "HS256", &json!({"iss": "app", "exp": now() - 1}));
    assert_eq!(gateway.send(&bearer(&old)).text(), r#"{"exp":"token expired"}"#);
    let endless = token(SECRET, "HS256", &json!({"iss": "app"}));
    assert_eq!(gateway.send(&bearer(&endless)).text(), r#"{"exp":"must be a number"}"#);
    let number = token(SECRET, "HS256", &json!({"iss": "app", "exp": now() + 60})).replace('.', "..");
    assert_eq!(gateway.send(&bearer(&number)).text(), r#"{"message":"Bad token; invalid JSON"}"#);
    assert_eq!(upstream.count(), 0);
}

#[test]
fn the_token_may_stand_in_the_query_and_in_a_cookie() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream, &hs256(), "{cookie_names: [session]}"));
    let (one, two) = (
        token(SECRET, "HS256", &json!({"iss": "app", "n": 1})),
        token(SECRET, "HS256", &json!({"iss": "app", "n": 2})),
    );
    assert_eq!(gateway.get(&format!("/?jwt={one}")).status, 200);
    assert_eq!(upstream.last().path, format!("/?jwt={one}"), "it stays where it was");
    assert_eq!(gateway.send(&Request::get("/").header("Cookie", &format!("a=b; session={one}"))).status, 200);
    let both = Request::get(&format!("/?jwt={two}")).header("Authorization", &format!("Bearer {one}"));
    assert_refused(&gateway.send(&both), r#"{"message":"Multiple tokens provided"}"#);
    assert_refused(&gateway.get("/?jwt"), r#"{"message":"Unrecognizable token"}"#);
}

#[test]
fn duplicate_authorization_headers_never_reach_the_upstream() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream, &hs256(), "{}"));
    let token = token(SECRET, "HS256", &json!({"iss": "app"}));
    for second in [token.as_str(), "x"] {
        let request = bearer(&token).header("Authorization", &format!("Bearer {second}"));
        assert_eq!(gateway.send(&request).status, 400, "{second}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn strangers_go_on_as_the_anonymous_consumer() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream, &hs256(), "{anonymous: guest}"));
    for request in [Request::get("/"), bearer("x")] {
        let request = request.header("X-Credential-Identifier", "root").header("X-Consumer-Username", "root");
        assert_eq!(gateway.send(&request).status, 200);
        let received = upstream.last();
        assert_eq!(received.header("X-Anonymous-Consumer"), Some("true"));
        assert_eq!(received.header("X-Consumer-Username"), Some("guest"));
        assert_eq!(received.header("X-Credential-Identifier"), None);
    }
}

#[test]
fn either_way_is_enough_with_anonymous_and_both_are_needed_without() {
    let upstream = Upstream::echo();
    let consumers = json!([{"username": "alice", "jwt_secrets": hs256(), "keyauth_credentials": [{"key": "k"}]}, {"username": "guest"}]);
    let gateway = |config: &str| {
        let plugins = format!("[{{name: jwt, config: {config}}}, {{name: key-auth, config: {config}}}]");
        Gateway::serving(&format!("{}consumers: {consumers}\nplugins: {plugins}\n", proxying(&upstream)))
    };
    let token = token(SECRET, "HS256", &json!({"iss": "app"}));
    let (both, first, second) =
        (bearer(&token).header("apikey", "k"), bearer(&token), Request::get("/").header("apikey", "k"));
    let strict = gateway("{}");
    for (request, status) in [(&both, 200), (&first, 401), (&second, 401)] {
        assert_eq!(strict.send(request).status, status);
    }
    let lax = gateway("{anonymous: guest}");
    for request in [&both, &first, &second] {
        assert_eq!(lax.send(request).status, 200);
        assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
        assert_eq!(upstream.last().header("X-Anonymous-Consumer"), None);
    }
    assert_eq!(lax.get("/").status, 200);
    assert_eq!(upstream.last().header("X-Consumer-Username"), Some("guest"));
}

#[test]
fn a_reload_that_changes_a_credential_ends_its_tokens_at_once() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream, &hs256(), "{}"));
    let token = token(SECRET, "HS256", &json!({"iss": "app"}));
    let mut connection = gateway.connect();
    assert_eq!(connection.request(&bearer(&token)).status, 200);
    assert_eq!(connection.request(&bearer(&token)).status, 200);
    let post = |credentials: &Value| {
        assert_eq!(gateway.post_document(&document(&upstream, credentials, "{}")).status, 201);
    };
    post(&json!([{"key": "app", "secret": SECRET, "tags": ["unchanged"]}]));
    assert_eq!(connection.request(&bearer(&token)).status, 200);
    post(&json!([{"key": "app", "secret": "another-secret"}]));
    assert_refused(&connection.request(&bearer(&token)), r#"{"message":"Invalid signature"}"#);
    post(&json!([]));
    assert_refused(&connection.request(&bearer(&token)), r#"{"message":"No credentials found for given 'iss'"}"#);
    post(&hs256());
    assert_eq!(connection.request(&bearer(&token)).status, 200);
}

#[test]
fn credentials_are_checked_when_they_are_read() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving("_format_version: \"3.0\"\n");
    let (_, p384) = key_pair(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let (_, small) = key_pair(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    for (credential, expected) in [
        (
            json!({"key": "k", "algorithm": "ES256", "rsa_public_key": p384}),
            "ES256 needs an EC key on the curve P-256; this is an EC key on the curve P-384",
        ),
        (
            json!({"key": "k", "algorithm": "RS256", "rsa_public_key": small}),
            "RS256 needs an RSA key of 2048 to 8192 bits; this is an RSA key of 1024 bits",
        ),
        (json!({"key": "k", "algorithm": "RS256"}), "required field missing"),
        (json!({"key": "k", "algorithm": "none"}), "expected one of: HS256"),
    ] {
        let answer = gateway.post_document(&document(&upstream, &json!([credential]), "{}"));
        assert_eq!(answer.status, 400, "{credential}");
        assert!(answer.text().contains(expected), "{credential}: {}", answer.text());
    }
}
