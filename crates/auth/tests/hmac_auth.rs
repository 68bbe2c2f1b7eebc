//! What reaches the inner service through hmac-auth, what comes back, and what an operator may write.
#![cfg(feature = "hmac")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod service;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use service::{Answer, IDENTITY, Seen, request, send, with_body};
use towergate_auth::{HmacAlgorithm, HmacAuth, HmacAuthConfig, HmacAuthLayer};
use towergate_core::{Consumer, Directory, Env, Plugin, Written};
use towergate_schema::{RecordSchema, fields};
use uuid::Uuid;

const CREDENTIAL: Uuid = Uuid::from_u128(7);
const NO_DATE: &str =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";
const NOT_VERIFIABLE: &str = "HMAC signature cannot be verified";
const NO_MATCH: &str = "HMAC signature does not match";

/// bob with the secret `secret`, and `guest` without any.
fn accounts() -> Arc<Directory> {
    let bob = Consumer::named("bob");
    let mut accounts = Directory::builder().consumer(bob.clone()).consumer(Consumer::named("guest"));
    let secret = HmacAuth::secret(*b"secret");
    assert!(accounts.add_credential(HmacAuth::CREDENTIALS, CREDENTIAL, bob.id, "bobby", secret, None));
    Arc::new(accounts.build())
}

fn layer() -> HmacAuthLayer {
    HmacAuthLayer::new(accounts())
}

fn now() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

fn sign(algorithm: &str, secret: &str, text: &str) -> String {
    let algorithm = match algorithm {
        "hmac-sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "hmac-sha224" => hmac::HMAC_SHA224,
        "hmac-sha256" => hmac::HMAC_SHA256,
        "hmac-sha384" => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    BASE64.encode(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), text.as_bytes()).as_ref())
}

fn authorization(username: &str, algorithm: &str, headers: &str, signature: &str) -> String {
    format!(r#"hmac username="{username}", algorithm="{algorithm}", headers="{headers}", signature="{signature}""#)
}

/// The authorization of bobby for this text.
fn signed(algorithm: &str, headers: &str, text: &str) -> String {
    authorization("bobby", algorithm, headers, &sign(algorithm, "secret", text))
}

/// A request of bobby's, signed by its date with SHA-256.
fn good(date: &str) -> String {
    signed("hmac-sha256", "date", &format!("date: {date}"))
}

#[track_caller]
fn assert_refused((seen, (status, headers, body)): (Option<Seen>, Answer), message: &str, what: &str) {
    assert!(seen.is_none(), "{what}");
    assert_eq!((status, &headers["www-authenticate"]), (StatusCode::UNAUTHORIZED, &"hmac".parse().unwrap()), "{what}");
    assert!(body.starts_with(&format!("{{\n  \"message\":\"{message}\",\n")), "{what}: {body}");
}

#[tokio::test]
async fn every_algorithm_of_kong_passes() {
    let date = now();
    for algorithm in ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"] {
        let text = format!("date: {date}\nGET /p?q=%41 HTTP/1.1\nx-none:\n@request-target: get /p?q=%41");
        let line = signed(algorithm, "date request-line x-none @request-target", &text);
        for name in ["authorization", "proxy-authorization"] {
            let (seen, answer) = send(&layer(), request("/p?q=%41", &[("date", &date), (name, &line)])).await;
            let seen = seen.unwrap_or_else(|| panic!("{algorithm}: {answer:?}"));
            let id = Consumer::named("bob").id.to_string();
            assert_eq!(seen.identity(), [vec![&*id], vec![], vec!["bob"], vec!["bobby"], vec![]]);
            assert_eq!((seen.credential, seen.lines(name)), (Some(CREDENTIAL), vec![&*line]));
        }
    }
}

#[tokio::test]
async fn only_configured_algorithms_pass() {
    let date = now();
    let text = format!("date: {date}");
    let with = |algorithm| request("/", &[("date", &date), ("authorization", &signed(algorithm, "date", &text))]);
    assert_refused(send(&layer(), with("hmac-sha224")).await, NOT_VERIFIABLE, "not by default");
    let only = layer().algorithms([HmacAlgorithm::Sha224]);
    assert!(send(&only, with("hmac-sha224")).await.0.is_some());
    for algorithm in ["hmac-sha256", "HMAC-SHA224", "none"] {
        assert_refused(send(&only, with(algorithm)).await, NOT_VERIFIABLE, algorithm);
    }
}

#[tokio::test]
async fn refusals_say_why() {
    let date = now();
    let text = format!("date: {date}");
    let sha1 = |secret, text: &str| sign("hmac-sha1", secret, text);
    let cases = [
        ("asd".to_owned(), NOT_VERIFIABLE),
        ("hmac username".to_owned(), NOT_VERIFIABLE),
        ("Basic Ym9iOmtvbmc=".to_owned(), NOT_VERIFIABLE),
        (authorization("nobody", "hmac-sha1", "date", &sha1("secret", &text)), NOT_VERIFIABLE),
        (authorization("", "hmac-sha1", "date", &sha1("secret", &text)), NOT_VERIFIABLE),
        (authorization("bobby", "hmac-sha1", "date", &sha1("Secret", &text)), NO_MATCH),
        (authorization("bobby", "hmac-sha1", "date", &sha1("secret", "date: then")), NO_MATCH),
        (authorization("bobby", "hmac-sha1", "date x-a", &sha1("secret", &text)), NO_MATCH),
        (authorization("bobby", "hmac-sha1", "date", "not really a base64 encoded value!!!"), NO_MATCH),
        (authorization("bobby", "hmac-sha1", "date", &sha1("secret", &text)[..20]), NO_MATCH),
        // Of another algorithm than it says.
        (authorization("bobby", "hmac-sha512", "date", &sha1("secret", &text)), NO_MATCH),
        // A text that would be hashed for as long as an attacker likes.
        (authorization("bobby", "hmac-sha1", &"x-long ".repeat(9000), "eA=="), NO_MATCH),
    ];
    for (line, message) in &cases {
        for name in ["authorization", "proxy-authorization"] {
            let long = "x".repeat(8000);
            let request = request("/", &[("date", &date), ("x-long", &long), (name, line)]);
            assert_refused(send(&layer(), request).await, message, line.get(..80).unwrap_or(line));
        }
    }
    assert_refused(send(&layer(), request("/", &[("date", &date)])).await, "Unauthorized", "no header");
    assert_refused(send(&layer(), request("/", &[])).await, "Unauthorized", "no header, no date");
}

#[tokio::test]
async fn two_lines_of_one_header_prove_nothing() {
    let date = now();
    let line = good(&date);
    for name in ["authorization", "proxy-authorization"] {
        let twice = request("/", &[("date", &date), (name, &line), (name, &line)]);
        assert_refused(send(&layer(), twice).await, NOT_VERIFIABLE, name);
    }
    // Nor may a line be added to a signed header.
    let line = signed("hmac-sha1", "x-role", "x-role: user");
    let headers = [("date", &*date), ("authorization", &*line), ("x-role", "user")];
    assert!(send(&layer(), request("/", &headers)).await.0.is_some());
    let added = [&headers[..], &[("x-role", "admin")]].concat();
    assert_refused(send(&layer(), request("/", &added)).await, NO_MATCH, "a line added");
}

#[tokio::test]
async fn a_date_must_be_near() {
    let at = |seconds: i64| {
        let moved = Duration::from_secs(seconds.unsigned_abs());
        let moment = if seconds < 0 { SystemTime::now() - moved } else { SystemTime::now() + moved };
        httpdate::fmt_http_date(moment)
    };
    for (seconds, skew, passes) in
        [(-200, 300, true), (200, 300, true), (-400, 300, false), (400, 300, false), (-400, 500, true)]
    {
        let date = at(seconds);
        let line = good(&date);
        let layer = layer().clock_skew(Duration::from_secs(skew));
        let answer = send(&layer, request("/", &[("date", &date), ("authorization", &line)])).await;
        if passes {
            assert!(answer.0.is_some(), "{seconds}");
        } else {
            assert_refused(answer, NO_DATE, &seconds.to_string());
        }
    }
    let line = good("never");
    assert_refused(send(&layer(), request("/", &[("authorization", &line)])).await, NO_DATE, "none");
    assert_refused(send(&layer(), request("/", &[("authorization", &line), ("date", "never")])).await, NO_DATE, "bad");
    // X-Date is enough, whatever Date says, and the other way round.
    let (date, old) = (now(), at(-4000));
    for (x_date, date) in [(&date, &old), (&old, &date)] {
        let line = signed("hmac-sha1", "x-date date", &format!("x-date: {x_date}\ndate: {date}"));
        let headers = [("x-date", &**x_date), ("date", &**date), ("authorization", &*line)];
        assert!(send(&layer(), request("/", &headers)).await.0.is_some());
    }
}

#[tokio::test]
async fn what_must_be_signed_is_signed() {
    let date = now();
    let layer = layer().enforce_headers(["Date", "request-line"]);
    for (headers, text, passes) in [
        ("date request-line", format!("date: {date}\nGET / HTTP/1.1"), true),
        ("request-line x-a date", format!("GET / HTTP/1.1\nx-a:\ndate: {date}"), true),
        ("date", format!("date: {date}"), false),
        ("date request-line2", format!("date: {date}\nrequest-line2:"), false),
    ] {
        let line = signed("hmac-sha256", headers, &text);
        let answer = send(&layer, request("/", &[("date", &date), ("authorization", &line)])).await;
        if passes {
            assert!(answer.0.is_some(), "{headers}");
        } else {
            assert_refused(answer, NOT_VERIFIABLE, headers);
        }
    }
}

#[tokio::test]
async fn proxy_authorization_comes_first() {
    let date = now();
    let (good, bad) = (good(&date), signed("hmac-sha256", "date", "date: then"));
    for (proxy, own, passes) in
        [(&*good, "hello", true), ("hmac username", &*good, true), (&*bad, &*good, false), (&*good, &*bad, true)]
    {
        let headers = [("date", &*date), ("proxy-authorization", proxy), ("authorization", own)];
        assert_eq!(send(&layer(), request("/", &headers)).await.0.is_some(), passes, "{headers:?}");
    }
}

#[tokio::test]
async fn signatures_are_hidden_when_told() {
    let date = now();
    let good = good(&date);
    let layer = layer().hide_credentials(true);
    let headers = [("date", &*date), ("proxy-authorization", &*good), ("authorization", "Bearer x")];
    let seen = send(&layer, request("/", &headers)).await.0.unwrap();
    assert_eq!((seen.lines("proxy-authorization").len(), seen.lines("authorization")), (0, vec!["Bearer x"]));
    let seen = send(&layer, request("/", &[("date", &date), ("authorization", &good)])).await.0.unwrap();
    assert!(seen.lines("authorization").is_empty());
}

/// A body of bobby's, with its digest or without.
fn posted(body: &str, digest: Option<&str>) -> Request<Full<Bytes>> {
    let date = now();
    let line = good(&date);
    let mut headers = vec![("date", &*date), ("authorization", &*line)];
    headers.extend(digest.map(|digest| ("digest", digest)));
    with_body("/", &headers, body)
}

#[tokio::test]
async fn a_body_must_be_the_one_its_digest_tells() {
    // printf %s hello | openssl dgst -sha256 -binary | base64
    let hello = "SHA-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let layer = layer().validate_request_body(true).hide_credentials(true);
    for (body, digest, passes) in [
        ("hello", Some(hello), true),
        ("", None, true),
        ("hello", None, false),
        ("Hello", Some(hello), false),
        ("", Some(hello), false),
        ("hello", Some("SHA-256=x"), false),
    ] {
        let answer = send(&layer, posted(body, digest)).await;
        if passes {
            let seen = answer.0.unwrap();
            assert_eq!((&seen.body[..], seen.consumer.as_deref()), (body.as_bytes(), Some("bob")));
            assert!(seen.lines("authorization").is_empty());
        } else {
            assert_refused(answer, NO_MATCH, body);
        }
    }
    assert!(send(&self::layer(), posted("Hello", Some(hello))).await.0.is_some(), "not validated unless told");
    assert_refused(send(&layer.clone().body_limit(4), posted("hello", Some(hello))).await, NO_MATCH, "too large");
    assert!(send(&layer.body_limit(5), posted("hello", Some(hello))).await.0.is_some());
}

#[tokio::test]
async fn claims_of_the_client_are_gone() {
    let date = now();
    let line = good(&date);
    let spoofed: Vec<_> = IDENTITY.iter().flat_map(|name| [(*name, "spoofed"); 2]).collect();
    let more = [
        ("x_consumer_id", "spoofed"),
        ("x-authenticated-groups", "spoofed"),
        ("date", &date),
        ("authorization", &line),
    ];
    let seen = send(&layer(), request("/", &[&spoofed[..], &more].concat())).await.0.unwrap();
    assert_eq!(seen.headers.len(), 5, "id, name, credential, date, authorization: {:?}", seen.headers);
    assert!(!format!("{:?}", seen.headers).contains("spoofed"));
}

#[tokio::test]
async fn others_may_go_on_as_the_anonymous_consumer() {
    let layer = layer().anonymous("guest").validate_request_body(true);
    for request in [request("/", &[]), posted("hello", None), request("/", &[("authorization", "asd")])] {
        let seen = send(&layer, request).await.0.unwrap();
        assert_eq!((seen.consumer.as_deref(), seen.credential), (Some("guest"), None));
        assert_eq!(seen.identity()[2..], [vec!["guest"], vec![], vec!["true"]]);
    }
    let (seen, (status, _, body)) = send(&layer.anonymous("ghost"), request("/", &[])).await;
    assert!(seen.is_none() && status == StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("anonymous consumer ghost is configured but doesn't exist"), "{body}");
}

#[tokio::test]
async fn a_refusal_names_the_realm() {
    let layer = layer().realm(&HeaderValue::from_static("orders"));
    let (_, (_, headers, _)) = send(&layer, request("/", &[])).await;
    assert_eq!(headers["www-authenticate"], "hmac realm=\"orders\"");
}

// --- credentials and configuration ---------------------------------------------------------------------------------------

#[test]
fn a_credential_has_a_secret() {
    let kind = HmacAuth::CREDENTIAL_KIND.unwrap();
    assert_eq!((kind.collection, kind.found_by), ("hmacauth_credentials", "username"));
    let prepare = |secret: Option<&str>| {
        let field = |name: &str| secret.filter(|_| name == "secret");
        let written = Written { id: Uuid::nil(), consumer: Uuid::nil(), hashed: false, field: &field };
        (kind.prepare)(&written).map(|secret| secret.is_some()).map_err(|error| error.to_string())
    };
    assert_eq!(prepare(Some("x")), Ok(true));
    assert_eq!(prepare(Some("")), Err("secret: must not be empty".into()));
    assert_eq!(prepare(None), Err("secret: must not be empty".into()));
}

fn complete(mut written: Value) -> (Value, Value) {
    let problems = HmacAuthConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, problems) = complete(json!({}));
    let expected = json!({
        "hide_credentials": false,
        "clock_skew": 300,
        "anonymous": null,
        "validate_request_body": false,
        "enforce_headers": [],
        "algorithms": ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"],
        "realm": null,
    });
    assert_eq!((&config, problems), (&expected, json!({})));
    let typed: HmacAuthConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, HmacAuthConfig::default());
    assert_eq!((HmacAuth::NAME, HmacAuth::PRIORITY), ("hmac-auth", 1030));
    assert_eq!((HmacAuth::CONSUMER_SCOPE, HmacAuth::SERVICE_SCOPE, HmacAuth::ROUTE_SCOPE), (false, true, true));
}

#[test]
fn every_field_is_checked_in_kongs_words() {
    let names = "expected one of: hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512";
    for (config, expected) in [
        (json!({"clock_skew": 0.5, "algorithms": ["hmac-sha224"], "enforce_headers": ["date"]}), json!({})),
        (json!({"clock_skew": null, "algorithms": null, "enforce_headers": null, "realm": "x"}), json!({})),
        (json!({"clock_skew": 0}), json!({"clock_skew": "value must be greater than 0"})),
        (json!({"clock_skew": "5"}), json!({"clock_skew": "expected a number"})),
        (json!({"algorithms": ["hmac-md5"]}), json!({"algorithms": [names]})),
        (json!({"enforce_headers": "date"}), json!({"enforce_headers": "expected an array"})),
        (json!({"validate_request_body": 1}), json!({"validate_request_body": "expected a boolean"})),
        (json!({"hide_credentials": 1}), json!({"hide_credentials": "expected a boolean"})),
        (json!({"anonymous": 1}), json!({"anonymous": "expected a string"})),
        (json!({"secret": "x"}), json!({"secret": "unknown field"})),
    ] {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
    let huge = HmacAuthConfig { clock_skew: Some(f64::MAX), ..Default::default() };
    assert!(HmacAuth::new(huge, &Env::default()).is_ok());
    let bad = HmacAuthConfig { realm: Some("a\nb".into()), ..Default::default() };
    assert_eq!(HmacAuth::new(bad, &Env::default()).unwrap_err().to_string(), "realm: must not hold control characters");
}
