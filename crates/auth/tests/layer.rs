//! What reaches the inner service through key-auth, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod service;

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use service::{Answer, Headers, IDENTITY, Seen, request, send, with_body};
use tower::{Layer, ServiceExt, service_fn};
use towergate_auth::{KeyAuth, KeyAuthConfig, KeyAuthLayer};
use towergate_core::{
    Choice, Client, Consumer, Context, Directory, Env, Guard, GuardBody, GuardLayer, Level, Plan, Plugin, Plugins,
    Timing,
};
use uuid::Uuid;

const CREDENTIAL: Uuid = Uuid::from_u128(7);

fn alice() -> Consumer {
    let mut alice = Consumer::named("alice");
    alice.custom_id = Some("A-1".into());
    alice
}

/// Alice with the key `good` and the expired key `old`, and `guest` without any.
fn accounts() -> Arc<Directory> {
    let mut accounts = Directory::builder().consumer(alice()).consumer(Consumer::named("guest"));
    assert!(accounts.add_credential(KeyAuth::CREDENTIALS, CREDENTIAL, alice().id, "good", None, None));
    assert!(accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::nil(), alice().id, "old", None, Some(1000)));
    assert!(accounts.add_credential("jwt", Uuid::nil(), alice().id, "token", None, None));
    Arc::new(accounts.build())
}

fn layer() -> KeyAuthLayer {
    KeyAuthLayer::new(accounts())
}

/// A layer made of a configuration.
fn configured(change: impl FnOnce(&mut KeyAuthConfig)) -> KeyAuthLayer {
    let mut config = KeyAuthConfig::default();
    change(&mut config);
    KeyAuthLayer::from_policy(KeyAuth::new(config, &Env::default()).unwrap(), accounts())
}

#[tokio::test]
async fn refusals_say_why() {
    let cases: [(&str, Headers<'_>, &str); 9] = [
        ("/", &[], "No API key found in request"),
        ("/", &[("apikey", "")], "No API key found in request"),
        ("/?apikey=", &[], "No API key found in request"),
        ("/?apikey", &[], "No API key found in request"),
        ("/", &[("apikey", "good"), ("apikey", "good")], "Duplicate API key found"),
        ("/?apikey=good&apikey=good", &[], "Duplicate API key found"),
        ("/", &[("apikey", "bad")], "Unauthorized"),
        ("/?apikey=old", &[], "Unauthorized"),
        ("/?apikey=%FFgood", &[], "Unauthorized"),
    ];
    for (uri, headers, message) in cases {
        let (seen, (status, headers, body)) = send(&layer(), request(uri, headers)).await;
        assert!(seen.is_none(), "{uri}");
        assert_eq!(
            (status, &headers["www-authenticate"]),
            (StatusCode::UNAUTHORIZED, &HeaderValue::from_static("Key"))
        );
        assert_eq!(headers["content-type"], "application/json; charset=utf-8");
        assert!(body.starts_with(&format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"")), "{uri}: {body}");
    }
}

#[tokio::test]
async fn a_key_of_another_kind_or_not_utf8_is_no_key() {
    let mut not_utf8 = request("/", &[]);
    not_utf8.headers_mut().insert("apikey", HeaderValue::from_bytes(b"go\xffod").unwrap());
    for request in [not_utf8, request("/?apikey=token", &[])] {
        assert_eq!(send(&layer(), request).await.1.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_refusal_names_the_realm() {
    let (_, (_, headers, _)) = send(&configured(|c| c.realm = Some("orders".into())), request("/", &[])).await;
    assert_eq!(headers["www-authenticate"], "Key realm=\"orders\"");
    let built = layer().realm(&HeaderValue::from_static("orders"));
    assert_eq!(send(&built, request("/", &[])).await.1.1["www-authenticate"], "Key realm=\"orders\"");
}

#[tokio::test]
async fn a_good_key_is_told_to_the_service_whatever_the_client_claims() {
    let spoofed: Vec<_> = IDENTITY.iter().flat_map(|name| [(*name, "spoofed"); 2]).collect();
    let headers = [&spoofed[..], &[("apikey", "good")]].concat();
    let (seen, (status, _, _)) = send(&layer(), request("/p?a=1", &headers)).await;
    let seen = seen.unwrap();
    assert_eq!(status, StatusCode::OK);
    let (consumer, credential) = (alice().id.to_string(), CREDENTIAL.to_string());
    assert_eq!(seen.identity(), [vec![&*consumer], vec!["A-1"], vec!["alice"], vec![&*credential], vec![]]);
    assert_eq!((seen.consumer.as_deref(), seen.credential), (Some("alice"), Some(CREDENTIAL)));
    assert_eq!((seen.lines("apikey"), seen.uri.as_str()), (vec!["good"], "/p?a=1"), "not hidden unless told");
}

#[tokio::test]
async fn keys_are_hidden_from_the_service() {
    let layer = configured(|c| c.hide_credentials = true);
    let cases = [("/?apikey=good", "/?"), ("/p?b=%41&apikey=good&c", "/p?b=%41&c"), ("/p?b=1", "/p?b=1")];
    for (uri, expected) in cases {
        let header = [("apikey", "good")];
        for headers in [&header[..], &[]].iter().filter(|headers| !headers.is_empty() || uri.contains("apikey")) {
            let seen = send(&layer, request(uri, headers)).await.0.unwrap();
            assert_eq!((seen.uri.as_str(), seen.lines("apikey")), (expected, vec![]), "{uri}");
        }
    }
}

#[tokio::test]
async fn a_key_may_stand_in_the_body() {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json = ("content-type", "application/json");
    let multipart = ("content-type", "multipart/form-data; boundary=b");
    let part = "--b\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\ngood\r\n--b--\r\n";
    let cases = [
        (form, "a=1&apikey=good", Ok("a=1")),
        (json, r#"{"a":1,"apikey":"good"}"#, Ok(r#"{"a":1}"#)),
        (multipart, part, Ok("--b--\r\n")),
        (form, "a=1", Err("No API key found in request")),
        (form, "apikey=good&apikey=good", Err("Duplicate API key found")),
        (json, r#"{"apikey":["good"]}"#, Err("Duplicate API key found")),
        (json, r#"{"apikey":1}"#, Err("No API key found in request")),
        (json, r#"{"apikey":"#, Err("No API key found in request")),
        (json, r#"{"apikey":"bad"}"#, Err("Unauthorized")),
        (("content-type", "text/plain"), "apikey=good", Err("No API key found in request")),
    ];
    for (content_type, body, expected) in cases {
        for hide in [false, true] {
            let layer = configured(|c| (c.key_in_body, c.hide_credentials) = (true, hide));
            let length = body.len().to_string();
            let request = with_body("/", &[content_type, ("content-length", &length)], body);
            let (seen, (_, _, answer)) = send(&layer, request).await;
            match expected {
                Ok(rest) => {
                    let (seen, left) = (seen.unwrap(), if hide { rest } else { body });
                    assert_eq!(seen.body, left);
                    assert_eq!(seen.lines("content-length"), [left.len().to_string()]);
                    assert_eq!(seen.consumer.as_deref(), Some("alice"));
                }
                Err(message) => assert!(answer.contains(message), "{body}: {answer}"),
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_stands_in_header_and_body_is_hidden_in_both() {
    let layer = configured(|c| (c.key_in_body, c.hide_credentials) = (true, true));
    let headers = [("apikey", "good"), ("content-type", "application/json")];
    let seen = send(&layer, with_body("/", &headers, r#"{"apikey":"x","b":1}"#)).await.0.unwrap();
    assert_eq!((seen.body.as_ref(), seen.lines("apikey")), (&b"{\"b\":1}"[..], vec![]));
}

#[tokio::test]
async fn a_large_body_is_not_searched_but_passed_on_whole() {
    let large = format!("apikey=good&fill={}", "x".repeat(9000));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let (seen, (status, _, _)) = send(&layer().in_body(true), with_body("/", &[form], &large)).await;
    assert!(seen.is_none() && status == StatusCode::UNAUTHORIZED);
    let seen = send(&layer().in_body(true).body_limit(10_000), with_body("/", &[form], &large)).await.0;
    assert_eq!(seen.unwrap().body, large);
    let hides = layer().in_body(true).hide_credentials(true);
    let seen = send(&hides, with_body("/", &[form, ("apikey", "good")], &large)).await.0.unwrap();
    assert_eq!((seen.body, seen.headers.contains_key("apikey")), (large.into(), false));
}

#[tokio::test]
async fn places_may_be_closed() {
    let cases = [
        (layer().in_header(false), request("/", &[("apikey", "good")])),
        (layer().in_query(false), request("/?apikey=good", &[])),
        (layer().names([HeaderName::from_static("x-key")]), request("/", &[("apikey", "good")])),
    ];
    for (layer, request) in cases {
        assert_eq!(send(&layer, request).await.1.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn without_a_good_key_a_request_may_go_on_as_the_anonymous_consumer() {
    let guest = Consumer::named("guest").id.to_string();
    let requests = [
        request("/", &[("x-credential-identifier", "spoofed")]),
        request("/", &[("apikey", "bad")]),
        request("/?apikey=a&apikey=b", &[("x-consumer-custom-id", "spoofed")]),
    ];
    for name in ["guest", &guest] {
        for request in requests.clone() {
            let seen = send(&layer().anonymous(name), request).await.0.unwrap();
            assert_eq!(seen.identity(), [vec![&*guest], vec![], vec!["guest"], vec![], vec!["true"]]);
            assert_eq!((seen.consumer.as_deref(), seen.credential), (Some("guest"), None));
        }
    }
    let seen = send(&layer().anonymous("guest"), request("/", &[("apikey", "good")])).await.0.unwrap();
    assert_eq!(seen.consumer.as_deref(), Some("alice"));
    let hides = layer().anonymous("guest").hide_credentials(true);
    let seen = send(&hides, request("/?apikey=bad", &[])).await.0.unwrap();
    assert_eq!(seen.uri, "/?", "a bad key is hidden too");
}

#[tokio::test]
async fn an_anonymous_consumer_that_does_not_exist_is_the_operators_fault() {
    let (seen, (status, headers, body)) = send(&layer().anonymous("nobody"), request("/", &[])).await;
    assert!(seen.is_none());
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!headers.contains_key("www-authenticate"));
    assert!(body.contains("\"message\":\"anonymous consumer nobody is configured but doesn't exist\""), "{body}");
    assert!(send(&layer().anonymous("nobody"), request("/?apikey=good", &[])).await.0.is_some());
}

#[tokio::test]
async fn preflights_may_pass_without_a_key_and_without_claims() {
    let mut preflight = request("/", &[("x-consumer-username", "admin")]);
    *preflight.method_mut() = Method::OPTIONS;
    assert_eq!(send(&layer(), preflight.clone()).await.1.0, StatusCode::UNAUTHORIZED);
    let seen = send(&layer().run_on_preflight(false), preflight).await.0.unwrap();
    assert_eq!((seen.lines("x-consumer-username"), &seen.consumer), (vec![], &None));
}

/// A request in the gateway, with these guards on its plan.
async fn in_gateway(guards: Vec<KeyAuthConfig>, mut request: Request<Full<Bytes>>, now: u64) -> (Option<Seen>, Answer) {
    let everybody = |config| {
        let guard: Arc<dyn Guard> = Arc::new(KeyAuth::new(config, &Env::default()).unwrap());
        Choice::new(KeyAuth::NAME, vec![Level::Everybody(guard)])
    };
    let guards = guards.into_iter().map(everybody).collect();
    let plan = Plan::from(Plugins { guards, ..Plugins::default() });
    let timing = Timing::at(Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(now));
    let (head, ()) = Request::new(()).into_parts();
    let cx = Context::new(Client::default(), &head, timing, Some(Arc::new(plan)));
    request.extensions_mut().insert(Arc::new(cx.under(Arc::new(accounts().into()))));
    send(&GuardLayer::from_plan(), request).await
}

fn named(name: &str, anonymous: Option<&str>) -> KeyAuthConfig {
    KeyAuthConfig { key_names: vec![name.into()], anonymous: anonymous.map(Into::into), ..Default::default() }
}

#[tokio::test]
async fn in_the_gateway_the_directory_is_the_configurations() {
    let seen = in_gateway(vec![KeyAuthConfig::default()], request("/?apikey=good", &[]), 0).await.0.unwrap();
    assert_eq!((seen.consumer.as_deref(), seen.credential), (Some("alice"), Some(CREDENTIAL)));
}

#[tokio::test]
async fn a_key_ends_at_its_second() {
    for (now, expected) in [(999, StatusCode::OK), (1000, StatusCode::UNAUTHORIZED)] {
        let (_, (status, ..)) = in_gateway(vec![KeyAuthConfig::default()], request("/?apikey=old", &[]), now).await;
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn several_ways_without_anonymous_must_all_succeed() {
    let both = || vec![named("first", None), named("second", None)];
    let cases = [("/?first=good&second=good", 200), ("/?first=good", 401), ("/?second=good", 401), ("/", 401)];
    for (uri, expected) in cases {
        assert_eq!(in_gateway(both(), request(uri, &[]), 0).await.1.0, expected, "{uri}");
    }
}

#[tokio::test]
async fn of_several_ways_with_anonymous_one_is_enough() {
    let both = || vec![named("first", Some("guest")), named("second", Some("guest"))];
    let cases = [
        ("/?first=good&second=bad", "alice", vec![]),
        ("/?first=bad&second=good", "alice", vec![]),
        ("/?first=bad", "guest", vec!["true"]),
    ];
    for (uri, expected, anonymous) in cases {
        let seen = in_gateway(both(), request(uri, &[]), 0).await.0.unwrap();
        assert_eq!(seen.consumer.as_deref(), Some(expected), "{uri}");
        assert_eq!(seen.lines("x-consumer-username"), [expected]);
        assert_eq!(seen.lines("x-anonymous-consumer"), anonymous);
    }
}

#[tokio::test]
async fn without_any_directory_no_key_is_good() {
    let policy = KeyAuth::new(KeyAuthConfig::default(), &Env::default()).unwrap();
    let service = GuardLayer::new(policy).layer(service_fn(|_: Request<GuardBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let response = service.oneshot(request("/?apikey=good", &[])).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}
