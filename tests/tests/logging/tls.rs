//! Collectors that speak TLS. As in Kong, nobody checks whose certificate they show.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};
use towergate_tests::{Certificate, Gateway, Reply, Request, SOON, TlsFront, Upstream, eventually};

use crate::collectors::{accept, with};

/// Whether one of this plugin's entries is counted as lost.
fn lost(gateway: &Gateway, plugin: &str) -> bool {
    let page = gateway.ask_admin(&Request::get("/metrics")).text();
    page.contains(&format!("towergate_queue_lost_entries_total{{plugin=\"{plugin}\",reason=\"undelivered\"}} 1\n"))
}

#[test]
fn http_log_over_https_asks_for_the_name_and_believes_any_certificate() {
    let (upstream, collector) = (Upstream::echo(), Upstream::answering(|_| Reply::ok("")));
    let front = TlsFront::new(&collector, &Certificate::alone(&["somebody.else"]), None);
    let endpoint = front.url("user:pass@localhost");
    let gateway =
        Gateway::serving(&with(&upstream, &format!("{{name: http-log, config: {{http_endpoint: '{endpoint}/in'}}}}")));
    for count in 1..=3 {
        gateway.get(&format!("/{count}"));
        eventually(SOON, || collector.whole().len() == count);
    }
    let request = collector.last();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in"));
    assert_eq!(request.header("Host"), Some(format!("localhost:{}", front.address().port()).as_str()));
    assert_eq!(request.header("Authorization"), Some("Basic dXNlcjpwYXNz"));
    let entry: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&entry["request"]["uri"], &entry["response"]["status"]), (&json!("/3"), &json!(200)));
    // On one connection.
    let calls = front.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!((calls[0].server_name.as_deref(), &calls[0].failure), (Some("localhost"), &None));
}

#[test]
fn tcp_log_over_tls_asks_for_tls_sni_and_keeps_its_connection() {
    let upstream = Upstream::echo();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let front = TlsFront::before(listener.local_addr().unwrap(), &Certificate::alone(&["somebody.else"]), None);
    let port = front.address().port();
    for (host, sni, asked) in [
        ("127.0.0.1", ", tls_sni: collector.test", Some("collector.test")),
        ("localhost", "", Some("localhost")),
        // An address is no server name.
        ("127.0.0.1", "", None),
    ] {
        let config = format!("{{host: {host}, port: {port}, tls: true{sni}}}");
        let gateway = Gateway::serving(&with(&upstream, &format!("{{name: tcp-log, config: {config}}}")));
        let before = front.calls().len();
        gateway.get("/a");
        let mut lines = BufReader::new(accept(&listener)).lines();
        let mut uri =
            || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["request"]["uri"].clone();
        assert_eq!(uri(), "/a");
        gateway.get("/b");
        assert_eq!(uri(), "/b");
        let calls = front.calls().split_off(before);
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert_eq!((calls[0].server_name.as_deref(), &calls[0].failure), (asked, &None));
    }
}

/// Somebody who speaks no TLS: requests are unharmed, what happened is told, and what was lost is counted.
#[test]
fn a_handshake_that_fails_is_told_and_counted() {
    let (upstream, plain) = (Upstream::echo(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = plain.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in plain.incoming().map_while(Result::ok) {
            let _ = stream.write_all(b"no TLS here\r\n");
        }
    });
    for (name, config, told) in [
        (
            "tcp-log",
            format!("{{host: 127.0.0.1, port: {port}, tls: true}}"),
            "failed to perform TLS handshake to 127.0.0.1:",
        ),
        (
            "http-log",
            format!("{{http_endpoint: 'https://user:pass@127.0.0.1:{port}/', queue: {{max_retry_time: -1}}}}"),
            "failed request to 127.0.0.1:",
        ),
    ] {
        let gateway = Gateway::serving(&with(&upstream, &format!("{{name: {name}, config: {config}}}")));
        assert_eq!(gateway.get("/").status, 200);
        eventually(SOON, || lost(&gateway, name));
        let log = gateway.log();
        assert!(log.contains(&format!("{told}{port}: ")) && !log.contains("pass"), "{log}");
    }
}
