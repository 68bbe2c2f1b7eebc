//! The plugin jwks-auth as a whole: an issuer that publishes keys of PyJWT, rotation, an issuer that is down.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use towergate_tests::{Answer, Gateway, Reply, Request, Script, Upstream, eventually, proxying, tool};

/// A key of PyJWT's library with its JWK, and a token signed with it.
struct Signed {
    jwk: Value,
    token: String,
}

/// Makes a key of this id and a token of these claims; `exp` is ten minutes from now unless it is there.
fn signed(id: &str, claims: &Value) -> Signed {
    let program = "import json,sys,time,jwt\n\
                   from cryptography.hazmat.primitives.asymmetric import rsa\n\
                   i=json.load(sys.stdin); key=rsa.generate_private_key(65537, 2048)\n\
                   claims={'exp': int(time.time())+600, **i['claims']}\n\
                   jwk={**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), 'kid': i['id'], 'use': 'sig'}\n\
                   print(json.dumps([jwk, jwt.encode(claims, key, algorithm='RS256', headers={'kid': i['id']})]))";
    let mut child =
        tool("python").args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python runs");
    let input = json!({"id": id, "claims": claims}).to_string();
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "Python failed");
    let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Signed { jwk: made[0].clone(), token: made[1].as_str().expect("a text").to_owned() }
}

fn claims() -> Value {
    json!({"iss": "https://login.example.com/", "aud": ["api"], "sub": "a-1", "roles": ["reader"]})
}

/// What an issuer says: a key set, or a status.
type Said = Arc<Mutex<Result<Value, u16>>>;

fn issuer(said: &Said) -> Upstream {
    let said = said.clone();
    Upstream::answering(move |_| match &*said.lock().expect("nobody panicked") {
        Ok(keys) => Script::from(Reply::ok(json!({"keys": keys}).to_string())),
        Err(status) => Script::from(Reply::new(*status)),
    })
}

fn gateway(upstream: &Upstream, issuer: &Upstream, more: &str) -> Gateway {
    let config = format!(
        "{{jwks_uri: '{}/keys', issuers: ['https://login.example.com/'], audiences: [api], algorithms: [RS256], cooldown: 1{more}}}",
        issuer.url()
    );
    let id = "8f2b1f5a-6f0e-4d7c-9a53-0b9a3f1c2d4e";
    let consumers = "consumers: [{username: alice, custom_id: a-1}, {username: guest}]";
    Gateway::serving(&format!(
        "{}{consumers}\nplugins: [{{id: {id}, name: jwks-auth, config: {config}}}]\n",
        proxying(upstream)
    ))
}

fn bearer(token: &str) -> Request {
    Request::get("/").header("Authorization", &format!("Bearer {token}")).header("X-Consumer-Username", "root")
}

#[track_caller]
fn assert_refused(answer: &Answer, message: &str) {
    let body = json!({"message": message}).to_string();
    assert_eq!((answer.status, answer.text()), (401, body));
    assert_eq!(answer.header("WWW-Authenticate"), Some(r#"Bearer error="invalid_token""#));
}

#[test]
fn a_token_of_the_issuer_passes_and_names_its_subject() {
    let upstream = Upstream::echo();
    let good = signed("1", &claims());
    let issuer = issuer(&Arc::new(Mutex::new(Ok(json!([good.jwk])))));
    let gateway = gateway(&upstream, &issuer, "");
    for _ in 0..4 {
        assert_eq!(gateway.send(&bearer(&good.token)).status, 200);
        assert_eq!(upstream.last().header("X-Credential-Identifier"), Some("a-1"));
        assert_eq!(upstream.last().header("X-Consumer-Username"), None, "what the client says of itself is gone");
    }
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (401, r#"{"message":"Unauthorized"}"#));
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"));
    let forged = signed("1", &claims());
    assert_refused(&gateway.send(&bearer(&forged.token)), "Invalid signature");
    for (claim, value, message) in [
        ("iss", json!("https://evil.example/"), "Invalid issuer"),
        ("aud", json!("other"), "Invalid audience"),
        ("exp", json!(1), "Token expired"),
    ] {
        let mut claims = claims();
        claims[claim] = value;
        assert_refused(&gateway.send(&bearer(&signed("1", &claims).token)), message);
    }
}

#[test]
fn a_claim_names_the_consumer() {
    let upstream = Upstream::echo();
    let good = signed("1", &claims());
    let issuer = issuer(&Arc::new(Mutex::new(Ok(json!([good.jwk])))));
    let gateway = gateway(&upstream, &issuer, ", consumer_claim: sub, consumer_by: [custom_id]");
    assert_eq!(gateway.send(&bearer(&good.token)).status, 200);
    assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
    assert_eq!(upstream.last().header("X-Consumer-Custom-ID"), Some("a-1"));
    let gateway = self::gateway(&upstream, &issuer, ", consumer_claim: sub, consumer_by: [username]");
    let answer = gateway.send(&bearer(&good.token));
    assert_eq!((answer.status, answer.text().as_str()), (403, r#"{"message":"No consumer found for the token"}"#));
}

#[test]
fn keys_may_be_rotated_and_the_issuer_may_be_down() {
    let upstream = Upstream::echo();
    let (old, new) = (signed("1", &claims()), signed("2", &claims()));
    let said: Said = Arc::new(Mutex::new(Ok(json!([old.jwk]))));
    let issuer = issuer(&said);
    let gateway = gateway(&upstream, &issuer, ", refresh_interval: 1");
    assert_eq!(gateway.send(&bearer(&old.token)).status, 200);
    let say = |what| *said.lock().expect("nobody panicked") = what;
    say(Ok(json!([old.jwk, new.jwk])));
    eventually(Duration::from_secs(20), || gateway.send(&bearer(&new.token)).status == 200);
    say(Err(500));
    let asked = issuer.count();
    eventually(Duration::from_secs(20), || issuer.count() > asked);
    assert_eq!(gateway.send(&bearer(&old.token)).status, 200);
    eventually(Duration::from_secs(20), || gateway.log().contains("those known last go on to count"));
    let state = gateway.ask_admin(&Request::get("/plugins/8f2b1f5a-6f0e-4d7c-9a53-0b9a3f1c2d4e/state")).json();
    assert!(state.to_string().contains("it answered 500"), "{state}");
    say(Ok(json!([new.jwk])));
    eventually(Duration::from_secs(20), || gateway.send(&bearer(&old.token)).status == 401);
    assert_refused(&gateway.send(&bearer(&old.token)), "No key found for the token");
    assert_eq!(gateway.send(&bearer(&new.token)).status, 200);
}

#[test]
fn an_issuer_that_was_never_there_is_503_and_does_not_keep_the_gateway_from_starting() {
    let upstream = Upstream::echo();
    let good = signed("1", &claims());
    let said: Said = Arc::new(Mutex::new(Err(503)));
    let issuer = issuer(&said);
    let gateway = gateway(&upstream, &issuer, "");
    let answer = gateway.send(&bearer(&good.token));
    assert_eq!((answer.status, answer.text().as_str()), (503, r#"{"message":"Token keys are not available"}"#));
    *said.lock().expect("nobody panicked") = Ok(json!([good.jwk]));
    eventually(Duration::from_secs(20), || gateway.send(&bearer(&good.token)).status == 200);
}
