//! `jwks-auth` in front of real issuers: small HTTP and HTTPS servers that the test controls.
#![cfg(feature = "jwks")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod issuer;
mod tokens;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use issuer::{Answering, Issuer, jwk};
use serde_json::{Value, json};
use tokens::Signer;
use tower::{Layer, ServiceExt, service_fn};
use towergate_auth::{Algorithm, JwksAuth, JwksAuthConfig, JwksLayer, VerifiedClaims};
use towergate_core::{Consumer, Context, Directory, Env, GuardBody, Plugin};

const ISSUER: &str = "https://login.example.com/";

/// What the inner service received.
#[derive(Clone)]
struct Seen {
    headers: HeaderMap,
    consumer: Option<String>,
    groups: Vec<String>,
    anonymous: bool,
    claims: Option<VerifiedClaims>,
}

type Answer = (StatusCode, String);

async fn send(layer: &JwksLayer, request: Request<Full<Bytes>>) -> (Option<Seen>, Answer) {
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let inner = service_fn(move |request: Request<GuardBody<Full<Bytes>>>| {
        let cx = request.extensions().get::<Arc<Context>>().unwrap();
        let identity = cx.identity();
        *keep.lock().unwrap() = Some(Seen {
            headers: request.headers().clone(),
            consumer: cx.consumer().and_then(|consumer| consumer.username.clone()),
            groups: identity.map(|identity| identity.groups().to_vec()).unwrap_or_default(),
            anonymous: identity.is_none_or(towergate_core::Identity::is_anonymous),
            claims: request.extensions().get().cloned(),
        });
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let (head, body) = layer.layer(inner).oneshot(request).await.unwrap().into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let challenge = head.headers.get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    if head.status == StatusCode::UNAUTHORIZED {
        let expected =
            if text == r#"{"message":"Unauthorized"}"# { "Bearer" } else { r#"Bearer error="invalid_token""# };
        assert_eq!(challenge.as_deref(), Some(expected));
    } else {
        assert_eq!(challenge, None);
    }
    let seen = seen.lock().unwrap().take();
    (seen, (head.status, String::from_utf8(text.to_vec()).unwrap()))
}

fn with(token: &str) -> Request<Full<Bytes>> {
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    request.header("x-consumer-username", "root").body(Full::default()).unwrap()
}

async fn status(layer: &JwksLayer, token: &str) -> StatusCode {
    send(layer, with(token)).await.1.0
}

fn refused(message: &str) -> Answer {
    (StatusCode::UNAUTHORIZED, json!({"message": message}).to_string())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "api", "exp": now() + 600, "sub": "user-7", "name": "alice", "roles": ["reader", "writer"]})
}

fn token(signer: &Signer, algorithm: Algorithm, id: &str) -> String {
    signer.token_with(algorithm, &json!({"alg": algorithm.name(), "kid": id}), &claims())
}

fn layer(issuer: &Issuer) -> JwksLayer {
    JwksLayer::new(issuer.url(), ISSUER, "api").unwrap()
}

/// Waits until something holds.
async fn eventually(mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_algorithm_with_public_keys_works_and_keys_are_fetched_once() {
    let public: Vec<_> = Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()).collect();
    let signers: Vec<_> = public.iter().map(|algorithm| (*algorithm, Signer::new(*algorithm))).collect();
    let keys: Vec<_> = signers.iter().map(|(algorithm, signer)| jwk(signer, algorithm.name())).collect();
    let issuer = Issuer::publishing(&keys).await;
    let layer = layer(&issuer).algorithms(public);
    for (algorithm, signer) in &signers {
        let good = token(signer, *algorithm, algorithm.name());
        for _ in 0..2 {
            assert_eq!(status(&layer, &good).await, StatusCode::OK, "{algorithm}");
        }
        let other = &signers.iter().find(|(other, _)| other != algorithm).unwrap().1;
        let forged =
            other.token_with(*algorithm, &json!({"alg": algorithm.name(), "kid": algorithm.name()}), &claims());
        assert_eq!(send(&layer, with(&forged)).await.1, refused("Invalid signature"), "{algorithm}");
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_good_token_tells_who_it_is_of() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let good = token(&signer, Algorithm::ES256, "a");
    let seen = send(&layer(&issuer).groups_claim("roles"), with(&good)).await.0.unwrap();
    assert_eq!(seen.headers["x-credential-identifier"], "user-7");
    assert!(!seen.headers.contains_key("x-consumer-username"), "the client's own is gone");
    assert_eq!((seen.consumer, seen.anonymous), (None, false));
    assert_eq!(seen.groups, ["reader", "writer"]);
    assert_eq!(seen.claims.unwrap().text("name"), Some("alice"));
}

#[tokio::test]
async fn a_claim_names_the_consumer() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let mut alice = Consumer::named("alice");
    alice.custom_id = Some("user-7".into());
    let accounts = Arc::new(Directory::builder().consumer(alice.clone()).build());
    let config = |claim: &str, by: &[&str], optional: bool| JwksAuthConfig {
        jwks_uri: issuer.url(),
        issuers: vec![ISSUER.into()],
        audiences: vec!["api".into()],
        algorithms: vec!["ES256".into()],
        consumer_claim: Some(claim.into()),
        consumer_by: by.iter().map(|by| (*by).into()).collect(),
        consumer_optional: optional,
        ..JwksAuthConfig::default()
    };
    let mut by_id = claims();
    by_id["id"] = json!(alice.id.to_string());
    let good = signer.token_with(Algorithm::ES256, &json!({"alg": "ES256", "kid": "a"}), &by_id);
    for (claim, by) in [("name", &["username"][..]), ("sub", &["username", "custom_id"]), ("id", &["id"])] {
        let layer = JwksLayer::from_config(config(claim, by, false), accounts.clone()).unwrap();
        for _ in 0..2 {
            let seen = send(&layer, with(&good)).await.0.unwrap();
            assert_eq!(seen.consumer.as_deref(), Some("alice"), "{claim}");
            assert_eq!(seen.headers["x-consumer-username"], "alice");
            assert_eq!(seen.headers["x-consumer-custom-id"], "user-7");
        }
    }
    for (claim, by) in [("name", &["custom_id"][..]), ("sub", &["username"]), ("missing", &["id"]), ("roles", &["id"])]
    {
        let layer = JwksLayer::from_config(config(claim, by, false), accounts.clone()).unwrap();
        for _ in 0..2 {
            let expected = (StatusCode::FORBIDDEN, r#"{"message":"No consumer found for the token"}"#.to_owned());
            assert_eq!(send(&layer, with(&good)).await.1, expected, "{claim}");
        }
        let layer = JwksLayer::from_config(config(claim, by, true), accounts.clone()).unwrap();
        for _ in 0..2 {
            let seen = send(&layer, with(&good)).await.0.unwrap();
            assert_eq!((seen.consumer, seen.anonymous), (None, false), "{claim}");
        }
    }
}

#[tokio::test]
async fn what_is_not_for_us_is_refused_before_any_key_is_fetched() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let layer = layer(&issuer);
    let with_claim = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        signer.token_with(Algorithm::ES256, &json!({"alg": "ES256", "kid": "a"}), &claims)
    };
    let secret = Signer::new(Algorithm::HS256);
    let cases = [
        (with_claim("iss", json!("https://evil.example/")), "Invalid issuer"),
        (with_claim("aud", json!("other")), "Invalid audience"),
        (with_claim("exp", json!(now() - 1)), "Token expired"),
        (with_claim("exp", json!(null)), "Invalid expiration"),
        (with_claim("nbf", json!(now() + 60)), "Token not valid yet"),
        (token(&secret, Algorithm::HS256, "a"), "Invalid algorithm"),
        (signer.token_with(Algorithm::ES256, &json!({"alg": "ES384"}), &claims()), "Invalid algorithm"),
        (signer.token_with(Algorithm::ES256, &json!({"alg": "none"}), &claims()), "Bad token; invalid alg"),
        (
            signer.token_with(Algorithm::ES256, &json!({"alg": "ES256", "crit": ["x"]}), &claims()),
            "Bad token; invalid crit",
        ),
        ("x".into(), "Bad token; invalid JSON"),
        ("x".repeat(10_000), "Bad token; too large"),
    ];
    for (token, message) in cases {
        assert_eq!(send(&layer, with(&token)).await.1, refused(message));
    }
    let none = Request::get("/").body(Full::default()).unwrap();
    assert_eq!(send(&layer, none).await.1, refused("Unauthorized"));
    // The first request found the keys old and had them fetched; none of these waited for it.
    assert!(issuer.asked() <= 1);
}

#[tokio::test]
async fn attack_the_published_key_is_no_secret() {
    let signer = Signer::new(Algorithm::RS256);
    let published = jwk(&signer, "a");
    let issuer = Issuer::publishing(&[
        published.clone(),
        json!({"kty": "oct", "kid": "s", "k": tokens::encode(b"secret"), "alg": "HS256"}),
    ])
    .await;
    let layer = layer(&issuer).algorithms(Algorithm::ALL);
    for secret in [signer.pem(), published.to_string(), published["n"].as_str().unwrap().to_owned(), "secret".into()] {
        for id in ["a", "s"] {
            let forged = token(&Signer::Secret(secret.clone()), Algorithm::HS256, id);
            assert_eq!(send(&layer, with(&forged)).await.1, refused("Invalid algorithm"));
        }
    }
}

#[tokio::test]
async fn attack_injected_key_ids() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let layer = layer(&issuer);
    assert_eq!(status(&layer, &token(&signer, Algorithm::ES256, "a")).await, StatusCode::OK);
    let asked = issuer.asked();
    for id in [
        json!("../../dev/null"),
        json!("' OR 1=1 --"),
        json!("http://evil.example/"),
        json!("k".repeat(5000)),
        json!(7),
        json!(["a"]),
        json!({"a": 1}),
        json!(""),
    ] {
        let header = json!({"alg": "ES256", "kid": id, "jku": "http://127.0.0.1:1/", "jwk": jwk(&signer, "a")});
        let forged = signer.token_with(Algorithm::ES256, &header, &claims());
        assert_eq!(send(&layer, with(&forged)).await.1, refused("No key found for the token"), "{id}");
    }
    assert_eq!(issuer.asked(), asked, "the cool-down holds: nobody makes us ask the issuer again and again");
}

#[tokio::test]
async fn a_rotated_key_is_found_at_once_after_the_cooldown() {
    let (first, second) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    let issuer = Issuer::publishing(&[jwk(&first, "1")]).await;
    let layer = layer(&issuer).cooldown(Duration::from_secs(1));
    let (old, new) = (token(&first, Algorithm::ES256, "1"), token(&second, Algorithm::ES256, "2"));
    assert_eq!(status(&layer, &old).await, StatusCode::OK);
    assert_eq!(send(&layer, with(&new)).await.1, refused("No key found for the token"));
    issuer.publish(&[jwk(&first, "1"), jwk(&second, "2")]);
    let begin = Instant::now();
    while status(&layer, &new).await != StatusCode::OK {
        assert!(begin.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status(&layer, &old).await, StatusCode::OK, "both keys count while both are published");
    assert_eq!(issuer.asked(), 2);
    // The old key is taken back: tokens that were remembered end with it.
    issuer.publish(&[jwk(&second, "2")]);
    let begin = Instant::now();
    while status(&layer, &token(&second, Algorithm::ES256, "3")).await == StatusCode::OK
        || status(&layer, &old).await == StatusCode::OK
    {
        assert!(begin.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(send(&layer, with(&old)).await.1, refused("No key found for the token"));
    assert_eq!(status(&layer, &new).await, StatusCode::OK);
}

#[tokio::test]
async fn another_key_under_the_same_id_ends_what_was_remembered() {
    let (first, second) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    let issuer = Issuer::publishing(&[jwk(&first, "1")]).await;
    let layer = layer(&issuer).cooldown(Duration::from_secs(1)).refresh_interval(Duration::from_secs(1));
    let refresher = tokio::spawn(layer.keep_fresh());
    let old = token(&first, Algorithm::ES256, "1");
    assert_eq!(status(&layer, &old).await, StatusCode::OK);
    issuer.publish(&[jwk(&second, "1")]);
    let asked = issuer.asked();
    eventually(|| issuer.asked() > asked + 1).await;
    assert_eq!(send(&layer, with(&old)).await.1, refused("Invalid signature"));
    assert_eq!(status(&layer, &token(&second, Algorithm::ES256, "1")).await, StatusCode::OK);
    refresher.abort();
}

#[tokio::test]
async fn many_requests_at_once_ask_the_issuer_once() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    issuer.answer(Answering::After(Duration::from_millis(200)));
    let layer = layer(&issuer);
    let good = token(&signer, Algorithm::ES256, "a");
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (layer, good) = (layer.clone(), good.clone());
            tokio::spawn(async move { status(&layer, &good).await })
        })
        .collect();
    for answer in asking {
        assert_eq!(answer.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_fetch_goes_on_when_the_request_that_began_it_goes_away() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    issuer.answer(Answering::After(Duration::from_secs(1)));
    let layer = layer(&issuer);
    let good = token(&signer, Algorithm::ES256, "a");
    let first = tokio::time::timeout(Duration::from_millis(50), status(&layer, &good)).await;
    assert!(first.is_err(), "it was cut off");
    assert_eq!(status(&layer, &good).await, StatusCode::OK);
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn stale_keys_count_while_the_issuer_is_down() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let layer = layer(&issuer).cooldown(Duration::from_secs(1)).refresh_interval(Duration::from_secs(1));
    let refresher = tokio::spawn(layer.keep_fresh());
    assert_eq!(status(&layer, &token(&signer, Algorithm::ES256, "a")).await, StatusCode::OK);
    for answering in [
        Answering::Closing,
        Answering::Status(500),
        Answering::Text("<html>".into()),
        Answering::Text("{}".into()),
        Answering::Text(r#"{"keys":[]}"#.into()),
    ] {
        issuer.answer(answering);
        let asked = issuer.asked();
        eventually(|| issuer.asked() > asked).await;
        let fresh = signer.token_with(Algorithm::ES256, &json!({"alg": "ES256", "kid": "a", "n": asked}), &claims());
        assert_eq!(status(&layer, &fresh).await, StatusCode::OK);
        // Well again, so that the wait after failures does not grow.
        issuer.answer(Answering::Keys);
        let asked = issuer.asked();
        eventually(|| issuer.asked() > asked).await;
    }
    refresher.abort();
}

#[tokio::test]
async fn without_any_keys_the_gateway_says_that_it_cannot_know() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[]).await;
    issuer.answer(Answering::Status(503));
    let layer = layer(&issuer).cooldown(Duration::from_secs(1));
    let good = token(&signer, Algorithm::ES256, "a");
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"Token keys are not available"}"#.to_owned());
    assert_eq!(send(&layer, with(&good)).await.1, unavailable);
    assert_eq!(send(&layer, with(&good)).await.1, unavailable, "at once, without asking");
    assert_eq!(issuer.asked(), 1);
    issuer.publish(&[jwk(&signer, "a")]);
    issuer.answer(Answering::Keys);
    let begin = Instant::now();
    while status(&layer, &good).await != StatusCode::OK {
        assert!(begin.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_slow_issuer_is_given_up_on() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    for answering in [Answering::After(Duration::from_secs(60)), Answering::Endless] {
        issuer.answer(answering);
        let config = JwksAuthConfig {
            jwks_uri: issuer.url(),
            issuers: vec![ISSUER.into()],
            audiences: vec!["api".into()],
            algorithms: vec!["ES256".into()],
            timeout: 300,
            ..JwksAuthConfig::default()
        };
        let layer = JwksLayer::from_config(config, Arc::default()).unwrap();
        let begin = Instant::now();
        assert_eq!(status(&layer, &token(&signer, Algorithm::ES256, "a")).await, StatusCode::SERVICE_UNAVAILABLE);
        assert!(begin.elapsed() >= Duration::from_millis(300) && begin.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn https_is_checked_against_the_authorities_given() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::with_tls(&[jwk(&signer, "a")]).await;
    let config = |authorities: Option<String>| JwksAuthConfig {
        jwks_uri: issuer.url(),
        issuers: vec![ISSUER.into()],
        audiences: vec!["api".into()],
        algorithms: vec!["ES256".into()],
        ca_certificates: authorities,
        ..JwksAuthConfig::default()
    };
    let good = token(&signer, Algorithm::ES256, "a");
    let trusting = JwksLayer::from_config(config(Some(issuer.authority().to_owned())), Arc::default()).unwrap();
    assert_eq!(status(&trusting, &good).await, StatusCode::OK);
    for authorities in [None, Some(Issuer::another_authority())] {
        let asked = issuer.asked();
        let layer = JwksLayer::from_config(config(authorities), Arc::default()).unwrap();
        assert_eq!(status(&layer, &good).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(issuer.asked(), asked, "nothing was asked of somebody unknown");
    }
}

#[tokio::test]
async fn strangers_go_on_as_the_anonymous_consumer_also_after_waiting() {
    let (signer, other) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let accounts = Arc::new(Directory::builder().consumer(Consumer::named("guest")).build());
    let layer = layer(&issuer).accounts(accounts.clone()).anonymous("guest");
    for token in [token(&other, Algorithm::ES256, "a"), token(&other, Algorithm::ES256, "b"), "x".into()] {
        let seen = send(&layer, with(&token)).await.0.unwrap();
        assert_eq!(seen.headers["x-anonymous-consumer"], "true");
        assert_eq!((seen.consumer.as_deref(), seen.anonymous), (Some("guest"), true));
    }
    let seen = send(&layer, with(&token(&signer, Algorithm::ES256, "a"))).await.0.unwrap();
    assert_eq!((seen.consumer, seen.anonymous), (None, false));
    let ghost = JwksLayer::new(issuer.url(), ISSUER, "api").unwrap().accounts(accounts).anonymous("ghost");
    let (status, body) = send(&ghost, with(&token(&other, Algorithm::ES256, "b"))).await.1;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("anonymous consumer ghost is configured but doesn't exist"), "{body}");
}

#[tokio::test]
async fn operators_see_how_the_keys_are() {
    let signer = Signer::new(Algorithm::ES256);
    let issuer = Issuer::publishing(&[jwk(&signer, "a")]).await;
    let config = JwksAuthConfig {
        jwks_uri: issuer.url(),
        issuers: vec![ISSUER.into()],
        audiences: vec!["api".into()],
        algorithms: vec!["ES256".into()],
        refresh_interval: 1,
        cooldown: 1,
        ..JwksAuthConfig::default()
    };
    let policy = Arc::new(JwksAuth::new(config, &Env::default()).unwrap());
    assert_eq!(policy.state().unwrap(), json!({"keys": 0, "fetched_at": null, "failures": 0, "error": null}));
    let task = tokio::spawn(policy.background().unwrap());
    eventually(|| policy.state().unwrap()["keys"] == 1).await;
    assert!(policy.state().unwrap()["fetched_at"].as_u64().unwrap() >= now() - 20);
    issuer.answer(Answering::Status(500));
    eventually(|| policy.state().unwrap()["failures"] != 0).await;
    let state = policy.state().unwrap();
    assert_eq!((&state["keys"], &state["error"]), (&json!(1), &json!("it answered 500 Internal Server Error")));
    task.abort();
}
