//! Access logs: formats, and where they go.

use std::fs;

use serde_json::{Value, json};
use towergate_tests::{Gateway, Reply, Request, SOON, Setup, Upstream, eventually, proxying};

use crate::{entries, lines};

fn with(upstream: &Upstream, log: &str) -> Setup {
    Gateway::with(&proxying(upstream)).setting("proxy_access_log", log)
}

#[test]
fn a_line_reads_as_in_kong() {
    let upstream = Upstream::answering(|_| Reply::ok("hello"));
    let gateway = with(&upstream, "logs/access.log").start();
    let request = Request::get("/a?b=c")
        .header("User-Agent", "agent \"x\"")
        .header("Referer", "http://r.test/")
        .header("Authorization", "Basic YWxpY2U6c2VjcmV0");
    let answer = gateway.send(&request);
    let line = lines(&gateway.prefix().join("logs/access.log"), 1).remove(0);
    let (before, after) = line.split_once(" [").unwrap();
    let (time, after) = after.split_once("] ").unwrap();
    assert_eq!(before, "127.0.0.1 - alice", "{line}");
    assert!(time.ends_with(" +0000") && time.len() == "23/Nov/2026:22:46:01 +0000".len(), "{time}");
    let id = answer.header("X-Kong-Request-Id").unwrap();
    assert_eq!(
        after,
        format!(r#""GET /a?b=c HTTP/1.1" 200 5 "http://r.test/" "agent \x22x\x22" kong_request_id: "{id}""#)
    );
}

#[test]
fn what_no_route_takes_and_what_is_no_http_has_its_line() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace("[\"/\"]", "[\"/known\"]");
    let gateway = Gateway::with(&document).setting("proxy_access_log", "logs/access.log basic").start();
    gateway.get("/unknown");
    gateway.send_raw("NO HTTP\r\n\r\n");
    let lines = lines(&gateway.prefix().join("logs/access.log"), 2);
    assert!(lines[0].contains("\"GET /unknown HTTP/1.1\" 404 "), "{lines:?}");
    assert!(lines[1].contains(" 400 "), "{lines:?}");
}

#[test]
fn fields_may_be_selected_and_written_as_json() {
    let upstream = Upstream::answering(|_| Reply::ok("hello").header("X-Made", "yes"));
    let fields = "status, request_uri, request_time, http_x_own, sent_http_x_made, route, consumer, upstream_addr";
    let gateway = with(&upstream, "logs/access.log json").setting("access_log_fields", fields).start();
    gateway.send(&Request::get("/\u{e9}".replace('\u{e9}', "%C3%A9").as_str()).header("X-Own", "a\"b"));
    let mut entry = entries(&gateway.prefix().join("logs/access.log"), 1).remove(0);
    assert!(entry["request_time"].as_f64().is_some_and(|time| time < 10.0), "{entry}");
    entry["request_time"] = Value::Null;
    assert_eq!(
        entry,
        json!({
            "status": 200, "request_uri": "/%C3%A9", "request_time": null, "http_x_own": "a\"b", "sent_http_x_made": "yes",
            "route": "everything", "consumer": null, "upstream_addr": upstream.address().to_string()
        })
    );
}

#[test]
fn a_format_may_be_ones_own_and_one_that_is_none_is_told() {
    let upstream = Upstream::echo();
    let own = "mine '$request_method ' '$uri' \" $status\"";
    let gateway = with(&upstream, "logs/access.log mine")
        .setting("nginx_http_log_format", "mine '$request_method $uri [$status]'")
        .start();
    gateway.get("/a?b");
    assert_eq!(lines(&gateway.prefix().join("logs/access.log"), 1), ["GET /a [200]"]);
    drop(gateway);
    for (log, format, told) in [
        ("logs/access.log other", own, "proxy_access_log: 'other' is no format; there are kong_log_format, combined"),
        ("logs/access.log mine", "mine '$nothing'", "nginx_http_log_format: '$nothing' is not known here; there are"),
    ] {
        let failure = with(&upstream, log).setting("nginx_http_log_format", format).fails();
        assert!(failure.stderr.contains(told), "{}", failure.stderr);
    }
}

#[test]
fn keys_do_not_stand_in_it() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream)
        + "consumers: [{username: alice, keyauth_credentials: [{key: top-secret}]}]\nplugins: [{name: key-auth}]\n";
    let gateway = Gateway::with(&document).setting("proxy_access_log", "logs/access.log json").start();
    assert_eq!(gateway.get("/?apikey=top-secret").status, 200);
    let path = gateway.prefix().join("logs/access.log");
    let entry = entries(&path, 1).remove(0);
    assert_eq!((&entry["request_uri"], &entry["consumer"]), (&json!("/?apikey=REDACTED"), &json!("alice")));
}

#[test]
fn logs_go_on_in_new_files_after_usr1() {
    let upstream = Upstream::echo();
    let gateway = with(&upstream, "logs/access.log").setting("proxy_error_log", "logs/error.log").start();
    gateway.get("/one");
    let logs = gateway.prefix().join("logs");
    lines(&logs.join("access.log"), 1);
    for name in ["access.log", "error.log"] {
        fs::rename(logs.join(name), logs.join(format!("{name}.1"))).unwrap();
    }
    gateway.signal("USR1");
    eventually(SOON, || {
        gateway.get("/two");
        logs.join("access.log").exists() && logs.join("error.log").exists()
    });
    assert!(fs::read_to_string(logs.join("access.log.1")).unwrap().contains("/one"));
    assert!(lines(&logs.join("access.log"), 1)[0].contains("/two"));
}

#[test]
fn off_is_off_and_a_place_that_cannot_be_written_is_told() {
    let upstream = Upstream::echo();
    let gateway = with(&upstream, "off").start();
    gateway.get("/");
    assert!(!gateway.prefix().join("logs/access.log").exists());
    let failure = with(&upstream, "/proc/no/access.log").fails();
    assert!(failure.stderr.contains("cannot write the access log /proc/no/access.log"), "{}", failure.stderr);
}
