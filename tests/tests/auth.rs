//! basic-auth, hmac-auth and acl as a whole, alone and together with other ways of authentication.

use std::io::Write as _;
use std::process::{Command, Stdio};

use towergate_tests::{Answer, Gateway, Http2, Received, Request, Upstream, get, proxying};

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

// --- basic-auth ----------------------------------------------------------------------------------------------------------

/// The SHA-1 of `kong4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002`, as Kong keeps bob's password `kong`.
const BOBS_HASH: &str = "15d2c41f8d2dbff2b6abbc7d3fe3db6b8eb0a883";
/// An argon2id hash of `password`, from the tests of the reference implementation.
const ARGON2_HASH: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

/// bob with this password, alice with an argon2 hash, and guest.
fn passwords(bobs: &str) -> String {
    format!(
        "
consumers:
- id: 4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002
  username: bob
  custom_id: b-1
  basicauth_credentials: [{{username: bobby, password: '{bobs}'}}]
- username: alice
  basicauth_credentials: [{{username: alice, password: '{ARGON2_HASH}'}}]
- username: guest
"
    )
}

fn basic_auth(upstream: &Upstream, config: &str) -> Gateway {
    with(upstream, &format!("{}plugins: [{{name: basic-auth, config: {config}}}]\n", passwords("kong")))
}

/// `bobby:kong`, `alice:password` and what is wrong with them, in Base64.
const BOBBY: &str = "Basic Ym9iYnk6a29uZw==";
const ALICE: &str = "Basic YWxpY2U6cGFzc3dvcmQ=";
const BOBBY_WRONG: &str = "Basic Ym9iYnk6d3Jvbmc=";
const ALICE_WRONG: &str = "Basic YWxpY2U6d3Jvbmc=";
const NOBODY: &str = "Basic bm9ib2R5Omtvbmc=";

fn authorized(line: &str) -> Request {
    Request::get("/").header("Authorization", line)
}

#[test]
fn basic_auth_names_the_consumer_to_the_upstream() {
    let upstream = Upstream::echo();
    let gateway = basic_auth(&upstream, "{}");
    assert_eq!(gateway.send(&authorized(BOBBY).header("X-Consumer-Username", "admin")).status, 200);
    let received = upstream.last();
    assert_eq!(identity(&received), (Some("bob"), Some("bobby"), None));
    assert_eq!(received.headers.all("X-Consumer-ID"), ["4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002"]);
    assert_eq!(received.header("X-Consumer-Custom-ID"), Some("b-1"));
    assert_eq!(received.header("Authorization"), Some(BOBBY), "not hidden unless told");
    for _ in 0..3 {
        assert_eq!(gateway.send(&authorized(ALICE)).status, 200);
        assert_eq!(identity(&upstream.last()), (Some("alice"), Some("alice"), None));
    }
    assert_eq!(gateway.send(&Request::get("/").header("Proxy-Authorization", BOBBY)).status, 200);
}

#[test]
fn basic_auth_refuses_with_a_challenge() {
    let upstream = Upstream::echo();
    let gateway = basic_auth(&upstream, "{}");
    let challenge = Some("Basic realm=\"service\"");
    for line in ["", "foobar", "Basic", "Basic a29uZw==", "Basic !!!!", "Bearer x", BOBBY_WRONG, ALICE_WRONG, NOBODY] {
        assert_refused(&gateway.send(&authorized(line)), 401, "Unauthorized", challenge);
    }
    assert_refused(&gateway.get("/"), 401, "Unauthorized", challenge);
    // Long, but within what a head may hold.
    let long = format!("Basic {}", "QUFB".repeat(1500));
    assert_refused(&gateway.send(&authorized(&long)), 401, "Unauthorized", challenge);
    let realm = basic_auth(&upstream, "{realm: shop}");
    assert_refused(&realm.get("/"), 401, "Unauthorized", Some("Basic realm=\"shop\""));
    assert_eq!(upstream.count(), 0);
}

#[test]
fn basic_auth_does_not_guess_which_of_two_headers_counts() {
    let upstream = Upstream::echo();
    let gateway = basic_auth(&upstream, "{}");
    for second in [BOBBY, BOBBY_WRONG] {
        let answer = gateway.send(&authorized(BOBBY).header("Authorization", second));
        assert_eq!((answer.status, answer.text().contains("Bad request")), (400, true), "{}", answer.text());
        let proxy = Request::get("/").header("Proxy-Authorization", BOBBY).header("Proxy-Authorization", second);
        assert_eq!(gateway.send(&proxy).status, 401);
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn basic_auth_refuses_heads_that_are_too_large() {
    let upstream = Upstream::echo();
    let gateway = basic_auth(&upstream, "{}");
    let answer = gateway.send(&authorized(&format!("Basic {}", "QUFB".repeat(50_000))));
    assert!(matches!(answer.status, 400 | 431 | 494), "{}", answer.status);
    assert_eq!(gateway.send(&authorized(BOBBY)).status, 200, "and serves on");
}

#[test]
fn basic_auth_hides_passwords_when_told() {
    let upstream = Upstream::echo();
    let gateway = basic_auth(&upstream, "{hide_credentials: true}");
    for line in [BOBBY, ALICE] {
        assert_eq!(gateway.send(&authorized(line)).status, 200);
        assert_eq!(upstream.last().header("Authorization"), None);
    }
}

#[test]
fn basic_auth_lets_strangers_in_as_the_anonymous_consumer() {
    let upstream = Upstream::echo();
    let gateway = basic_auth(&upstream, "{anonymous: guest}");
    for request in [Request::get("/"), authorized(BOBBY_WRONG), authorized(ALICE_WRONG), authorized(NOBODY)] {
        assert_eq!(gateway.send(&request).status, 200);
        assert_eq!(identity(&upstream.last()), (Some("guest"), None, Some("true")));
    }
    assert_eq!(gateway.send(&authorized(BOBBY)).status, 200);
    assert_eq!(identity(&upstream.last()), (Some("bob"), Some("bobby"), None));
    let ghost = basic_auth(&upstream, "{anonymous: ghost}").get("/");
    assert_refused(&ghost, 500, "anonymous consumer ghost is configured but doesn't exist", None);
}

#[test]
fn basic_auth_takes_the_hashes_that_kong_keeps() {
    let upstream = Upstream::echo();
    let hashed = format!("{}plugins: [{{name: basic-auth}}]\n", passwords(BOBS_HASH));
    let gateway = Gateway::serving(&format!("_transform: false\n{}{hashed}", proxying(&upstream)));
    for line in [BOBBY, ALICE] {
        assert_eq!(gateway.send(&authorized(line)).status, 200);
    }
    assert_eq!(gateway.send(&authorized(BOBBY_WRONG)).status, 401);
    // With _transform a text of 40 digits is a password like any other.
    assert_eq!(with(&upstream, &hashed).send(&authorized(BOBBY)).status, 401);
}

#[test]
fn basic_auth_keeps_no_password_in_plain_text() {
    let upstream = Upstream::echo();
    let gateway = basic_auth(&upstream, "{}");
    let shown = gateway.ask_admin(&Request::get("/config")).text();
    assert!(shown.contains(BOBS_HASH), "{shown}");
    let document = shown.to_owned();
    assert!(!document.contains("kong\n") && !document.contains("\"kong\""), "{document}");
    // What is shown can be loaded again.
    let config: serde_json::Value = serde_json::from_str(&document).unwrap();
    let again = gateway.post_document(config["config"].as_str().expect("the document as text"));
    assert_eq!(again.status, 201, "{}", again.text());
    assert_eq!(gateway.send(&authorized(BOBBY)).status, 200);
}

#[test]
fn basic_auth_follows_a_change_of_the_password() {
    let upstream = Upstream::echo();
    let document = |hash: &str| {
        let text = passwords("kong").replace(ARGON2_HASH, hash);
        format!("{}{text}plugins: [{{name: basic-auth}}]\n", proxying(&upstream))
    };
    let gateway = Gateway::serving(&document(ARGON2_HASH));
    assert_eq!(gateway.send(&authorized(ALICE)).status, 200);
    gateway.reload(&document("another"));
    assert_eq!(gateway.send(&authorized(ALICE)).status, 401, "a verified password is forgotten with its hash");
    gateway.reload(&document(ARGON2_HASH));
    assert_eq!(gateway.send(&authorized(ALICE)).status, 200);
}

#[test]
fn basic_auth_says_what_is_no_hash() {
    let texts = refusal(
        "_transform: false\nconsumers: [{username: a, basicauth_credentials: [{username: a, password: plain}]}]\n",
    );
    assert!(texts.contains("is no hash of a password: 40 hexadecimal digits"), "{texts}");
    let texts = refusal("consumers: [{username: a}]\nplugins: [{name: basic-auth, consumer: a}]\n");
    assert!(texts.contains("value must be null"), "{texts}");
}

// --- hmac-auth -----------------------------------------------------------------------------------------------------------

const SIGNERS: &str = r"
consumers:
- username: bob
  hmacauth_credentials: [{username: bobby, secret: a secret}]
- username: guest
";

fn hmac_auth(upstream: &Upstream, config: &str) -> Gateway {
    with(upstream, &format!("{SIGNERS}plugins: [{{name: hmac-auth, config: {config}}}]\n"))
}

const NO_DATE: &str =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";
const NOT_VERIFIABLE: &str = "HMAC signature cannot be verified";
const NO_MATCH: &str = "HMAC signature does not match";

/// What a tool says about this input, in one line.
#[track_caller]
fn told(tool: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(tool);
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{tool} {arguments:?}");
    output.stdout
}

fn base64(bytes: &[u8]) -> String {
    String::from_utf8(told("openssl", &["base64", "-A"], bytes)).expect("Base64")
}

/// The signature by somebody else's implementation.
fn signature(algorithm: &str, secret: &str, text: &str) -> String {
    let hash = algorithm.replace("hmac-", "-");
    base64(&told("openssl", &["dgst", &hash, "-hmac", secret, "-binary"], text.as_bytes()))
}

fn date() -> String {
    let output = Command::new("date").env("LC_ALL", "C").args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"]).output();
    String::from_utf8(output.expect("date runs").stdout).expect("text").trim().to_owned()
}

/// The authorization of bobby for this text, signed with SHA-256.
fn hmac(headers: &str, text: &str) -> String {
    let signature = signature("hmac-sha256", "a secret", text);
    format!(r#"hmac username="bobby", algorithm="hmac-sha256", headers="{headers}", signature="{signature}""#)
}

#[test]
fn hmac_auth_takes_every_algorithm_and_everything_that_may_be_signed() {
    let upstream = Upstream::echo();
    let gateway = hmac_auth(&upstream, "{}");
    let date = date();
    let text = format!(
        "date: {date}\nhost: a.test\nGET /p%2Fq?a=%41&b HTTP/1.1\n@request-target: get /p%2Fq?a=%41&b\nx-none:"
    );
    for algorithm in ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"] {
        let signature = signature(algorithm, "a secret", &text);
        let line = format!(
            r#"hmac username="bobby", algorithm="{algorithm}", headers="date host request-line @request-target x-none", signature="{signature}""#
        );
        let request = Request::get("/p%2Fq?a=%41&b").header("Host", "a.test").header("Date", &date);
        let answer = gateway.send(&request.header("Authorization", &line).header("X-Consumer-Username", "admin"));
        assert_eq!(answer.status, 200, "{algorithm}: {}", answer.text());
        assert_eq!(identity(&upstream.last()), (Some("bob"), Some("bobby"), None));
        assert_eq!(upstream.last().header("Authorization"), Some(line.as_str()));
    }
}

#[test]
fn hmac_auth_says_why_it_refuses() {
    let upstream = Upstream::echo();
    let gateway = hmac_auth(&upstream, "{enforce_headers: [date]}");
    let date = date();
    let good = hmac("date", &format!("date: {date}"));
    let dated = |line: &str| Request::get("/").header("Date", &date).header("Authorization", line);
    for (request, message) in [
        (Request::get("/"), "Unauthorized"),
        (Request::get("/").header("Date", &date), "Unauthorized"),
        (authorized(&good), NO_DATE),
        (authorized(&good).header("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), NO_DATE),
        (authorized(&good).header("X-Date", "tomorrow"), NO_DATE),
        (dated("asd"), NOT_VERIFIABLE),
        (dated("Basic Ym9iOmtvbmc="), NOT_VERIFIABLE),
        (dated(&good.replace("bobby", "nobody")), NOT_VERIFIABLE),
        (dated(&good.replace("hmac-sha256", "hmac-md5")), NOT_VERIFIABLE),
        (dated(&hmac("host", "host: a.test")), NOT_VERIFIABLE),
        (dated(&good.replace("signature=\"", "signature=\"x")), NO_MATCH),
        (dated(&hmac("date", "date: then")), NO_MATCH),
        (dated(&hmac("date request-line", &format!("date: {date}\nGET /other HTTP/1.1"))), NO_MATCH),
    ] {
        assert_refused(&gateway.send(&request), 401, message, Some("hmac"));
    }
    assert_eq!(gateway.send(&dated(&good)).status, 200);
    assert_eq!(gateway.send(&dated(&good).header("Authorization", &good)).status, 400);
    let realm = hmac_auth(&upstream, "{realm: shop}");
    assert_refused(&realm.get("/"), 401, "Unauthorized", Some("hmac realm=\"shop\""));
    assert_eq!(upstream.count(), 1);
}

#[test]
fn hmac_auth_validates_bodies_when_told() {
    let upstream = Upstream::echo();
    let gateway = hmac_auth(&upstream, "{validate_request_body: true, hide_credentials: true}");
    let date = date();
    let body = "x".repeat(100_000);
    let digest = format!("SHA-256={}", base64(&told("openssl", &["dgst", "-sha256", "-binary"], body.as_bytes())));
    let line = hmac("date digest", &format!("date: {date}\ndigest: {digest}"));
    let post = |body: &str, digest: &str| {
        Request::post("/", body).header("Date", &date).header("Digest", digest).header("Authorization", &line)
    };
    assert_eq!(gateway.send(&post(&body, &digest)).status, 200);
    let received = upstream.only();
    assert_eq!((received.body == body.as_bytes(), received.header("Authorization")), (true, None));
    assert_refused(&gateway.send(&post(&body[1..], &digest)), 401, NO_MATCH, Some("hmac"));
    assert_refused(&gateway.send(&post(&body, &digest.to_lowercase())), 401, NO_MATCH, Some("hmac"));
    let date_only = hmac("date", &format!("date: {date}"));
    let without = |request: Request| request.header("Date", &date).header("Authorization", &date_only);
    assert_refused(&gateway.send(&without(Request::post("/", "x"))), 401, NO_MATCH, Some("hmac"));
    assert_eq!(gateway.send(&without(Request::get("/"))).status, 200, "no body needs no digest");
}

#[test]
fn hmac_auth_lets_strangers_in_as_the_anonymous_consumer() {
    let upstream = Upstream::echo();
    let gateway = hmac_auth(&upstream, "{anonymous: guest}");
    for request in [Request::get("/"), authorized("asd"), authorized("asd").header("Date", &date())] {
        assert_eq!(gateway.send(&request.header("X-Credential-Identifier", "bobby")).status, 200);
        assert_eq!(identity(&upstream.last()), (Some("guest"), None, Some("true")));
    }
}

#[test]
fn hmac_auth_signs_what_the_client_sent_in_http2_too() {
    let upstream = Upstream::echo();
    let text = format!("{SIGNERS}plugins: [{{name: hmac-auth}}]\n");
    let gateway = Gateway::with(&format!("{}{text}", proxying(&upstream))).with_http2().start();
    let date = date();
    let line = hmac("date host request-line", &format!("date: {date}\nhost: gateway.test\nGET /p?q HTTP/2.0"));
    let client = Http2::open(gateway.proxy());
    for (path, status) in [("/p?q", 200), ("/p?r", 401)] {
        let mut request = get(path);
        request.headers_mut().insert("date", date.parse().unwrap());
        request.headers_mut().insert("authorization", line.parse().unwrap());
        assert_eq!(client.send(request).status, status, "{path}");
    }
}

#[test]
fn hmac_auth_refuses_what_it_does_not_know() {
    let texts = refusal("plugins: [{name: hmac-auth, config: {algorithms: [hmac-md5]}}]\n");
    assert!(texts.contains("expected one of: hmac-sha1, hmac-sha224, hmac-sha256"), "{texts}");
    let texts = refusal("plugins: [{name: hmac-auth, config: {clock_skew: 0}}]\n");
    assert!(texts.contains("value must be greater than 0"), "{texts}");
}

// --- several ways on one route -------------------------------------------------------------------------------------------

/// dora has one credential of each kind, carl only a key.
const EVERYTHING: &str = r"
consumers:
- username: dora
  keyauth_credentials: [{key: doras-key}]
  basicauth_credentials: [{username: bobby, password: kong}]
  acls: [{group: staff}]
- username: carl
  keyauth_credentials: [{key: carls-key}]
- username: guest
";

fn several(upstream: &Upstream, key_auth: &str, basic_auth: &str, more: &str) -> Gateway {
    with(
        upstream,
        &format!(
            "{EVERYTHING}plugins: [{{name: key-auth, config: {key_auth}}}, {{name: basic-auth, config: {basic_auth}}}{more}]\n"
        ),
    )
}

/// A request with a key and a login, or without.
fn with_both(key: Option<&str>, login: Option<&str>) -> Request {
    let request = Request::get("/").header("X-Consumer-Groups", "admin").header("X-Anonymous-Consumer", "true");
    let request = key.iter().fold(request, |request, key| request.header("apikey", key));
    login.iter().fold(request, |request, login| request.header("Authorization", login))
}

/// The status, and the user name and credential that the upstream is told.
type Outcome = (u16, Option<&'static str>);

#[track_caller]
fn assert_outcomes(gateway: &Gateway, upstream: &Upstream, table: &[(Option<&str>, Option<&str>, Outcome)]) {
    for (key, login, (status, consumer)) in table {
        let before = upstream.count();
        let answer = gateway.send(&with_both(*key, *login));
        assert_eq!(answer.status, *status, "{key:?} {login:?}: {}", answer.text());
        assert_eq!(upstream.count(), before + usize::from(*status == 200));
        if let Some(consumer) = consumer {
            let received = upstream.last();
            let (name, credential, anonymous) = identity(&received);
            assert_eq!(name, Some(*consumer), "{key:?} {login:?}");
            assert_eq!((credential.is_none(), anonymous.is_some()), (*consumer == "guest", *consumer == "guest"));
            assert!(!received.headers.all("X-Consumer-Groups").contains(&"admin"), "{key:?} {login:?}");
        }
    }
}

const DORA: Option<&str> = Some("doras-key");
const CARL: Option<&str> = Some("carls-key");
const BAD_KEY: Option<&str> = Some("wrong");
const LOGIN: Option<&str> = Some(BOBBY);
const BAD_LOGIN: Option<&str> = Some(BOBBY_WRONG);

#[test]
fn several_ways_without_anonymous_must_all_succeed() {
    let upstream = Upstream::echo();
    let gateway = several(&upstream, "{}", "{}", "");
    let table = [
        (DORA, LOGIN, (200, Some("dora"))),
        // The way of the lower priority is asked last, and its consumer counts.
        (CARL, LOGIN, (200, Some("dora"))),
        (DORA, None, (401, None)),
        (None, LOGIN, (401, None)),
        (DORA, BAD_LOGIN, (401, None)),
        (BAD_KEY, LOGIN, (401, None)),
        (None, None, (401, None)),
    ];
    assert_outcomes(&gateway, &upstream, &table);
}

#[test]
fn of_several_ways_with_anonymous_one_is_enough() {
    let upstream = Upstream::echo();
    let gateway = several(&upstream, "{anonymous: guest}", "{anonymous: guest}", "");
    let table = [
        // What was proven first is not asked again.
        (CARL, LOGIN, (200, Some("carl"))),
        (CARL, BAD_LOGIN, (200, Some("carl"))),
        (CARL, None, (200, Some("carl"))),
        (None, LOGIN, (200, Some("dora"))),
        (BAD_KEY, LOGIN, (200, Some("dora"))),
        (BAD_KEY, BAD_LOGIN, (200, Some("guest"))),
        (None, None, (200, Some("guest"))),
    ];
    assert_outcomes(&gateway, &upstream, &table);
}

#[test]
fn a_way_without_anonymous_beside_one_with_must_succeed() {
    let upstream = Upstream::echo();
    let first = several(&upstream, "{anonymous: guest}", "{}", "");
    let table = [
        (CARL, LOGIN, (200, Some("dora"))),
        (None, LOGIN, (200, Some("dora"))),
        (CARL, None, (401, None)),
        (None, None, (401, None)),
    ];
    assert_outcomes(&first, &upstream, &table);
    let second = several(&upstream, "{}", "{anonymous: guest}", "");
    let table = [(CARL, None, (200, Some("carl"))), (CARL, BAD_LOGIN, (200, Some("carl"))), (None, LOGIN, (401, None))];
    assert_outcomes(&second, &upstream, &table);
}

#[test]
fn anonymous_consumers_end_where_termination_by_groups_begins() {
    // How Kong's documentation keeps strangers out of "one of several ways": groups that the anonymous consumer lacks.
    let upstream = Upstream::echo();
    let acl = ", {name: acl, config: {allow: [staff]}}";
    let gateway = several(&upstream, "{anonymous: guest}", "{anonymous: guest}", acl);
    let table = [
        (DORA, None, (200, Some("dora"))),
        (None, LOGIN, (200, Some("dora"))),
        (CARL, None, (403, None)),
        (None, None, (401, None)),
        (BAD_KEY, BAD_LOGIN, (401, None)),
    ];
    assert_outcomes(&gateway, &upstream, &table);
    assert_eq!(upstream.last().headers.all("X-Consumer-Groups"), ["staff"]);
}

#[test]
fn a_consumers_own_configuration_applies_after_its_password_was_verified() {
    let upstream = Upstream::echo();
    let text = passwords("kong")
        .replace("- username: guest", "  plugins: [{name: acl, config: {deny: [x]}}]\n- username: guest");
    // acl takes no consumer at the top level, but nested it does, as in Kong.
    let gateway = with(&upstream, &format!("{text}plugins: [{{name: basic-auth}}]\n"));
    assert_eq!(gateway.send(&authorized(ALICE)).status, 200);
    assert_eq!(upstream.last().headers.all("X-Consumer-Groups"), [""], "alice's own acl has run");
    assert_eq!(gateway.send(&authorized(BOBBY)).status, 200);
    assert!(!upstream.last().headers.has("X-Consumer-Groups"));
}
