//! Plugins that send: what real sockets receive, and what happens where nobody takes it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use towergate_tests::{
    Gateway, Port, Reply, Request, SOON, Upstream, eventually, eventually_some, proxying, uninterrupted,
};

/// A socket for datagrams that gives up waiting with the test.
fn datagrams() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

#[track_caller]
fn datagram(socket: &UdpSocket) -> String {
    let mut bytes = vec![0; 65536];
    let length = uninterrupted(|| socket.recv(&mut bytes)).expect("a datagram comes");
    String::from_utf8(bytes[..length].to_vec()).expect("UTF-8")
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

pub(crate) fn with(upstream: &Upstream, plugin: &str) -> String {
    format!("{}plugins:\n- {plugin}\n", proxying(upstream))
}

/// The URIs of the entries in bodies of http-log, sorted: workers tell in no order among each other.
fn uris(collector: &Upstream) -> Vec<String> {
    let bodies =
        collector.whole().into_iter().map(|request| serde_json::from_slice::<Value>(&request.body).expect("JSON"));
    let entries = bodies.flat_map(|body| match body {
        Value::Array(entries) => entries,
        entry => vec![entry],
    });
    let mut uris: Vec<_> = entries.map(|entry| entry["request"]["uri"].as_str().expect("a URI").to_owned()).collect();
    uris.sort();
    uris
}

#[test]
fn http_log_posts_an_object_or_an_array() {
    let (upstream, collector) = (Upstream::echo(), Upstream::answering(|_| Reply::ok("")));
    let url = collector.url().replace("http://", "http://user:pass@");
    let config = format!("{{http_endpoint: '{url}/in?x', headers: {{X-Token: t}}}}");
    let gateway = Gateway::serving(&with(&upstream, &format!("{{name: http-log, config: {config}}}")));
    gateway.get("/one");
    eventually(SOON, || collector.whole().len() == 1);
    let request = collector.whole().remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in?x"));
    assert_eq!(request.header("Content-Type"), Some("application/json"));
    assert_eq!(request.header("Authorization"), Some("Basic dXNlcjpwYXNz"));
    assert_eq!(request.header("X-Token"), Some("t"));
    let entry: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&entry["request"]["uri"], &entry["response"]["status"]), (&json!("/one"), &json!(200)));
    drop(gateway);

    let config = format!(
        "{{http_endpoint: '{}', method: PUT, queue: {{max_batch_size: 3, max_coalescing_delay: 30}}}}",
        collector.url()
    );
    let mut gateway = Gateway::serving(&with(&upstream, &format!("{{name: http-log, config: {config}}}")));
    (0..4).for_each(|number| _ = gateway.get(&format!("/{number}")));
    eventually(SOON, || collector.whole().len() == 2);
    let batch = collector.whole().remove(1);
    let entries: Value = serde_json::from_slice(&batch.body).unwrap();
    assert_eq!((batch.method.as_str(), entries.as_array().map(Vec::len)), ("PUT", Some(3)));
    // The end does not wait for a full batch.
    let start = Instant::now();
    assert!(gateway.terminate().status.success());
    assert!(start.elapsed() < Duration::from_secs(9));
    assert_eq!(uris(&collector), ["/0", "/1", "/2", "/3", "/one"]);
}

#[test]
fn http_log_tries_again_and_the_gateway_drains_it_at_its_end() {
    let upstream = Upstream::echo();
    let refuse = Arc::new(Mutex::new(true));
    let refuses = Arc::clone(&refuse);
    let collector = Upstream::answering(move |_| match *refuses.lock().unwrap() {
        true => Reply::new(503),
        false => Reply::ok(""),
    });
    let config = format!(
        "{{http_endpoint: '{}', queue: {{max_batch_size: 10, max_coalescing_delay: 0.1, max_retry_delay: 0.2}}}}",
        collector.url()
    );
    let mut gateway = Gateway::serving(&with(&upstream, &format!("{{name: http-log, config: {config}}}")));
    (0..25).for_each(|number| _ = gateway.get(&format!("/{number}")));
    eventually(SOON, || collector.whole().len() >= 3);
    eventually(SOON, || gateway.log().contains("handler could not process entries: request to 127.0.0.1:"));
    let before = collector.whole().len();
    *refuse.lock().unwrap() = false;
    assert!(gateway.terminate().status.success());
    // What was refused came again; what is counted is what was taken.
    let taken = uris(&collector).split_off(0);
    let last: Vec<_> = (0..25).map(|number| format!("/{number}")).filter(|uri| !taken.contains(uri)).collect();
    assert!(last.is_empty(), "{last:?} did not come");
    assert!(collector.whole().len() > before);
}

#[test]
fn a_collector_that_is_down_slow_or_refusing_harms_no_request() {
    let upstream = Upstream::echo();
    // Nobody listens; one that accepts and says nothing; one that refuses.
    let dead = Port::free();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = Upstream::answering(|_| Reply::new(500));
    for url in
        [format!("http://{}", dead.address()), format!("http://{}", silent.local_addr().unwrap()), refusing.url()]
    {
        let config = format!("{{http_endpoint: '{url}', timeout: 500, queue: {{max_entries: 50, max_bytes: 100000}}}}");
        let mut gateway = Gateway::serving(&with(&upstream, &format!("{{name: http-log, config: {config}}}")));
        let mut connection = gateway.connect();
        // The first entry is on its way before the queue is full, or it would be told twice that it is.
        assert_eq!(connection.request(&Request::get("/")).status, 200);
        eventually(SOON, || gateway.log().contains("handler could not process entries"));
        (0..100).for_each(|_| assert_eq!(connection.request(&Request::get("/")).status, 200));
        let before = gateway.peak_memory();
        let start = Instant::now();
        let large = Request::get("/").header("X-Large", &"x".repeat(4000));
        (0..2000).for_each(|_| assert_eq!(connection.request(&large).status, 200));
        // A tenth of what it would be if each waited for the collector's timeout.
        assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());
        let grown = gateway.peak_memory().saturating_sub(before);
        assert!(grown < 8 * 1024 * 1024, "{url}: {grown} bytes more for 2000 entries of 5 KB");
        eventually(SOON, || {
            gateway.log().contains("queue full, dropping old entries until processing is successful again")
        });
        assert_eq!(gateway.log().matches("queue full").count(), 1, "told once");
        let start = Instant::now();
        assert!(gateway.terminate().status.success());
        assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    }
}

#[test]
fn what_is_lost_is_counted() {
    let upstream = Upstream::echo();
    let dead = Port::free();
    let config = format!("{{http_endpoint: 'http://{}', queue: {{max_retry_time: -1}}}}", dead.address());
    let gateway = Gateway::serving(&with(&upstream, &format!("{{name: http-log, config: {config}}}")));
    gateway.get("/");
    eventually(SOON, || {
        let page = gateway.ask_admin(&Request::get("/metrics")).text();
        page.contains("towergate_queue_lost_entries_total{plugin=\"http-log\",reason=\"undelivered\"} 1")
    });
}

#[test]
fn a_new_configuration_loses_nothing_of_the_old_ones_queue() {
    let (upstream, collector) = (Upstream::echo(), Upstream::answering(|_| Reply::ok("")));
    let document = |delay: u32| {
        let config = format!(
            "{{http_endpoint: '{}', queue: {{max_batch_size: 100, max_coalescing_delay: {delay}}}}}",
            collector.url()
        );
        with(&upstream, &format!("{{name: http-log, id: 11111111-2222-4333-8444-555555555555, config: {config}}}"))
    };
    let gateway = Gateway::serving(&document(60));
    (0..5).for_each(|number| _ = gateway.get(&format!("/{number}")));
    gateway.reload(&document(61));
    gateway.get("/after");
    eventually(SOON, || uris(&collector).len() >= 5);
    assert_eq!(uris(&collector), ["/0", "/1", "/2", "/3", "/4"]);
}

#[test]
fn tcp_log_writes_lines_on_one_connection_and_comes_back() {
    let upstream = Upstream::echo();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!("{{host: 127.0.0.1, port: {}}}", listener.local_addr().unwrap().port());
    let gateway = Gateway::serving(&with(&upstream, &format!("{{name: tcp-log, config: {config}}}")));
    let uri = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["request"]["uri"].clone();
    for round in 0..2 {
        gateway.get(&format!("/{round}/a"));
        let stream = accept(&listener);
        gateway.get(&format!("/{round}/b"));
        let lines: Vec<_> = BufReader::new(stream).lines().take(2).map(|line| uri(&line.unwrap())).collect();
        assert_eq!(lines, [format!("/{round}/a"), format!("/{round}/b")]);
        // The collector closes; the next entry takes a new connection.
    }
}

#[track_caller]
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let (stream, _) = eventually_some(SOON, || listener.accept().ok());
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

#[test]
fn udp_log_sends_a_datagram_for_each_request() {
    let (upstream, socket) = (Upstream::echo(), datagrams());
    let config = format!("{{host: localhost, port: {}}}", port(&socket));
    let gateway = Gateway::serving(&with(&upstream, &format!("{{name: udp-log, config: {config}}}")));
    gateway.get("/a");
    let entry: Value = serde_json::from_str(&datagram(&socket)).unwrap();
    assert_eq!(entry["request"]["uri"], "/a");
}

#[test]
fn loggly_speaks_rfc_5424_by_severity() {
    let (upstream, socket) =
        (Upstream::answering(|request| Reply::new(request.path[1..].parse().unwrap())), datagrams());
    let config = format!(
        "{{host: 127.0.0.1, port: {}, key: some-key, tags: [a, b], log_level: warning, client_errors_severity: warning, server_errors_severity: err}}",
        port(&socket)
    );
    let gateway = Gateway::serving(&with(&upstream, &format!("{{name: loggly, config: {config}}}")));
    let mut connection = gateway.connect();
    ["/200", "/404", "/500"].iter().for_each(|target| _ = connection.request(&Request::get(target)));
    for (priority, status) in [(12, 404), (11, 500)] {
        let text = datagram(&socket);
        let (head, entry) = text.split_once(" [some-key@41058 tag=\"a\" tag=\"b\"] ").unwrap();
        assert!(head.starts_with(&format!("<{priority}>1 20")) && head.ends_with(" kong - -"), "{head}");
        assert_eq!(serde_json::from_str::<Value>(entry).unwrap()["response"]["status"], status);
    }
}

const ALICE: &str =
    "consumers: [{username: alice, custom_id: a-1, keyauth_credentials: [{key: k}]}]\nplugins:\n- {name: key-auth}\n";

#[test]
fn statsd_sends_kongs_metrics() {
    let (upstream, socket) = (Upstream::echo(), datagrams());
    let config = format!("{{host: 127.0.0.1, port: {}, udp_packet_size: 60000}}", port(&socket));
    let document = format!("{}{ALICE}- {{name: statsd, config: {config}}}\n", proxying(&upstream));
    let gateway = Gateway::serving(&document);
    gateway.send(&Request::get("/").header("apikey", "k"));
    let text = datagram(&socket);
    let lines: Vec<_> = text.lines().collect();
    for line in [
        "kong.service.echo.request.count:1|c",
        "kong.service.echo.status.200:1|c",
        "kong.service.echo.user.uniques:a-1|s",
        "kong.service.echo.user.a-1.request.count:1|c",
        "kong.service.echo.user.a-1.status.200:1|c",
        "kong.service.echo.workspace.0dc6f45b-8f8d-40d2-a504-473544ee190b.status.200:1|c",
    ] {
        assert!(lines.contains(&line), "{line} is missing in {text}");
    }
    for (begin, end) in [
        ("kong.service.echo.latency:", "|ms"),
        ("kong.service.echo.upstream_latency:", "|ms"),
        ("kong.service.echo.kong_latency:", "|ms"),
        ("kong.service.echo.request.size:", "|c"),
        ("kong.service.echo.response.size:", "|c"),
        ("kong.route.", ".user.a-1.status.200:1|c"),
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(begin) && line.ends_with(end)),
            "{begin} is missing in {text}"
        );
    }
    assert_eq!(lines.len(), 12);
}

#[test]
fn statsd_goes_over_tcp_with_tags_for_some_statuses() {
    let upstream = Upstream::answering(|request| Reply::new(request.path[1..].parse().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!(
        "{{host: 127.0.0.1, port: {}, use_tcp: true, tag_style: dogstatsd, allow_status_codes: [200-299], metrics: [{{name: request_count, stat_type: counter, sample_rate: 1}}]}}",
        listener.local_addr().unwrap().port()
    );
    let gateway = Gateway::serving(&with(&upstream, &format!("{{name: statsd, config: {config}}}")));
    gateway.get("/404");
    gateway.get("/201");
    let mut text = String::new();
    accept(&listener).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("kong.request.count:1|c|#service:echo,route:everything,workspace:0dc6f45b-"), "{text}");
    assert!(text.ends_with(",status:201\n"), "{text}");
}

#[test]
fn datadog_sends_metrics_with_tags() {
    let (upstream, socket) = (Upstream::echo(), datagrams());
    let config = format!("{{host: 127.0.0.1, port: {}, prefix: gw}}", port(&socket));
    let document = format!("{}{ALICE}- {{name: datadog, config: {config}}}\n", proxying(&upstream));
    let gateway = Gateway::serving(&document);
    gateway.send(&Request::get("/").header("apikey", "k"));
    let lines: Vec<_> = (0..6).map(|_| datagram(&socket)).collect();
    let tags = "|#name:echo,status:200,consumer:a-1,app:kong";
    assert_eq!(lines[0], format!("gw.request.count:1|c{tags}"));
    for (line, name) in
        lines[1..].iter().zip(["latency", "request.size", "response.size", "upstream_latency", "kong_latency"])
    {
        assert!(line.starts_with(&format!("gw.{name}:")) && line.ends_with(&format!("|ms{tags}")), "{line}");
    }
}

/// Another collector in the way of one that takes its time: entries are not lost, only late.
#[test]
fn a_slow_collector_gets_everything_in_the_end() {
    let upstream = Upstream::echo();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&bodies);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            while let Some(entries) = slow_answer(&mut reader) {
                *seen.lock().unwrap() += entries;
            }
        }
    });
    let config = format!("{{http_endpoint: '{url}', queue: {{max_batch_size: 20, max_coalescing_delay: 0.1}}}}");
    let gateway = Gateway::serving(&with(&upstream, &format!("{{name: http-log, config: {config}}}")));
    (0..100).for_each(|_| assert_eq!(gateway.get("/").status, 200));
    eventually(Duration::from_secs(20), || *bodies.lock().unwrap() == 100);
}

/// Reads a request and answers it after a while; how many entries it held, `None` at the end.
fn slow_answer(reader: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    thread::sleep(Duration::from_millis(100));
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
    serde_json::from_slice::<Vec<Value>>(&body).ok().map(|entries| entries.len())
}
