//! basic-auth, hmac-auth and acl as a whole, alone and together with other ways of authentication.

use towergate_tests::{Answer, Gateway, Received, Request, Upstream, proxying};

/// A gateway with this text after the document of [`proxying`]: top-level keys, unindented.
fn with(upstream: &Upstream, text: &str) -> Gateway {
    Gateway::serving(&format!("{}{text}", proxying(upstream)))
}

/// The texts of a refused document.
#[track_caller]
fn refusal(text: &str) -> String {
    let answer =
        Gateway::serving("_format_version: \"3.0\"\n").post_document(&format!("_format_version: \"3.0\"\n{text}"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["fields"].to_string()
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, message: &str, challenge: Option<&str>) {
    assert_eq!((answer.status, answer.message().as_str()), (status, message));
    assert_eq!(answer.header("WWW-Authenticate"), challenge);
    assert_eq!(answer.json()["request_id"].as_str(), answer.header("X-Kong-Request-Id"));
}

/// Whom the upstream was told a request is from: user name, credential, whether anonymous.
fn identity(received: &Received) -> (Option<&str>, Option<&str>, Option<&str>) {
    let header = |name| received.header(name);
    (header("X-Consumer-Username"), header("X-Credential-Identifier"), header("X-Anonymous-Consumer"))
}

// --- acl -----------------------------------------------------------------------------------------------------------------

const MEMBERS: &str = r"
consumer_groups: [{name: gold}]
consumers:
- username: alice
  keyauth_credentials: [{key: alice}]
  acls: [{group: staff}, {group: night}]
- username: bob
  keyauth_credentials: [{key: bob}]
  groups: [{name: gold}]
- username: guest
";

fn acl(upstream: &Upstream, anonymous: bool, config: &str) -> Gateway {
    let anonymous = if anonymous { "{anonymous: guest}" } else { "{}" };
    let plugins = format!("plugins: [{{name: key-auth, config: {anonymous}}}, {{name: acl, config: {config}}}]\n");
    with(upstream, &format!("{MEMBERS}{plugins}"))
}

fn as_consumer(key: &str) -> Request {
    Request::get("/").header("apikey", key)
}

const NOT_ALLOWED: &str = "You cannot consume this service";

#[test]
fn acl_lets_only_allowed_groups_pass() {
    let upstream = Upstream::echo();
    let gateway = acl(&upstream, true, "{allow: [staff, admin]}");
    assert_eq!(gateway.send(&as_consumer("alice").header("X-Consumer-Groups", "admin")).status, 200);
    assert_eq!(upstream.last().headers.all("X-Consumer-Groups"), ["staff, night"]);
    assert_refused(&gateway.send(&as_consumer("bob")), 403, NOT_ALLOWED, None);
    // The anonymous consumer is in no group and has proven nothing.
    assert_refused(&gateway.send(&as_consumer("wrong")), 401, "Unauthorized", None);
    assert_eq!(upstream.count(), 1);
}

#[test]
fn acl_keeps_denied_groups_out() {
    let upstream = Upstream::echo();
    let gateway = acl(&upstream, true, "{deny: [night]}");
    assert_refused(&gateway.send(&as_consumer("alice")), 403, NOT_ALLOWED, None);
    for key in ["bob", "wrong"] {
        assert_eq!(gateway.send(&as_consumer(key)).status, 200);
        assert_eq!(upstream.last().headers.all("X-Consumer-Groups"), [""], "an empty one, as in Kong");
    }
}

#[test]
fn acl_may_keep_the_groups_to_itself() {
    let upstream = Upstream::echo();
    let gateway = acl(&upstream, false, "{allow: [staff], hide_groups_header: true}");
    let spoofed = as_consumer("alice").header("X-Consumer-Groups", "admin").header("X_Consumer_Groups", "admin");
    assert_eq!(gateway.send(&spoofed).status, 200);
    let received = upstream.last();
    assert!(!received.headers.has("X-Consumer-Groups") && !received.headers.has("X_Consumer_Groups"));
}

#[test]
fn acl_may_count_consumer_groups() {
    let upstream = Upstream::echo();
    let gateway = acl(&upstream, false, "{allow: [gold], include_consumer_groups: true}");
    assert_eq!(gateway.send(&as_consumer("bob")).status, 200);
    assert_eq!(upstream.last().header("X-Consumer-Groups"), Some("gold"));
    assert_refused(&gateway.send(&as_consumer("alice")), 403, NOT_ALLOWED, None);
}

#[test]
fn acl_without_authentication_knows_nobody() {
    let upstream = Upstream::echo();
    for config in ["{allow: [staff]}", "{deny: [staff]}"] {
        let gateway = with(&upstream, &format!("plugins: [{{name: acl, config: {config}}}]\n"));
        let spoofed = Request::get("/").header("X-Consumer-Groups", "staff").header("X-Consumer-Username", "alice");
        assert_refused(&gateway.send(&spoofed), 401, "Unauthorized", None);
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn acl_takes_exactly_one_list_and_no_consumer() {
    let one = "exactly one of these fields must be non-empty: 'config.allow', 'config.deny'";
    for (config, expected) in [
        ("{allow: [a], deny: [b]}", one),
        ("{}", "at least one of these fields must be non-empty: 'config.allow', 'config.deny'"),
        ("{whitelist: [a]}", "unknown field"),
    ] {
        let texts = refusal(&format!("plugins: [{{name: acl, config: {config}}}]\n"));
        assert!(texts.contains(expected), "{texts}");
    }
    let texts = refusal("consumers: [{username: a}]\nplugins: [{name: acl, consumer: a, config: {allow: [x]}}]\n");
    assert!(texts.contains("value must be null"), "{texts}");
}
