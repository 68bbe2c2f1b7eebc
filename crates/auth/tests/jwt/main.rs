//! What reaches the inner service through `jwt`, and what comes back: good tokens, and attacks.
#![cfg(feature = "jwt")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod attacks;
mod support;
#[path = "../tokens/mod.rs"]
mod tokens;

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;
use tokens::{Signer, encode};
use tower::{Layer, ServiceExt, service_fn};
use towergate_auth::{Algorithm, Jwt, JwtConfig, JwtKey, JwtLayer};
use towergate_core::{
    Choice, Client, Consumer, Context, Directory, Guard, GuardBody, GuardLayer, Level, Plan, Plugins, Timing,
};
use uuid::Uuid;

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
async fn a_remembered_token_ends_when_it_says_so() {
    let (signer, accounts) = hs256();
    let policy = policy(strict());
    let token = signer.token(Algorithm::HS256, &json!({"iss": "app", "exp": NOW + 10, "nbf": NOW}));
    let at = |seconds: u64| {
        let (mut head, body) = with(&token).into_parts();
        let timing = Timing::at(Instant::now(), UNIX_EPOCH + Duration::from_secs(seconds));
        let cx = Context::new(Client::default(), &head, timing, Some(Arc::default()));
        head.extensions.insert(Arc::new(cx.under(Arc::new(accounts.clone().into()))));
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
    let plan = Plan::from(Plugins { guards: policies, ..Plugins::default() });
    let (mut head, body) = with(&token).into_parts();
    let timing = Timing::at(Instant::now(), SystemTime::now());
    let cx = Context::new(Client::default(), &head, timing, Some(Arc::new(plan)));
    head.extensions.insert(Arc::new(cx.under(Arc::new(accounts.into()))));
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
