//! What Kong's serializer makes of a request, read from file-log.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use towergate_tests::{Gateway, Reply, Request, Upstream, proxying, proxying_to};

use crate::entries;

/// A gateway that logs every request to a file.
struct Logged {
    gateway: Gateway,
    folder: TempDir,
}

impl Logged {
    fn start(document: &str, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.log");
        let log = format!("- {{name: file-log, config: {{path: {}{config}}}}}\n", path.display());
        let document = match document.contains("plugins:\n") {
            true => document.replace("plugins:\n", &format!("plugins:\n{log}")),
            false => format!("{document}plugins:\n{log}"),
        };
        Self { gateway: Gateway::serving(&document), folder }
    }

    /// What was logged, once there are so many entries.
    #[track_caller]
    fn entries(&self, count: usize) -> Vec<Value> {
        entries(&self.folder.path().join("file.log"), count)
    }
}

#[test]
fn an_entry_has_kongs_shape() {
    let upstream = Upstream::answering(|_| Reply::ok("hello").header("X-Twice", "1").header("X-Twice", "2"));
    let logged = Logged::start(&proxying(&upstream), "");
    let request =
        Request::get("/a/b?x=1&y&x=2&z=%C3%A9+1").header("X-Own", "é").header("X-Two", "a").header("X-Two", "b");
    let answer = logged.gateway.send(&request);
    let entry = logged.entries(1).remove(0);

    let keys: Vec<_> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "client_ip",
            "latencies",
            "request",
            "response",
            "route",
            "service",
            "source",
            "started_at",
            "tries",
            "upstream_status",
            "upstream_uri",
            "workspace",
            "workspace_name"
        ]
    );
    let said = &entry["request"];
    assert_eq!(said["id"].as_str(), answer.header("X-Kong-Request-Id"));
    assert_eq!((&said["method"], &said["uri"]), (&json!("GET"), &json!("/a/b?x=1&y&x=2&z=%C3%A9+1")));
    let port = logged.gateway.proxy().port();
    let url = said["url"].as_str().unwrap();
    assert!(url.ends_with(&format!(":{port}/a/b?x=1&y&x=2&z=%C3%A9+1")) && url.starts_with("http://"), "{url}");
    assert_eq!(said["querystring"], json!({"x": ["1", "2"], "y": true, "z": "é 1"}));
    assert_eq!((&said["headers"]["x-own"], &said["headers"]["x-two"]), (&json!("é"), &json!(["a", "b"])));
    assert!(said["size"].as_u64().unwrap() > 50 && said.get("tls").is_none());
    let sent = &entry["response"];
    assert_eq!((&sent["status"], &sent["headers"]["x-twice"]), (&json!(200), &json!(["1", "2"])));
    assert_eq!(sent["headers"]["x-kong-request-id"], said["id"], "what the gateway adds is part of it");
    assert!(sent["size"].as_u64().unwrap() > 100);
    for name in ["kong", "proxy", "request", "receive"] {
        let latency = entry["latencies"][name].as_i64().unwrap();
        assert!((0..10_000).contains(&latency), "{name}: {latency}");
    }
    let attempt = &entry["tries"][0];
    assert_eq!((&attempt["ip"], &attempt["port"]), (&json!("127.0.0.1"), &json!(upstream.address().port())));
    let started = entry["started_at"].as_u64().unwrap();
    assert!(attempt["balancer_start"].as_u64().unwrap() >= started);
    assert!(attempt["balancer_start_ns"].as_u64().unwrap() / 1_000_000 == attempt["balancer_start"].as_u64().unwrap());
    assert!(attempt["balancer_latency"].is_u64() && attempt["balancer_latency_ns"].is_u64());
    assert_eq!((attempt.get("state"), entry["tries"].as_array().unwrap().len()), (None, 1));
    assert_eq!(
        (&entry["upstream_status"], &entry["upstream_uri"]),
        (&json!("200"), &json!("/a/b?x=1&y&x=2&z=%C3%A9+1"))
    );
    assert_eq!((&entry["client_ip"], &entry["source"]), (&json!("127.0.0.1"), &json!("upstream")));
    assert_eq!(entry["workspace_name"], "default");
    let (route, service) = (&entry["route"], &entry["service"]);
    assert_eq!(
        (&route["name"], &route["paths"], &route["strip_path"]),
        (&json!("everything"), &json!(["/"]), &json!(false))
    );
    assert_eq!((&route["ws_id"], &service["ws_id"]), (&entry["workspace"], &entry["workspace"]));
    assert_eq!((&service["name"], &service["id"]), (&json!("echo"), &route["service"]["id"]));
    assert!(route.get("hosts").is_none(), "what is null is left out");
}

#[test]
fn requests_that_end_early_are_logged_too() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace("paths: [\"/\"]", "paths: [\"/known\"]")
        + "plugins:\n- {name: request-termination, route: everything, config: {status_code: 403, message: stop}}\n";
    let logged = Logged::start(&document, "");
    logged.gateway.get("/known?a");
    logged.gateway.get("/unknown");
    logged.gateway.send_raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    // Workers write in no order among each other.
    let mut entries = logged.entries(3);
    entries.sort_by_key(|entry| entry["response"]["status"].as_u64());
    let told: Vec<_> =
        entries.iter().map(|entry| (entry["response"]["status"].clone(), entry["source"].clone())).collect();
    assert_eq!(told, [400, 403, 404].map(|status| (json!(status), json!("kong"))));
    let refused = &entries[1];
    assert_eq!((&refused["tries"], &refused["upstream_status"]), (&json!([]), &json!("")));
    assert_eq!((&refused["latencies"]["proxy"], &refused["upstream_uri"]), (&json!(-1), &json!("/known?a")));
    let unknown = &entries[2];
    assert_eq!((unknown.get("route"), unknown.get("service"), unknown.get("tries")), (None, None, None));
    assert_eq!((&unknown["upstream_uri"], &unknown["request"]["uri"]), (&json!(""), &json!("/unknown")));
}

#[test]
fn each_attempt_at_an_upstream_is_told() {
    let good = Upstream::echo();
    let dead = towergate_tests::Port::free();
    let document = format!(
        "_format_version: '3.0'\nservices: [{{name: s, host: u, retries: 3, routes: [{{name: r, paths: [/]}}]}}]\n\
         upstreams: [{{name: u, targets: [{{target: '{}', weight: 100}}, {{target: '{}', weight: 100}}]}}]\n",
        dead.address(),
        good.address()
    );
    let logged = Logged::start(&document, "");
    (0..4).for_each(|_| assert_eq!(logged.gateway.get("/").status, 200));
    let entries = logged.entries(4);
    let retried = entries.iter().find(|entry| entry["tries"].as_array().unwrap().len() == 2).expect("one met the dead");
    assert_eq!(retried["upstream_status"], "502, 200");
    let first = &retried["tries"][0];
    assert_eq!((&first["port"], &first["state"]), (&json!(dead.address().port()), &json!("failed")));
    assert_eq!((&first["code"], retried["tries"][1].get("state")), (&json!(502), None));

    let logged = Logged::start(&proxying_to(&format!("http://{}", dead.address()), &["retries: 1"]), "");
    assert_eq!(logged.gateway.get("/").status, 502);
    let entry = logged.entries(1).remove(0);
    assert_eq!((&entry["upstream_status"], &entry["source"]), (&json!("502, 502"), &json!("kong")));
    assert!(entry["latencies"]["proxy"].as_i64().unwrap() >= 0, "it was waited for");
}

const KEYED: &str = "consumers:
- {username: alice, custom_id: a-1, tags: [x], keyauth_credentials: [{key: top-secret, id: 11111111-2222-4333-8444-555555555555}]}
plugins:
- {name: key-auth, config: {key_names: [x-key, api_key]}}
- {name: jwt, config: {anonymous: alice, cookie_names: [token], uri_param_names: [jwt]}}
- {name: correlation-id, config: {header_name: X-Correlation}}
";

#[test]
fn who_asked_is_told_and_no_credential() {
    let upstream = Upstream::echo();
    let logged = Logged::start(&format!("{}{KEYED}", proxying(&upstream)), "");
    let request = Request::get("/?a=b&API_key=top-secret&jwt=top-secret")
        .header("X-Key", "top-secret")
        .header("Authorization", "Basic dG9wLXNlY3JldA==")
        .header("Proxy-Authorization", "top-secret")
        .header("X-Correlation", "c-7")
        .header("Cookie", "a=b; token=top-secret");
    assert_eq!(logged.gateway.send(&request).status, 200);
    let entry = logged.entries(1).remove(0);
    let text = fs::read_to_string(logged.folder.path().join("file.log")).unwrap();
    assert!(!text.contains("top-secret") && !text.contains("dG9wLXNlY3JldA=="), "{text}");
    let headers = &entry["request"]["headers"];
    for name in ["x-key", "authorization", "proxy-authorization"] {
        assert_eq!(headers[name], "REDACTED", "{name}");
    }
    assert_eq!(headers["cookie"], "a=b; token=REDACTED");
    assert_eq!(entry["request"]["uri"], "/?a=b&API_key=REDACTED&jwt=REDACTED");
    assert_eq!(entry["request"]["querystring"], json!({"a": "b", "API_key": "REDACTED", "jwt": "REDACTED"}));
    assert_eq!(entry["upstream_uri"], "/?a=b&API_key=REDACTED&jwt=REDACTED");

    let consumer = &entry["consumer"];
    assert_eq!((&consumer["username"], &consumer["custom_id"]), (&json!("alice"), &json!("a-1")));
    assert!(consumer["created_at"].as_i64().unwrap() > 0 && consumer["tags"] == json!(["x"]));
    assert_eq!(
        entry["authenticated_entity"],
        json!({"id": "11111111-2222-4333-8444-555555555555", "consumer_id": consumer["id"]})
    );
    assert_eq!(headers["x-consumer-username"], "alice", "headers are as the upstream read them");
    assert_eq!(entry["correlation_id"], "c-7");
}

const EVERY_KIND: &str = "consumers:
- username: alice
  keyauth_credentials: [{key: top-secret}]
  basicauth_credentials: [{username: alice, password: top-secret}]
plugins:
- {name: key-auth, config: {anonymous: alice, key_names: [x-key, api_key]}}
- {name: basic-auth, config: {anonymous: alice}}
- {name: hmac-auth, config: {anonymous: alice}}
- {name: jwt, config: {anonymous: alice, cookie_names: [token], uri_param_names: [jwt], header_names: [authorization, x-jwt]}}
- {name: jwks-auth, config: {anonymous: alice, jwks_uri: 'http://127.0.0.1:1/keys', issuers: [i], audiences: [a], algorithms: [RS256], cookie_names: [id], uri_param_names: [id_token]}}
";

/// However a client says who it is, and wherever that is told on.
#[test]
fn no_credential_of_any_kind_is_in_any_log() {
    let upstream = Upstream::answering(|_| {
        Reply::ok("")
            .header("Set-Cookie", "token=top-secret; Path=/")
            .header("Set-Cookie", "theme=dark")
            .header("Location", "/next?jwt=top-secret")
    });
    let custom = r#", custom_fields_by_lua: {all: '$(headers.x-key) $(headers.cookie) $(query_params.jwt) $(response_headers.location)
        $(response_headers.set-cookie) $(headers.referer) $(headers.authorization) $(headers.x-jwt)'}"#;
    let fields = "request, request_uri, args, remote_user, http_x_key, http_x_jwt, http_cookie, http_authorization, \
                  http_proxy_authorization, http_referer, sent_http_set_cookie, sent_http_location";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.log");
    let log = format!("- {{name: file-log, config: {{path: {}{custom}}}}}\n", path.display());
    let gateway = Gateway::with(&format!("{}{EVERY_KIND}{log}", proxying(&upstream)))
        .setting("proxy_access_log", "logs/access.log json")
        .setting("access_log_fields", fields)
        .start();
    // The second is `alice:top-secret`.
    let authorizations = [
        "Bearer top-secret",
        "Basic YWxpY2U6dG9wLXNlY3JldA==",
        r#"hmac username="alice", algorithm="hmac-sha256", headers="date", signature="top-secret""#,
    ];
    for authorization in authorizations {
        let request = Request::get("/?api_key=top-secret&jwt=top-secret&id_token=top-secret&a=1")
            .header("X-Key", "top-secret")
            .header("X-Jwt", "top-secret")
            .header("Authorization", authorization)
            .header("Proxy-Authorization", authorization)
            .header("Cookie", "id=top-secret; theme=dark; token=top-secret")
            .header("Referer", "http://gateway.test/?jwt=top-secret&b=2");
        gateway.send(&request);
    }
    let access = gateway.prefix().join("logs/access.log");
    let (entries, lines) = (entries(&path, 3), crate::entries(&access, 3));
    for log in [&path, &access] {
        let text = fs::read_to_string(log).unwrap();
        assert!(!text.contains("top-secret") && !text.contains("dG9wLXNlY3JldA"), "{text}");
    }
    assert!(!gateway.log().contains("top-secret"), "{}", gateway.log());
    // All else is told.
    for (entry, line) in entries.iter().zip(&lines) {
        let headers = &entry["request"]["headers"];
        assert_eq!(headers["referer"], "http://gateway.test/?jwt=REDACTED&b=2");
        assert_eq!(headers["cookie"], "id=REDACTED; theme=dark; token=REDACTED");
        assert_eq!(entry["response"]["headers"]["set-cookie"], json!(["token=REDACTED; Path=/", "theme=dark"]));
        assert_eq!(
            (&line["args"], &line["sent_http_location"]),
            (&json!("api_key=REDACTED&jwt=REDACTED&id_token=REDACTED&a=1"), &json!("/next?jwt=REDACTED"))
        );
    }
}

#[test]
fn a_key_on_a_route_that_asks_for_none_is_no_less_secret() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream)
        + "  - {name: keyed, paths: [/keyed], plugins: [{name: key-auth, config: {key_names: [x-key]}}]}\n";
    let logged = Logged::start(&document, "");
    assert_eq!(logged.gateway.send(&Request::get("/?x-key=top-secret").header("X-Key", "top-secret")).status, 200);
    let entry = logged.entries(1).remove(0);
    assert_eq!(
        (&entry["request"]["headers"]["x-key"], &entry["request"]["uri"]),
        (&json!("REDACTED"), &json!("/?x-key=REDACTED"))
    );
}

#[test]
fn custom_fields_set_replace_and_take_out() {
    let upstream = Upstream::answering(|_| Reply::ok("").header("X-Made", "yes"));
    let config = r#", custom_fields_by_lua: {team: 'return "shop"', request.method: return nil, a.b: return 7,
        made: 'return kong.response.get_header("x-made")', who: '$(headers.x-user)@$(host)', gone: 'return kong.request.get_header("none")'}"#;
    let logged = Logged::start(&proxying(&upstream), config);
    logged.gateway.send(&Request::get("/").header("X-User", "eve").header("Host", "shop.test"));
    let entry = logged.entries(1).remove(0);
    assert_eq!((&entry["team"], &entry["a"]["b"], &entry["made"]), (&json!("shop"), &json!(7), &json!("yes")));
    assert_eq!(
        (&entry["who"], entry.get("gone"), entry["request"].get("method")),
        (&json!("eve@shop.test"), None, None)
    );
}

#[test]
fn what_would_need_lua_is_refused_with_its_place() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream)
        + "plugins:\n- {name: file-log, config: {path: /tmp/x.log, custom_fields_by_lua: {a: 'return os.time()'}}}\n";
    let failure = Gateway::with(&document).fails();
    assert!(failure.stderr.contains("custom_fields_by_lua.a"), "{}", failure.stderr);
    assert!(failure.stderr.contains("this version runs no Lua here"), "{}", failure.stderr);
}

#[test]
fn a_file_may_be_moved_away_and_everything_is_written_before_the_end() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let document =
        proxying(&upstream) + &format!("plugins:\n- {{name: file-log, config: {{path: {}}}}}\n", path.display());
    let mut gateway = Gateway::serving(&document);
    gateway.get("/one");
    entries(&path, 1);
    let moved = folder.path().join("a.log.1");
    fs::rename(&path, &moved).unwrap();
    gateway.signal("USR1");
    towergate_tests::eventually(towergate_tests::SOON, || {
        gateway.get("/two");
        path.exists()
    });
    assert_eq!(entries(&path, 1)[0]["request"]["uri"], "/two");
    (0..100).for_each(|number| _ = gateway.get(&format!("/last/{number}")));
    assert!(gateway.terminate().status.success());
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("/last/99\""), "{text}");
}
