//! What reaches the inner service through basic-auth, what comes back, and what an operator may write.
#![cfg(feature = "basic")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod service;

use std::{
    future::poll_fn,
    num::NonZeroUsize,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use service::{Answer, Headers, IDENTITY, Seen, request, send};
use towergate_auth::{BasicAuth, BasicAuthConfig, BasicAuthLayer, hash_password};
use towergate_core::{Consumer, CredentialKind, Directory, Env, Plugin, Written};
use towergate_schema::{RecordSchema, fields};
use uuid::Uuid;

const CREDENTIAL: Uuid = Uuid::from_u128(7);

fn kind() -> CredentialKind {
    BasicAuth::CREDENTIAL_KIND.unwrap()
}

/// A hash of `password` that is quick to verify, from the tests of the reference implementation.
const QUICK: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

/// bob with two passwords as Kong keeps them, alice with an argon2 hash, and `guest` without any.
fn accounts() -> Arc<Directory> {
    let (bob, alice) = (Consumer::named("bob"), Consumer::named("alice"));
    let mut accounts =
        Directory::builder().consumer(bob.clone()).consumer(alice.clone()).consumer(Consumer::named("guest"));
    let kongs = |password: &'static str| {
        let field = |name: &str| (name == "password").then_some(password);
        (kind().prepare)(&Written { id: CREDENTIAL, consumer: bob.id, hashed: false, field: &field }).unwrap()
    };
    let new = BasicAuth::secret(QUICK).unwrap();
    assert!(accounts.add_credential(BasicAuth::CREDENTIALS, CREDENTIAL, bob.id, "bob", kongs("kong"), None));
    assert!(accounts.add_credential(BasicAuth::CREDENTIALS, Uuid::nil(), bob.id, "bob2", kongs("pass:word"), None));
    assert!(accounts.add_credential(BasicAuth::CREDENTIALS, Uuid::nil(), alice.id, "alice", new, None));
    Arc::new(accounts.build())
}

fn layer() -> BasicAuthLayer {
    BasicAuthLayer::new(accounts())
}

fn basic(login: &str) -> String {
    format!("Basic {}", BASE64.encode(login.as_bytes()))
}

fn with_login(login: &str) -> Request<Full<Bytes>> {
    request("/", &[("authorization", &basic(login))])
}

#[track_caller]
fn assert_unauthorized((seen, (status, headers, body)): (Option<Seen>, Answer), what: &str) {
    assert!(seen.is_none(), "{what}");
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
    assert_eq!(headers["www-authenticate"], "Basic realm=\"service\"", "{what}");
    assert!(body.starts_with("{\n  \"message\":\"Unauthorized\",\n  \"request_id\":\""), "{what}: {body}");
}

#[tokio::test]
async fn good_logins_pass_whatever_the_hash() {
    let layer = layer();
    for (login, consumer, identifier) in
        [("bob:kong", "bob", "bob"), ("bob2:pass:word", "bob", "bob2"), ("alice:password", "alice", "alice")]
    {
        for _ in 0..2 {
            let seen = send(&layer, with_login(login)).await.0.unwrap();
            let id = Consumer::named(consumer).id.to_string();
            assert_eq!(seen.identity(), [vec![&*id], vec![], vec![consumer], vec![identifier], vec![]]);
            assert_eq!(seen.lines("authorization"), [basic(login)], "not hidden unless told");
        }
    }
}

#[tokio::test]
async fn everything_else_is_unauthorized() {
    let layer = layer();
    let lines = [
        basic("bob:Kong"),
        basic("bob:"),
        basic("BOB:kong"),
        basic("nobody:kong"),
        basic("alice:kong"),
        // Another consumer's password, and a hash instead of one.
        basic("bob2:kong"),
        basic(":kong"),
        basic("bob"),
        basic(""),
        "Basic".into(),
        "foobar".into(),
        "Bearer Ym9iOmtvbmc=".into(),
        "Basic Ym9iOmt!".into(),
        "Basic Ym9iOmtvbmc=garbage".into(),
        "Basic adXNlcjEyMzpwYXNzd29yZDEyMw==".into(),
        format!("Basic {}", "QUFB".repeat(20_000)),
    ];
    for line in &lines {
        for name in ["authorization", "proxy-authorization"] {
            assert_unauthorized(send(&layer, request("/", &[(name, line)])).await, line.get(..20).unwrap_or(line));
        }
    }
    assert_unauthorized(send(&layer, request("/", &[])).await, "nothing");
    let mut not_text = request("/", &[]);
    not_text.headers_mut().insert("authorization", HeaderValue::from_bytes(b"Basic \xff\xfe").unwrap());
    assert_unauthorized(send(&layer, not_text).await, "not text");
}

#[tokio::test]
async fn two_lines_of_one_header_prove_nothing() {
    let (good, bad) = (basic("bob:kong"), basic("bob:x"));
    for name in ["authorization", "proxy-authorization"] {
        for second in [&good, &bad] {
            let twice = request("/", &[(name, &good), (name, second)]);
            assert_unauthorized(send(&layer(), twice).await, name);
        }
    }
}

#[tokio::test]
async fn proxy_authorization_comes_first() {
    let (good, bad, unknown) = (basic("bob:kong"), basic("bob:x"), basic("nobody:kong"));
    let cases: [(&str, &str, bool); 6] = [
        (&good, "x", true),
        (&good, &bad, true),
        // Somebody has the name, so the password counts; the other header is not asked.
        (&bad, &good, false),
        (&unknown, &good, true),
        ("x", &good, true),
        (&unknown, "x", false),
    ];
    for (proxy, own, passes) in cases {
        let headers = [("proxy-authorization", proxy), ("authorization", own)];
        let (seen, _) = send(&layer(), request("/", &headers)).await;
        assert_eq!(seen.is_some(), passes, "{headers:?}");
    }
}

#[tokio::test]
async fn passwords_are_hidden_when_told() {
    let layer = layer().hide_credentials(true);
    let (good, unknown) = (basic("bob:kong"), basic("nobody:x"));
    // Kong removes the headers it has looked at.
    let cases: [(Headers<'_>, usize); 3] = [
        (&[("authorization", &good)], 0),
        (&[("proxy-authorization", &good), ("authorization", "Bearer x")], 1),
        (&[("proxy-authorization", &unknown), ("authorization", &good)], 0),
    ];
    for (headers, left) in cases {
        let seen = send(&layer, request("/", headers)).await.0.unwrap();
        let count = seen.lines("authorization").len() + seen.lines("proxy-authorization").len();
        assert_eq!(count, left, "{headers:?}");
    }
    let seen = send(&layer.anonymous("guest"), with_login("bob:x")).await.0.unwrap();
    assert!(seen.lines("authorization").is_empty(), "a bad one is hidden too");
}

#[tokio::test]
async fn claims_of_the_client_are_gone() {
    let spoofed: Vec<_> = IDENTITY.iter().flat_map(|name| [(*name, "spoofed"); 2]).collect();
    let (bob, alice) = (basic("bob:kong"), basic("alice:password"));
    for login in [&bob, &alice] {
        let more =
            [("x_consumer_username", "admin"), ("x-consumer-groups", "admin"), ("authorization", login.as_str())];
        let seen = send(&layer(), request("/", &[&spoofed[..], &more].concat())).await.0.unwrap();
        assert_eq!(seen.headers.len(), 4, "id, name, credential, authorization: {:?}", seen.headers);
        assert!(!format!("{:?}", seen.headers).contains("spoofed"));
    }
}

#[tokio::test]
async fn others_may_go_on_as_the_anonymous_consumer() {
    let layer = layer().anonymous("guest");
    // The third is known only after its password was verified.
    for headers in [&[][..], &[("authorization", &*basic("bob:x"))], &[("authorization", &*basic("alice:x"))]] {
        let seen = send(&layer, request("/", headers)).await.0.unwrap();
        assert_eq!((seen.consumer.as_deref(), seen.credential), (Some("guest"), None));
        assert_eq!(seen.identity()[2..], [vec!["guest"], vec![], vec!["true"]]);
    }
    let seen = send(&layer, with_login("alice:password")).await.0.unwrap();
    assert_eq!((seen.consumer.as_deref(), seen.credential), (Some("alice"), Some(Uuid::nil())));
}

#[tokio::test]
async fn an_anonymous_consumer_that_does_not_exist_is_the_operators_fault() {
    for login in ["bob:x", "alice:x"] {
        let (seen, (status, headers, body)) = send(&layer().anonymous("ghost"), with_login(login)).await;
        assert!(seen.is_none() && !headers.contains_key("www-authenticate"));
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("anonymous consumer ghost is configured but doesn't exist"), "{body}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_realm() {
    let layer = layer().realm(&HeaderValue::from_static("orders"));
    let (_, (_, headers, _)) = send(&layer, request("/", &[])).await;
    assert_eq!(headers["www-authenticate"], "Basic realm=\"orders\"");
}

/// alice alone, with a hash as it is made for new passwords.
fn slow() -> BasicAuthLayer {
    let alice = Consumer::named("alice");
    let mut accounts = Directory::builder().consumer(alice.clone());
    let secret = BasicAuth::secret(&hash_password("open sesame").unwrap()).unwrap();
    accounts.add_credential(BasicAuth::CREDENTIALS, Uuid::nil(), alice.id, "alice", secret, None);
    BasicAuthLayer::new(Arc::new(accounts.build()))
}

/// A worker has one thread: while a password is verified it does something else.
#[tokio::test]
async fn verifying_does_not_hold_up_the_worker() {
    let layer = slow().verifications_at_a_time(NonZeroUsize::MIN);
    let mut gave_way = false;
    // On a busy machine the other thread may be done before this one looks again, but not always.
    for _ in 0..5 {
        let mut answer = Box::pin(send(&layer, with_login("alice:wrong")));
        gave_way |= poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await;
        if gave_way {
            assert_eq!(answer.await.1.0, StatusCode::UNAUTHORIZED);
            break;
        }
    }
    assert!(gave_way);
}

#[tokio::test]
async fn when_too_many_wait_others_are_told_to_come_back() {
    let layer = slow().verifications_at_a_time(NonZeroUsize::MIN);
    let mut waiting = Vec::new();
    let mut told = 0;
    // One is at work, 256 have a place; nobody else's turn comes while nobody looks again.
    for _ in 0..300 {
        let mut answer = Box::pin(send(&layer, with_login("alice:wrong")));
        match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            Poll::Ready((seen, (status, headers, body))) if status == StatusCode::SERVICE_UNAVAILABLE => {
                assert!(seen.is_none() && body.contains("Too many logins at a time, try again"), "{body}");
                assert_eq!(headers["retry-after"], "1");
                told += 1;
            }
            Poll::Ready((_, (status, ..))) => assert_eq!(status, StatusCode::UNAUTHORIZED),
            Poll::Pending => waiting.push(answer),
        }
    }
    assert!((1..=44).contains(&told) && waiting.len() >= 255, "{told} told, {} wait", waiting.len());
    // Those who give up make room.
    drop(waiting);
    assert_eq!(send(&layer, with_login("alice:open sesame")).await.1.0, StatusCode::OK);
}

#[tokio::test]
async fn unknown_names_cost_what_known_ones_do() {
    let layer = slow();
    for login in ["alice:wrong", "nobody:wrong", "somebody:open sesame"] {
        for header in ["authorization", "proxy-authorization"] {
            let start = Instant::now();
            let request = request("/", &[(header, &basic(login))]);
            assert_eq!(send(&layer, request).await.1.0, StatusCode::UNAUTHORIZED);
            // Nobody goes through 19 MiB twice in less; being refused without takes a hundredth of it.
            assert!(start.elapsed() > Duration::from_millis(3), "{header} {login}: {:?}", start.elapsed());
        }
    }
}

// --- credentials and configuration ---------------------------------------------------------------------------------------

#[test]
fn credentials_must_be_hashes_that_verify() {
    let prepare = |password: &str, hashed: bool| {
        let field = |name: &str| (name == "password").then_some(password);
        let written = Written { id: Uuid::nil(), consumer: Uuid::nil(), hashed, field: &field };
        (kind().prepare)(&written).map(|secret| secret.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(prepare("plain text", false), Ok(true));
    assert_eq!(prepare("da39a3ee5e6b4b0d3255bfef95601890afd80709", true), Ok(true));
    assert_eq!(prepare(&hash_password("x").unwrap(), true), Ok(true));
    let message = prepare("plain text", true).unwrap_err();
    assert!(message.starts_with("password: is no hash of a password: 40 hexadecimal digits"), "{message}");
    assert!(!message.contains("plain text"));
    let message = prepare("$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$YWFhYWFhYWFhYWFhYWFhYQ", false).unwrap_err();
    assert!(message.contains("at most 256 MiB"), "{message}");
    assert_eq!((kind().collection, kind().found_by), ("basicauth_credentials", "username"));
}

fn complete(mut written: Value) -> (Value, Value) {
    let problems = BasicAuthConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, problems) = complete(json!({}));
    assert_eq!(config, json!({"anonymous": null, "hide_credentials": false, "realm": "service"}));
    assert_eq!(problems, json!({}));
    let typed: BasicAuthConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, BasicAuthConfig::default());
    assert_eq!((BasicAuth::NAME, BasicAuth::PRIORITY), ("basic-auth", 1100));
    assert_eq!((BasicAuth::CONSUMER_SCOPE, BasicAuth::SERVICE_SCOPE, BasicAuth::ROUTE_SCOPE), (false, true, true));
}

#[test]
fn every_field_is_checked_in_kongs_words() {
    for (config, expected) in [
        (json!({"anonymous": "guest", "hide_credentials": true, "realm": "orders"}), json!({})),
        (json!({"anonymous": 1}), json!({"anonymous": "expected a string"})),
        (json!({"hide_credentials": "yes"}), json!({"hide_credentials": "expected a boolean"})),
        (json!({"realm": false}), json!({"realm": "expected a string"})),
        (json!({"users": []}), json!({"users": "unknown field"})),
    ] {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
    let bad = BasicAuthConfig { realm: "a\nb".into(), ..Default::default() };
    let error = BasicAuth::new(bad, &Env::default()).unwrap_err().to_string();
    assert_eq!(error, "realm: must not hold control characters");
}
