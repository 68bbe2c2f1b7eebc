//! What the Kong guide for microservices promises of tokens and rate limits (S60 to S63), with the configuration as it is
//! shipped in `examples/kong-guide`.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towergate_tests::{Answer, Gateway, Redis, Request, SOON, Upstream, eventually};

/// The guide's configuration as it is shipped, in front of this upstream.
fn shipped_in_front_of(users: &Upstream) -> String {
    let shipped = include_str!("../../examples/kong-guide/kong.yml");
    let second = "      - target: user-service-2:3000\n        weight: 100\n";
    shipped.replace(second, "").replace("user-service-1:3000", &users.address().to_string())
}

/// A token that the script beside the configuration makes.
fn minted(arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/kong-guide/token.sh");
    let output = Command::new("sh").arg(script).args(arguments).output().expect("sh and openssl run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn s60_jwt_of_the_guide() {
    let users = Upstream::echo();
    let gateway = Gateway::serving(&shipped_in_front_of(&users));
    let ask = |token: Option<&str>| {
        let request = Request::get("/api/v1/users");
        gateway.send(&match token {
            Some(token) => request.header("Authorization", &format!("Bearer {token}")),
            None => request,
        })
    };
    let refused = |answer: &Answer, body: &str, challenge: &str| {
        assert_eq!((answer.status, answer.text().as_str()), (401, body));
        assert_eq!(answer.header("WWW-Authenticate"), Some(challenge));
        assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    };
    refused(&ask(None), r#"{"message":"Unauthorized"}"#, "Bearer");
    for (key, secret, consumer) in [
        ("mobile-app-key", "change-me-mobile-app-secret-0123456789", "mobile-app"),
        ("web-app-key", "change-me-web-app-secret-0123456789ab", "web-app"),
    ] {
        assert_eq!(ask(Some(&minted(&[key, secret, "86400"]))).status, 200, "{key}");
        assert_eq!(users.last().header("X-Consumer-Username"), Some(consumer));
        assert_eq!(users.last().header("X-Credential-Identifier"), Some(key));
    }
    let invalid = r#"Bearer error="invalid_token""#;
    let secret = "change-me-mobile-app-secret-0123456789";
    for (arguments, body) in [
        (["mobile-app-key", secret, "0"], r#"{"exp":"token expired"}"#),
        (["mobile-app-key", secret, "86460"], r#"{"exp":"exceeds maximum allowed expiration"}"#),
        (["mobile-app-key", "guessed", "60"], r#"{"message":"Invalid signature"}"#),
        (["nobody", secret, "60"], r#"{"message":"No credentials found for given 'kid'"}"#),
    ] {
        refused(&ask(Some(&minted(&arguments))), body, invalid);
    }
}

/// The guide's limits, as it writes them but for the host of Redis, which it leaves out of one.
fn limits_of_the_guide(redis: &Redis) -> String {
    format!(
        "routes:\n- name: user-auth\n  service: user-service\n  paths: [/api/v1/auth]\nplugins:\n\
         - name: rate-limiting-advanced\n  config:\n    limit: [1000]\n    window_size: [60]\n    window_type: sliding\n    \
         strategy: redis\n    redis: {{host: 127.0.0.1, port: {port}}}\n\
         - name: rate-limiting\n  route: user-auth\n  config:\n    minute: 10\n    hour: 100\n    policy: redis\n    \
         redis: {{host: 127.0.0.1, port: {port}}}\n",
        port = redis.port()
    )
}

#[test]
fn s62_and_s63_both_limits_count_in_redis_and_the_eleventh_in_a_minute_is_refused() {
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let service = format!("_format_version: \"3.0\"\nservices:\n- name: user-service\n  url: {}\n", upstream.url());
    let gateway = Gateway::serving(&format!("{service}{}", limits_of_the_guide(&redis)));
    eventually(SOON, || gateway.log().contains("config.sync_rate: not given: each request is counted in Redis"));
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() % 60;
    // Not across the end of a minute.
    eventually(Duration::from_secs(30), || second() < 45);
    let statuses: Vec<_> = (0..11).map(|_| gateway.get("/api/v1/auth/login").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 429]);
    let refused = gateway.get("/api/v1/auth/login");
    for (name, value) in [
        ("X-RateLimit-Limit-Hour", "100"),
        ("X-RateLimit-Remaining-Hour", "90"),
        ("RateLimit-Limit", "10"),
        ("RateLimit-Remaining", "0"),
        // Both plugins tell a limit per minute; the one that refuses speaks last.
        ("X-RateLimit-Limit-Minute", "10"),
        ("X-RateLimit-Remaining-Minute", "0"),
    ] {
        assert_eq!(refused.header(name), Some(value), "{name}");
    }
    assert_eq!(refused.header("Retry-After"), refused.header("RateLimit-Reset"));
    assert_eq!(refused.message(), "API rate limit exceeded");
}
