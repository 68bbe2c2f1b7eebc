//! What reaches the inner service through `jwt`, and what comes back: good tokens, and attacks.
#![cfg(feature = "jwt")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod tokens;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokens::{Signer, encode};
use tower::{Layer, ServiceExt, service_fn};
use towergate_auth::{Algorithm, Jwt, JwtConfig, JwtKey, JwtLayer, PublicKey, VerifiedClaims};
use towergate_core::{
    Choice, Client, Consumer, Context, Directory, Env, Guard, GuardBody, GuardLayer, Level, Plan, Plugin, Timing,
};
use uuid::Uuid;

const SECRET: &str = "a-secret-of-sixty-four-bytes-which-is-enough-for-all-of-the-three";
const NOW: u64 = 1_700_000_000;

fn alice() -> Consumer {
    let mut alice = Consumer::named("alice");
    alice.custom_id = Some("A-1".into());
    alice
}

/// Alice with this key under the name `app`, and `guest` without any.
fn accounts(key: JwtKey) -> Arc<Directory> {
    let mut accounts = Directory::builder().consumer(alice()).consumer(Consumer::named("guest"));
    assert!(accounts.add_credential(Jwt::CREDENTIALS, Uuid::from_u128(7), alice().id, "app", key.kept(), None));
    Arc::new(accounts.build())
}

fn hs256() -> (Signer, Arc<Directory>) {
    let signer = Signer::new(Algorithm::HS256);
    let accounts = accounts(signer.key(Algorithm::HS256));
    (signer, accounts)
}

/// What the inner service received.
#[derive(Clone)]
struct Seen {
    headers: HeaderMap,
    consumer: Option<String>,
    claims: Option<VerifiedClaims>,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    challenge: Option<String>,
    body: String,
}

fn refused(body: &str) -> Answer {
    Answer {
        status: StatusCode::UNAUTHORIZED,
        challenge: Some(r#"Bearer error="invalid_token""#.into()),
        body: body.into(),
    }
}

fn message(text: &str) -> Answer {
    refused(&json!({"message": text}).to_string())
}

/// Sends a request through the layer.
async fn send<G: Guard>(
    layer: GuardLayer<towergate_core::One<G>>,
    request: Request<Full<Bytes>>,
) -> (Option<Seen>, Answer) {
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let inner = service_fn(move |request: Request<GuardBody<Full<Bytes>>>| {
        let cx = request.extensions().get::<Arc<Context>>().unwrap();
        *keep.lock().unwrap() = Some(Seen {
            headers: request.headers().clone(),
            consumer: cx.consumer().and_then(|consumer| consumer.username.clone()),
            claims: request.extensions().get().cloned(),
        });
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let answer = Answer {
        status: head.status,
        challenge: head.headers.get(header::WWW_AUTHENTICATE).map(text),
        body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
    };
    let seen = seen.lock().unwrap().take();
    (seen, answer)
}

/// Sends a request at [`NOW`] through a layer of the policy.
async fn ask(policy: &Jwt, accounts: &Arc<Directory>, mut request: Request<Full<Bytes>>) -> (Option<Seen>, Answer) {
    let (mut head, body) = request.into_parts();
    let timing = Timing::at(Instant::now(), UNIX_EPOCH + Duration::from_secs(NOW));
    let plan = Plan { directory: accounts.clone(), ..Plan::default() };
    let cx = Arc::new(Context::new(Client::default(), &head, timing, Some(Arc::new(plan))));
    head.extensions.insert(cx);
    request = Request::from_parts(head, body);
    send(GuardLayer::new(policy.clone()), request).await
}

fn with(token: &str) -> Request<Full<Bytes>> {
    Request::get("/").header("authorization", format!("Bearer {token}")).body(Full::default()).unwrap()
}

fn policy(config: JwtConfig) -> Jwt {
    Jwt::new(config, &Env::default()).unwrap()
}

fn strict() -> JwtConfig {
    JwtConfig { claims_to_verify: Some(vec!["exp".into(), "nbf".into()]), ..JwtConfig::default() }
}

#[tokio::test]
async fn every_algorithm_is_checked_and_a_changed_token_is_not_taken() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm);
        let accounts = accounts(signer.key(algorithm));
        let policy = policy(JwtConfig::default());
        let token = signer.token(algorithm, &json!({"iss": "app", "plan": "gold"}));
        for _ in 0..2 {
            let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
            let seen = seen.unwrap_or_else(|| panic!("{algorithm}: {answer:?}"));
            assert_eq!(seen.consumer.as_deref(), Some("alice"), "{algorithm}");
            assert_eq!(seen.claims.unwrap().text("plan"), Some("gold"));
            assert_eq!(seen.headers["x-credential-identifier"], "app");
            assert_eq!(seen.headers["x-consumer-custom-id"], "A-1");
        }
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let other = signer.token(algorithm, &json!({"iss": "app", "plan": "platinum"}));
        let (other, _) = other.rsplit_once('.').unwrap();
        let short = encode(signer.sign(algorithm, signed.as_bytes()).split_last().unwrap().1);
        let mut long = signer.sign(algorithm, signed.as_bytes());
        long.push(0);
        let zero = encode(&vec![0; signer.sign(algorithm, b"").len()]);
        let forged = [
            format!("{other}.{signature}"),
            format!("{signed}.{short}"),
            format!("{signed}.{}", encode(&long)),
            format!("{signed}.{zero}"),
            format!("{signed}."),
            Signer::new(if algorithm.is_symmetric() { Algorithm::ES256 } else { algorithm }).token_with(
                algorithm,
                &json!({"alg": algorithm.name()}),
                &json!({"iss": "app"}),
            ),
        ];
        for forged in forged {
            let (seen, answer) = ask(&policy, &accounts, with(&forged)).await;
            assert!(seen.is_none(), "{algorithm} {forged}");
            assert_eq!(answer, message("Invalid signature"), "{algorithm} {forged}");
        }
    }
}

#[tokio::test]
async fn every_refusal_says_what_kong_says() {
    let (signer, accounts) = hs256();
    let hs = Algorithm::HS256;
    let token = |claims: Value| signer.token(hs, &claims);
    let cases = [
        (token(json!({})), message("No mandatory 'iss' in claims")),
        (token(json!({"iss": null})), message("No mandatory 'iss' in claims")),
        (token(json!({"iss": ""})), message("Invalid 'iss' in claims")),
        (token(json!({"iss": 7})), message("Invalid 'iss' in claims")),
        (token(json!({"iss": ["app"]})), message("Invalid 'iss' in claims")),
        (token(json!({"iss": "nobody"})), message("No credentials found for given 'iss'")),
        (signer.token_with(hs, &json!({"alg": "HS384"}), &json!({"iss": "app"})), message("Invalid algorithm")),
        ("x".into(), message("Bad token; invalid JSON")),
        ("a.b.c".into(), message("Bad token; invalid JSON")),
        (signer.token_of(hs, "{}", "{}"), message("Bad token; invalid alg")),
        (signer.token_of(hs, r#"{"alg":"HS256"}"#, "7"), message("Bad token; invalid claims")),
        (token(json!({"iss": "app"})) + "=", message("Bad token; invalid signature")),
        (token(json!({"iss": "app"})), refused(r#"{"exp":"must be a number","nbf":"must be a number"}"#)),
        (token(json!({"iss": "app", "exp": NOW, "nbf": NOW})), refused(r#"{"exp":"token expired"}"#)),
        (token(json!({"iss": "app", "exp": NOW + 1, "nbf": NOW + 1})), refused(r#"{"nbf":"token not valid yet"}"#)),
        (
            token(json!({"iss": "app", "exp": 1, "nbf": 1e300})),
            refused(r#"{"exp":"token expired","nbf":"token not valid yet"}"#),
        ),
    ];
    let policy = policy(strict());
    for (token, expected) in cases {
        let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
        assert!(seen.is_none(), "{token}");
        assert_eq!(answer, expected, "{token}");
    }
    let good = token(json!({"iss": "app", "exp": NOW + 1, "nbf": NOW}));
    assert_eq!(ask(&policy, &accounts, with(&good)).await.1.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    let (_, accounts) = hs256();
    let none = || Request::get("/").body(Full::default()).unwrap();
    let answer = ask(&policy(JwtConfig::default()), &accounts, none()).await.1;
    let expected = |challenge: &str| Answer {
        status: StatusCode::UNAUTHORIZED,
        challenge: Some(challenge.into()),
        body: r#"{"message":"Unauthorized"}"#.into(),
    };
    assert_eq!(answer, expected("Bearer"));
    let realm = JwtConfig { realm: Some("shop".into()), ..JwtConfig::default() };
    assert_eq!(ask(&policy(realm.clone()), &accounts, none()).await.1, expected(r#"Bearer realm="shop""#));
    let answer = ask(&policy(realm), &accounts, with("x")).await.1;
    assert_eq!(answer.challenge.as_deref(), Some(r#"Bearer realm="shop" error="invalid_token""#));
}

#[tokio::test]
async fn several_tokens_are_refused_one_in_several_places_is_not() {
    let (signer, accounts) = hs256();
    let token = |plan: &str| signer.token(Algorithm::HS256, &json!({"iss": "app", "plan": plan}));
    let (a, b) = (token("a"), token("b"));
    let policy = policy(JwtConfig { cookie_names: Some(vec!["session".into()]), ..JwtConfig::default() });
    let request = |uri: String, headers: &[(&str, String)]| {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.body(Full::default()).unwrap()
    };
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    for good in [
        request(format!("/?jwt={a}"), &[]),
        request(format!("/?jwt={a}"), &[bearer(&a)]),
        request("/".into(), &[("cookie", format!("session={a}"))]),
        request("/".into(), &[bearer(&a), bearer(&a)]),
    ] {
        assert_eq!(ask(&policy, &accounts, good).await.1.status, StatusCode::OK);
    }
    for bad in [
        request(format!("/?jwt={a}&jwt={b}"), &[]),
        request(format!("/?jwt={b}"), &[bearer(&a)]),
        request("/".into(), &[("cookie", format!("session={b}")), bearer(&a)]),
        request("/".into(), &[bearer(&a), bearer(&b)]),
        request("/".into(), &[bearer(&b), bearer(&a)]),
    ] {
        let (seen, answer) = ask(&policy, &accounts, bad).await;
        assert!(seen.is_none());
        assert_eq!(answer, message("Multiple tokens provided"));
    }
    let bare = request("/?jwt".into(), &[]);
    assert_eq!(ask(&policy, &accounts, bare).await.1, message("Unrecognizable token"));
}

#[tokio::test]
async fn the_key_is_named_by_any_claim_or_by_the_header() {
    let (signer, accounts) = hs256();
    let hs = Algorithm::HS256;
    let by_kid = policy(JwtConfig { key_claim_name: Some("kid".into()), ..JwtConfig::default() });
    let cases = [
        (json!({"alg": "HS256", "kid": "app"}), json!({}), StatusCode::OK),
        (json!({"alg": "HS256"}), json!({"kid": "app"}), StatusCode::OK),
        (json!({"alg": "HS256", "kid": "nobody"}), json!({"kid": "app"}), StatusCode::OK),
        (json!({"alg": "HS256", "kid": "app"}), json!({"kid": "nobody"}), StatusCode::UNAUTHORIZED),
        (json!({"alg": "HS256", "kid": "app"}), json!({"kid": null}), StatusCode::OK),
        (json!({"alg": "HS256"}), json!({"iss": "app"}), StatusCode::UNAUTHORIZED),
    ];
    for (header, claims, expected) in cases {
        let token = signer.token_with(hs, &header, &claims);
        assert_eq!(ask(&by_kid, &accounts, with(&token)).await.1.status, expected, "{header} {claims}");
    }
}

#[tokio::test]
async fn maximum_expiration_needs_an_end_that_is_near() {
    let (signer, accounts) = hs256();
    let policy = policy(JwtConfig { maximum_expiration: Some(300.0), ..JwtConfig::default() });
    let far = refused(r#"{"exp":"exceeds maximum allowed expiration"}"#);
    let ok = Answer { status: StatusCode::OK, challenge: None, body: String::new() };
    let cases = [
        (json!({"iss": "app", "exp": NOW + 300}), &ok),
        (json!({"iss": "app", "exp": NOW + 301}), &far),
        (json!({"iss": "app", "exp": "soon"}), &far),
        (json!({"iss": "app"}), &far),
    ];
    for (claims, expected) in cases {
        let token = signer.token(Algorithm::HS256, &claims);
        assert_eq!(&ask(&policy, &accounts, with(&token)).await.1, expected, "{claims}");
    }
}

#[tokio::test]
async fn secrets_may_be_written_in_base64() {
    let signer = Signer::new(Algorithm::HS256);
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app"}));
    let written = |text: String| accounts(JwtKey::secret(Algorithm::HS256, text).unwrap());
    let policy = policy(JwtConfig { secret_is_base64: true, ..JwtConfig::default() });
    let good = written(encode(SECRET.as_bytes()));
    assert_eq!(ask(&policy, &good, with(&token)).await.1.status, StatusCode::OK);
    let plain = written("no base64!".to_owned());
    assert_eq!(ask(&policy, &plain, with(&token)).await.1, message("Invalid key/secret"));
    let signer = Signer::new(Algorithm::ES256);
    let token = signer.token(Algorithm::ES256, &json!({"iss": "app"}));
    let public = accounts(signer.key(Algorithm::ES256));
    assert_eq!(ask(&policy, &public, with(&token)).await.1.status, StatusCode::OK, "only secrets are");
}

#[tokio::test]
async fn strangers_go_on_as_the_anonymous_consumer() {
    let (signer, accounts) = hs256();
    let config = |name: &str| JwtConfig { anonymous: Some(name.into()), ..JwtConfig::default() };
    for request in
        [Request::get("/").body(Full::default()).unwrap(), with("x"), with(&signer.token(Algorithm::HS512, &json!({})))]
    {
        let seen = ask(&policy(config("guest")), &accounts, request).await.0.unwrap();
        assert_eq!(seen.consumer.as_deref(), Some("guest"));
        assert_eq!(seen.headers["x-anonymous-consumer"], "true");
        assert!(seen.claims.is_none());
    }
    let answer = ask(&policy(config("ghost")), &accounts, with("x")).await.1;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("anonymous consumer ghost is configured but doesn't exist"), "{answer:?}");
}

#[tokio::test]
async fn options_need_no_token_when_told_and_prove_nothing() {
    let (_, accounts) = hs256();
    let options = || {
        let request = Request::options("/").header("x-consumer-username", "root");
        request.body(Full::default()).unwrap()
    };
    let lax = policy(JwtConfig { run_on_preflight: false, ..JwtConfig::default() });
    let seen = ask(&lax, &accounts, options()).await.0.unwrap();
    assert!(!seen.headers.contains_key("x-consumer-username"));
    assert_eq!(ask(&policy(JwtConfig::default()), &accounts, options()).await.1.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn attack_none_and_other_spellings() {
    let (_, accounts) = hs256();
    let policy = policy(JwtConfig::default());
    for name in ["none", "None", "NONE", "nOnE", "hs256", ""] {
        let head = encode(json!({"alg": name}).to_string().as_bytes());
        let body = encode(json!({"iss": "app"}).to_string().as_bytes());
        for token in [format!("{head}.{body}."), format!("{head}.{body}")] {
            let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
            assert!(seen.is_none(), "{token}");
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
        let answer = ask(&policy, &accounts, with(&format!("{head}.{body}."))).await.1;
        assert_eq!(answer, message("Bad token; invalid alg"), "{name}");
    }
}

#[tokio::test]
async fn attack_public_key_as_secret() {
    let rsa = Signer::new(Algorithm::RS256);
    let accounts = accounts(rsa.key(Algorithm::RS256));
    let policy = policy(JwtConfig::default());
    let pem = rsa.pem();
    for secret in [pem.clone(), pem.trim_end().to_owned(), pem.replace('\n', "")] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let token = Signer::Secret(secret.clone()).token(algorithm, &json!({"iss": "app"}));
            assert_eq!(ask(&policy, &accounts, with(&token)).await.1, message("Invalid algorithm"));
        }
    }
}

#[tokio::test]
async fn attack_another_algorithm_of_the_same_key() {
    let rsa = Signer::new(Algorithm::RS256);
    let accounts = accounts(rsa.key(Algorithm::RS256));
    let policy = policy(JwtConfig::default());
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = rsa.token(algorithm, &json!({"iss": "app"}));
        assert_eq!(ask(&policy, &accounts, with(&token)).await.1, message("Invalid algorithm"));
        let claimed = rsa.token_with(algorithm, &json!({"alg": "RS256"}), &json!({"iss": "app"}));
        assert_eq!(ask(&policy, &accounts, with(&claimed)).await.1, message("Invalid signature"));
    }
}

#[test]
fn attack_wrong_curve_and_weak_keys_are_told_when_configured() {
    let p384 = Signer::new(Algorithm::ES384).pem();
    let rsa = Signer::new(Algorithm::RS256).pem();
    let cases = [
        (Algorithm::ES256, &p384, "ES256 needs an EC key on the curve P-256; this is an EC key on the curve P-384"),
        (Algorithm::ES512, &rsa, "ES512 needs an EC key on the curve P-521; this is an RSA key of 2048 bits"),
        (Algorithm::RS256, &p384, "RS256 needs an RSA key of 2048 to 8192 bits; this is an EC key on the curve P-384"),
        (Algorithm::EdDSA, &rsa, "EdDSA needs an Ed25519 key; this is an RSA key of 2048 bits"),
        (Algorithm::HS256, &rsa, "HS256 is checked with a secret, not with a public key"),
    ];
    for (algorithm, pem, expected) in cases {
        assert_eq!(PublicKey::from_pem(algorithm, pem).unwrap_err(), expected);
    }
    let private = tokens::pem("PRIVATE KEY", b"x");
    let why = PublicKey::from_pem(Algorithm::RS256, &private).unwrap_err();
    assert_eq!(why, "invalid key: 'PUBLIC KEY', 'RSA PUBLIC KEY' or 'CERTIFICATE' is needed, this is 'PRIVATE KEY'");
    let why = PublicKey::from_pem(Algorithm::RS256, "ssh-rsa AAAA").unwrap_err();
    assert_eq!(why, "invalid key: no PEM block (-----BEGIN PUBLIC KEY-----)");
    let why = PublicKey::from_pem(Algorithm::RS256, &tokens::pem("PUBLIC KEY", b"garbage")).unwrap_err();
    assert_eq!(why, "invalid key: what stands in 'PUBLIC KEY' is none");
}

#[tokio::test]
async fn attack_injected_key_names() {
    let (signer, accounts) = hs256();
    let policy = policy(JwtConfig { key_claim_name: Some("kid".into()), ..JwtConfig::default() });
    let names = [
        "../../../../../../dev/null".to_owned(),
        "/etc/passwd".to_owned(),
        "app' OR '1'='1".to_owned(),
        "app'; DROP TABLE jwt_secrets; --".to_owned(),
        "app\u{0}".to_owned(),
        "app\r\nX-Consumer-Username: root".to_owned(),
        " app".to_owned(),
        "APP".to_owned(),
        "http://evil.example/jwks.json".to_owned(),
        "k".repeat(5000),
    ];
    for name in names {
        // Signed with an empty file, with nothing, and with the right secret: the name is not anybody's.
        for signer in [&Signer::Secret(String::new()), &signer] {
            let token = signer.token_with(Algorithm::HS256, &json!({"alg": "HS256", "kid": name}), &json!({}));
            let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
            assert!(seen.is_none(), "{name}");
            assert_eq!(answer, message("No credentials found for given 'kid'"), "{name}");
        }
    }
    // Where a token says its key is to be found is not looked at.
    let header = json!({"alg": "HS256", "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "jwk": {"kty": "oct", "k": ""}, "kid": "app"});
    let forged = Signer::Secret(String::new()).token_with(Algorithm::HS256, &header, &json!({}));
    assert_eq!(ask(&policy, &accounts, with(&forged)).await.1, message("Invalid signature"));
}

#[tokio::test]
async fn attack_crit_and_names_that_are_there_twice() {
    let (signer, accounts) = hs256();
    let policy = policy(strict());
    let claims = json!({"iss": "app", "exp": NOW + 60, "nbf": 0}).to_string();
    let cases = [
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, claims.as_str(), "Bad token; invalid crit"),
        (r#"{"alg":"HS256","crit":["exp"]}"#, &claims, "Bad token; invalid crit"),
        (r#"{"alg":"none","alg":"HS256"}"#, &claims, "Bad token; invalid JSON"),
        (r#"{"alg":"HS256"}"#, r#"{"iss":"app","nbf":0,"exp":1,"exp":99999999999}"#, "Bad token; invalid JSON"),
        (r#"{"alg":"HS256"}"#, r#"{"iss":"nobody","iss":"app","nbf":0,"exp":99999999999}"#, "Bad token; invalid JSON"),
    ];
    for (header, claims, expected) in cases {
        let token = signer.token_of(Algorithm::HS256, header, claims);
        let (seen, answer) = ask(&policy, &accounts, with(&token)).await;
        assert!(seen.is_none(), "{header} {claims}");
        assert_eq!(answer, message(expected), "{header} {claims}");
    }
}

#[tokio::test]
async fn attack_another_spelling_of_a_good_token() {
    let (signer, accounts) = hs256();
    let policy = policy(JwtConfig::default());
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app", "text": "???>>>"}));
    assert_eq!(ask(&policy, &accounts, with(&token)).await.1.status, StatusCode::OK);
    let last = token.pop_letter();
    for spelling in [
        format!("{token}="),
        format!("{token}."),
        format!("{token}\u{20}x"),
        token.replace('-', "+").replace('_', "/"),
        token.to_uppercase(),
        last,
    ] {
        if spelling != token {
            let (seen, answer) = ask(&policy, &accounts, with(&spelling)).await;
            assert!(seen.is_none(), "{spelling}: {answer:?}");
        }
    }
}

trait PopLetter {
    fn pop_letter(&self) -> String;
}

impl PopLetter for String {
    /// The last letter replaced by one that differs only in the bits that do not count.
    fn pop_letter(&self) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let at = alphabet.iter().position(|letter| *letter == *self.as_bytes().last().unwrap()).unwrap();
        format!("{}{}", &self[..self.len() - 1], alphabet[at ^ 1] as char)
    }
}

#[tokio::test]
async fn attack_huge_tokens() {
    let (signer, accounts) = hs256();
    let policy = policy(JwtConfig::default());
    let token = |bytes: usize| signer.token(Algorithm::HS256, &json!({"iss": "app", "padding": "x".repeat(bytes)}));
    assert_eq!(ask(&policy, &accounts, with(&token(5000))).await.1.status, StatusCode::OK);
    assert_eq!(ask(&policy, &accounts, with(&token(9000))).await.1, message("Bad token; too large"));
    assert_eq!(ask(&policy, &accounts, with(&".".repeat(1 << 20))).await.1, message("Bad token; too large"));
    let nested = encode(format!(r#"{{"alg":{}{}}}"#, "[".repeat(2900), "]".repeat(2900)).as_bytes());
    assert_eq!(ask(&policy, &accounts, with(&format!("{nested}.e30.x"))).await.1, message("Bad token; invalid JSON"));
}

#[tokio::test]
async fn spoofed_identity_headers_are_replaced() {
    let (signer, accounts) = hs256();
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app"}));
    let mut request = with(&token);
    for name in [
        "x-consumer-username",
        "x-consumer-id",
        "x-credential-identifier",
        "x-anonymous-consumer",
        "x_consumer_username",
    ] {
        for _ in 0..2 {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static("root"));
        }
    }
    let seen = ask(&policy(JwtConfig::default()), &accounts, request).await.0.unwrap();
    assert!(seen.headers.values().all(|value| value != "root"), "{:?}", seen.headers);
    assert_eq!(seen.headers["x-consumer-username"], "alice");
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_says_so() {
    let (signer, accounts) = hs256();
    let policy = policy(strict());
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app", "exp": NOW + 10, "nbf": NOW}));
    let at = |seconds: u64| {
        let (mut head, body) = with(&token).into_parts();
        let timing = Timing::at(Instant::now(), UNIX_EPOCH + Duration::from_secs(seconds));
        let plan = Plan { directory: accounts.clone(), ..Plan::default() };
        head.extensions.insert(Arc::new(Context::new(Client::default(), &head, timing, Some(Arc::new(plan)))));
        send(GuardLayer::new(policy.clone()), Request::from_parts(head, body))
    };
    assert_eq!(at(NOW).await.1.status, StatusCode::OK);
    assert_eq!(at(NOW + 9).await.1.status, StatusCode::OK);
    assert_eq!(at(NOW + 10).await.1, refused(r#"{"exp":"token expired"}"#));
    assert_eq!(at(NOW - 1).await.1, refused(r#"{"nbf":"token not valid yet"}"#), "the clock was set back");
}

#[tokio::test]
async fn a_remembered_token_counts_only_with_the_key_it_was_checked_with() {
    let signer = Signer::new(Algorithm::HS256);
    let policy = policy(JwtConfig::default());
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app"}));
    let directory = || accounts(signer.key(Algorithm::HS256));
    assert_eq!(ask(&policy, &directory(), with(&token)).await.1.status, StatusCode::OK);
    assert_eq!(ask(&policy, &directory(), with(&token)).await.1.status, StatusCode::OK, "a reload without change");
    let changed = accounts(JwtKey::secret(Algorithm::HS256, "another-secret").unwrap());
    assert_eq!(ask(&policy, &changed, with(&token)).await.1, message("Invalid signature"));
    assert_eq!(ask(&policy, &directory(), with(&token)).await.1.status, StatusCode::OK);
    let other = accounts(JwtKey::secret(Algorithm::HS384, SECRET).unwrap());
    assert_eq!(ask(&policy, &other, with(&token)).await.1, message("Invalid algorithm"));
    let removed = Arc::new(Directory::builder().consumer(alice()).build());
    assert_eq!(ask(&policy, &removed, with(&token)).await.1, message("No credentials found for given 'iss'"));
}

#[tokio::test]
async fn a_key_that_moved_to_another_consumer_is_that_consumers() {
    let signer = Signer::new(Algorithm::HS256);
    let policy = policy(JwtConfig::default());
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app"}));
    for name in ["alice", "bob"] {
        let owner = Consumer::named(name);
        let mut accounts = Directory::builder().consumer(Consumer::named("first")).consumer(owner.clone());
        accounts.add_credential(
            Jwt::CREDENTIALS,
            Uuid::nil(),
            owner.id,
            "app",
            signer.key(Algorithm::HS256).kept(),
            None,
        );
        let seen = ask(&policy, &Arc::new(accounts.build()), with(&token)).await.0.unwrap();
        assert_eq!(seen.consumer.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn a_second_way_is_not_asked_once_one_has_proven_enough() {
    let (signer, accounts) = hs256();
    let lax = policy(JwtConfig { anonymous: Some("guest".into()), ..JwtConfig::default() });
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app"}));
    let policies: Vec<Choice<dyn Guard>> = [policy(JwtConfig::default()), lax]
        .map(|policy| Choice::new("jwt", vec![Level::Everybody(Arc::new(policy) as Arc<dyn Guard>)]))
        .into();
    let plan = Plan { directory: accounts, guards: policies, ..Plan::default() };
    let (mut head, body) = with(&token).into_parts();
    let timing = Timing::at(Instant::now(), SystemTime::now());
    head.extensions.insert(Arc::new(Context::new(Client::default(), &head, timing, Some(Arc::new(plan)))));
    let inner = service_fn(|request: Request<GuardBody<Full<Bytes>>>| async move {
        let cx = request.extensions().get::<Arc<Context>>().unwrap();
        assert_eq!(cx.consumer().and_then(|consumer| consumer.username.as_deref()), Some("alice"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let response = GuardLayer::from_plan().layer(inner).oneshot(Request::from_parts(head, body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_layer_is_built_by_words() {
    let (signer, accounts) = hs256();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = |end: u64| json!({"sub": "app", "exp": end, "nbf": 0});
    let layer = |seconds| {
        JwtLayer::new(accounts.clone())
            .headers([HeaderName::from_static("x-token")])
            .query_arguments(["token"])
            .cookies(["session"])
            .key_claim("sub")
            .require_expiration()
            .require_not_before()
            .maximum_expiration(Duration::from_secs(seconds))
            .realm(&HeaderValue::from_static("shop"))
            .cache_bytes(0)
            .max_token_bytes(1000)
            .run_on_preflight(false)
    };
    let token = signer.token(Algorithm::HS256, &claims(now + 60));
    for request in [
        Request::get(format!("/?token={token}")),
        Request::get("/").header("x-token", format!("Bearer {token}")),
        Request::get("/").header("cookie", format!("session={token}")),
        Request::options("/"),
    ] {
        let inner = service_fn(|_: Request<GuardBody<Full<Bytes>>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let request = request.body(Full::<Bytes>::default()).unwrap();
        assert_eq!(layer(600).layer(inner).oneshot(request).await.unwrap().status(), StatusCode::OK);
    }
    let inner = service_fn(|_: Request<GuardBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let request = Request::get(format!("/?token={token}")).body(Full::<Bytes>::default()).unwrap();
    let response = layer(10).layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="shop" error="invalid_token""#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_request_panics_and_none_passes_without_a_signature(
        uri in r"/(\?[jwt=&%.a-zA-Z0-9]{0,60})?",
        lines in proptest::collection::vec((r"(authorization|cookie|x-token)", r"( ?[Bb]earer )?[ -~]{0,80}"), 0..4),
    ) {
        let mut request = Request::get(uri);
        for (name, value) in &lines {
            request = request.header(name.as_str(), value.as_str());
        }
        let Ok(request) = request.body(Full::<Bytes>::default()) else { return Ok(()) };
        let (_, accounts) = hs256();
        let policy = policy(JwtConfig { cookie_names: Some(vec!["a".into()]), ..strict() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (seen, answer) = runtime.block_on(ask(&policy, &accounts, request));
        prop_assert!(seen.is_none());
        prop_assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}
