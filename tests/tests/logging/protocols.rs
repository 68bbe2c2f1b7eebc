//! What is logged of requests over HTTP/2 and of WebSockets, and of what never became a request of a route.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_rustls::rustls::version;
use towergate_tests::sockets::{Sockets, open, try_open};
use towergate_tests::tungstenite::protocol::Message;
use towergate_tests::{
    Authority, Frames, Gate, Gateway, Http2, Port, Reply, Request, SOON, Script, TlsClient, Upstream, eventually, get,
    post, proxying, proxying_to,
};

use crate::{entries, lines};

/// A gateway that speaks HTTP/2, too, and logs every request to a file and to an access log.
struct Logged {
    gateway: Gateway,
    folder: tempfile::TempDir,
}

impl Logged {
    fn start(document: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.log");
        let document = format!("{document}plugins:\n- {{name: file-log, config: {{path: {}}}}}\n", path.display());
        let gateway = Gateway::with(&document).setting("proxy_access_log", "logs/access.log").with_http2().start();
        Self { gateway, folder }
    }

    #[track_caller]
    fn entries(&self, count: usize) -> Vec<Value> {
        entries(&self.folder.path().join("file.log"), count)
    }

    fn is_silent(&self) -> bool {
        fs::read_to_string(self.folder.path().join("file.log")).unwrap_or_default().is_empty()
    }

    #[track_caller]
    fn lines(&self, count: usize) -> Vec<String> {
        lines(&self.gateway.prefix().join("logs/access.log"), count)
    }
}

/// All four, none of them absurd.
#[track_caller]
fn assert_latencies(entry: &Value, least: i64) {
    for name in ["kong", "proxy", "receive"] {
        let latency = entry["latencies"][name].as_i64().unwrap();
        assert!((0..20_000).contains(&latency), "{name}: {latency}");
    }
    let request = entry["latencies"]["request"].as_i64().unwrap();
    assert!((least..20_000).contains(&request), "request: {request}");
}

#[test]
fn a_request_over_http2_has_a_whole_entry() {
    let upstream = Upstream::answering(|_| Reply::ok("x".repeat(5000)).header("X-Made", "yes"));
    let logged = Logged::start(&proxying(&upstream));
    let client = Http2::open(logged.gateway.proxy());
    let answer = client.upload(post("/a?b=1"), "y".repeat(3000));
    assert_eq!((answer.status, answer.body.len()), (200, 5000));
    let entry = logged.entries(1).remove(0);
    let (said, sent) = (&entry["request"], &entry["response"]);
    assert_eq!(
        (&said["method"], &said["uri"], &said["querystring"]),
        (&json!("POST"), &json!("/a?b=1"), &json!({"b": "1"}))
    );
    let port = logged.gateway.proxy().port();
    let url = said["url"].as_str().unwrap();
    assert!(url.starts_with("http://") && url.ends_with(&format!(":{port}/a?b=1")), "{url}");
    assert_eq!(said["id"].as_str(), answer.header("X-Kong-Request-Id"));
    assert!((3000..4000).contains(&said["size"].as_u64().unwrap()), "{said}");
    assert_eq!((&sent["status"], &sent["headers"]["x-made"]), (&json!(200), &json!("yes")));
    assert!((5000..6000).contains(&sent["size"].as_u64().unwrap()), "{sent}");
    assert_latencies(&entry, 0);
    assert_eq!((&entry["upstream_status"], &entry["source"]), (&json!("200"), &json!("upstream")));
    assert_eq!((&entry["route"]["name"], entry["tries"].as_array().unwrap().len()), (&json!("everything"), 1));
    let line = logged.lines(1).remove(0);
    assert!(line.contains("\"POST /a?b=1 HTTP/2.0\" 200 5000 "), "{line}");
}

#[test]
fn streams_of_one_connection_are_told_apart_and_one_that_is_given_up_is_told() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::answering(move |request| match request.path.as_str() {
        "/never" => Script::from(Reply::ok("late")).behind(&behind),
        path => Script::from(Reply::ok(path)),
    });
    let logged = Logged::start(&proxying(&upstream));
    let client = Http2::open(logged.gateway.proxy());
    let never = client.start(get("/never")).unwrap();
    eventually(SOON, || upstream.count() == 1);
    for path in ["/1", "/22"] {
        assert_eq!(client.get(path).text(), path);
    }
    never.cancel();
    let mut entries = logged.entries(3);
    gate.open();
    entries.sort_by_key(|entry| entry["request"]["uri"].to_string());
    let told: Vec<_> = entries.iter().map(|entry| (&entry["request"]["uri"], &entry["response"]["status"])).collect();
    // nginx's word for a client that did not wait.
    assert_eq!(told, [(&json!("/1"), &json!(200)), (&json!("/22"), &json!(200)), (&json!("/never"), &json!(499))]);
}

#[test]
fn over_tls_the_entry_tells_its_session() {
    let upstream = Upstream::echo();
    let certificate = Authority::new("authority").issue(&["shop.test"]);
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = certificate.write(folder.path(), "shop");
    let (port, log) = (Port::free(), folder.path().join("file.log"));
    let document =
        format!("{}plugins: [{{name: file-log, config: {{path: {}}}}}]\n", proxying(&upstream), log.display());
    let gateway = Gateway::with(&document)
        .setting("ssl_cert", cert.to_str().unwrap())
        .setting("ssl_cert_key", key.to_str().unwrap())
        .also_listening_on(&format!("{} ssl http2", port.address()))
        .start();
    let (address, handshake) =
        TlsClient::speaking(&[&version::TLS13], &["h2"]).bridge(port.address(), "shop.test").unwrap();
    assert_eq!(handshake.alpn.as_deref(), Some("h2"));
    assert_eq!(Http2::open(address).get("/").status, 200);
    drop(gateway);
    let entry = entries(&log, 1).remove(0);
    let tls = &entry["request"]["tls"];
    assert_eq!((&tls["version"], &tls["client_verify"]), (&json!("TLSv1.3"), &json!("NONE")));
    assert!(tls["cipher"].as_str().unwrap().starts_with("TLS_"), "{tls}");
    assert!(entry["request"]["url"].as_str().unwrap().starts_with("https://"), "{entry}");
}

#[test]
fn a_websocket_is_told_at_its_end_with_what_went_both_ways() {
    let sockets = Sockets::start();
    let logged = Logged::start(&proxying_to(&sockets.url(), &["retries: 0"]));
    let mut socket = open(logged.gateway.proxy(), "/echo?room=1");
    let start = Instant::now();
    for _ in 0..10 {
        socket.send(Message::binary(vec![7; 1000])).unwrap();
        assert_eq!(socket.read().unwrap().len(), 1000);
    }
    while start.elapsed() < Duration::from_millis(100) {
        socket.send(Message::text("still here")).unwrap();
        socket.read().unwrap();
    }
    assert!(logged.is_silent(), "it is not over yet");
    let took = i64::try_from(start.elapsed().as_millis()).unwrap();
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
    let entry = logged.entries(1).remove(0);
    let (said, sent) = (&entry["request"], &entry["response"]);
    assert_eq!((&said["method"], &said["uri"], &sent["status"]), (&json!("GET"), &json!("/echo?room=1"), &json!(101)));
    assert!(said["size"].as_u64().unwrap() > 10_000, "{said}");
    assert!(sent["size"].as_u64().unwrap() > 10_000, "{sent}");
    assert_eq!(sent["headers"]["upgrade"], "websocket");
    assert_eq!((&entry["upstream_status"], &entry["source"]), (&json!("101"), &json!("upstream")));
    assert_latencies(&entry, took);
    let line = logged.lines(1).remove(0);
    assert!(line.contains("\"GET /echo?room=1 HTTP/1.1\" 101 "), "{line}");
}

#[test]
fn a_websocket_that_is_refused_has_the_status_its_client_got() {
    let sockets = Sockets::start();
    let document = proxying_to(&sockets.url(), &["retries: 0"])
        + "    plugins: [{name: request-termination, config: {status_code: 403, message: stop}}]\n";
    let logged = Logged::start(&document);
    assert!(try_open(logged.gateway.proxy(), "/echo", &[]).is_err());
    let entry = logged.entries(1).remove(0);
    assert_eq!((&entry["response"]["status"], &entry["source"]), (&json!(403), &json!("kong")));
    assert_eq!((&entry["latencies"]["proxy"], &entry["tries"]), (&json!(-1), &json!([])));
}

#[test]
fn what_is_refused_before_any_route_is_told_over_both_protocols() {
    let upstream = Upstream::echo();
    let logged = Logged::start(&proxying(&upstream).replace("[\"/\"]", "[\"/known\"]"));
    assert_eq!(Http2::open(logged.gateway.proxy()).get("/unknown2").status, 404);
    assert_eq!(logged.gateway.get("/unknown1").status, 404);
    assert_eq!(logged.gateway.send_raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400);
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100_000));
    assert_eq!(logged.gateway.send_raw(long).status, 414);
    // What is no HTTP/2 at all ends its connection, and is no request.
    let mut frames = Frames::bare(logged.gateway.proxy());
    frames.send("nonsense\r\n\r\n");
    frames.drained();
    let lines = logged.lines(5);
    for told in ["GET /unknown2 HTTP/2.0\" 404 ", "GET /unknown1 HTTP/1.1\" 404 ", "\" 400 ", "\" 414 "] {
        assert!(lines.iter().any(|line| line.contains(told)), "{told}: {lines:#?}");
    }
    let mut entries = logged.entries(4);
    entries.sort_by_key(|entry| entry["response"]["status"].as_u64());
    for entry in &entries {
        assert_eq!((&entry["source"], &entry["client_ip"]), (&json!("kong"), &json!("127.0.0.1")), "{entry}");
        assert_eq!((&entry["latencies"]["proxy"], entry.get("route")), (&json!(-1), None), "{entry}");
        assert!(
            entry["response"]["size"].as_u64().unwrap() > 0 && entry["started_at"].as_u64().unwrap() > 0,
            "{entry}"
        );
    }
    let statuses: Vec<_> = entries.iter().filter_map(|entry| entry["response"]["status"].as_u64()).collect();
    assert!([400, 404, 414].iter().all(|status| statuses.contains(status)), "{statuses:?}");
    assert_eq!(logged.gateway.send(&Request::get("/known")).status, 200);
}
