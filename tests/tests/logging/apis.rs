//! The logs of the Admin API and of the Status API.

use std::fs;

use serde_json::json;
use towergate_tests::{Authority, Gateway, Port, Request, SOON, TlsClient, Upstream, eventually, proxying};

use crate::{entries, lines};

#[test]
fn who_asked_the_apis_for_what_stands_in_logs_of_their_own() {
    let (upstream, status) = (Upstream::echo(), Port::free());
    let gateway = Gateway::with(&proxying(&upstream))
        .setting("proxy_access_log", "logs/access.log")
        .setting("admin_access_log", "logs/admin_access.log")
        .setting("status_access_log", "logs/status_access.log basic")
        .status_api_on(&status)
        .start();
    let asked = Request::get("/services?size=1").header("User-Agent", "deck").header("Authorization", "Basic YTpi");
    let answer = gateway.ask_admin(&asked);
    assert_eq!(towergate_tests::Connection::open(status.address()).request(&Request::get("/status/ready")).status, 200);
    gateway.get("/proxied");

    let logs = gateway.prefix().join("logs");
    // The harness has asked, too, while the gateway started.
    let mut line = String::new();
    eventually(SOON, || {
        let text = fs::read_to_string(logs.join("admin_access.log")).unwrap_or_default();
        line = text.lines().find(|line| line.contains("/services")).unwrap_or_default().to_owned();
        !line.is_empty()
    });
    // nginx's format where none is named.
    let (before, after) = line.split_once(" [").unwrap();
    assert_eq!(before, "127.0.0.1 - a", "{line}");
    let (_, after) = after.split_once("] ").unwrap();
    assert_eq!(after, format!(r#""GET /services?size=1 HTTP/1.1" 200 {} "-" "deck""#, answer.body.len()));
    let line = lines(&logs.join("status_access.log"), 1).remove(0);
    assert!(line.starts_with("127.0.0.1 [") && line.contains("] \"GET /status/ready HTTP/1.1\" 200 "), "{line}");
    let proxied = lines(&logs.join("access.log"), 1);
    assert!(proxied.len() == 1 && proxied[0].contains("/proxied"), "{proxied:?}");
}

#[test]
fn keys_and_tokens_of_the_admin_api_are_in_none() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream) + "consumers: [{username: alice, keyauth_credentials: [{key: top-secret}]}]\n";
    let fields = "request_uri, request, uri, status, scheme, host, http_kong_admin_token, http_authorization";
    let certificate = Authority::new("authority").issue(&["admin.test"]);
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = certificate.write(folder.path(), "admin");
    let port = Port::free();
    let gateway = Gateway::with(&document)
        .setting("admin_access_log", "logs/admin.log json")
        .setting("access_log_fields", fields)
        .setting("admin_ssl_cert", cert.to_str().unwrap())
        .setting("admin_ssl_cert_key", key.to_str().unwrap())
        .also_admin_on(&format!("{} ssl", port.address()))
        .start();
    let (mut connection, _) = TlsClient::new().connect(port.address(), "admin.test");
    let request = Request::get("/key-auths/top-secret?x=1")
        .header("Host", "gateway.test")
        .header("Kong-Admin-Token", "top-secret-token");
    assert_eq!(connection.request(&request).status, 200);
    let log = gateway.prefix().join("logs/admin.log");
    eventually(SOON, || fs::read_to_string(&log).is_ok_and(|text| text.contains("key-auths")));
    let entry = entries(&log, 1).into_iter().find(|entry| entry["scheme"] == "https").unwrap();
    assert_eq!(
        entry,
        json!({
            "request_uri": "/key-auths/*?x=1", "request": "GET /key-auths/*?x=1 HTTP/1.1", "uri": "/key-auths/*",
            "status": 200, "scheme": "https", "host": "gateway.test", "http_kong_admin_token": "REDACTED",
            "http_authorization": null
        })
    );
    assert!(!fs::read_to_string(&log).unwrap().contains("top-secret"));
}

#[test]
fn they_go_on_in_new_files_after_usr1_and_a_bad_place_or_format_is_told() {
    let upstream = Upstream::echo();
    let with = |setting: &str, value: &str| Gateway::with(&proxying(&upstream)).setting(setting, value);
    let gateway = with("admin_access_log", "logs/admin.log").setting("admin_error_log", "logs/admin_error.log").start();
    gateway.ask_admin(&Request::get("/one"));
    let logs = gateway.prefix().join("logs");
    eventually(SOON, || fs::read_to_string(logs.join("admin.log")).is_ok_and(|text| text.contains("/one")));
    for name in ["admin.log", "admin_error.log"] {
        fs::rename(logs.join(name), logs.join(format!("{name}.1"))).unwrap();
    }
    gateway.signal("USR1");
    eventually(SOON, || {
        gateway.ask_admin(&Request::get("/two"));
        fs::read_to_string(logs.join("admin.log")).is_ok_and(|text| text.contains("/two"))
            && logs.join("admin_error.log").exists()
    });
    for (setting, value, told) in [
        ("admin_access_log", "/proc/no/a.log", "cannot write the access log /proc/no/a.log"),
        ("status_access_log", "logs/a.log other", "status_access_log: 'other' is no format; there are"),
        ("admin_error_log", "/proc/no/a.log", "cannot write the error log /proc/no/a.log"),
    ] {
        let failure = with(setting, value).fails();
        assert!(failure.stderr.contains(told) && failure.stderr.contains(setting), "{}", failure.stderr);
    }
}

#[test]
fn what_the_admin_api_has_to_say_stands_in_its_own_error_log() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&proxying(&upstream))
        .setting("proxy_error_log", "logs/error.log")
        .setting("admin_error_log", "logs/admin_error.log")
        .start();
    let later = format!("{}plugins: [{{name: ldap-auth, enabled: false}}]\n", proxying(&upstream));
    assert_eq!(gateway.post_document(&later).status, 201);
    let log = |name: &str| fs::read_to_string(gateway.prefix().join("logs").join(name)).unwrap_or_default();
    eventually(SOON, || log("admin_error.log").contains("ldap-auth"));
    assert!(log("error.log").contains("[notice]") && !log("error.log").contains("ldap-auth"), "{}", log("error.log"));
    // All of it is on standard error.
    eventually(SOON, || gateway.log().contains("ldap-auth"));
}
