//! `ordering`: plugins that check earlier or later than their PRIORITY says.

use serde_json::json;
use towergate_tests::{Gateway, Request, Upstream, proxying};

const ALICE: &str = "consumers: [{username: alice, keyauth_credentials: [{key: alice-key}]}]\n";

fn document(upstream: &Upstream, plugins: &str) -> String {
    format!("{}{ALICE}plugins:\n{plugins}", proxying(upstream))
}

fn with(upstream: &Upstream, plugins: &str) -> Gateway {
    Gateway::serving(&document(upstream, plugins))
}

const BOT: &str = "Twitterbot/1.0";

/// The statuses of a bot without a key, and of one with.
#[track_caller]
fn statuses(gateway: &Gateway) -> [u16; 2] {
    let bot = Request::get("/").header("User-Agent", BOT);
    [&bot, &bot.clone().header("apikey", "alice-key")].map(|request| gateway.send(request).status)
}

#[test]
fn who_asks_to_run_later_does() {
    let upstream = Upstream::echo();
    let key_auth = "- {name: key-auth}\n";
    let bots = |ordering: &str| format!("{key_auth}- {{name: bot-detection{ordering}}}\n");
    assert_eq!(statuses(&with(&upstream, &bots(""))), [403, 403]);
    let later = bots(", ordering: {after: {access: [key-auth]}}");
    assert_eq!(statuses(&with(&upstream, &later)), [401, 403]);
    let nothing = bots(", ordering: {after: {access: [acl, cors]}}");
    assert_eq!(statuses(&with(&upstream, &nothing)), [403, 403], "plugins that are not there change nothing");
}

#[test]
fn who_asks_to_run_earlier_does() {
    let upstream = Upstream::echo();
    let plugins = "- {name: key-auth}\n- {name: ip-restriction, ordering: {before: {access: [key-auth]}}, config: {deny: [127.0.0.1]}}\n";
    assert_eq!(with(&upstream, plugins).get("/").status, 403);
    assert_eq!(with(&upstream, &plugins.replace("before", "after")).get("/").status, 401);
}

#[test]
fn an_order_holds_where_its_configuration_does() {
    let upstream = Upstream::echo();
    let more = "  - {name: other, paths: [/other], strip_path: false}\n";
    let plugins = "- {name: key-auth}
- {name: bot-detection, ordering: {after: {access: [key-auth]}}}
- {name: bot-detection, route: other}
";
    let gateway = Gateway::serving(&format!("{}{more}{ALICE}plugins:\n{plugins}", proxying(&upstream)));
    let ask = |path: &str| gateway.send(&Request::get(path).header("User-Agent", BOT)).status;
    assert_eq!((ask("/"), ask("/other")), (401, 403), "a route's own replaces the general one, its order too");
}

#[test]
fn after_authentication_a_consumers_own_configuration_counts() {
    let upstream = Upstream::echo();
    let plugins = |ordering: &str| {
        format!(
            "- {{name: key-auth}}
- {{name: correlation-id{ordering}, config: {{header_name: X-General, echo_downstream: true}}}}
- {{name: correlation-id, consumer: alice, config: {{header_name: X-Own, echo_downstream: true}}}}
"
        )
    };
    let names = |gateway: &Gateway| {
        let answer = gateway.send(&Request::get("/").header("apikey", "alice-key"));
        ["X-General", "X-Own"].map(|name| answer.headers.has(name))
    };
    assert_eq!(names(&with(&upstream, &plugins(""))), [true, false]);
    let later = plugins(", ordering: {after: {access: [key-auth]}}");
    assert_eq!(names(&with(&upstream, &later)), [false, true]);
}

#[test]
fn cors_still_writes_its_headers_on_what_is_refused_before_it() {
    let upstream = Upstream::echo();
    let plugins = "- {name: key-auth}\n- {name: cors, ordering: {after: {access: [key-auth]}}}\n";
    let gateway = with(&upstream, plugins);
    let preflight =
        Request::new("OPTIONS", "/").header("Origin", "http://a.test").header("Access-Control-Request-Method", "GET");
    let answer = gateway.send(&preflight);
    assert_eq!((answer.status, answer.header("Access-Control-Allow-Origin")), (401, Some("*")));
    assert_eq!(gateway.send(&preflight.header("apikey", "alice-key")).status, 200);
}

#[test]
fn what_cannot_be_kept_is_refused_and_nothing_changes() {
    let upstream = Upstream::echo();
    let gateway = with(&upstream, "- {name: key-auth}\n");
    for (plugins, words) in [
        (
            "- {name: key-auth, ordering: {before: {access: [cors]}}}\n- {name: cors, ordering: {before: {access: [key-auth]}}}\n",
            "goes round in a circle: 'cors' before 'key-auth' before 'cors'; take one of these out",
        ),
        ("- {name: cors, ordering: {before: {access: [nobody]}}}\n", "there is no plugin 'nobody'"),
        ("- {name: cors, ordering: {after: {access: [cors]}}}\n", "'cors' cannot run after itself"),
        ("- {name: cors, ordering: {after: {log: [cors]}}}\n", "unknown field"),
        (
            "- {name: correlation-id, consumer: alice, ordering: {after: {access: [key-auth]}}}\n",
            "a plugin for a consumer or a group of consumers cannot be ordered",
        ),
    ] {
        let answer = gateway.post_document(&document(&upstream, plugins));
        assert_eq!(answer.status, 400, "{plugins}: {}", answer.text());
        assert!(answer.json()["fields"].to_string().contains(words), "{}", answer.text());
        assert_eq!(gateway.get("/").status, 401);
    }
    let circle = "- {name: key-auth, ordering: {before: {access: [cors]}}}\n- {name: cors, ordering: {before: {access: [key-auth]}}}\n";
    let failure = Gateway::with(&document(&upstream, circle)).fails();
    assert!(failure.stderr.contains("goes round in a circle"), "{}", failure.stderr);
}

#[test]
fn an_order_is_shown() {
    let upstream = Upstream::echo();
    let plugins = "- {name: cors}\n- {name: key-auth, ordering: {before: {access: [cors]}}}\n";
    let answer = with(&upstream, "- {name: cors}\n").post_document(&document(&upstream, plugins));
    let shown = answer.json()["plugins"].clone();
    let of = |name: &str| shown.as_object().unwrap().values().find(|plugin| plugin["name"] == name).unwrap().clone();
    assert_eq!(of("key-auth")["ordering"], json!({"before": {"access": ["cors"]}}));
    assert!(of("cors").get("ordering").is_none());
}
