//! The server with real sockets: what comes in as bytes, what the stack sees, what goes out.

// Clippy knows tests by their attribute; the functions they share have none.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod gateway;
mod tls;

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use gateway::{Client, Gateway, eventually, route};
use serde_json::json;
use towergate_core::Protocol;
use towergate_router::Rule;
use towergate_server::{Limits, Listen, Listeners, ServerConfig, Timeouts, Tokens};

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    for number in 1..=3 {
        let facts = client.get("/a/x?q=1").json();
        assert_eq!((facts["connection"].clone(), facts["request"].clone()), (json!(1), json!(number)));
        assert_eq!(facts["target"], "/a/x?q=1");
    }
    let stats = gateway.stats();
    assert_eq!((stats.connections_accepted, stats.connections_active, stats.total_requests), (1, 1, 3));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    let request = |n: u32| format!("GET /a/{n} HTTP/1.1\r\nHost: example.com\r\n\r\n");
    client.send((0..20).map(request).collect::<String>());
    for n in 0..20 {
        assert_eq!(client.answer().json()["path"], format!("/a/{n}"));
    }
}

#[test]
fn the_stack_is_told_what_the_route_says() {
    let mut by_host = route("host", "/a");
    by_host.rule.hosts = vec!["api.example.com".into()];
    by_host.service_path = Some("/srv");
    let mut kept = route("kept", "/kept");
    kept.strip_path = false;
    let mut by_regex = route("regex", "/");
    by_regex.rule = Rule { paths: vec![r"~/item/(?<id>\d+)".into()], ..Rule::default() };
    let gateway = Gateway::start(ServerConfig::default(), 1, &[route("main", "/a"), by_host, kept, by_regex]);
    let table = [
        ("example.com", "/a/b", "main", "/a/b", json!(2), "/b"),
        ("API.example.com", "/a/b", "host", "/a/b", json!(2), "/srv/b"),
        ("api.example.com:8000", "/a", "host", "/a", json!(2), "/srv"),
        ("example.com", "//a/./%62%20c", "main", "/a/b c", json!(2), "/b%20c"),
        ("example.com", "/kept/b", "kept", "/kept/b", json!(5), "/kept/b"),
        ("example.com", "/item/12/x", "regex", "/item/12/x", json!(8), "/x"),
    ];
    let mut client = gateway.connect();
    for (host, target, route, path, prefix, upstream_path) in table {
        let facts = client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).answer().json();
        assert_eq!(facts["route"], route, "{host}{target}");
        assert_eq!((&facts["path"], &facts["prefix"]), (&json!(path), &prefix), "{host}{target}");
        assert_eq!(facts["upstream_path"], upstream_path, "{host}{target}");
    }
    assert_eq!(client.get("/item/12/x").json()["captures"], json!([["1", "12"], ["id", "12"]]));
}

#[test]
fn without_a_route_only_global_plugins_see_the_answer() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    let answer = client.get("/nowhere");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["message"], "no Route matched with those values");
    assert_eq!(answer.json()["request_id"].as_str(), answer.header("x-kong-request-id"));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("x-mark"), Some("seen"));
    assert!(answer.header("x-kong-response-latency").is_some());
    assert_eq!(client.get("/a").header("x-mark"), None, "the route has its own plugins");
}

#[test]
fn a_tls_only_route_asks_for_tls() {
    let mut secure = route("secure", "/a");
    secure.protocols = vec![Protocol::Https];
    let trusted_ips = vec!["127.0.0.0/8".parse().unwrap()];
    let gateway = Gateway::start(ServerConfig { trusted_ips, ..ServerConfig::default() }, 1, &[secure]);
    let mut client = gateway.connect();
    let answer = client.get("/a");
    assert_eq!((answer.status, answer.header("upgrade")), (426, Some("TLS/1.2, HTTP/1.1")));
    assert_eq!(answer.header("connection"), Some("Upgrade"));
    assert_eq!(answer.json()["message"], "Please use HTTPS protocol");
    client.send("GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_bad_request_is_refused_and_its_connection_ends_as_with_nginx() {
    let gateway = Gateway::simple();
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
    let cookie = format!("GET /a HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "a".repeat(9000));
    let table = [
        ("GET /a HTTP/1.1\r\n\r\n", 400, "Bad request"),
        ("GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "Bad request"),
        ("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Bad request"),
        ("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Bad request"),
        ("GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Bad request"),
        ("GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Bad request"),
        ("GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n", 400, "Bad request"),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400, "Bad request"),
        (&cookie, 400, "Request header or cookie too large"),
        (&long, 414, "URI too long"),
    ];
    for (request, status, message) in table {
        let mut client = gateway.connect();
        let answer = client.send(request).answer();
        assert_eq!(answer.status, status, "{request:.60}");
        assert_eq!(answer.body.lines().next(), Some(message), "{request:.60}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{request:.60}");
        assert_eq!(answer.header("x-mark"), Some("seen"), "global plugins see it: {request:.60}");
        assert_eq!(answer.header("connection"), Some("close"), "{request:.60}");
        assert!(client.is_closed(), "{request:.60}");
        assert_eq!(gateway.connect().get("/a").status, 200, "after {request:.60}");
    }
}

#[test]
fn a_trace_is_refused_and_the_next_request_is_served() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    let answer = client.send("TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    assert_eq!((answer.status, answer.body.lines().next()), (405, Some("Method not allowed")));
    assert_eq!(client.get("/a").status, 200);
}

#[test]
fn a_wish_to_switch_protocols_may_go_unheard() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(client.send(request).answer().status, 200);
    assert_eq!(client.get("/a").status, 200);
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    assert_eq!(client.send("01234").answer().json()["body"], 5);
}

#[test]
fn what_is_no_http_is_answered_like_anything_else_and_ends_the_connection() {
    let gateway = Gateway::simple();
    let (bad, large) = ("Bad request", "Request header or cookie too large");
    let (many, nginx) = ("Request header fields too large", "<html>");
    let table = [
        ("GARBAGE\r\n\r\n".to_owned(), 400, bad),
        ("\x16\x03\x01".to_owned(), 400, bad),
        ("GET /a HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), 400, bad),
        ("GET /a HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n".to_owned(), 400, bad),
        ("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), 400, bad),
        ("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx".to_owned(), 400, bad),
        ("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400, bad),
        ("GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(), 501, nginx),
        ("GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(), 501, nginx),
        ("GET /a HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 505, nginx),
        ("GET /a<b> HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, bad),
        ("GET /a`b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, bad),
        (format!("GET /a HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(201)), 431, many),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70 << 10)), 414, "URI too long"),
        (format!("GET /a HTTP/1.1\r\nHost: a\r\n{}\r\n", format!("x: {}\r\n", "y".repeat(8000)).repeat(6)), 400, large),
    ];
    for (request, status, message) in table {
        let mut client = gateway.connect();
        let answer = client.send(&request).answer();
        assert_eq!((answer.status, answer.body.lines().next()), (status, Some(message)), "{request:.60}");
        assert_eq!(answer.header("x-mark"), Some("seen"), "global plugins see it: {request:.60}");
        assert_eq!(answer.header("connection"), Some("close"), "{request:.60}");
        assert!(client.is_closed(), "{request:.60}");
    }
    let many = format!("GET /a HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(150));
    assert_eq!(gateway.connect().send(many).answer().status, 200, "more than hyper's own limit of 100");
}

#[test]
fn whatever_comes_nothing_panics_and_the_next_client_is_served() {
    // A task that panics would only lose its own connection, and nobody would know.
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name().is_some_and(|name| name.starts_with("worker-")) {
            PANICS.fetch_add(1, Relaxed);
        }
        usual(panic);
    }));
    let gateway = Gateway::simple();
    let good = "POST http://a.example/a/./b%20c?q HTTP/1.1\r\nHost: a\r\nConnection: x-a, close\r\nX-A: 1\r\n\
                Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n0\r\n\r\n";
    let odd = b"\0\r\n\t %/:.,;@[]#?\x7f\xc3\xff09azAZ";
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..1000 {
        let mut bytes = good.as_bytes().to_vec();
        for _ in 0..random.usize(1..4) {
            let (at, byte) = (random.usize(..bytes.len()), odd[random.usize(..odd.len())]);
            match random.u8(..3) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        gateway.connect().send(bytes).hang_up();
    }
    assert_eq!(PANICS.load(Relaxed), 0);
    assert_eq!(gateway.connect().get("/a").status, 200);
}

#[test]
fn headers_listed_in_connection_never_reach_the_stack() {
    let gateway = Gateway::simple();
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nX-Secret: 1\r\nX-Other: 2\r\nConnection: X-Secret, Host\r\n\r\n";
    let facts = gateway.connect().send(request).answer().json();
    let headers = facts["headers"].as_array().unwrap();
    let mut names: Vec<_> = headers.iter().map(|header| header[0].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["host", "x-other"]);
}

#[test]
fn a_trusted_peer_says_who_the_client_is() {
    let ask = |trusted: &[&str]| {
        let trusted_ips = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let config = ServerConfig { trusted_ips, ..ServerConfig::default() };
        let gateway = Gateway::start(config, 1, &[route("main", "/a")]);
        let request = "GET /a HTTP/1.1\r\nHost: a\r\nX-Real-IP: 203.0.113.7\r\n\r\n";
        let facts = gateway.connect().send(request).answer().json();
        (facts["address"].clone(), facts["peer"].clone(), facts["trusted"].clone())
    };
    assert_eq!(ask(&[]), (json!("127.0.0.1"), json!("127.0.0.1"), json!(false)));
    assert_eq!(ask(&["127.0.0.1/32"]), (json!("203.0.113.7"), json!("127.0.0.1"), json!(true)));
}

#[test]
fn responses_carry_our_headers() {
    let config = ServerConfig {
        server_token: "kong/3.9.3".into(),
        allow_debug_header: true,
        tokens: Tokens { upstream_status: true, ..Tokens::default() },
        ..ServerConfig::default()
    };
    let gateway = Gateway::start(config, 1, &[route("main", "/a")]);
    let mut client = gateway.connect();
    let proxied = client.get("/a?proxied");
    assert_eq!(proxied.header("via"), Some("1.1 kong/3.9.3"));
    assert_eq!(proxied.header("server"), Some("kong/3.9.3"));
    assert_eq!(proxied.header("x-kong-upstream-status"), Some("200"));
    assert!(proxied.header("x-kong-proxy-latency").is_some() && proxied.header("x-kong-upstream-latency").is_some());
    assert_eq!(proxied.header("x-kong-response-latency"), None);
    assert_eq!(proxied.header("x-kong-request-id").unwrap().len(), 32);
    assert_eq!(proxied.header("kong-route-name"), None, "nobody asked");
    client.send("GET /a HTTP/1.1\r\nHost: a\r\nKong-Debug: 0\r\n\r\n");
    let debug = client.answer();
    assert_eq!(debug.header("kong-route-name"), Some("main"));
    assert_eq!(debug.header("kong-route-id"), Some("00000000-0000-0000-0000-000000000001"));
    assert_eq!(debug.header("kong-service-name"), Some("a-service"));
    assert_eq!(debug.header("kong-service-id"), Some("00000000-0000-0000-0000-000000000002"));
}

#[test]
fn a_response_whose_headers_lie_about_its_length_arrives_whole() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    let answer = client.get("/a?framing");
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.json()["path"], "/a");
    assert_eq!(client.get("/a").status, 200);
    let head = client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n").answer_without_body();
    assert_eq!(head.status, 200);
    assert_eq!(client.get("/a").status, 200, "no body came with the answer to HEAD");
}

#[test]
fn the_newest_table_reaches_an_open_connection() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    assert_eq!(client.get("/a").json()["route"], "main");
    assert_eq!(client.get("/b").status, 404);
    gateway.publish(&[route("newer", "/b")]);
    assert_eq!(client.get("/b").json()["route"], "newer");
    assert_eq!(client.get("/a").status, 404);
}

#[test]
fn a_table_that_was_replaced_is_dropped_without_a_request() {
    let gateway = Gateway::start(ServerConfig::default(), 2, &[route("main", "/a")]);
    gateway.publish(&[route("newer", "/b")]);
    eventually("idle workers let the table before go", || gateway.kept_tables() == 0);
}

/// Idle clients, at least one of each of the two workers.
fn clients_of_both_workers(gateway: &Gateway) -> Vec<Client> {
    let mut clients = Vec::new();
    let mut seen = HashSet::new();
    while seen.len() < 2 {
        assert!(clients.len() < 200, "only these workers got connections: {seen:?}");
        let mut client = gateway.connect();
        seen.insert(client.get("/a").json()["worker"].as_u64().unwrap());
        clients.push(client);
    }
    clients
}

#[test]
fn workers_share_the_connections_of_one_port() {
    let gateway = Gateway::start(ServerConfig::default(), 2, &[route("main", "/a")]);
    let _clients = clients_of_both_workers(&gateway);
    let busy = Listeners::bind(&[Listen::on(gateway.address)], 1).unwrap_err();
    assert!(busy.is_busy(), "a second gateway may not join in: {busy}");
}

#[test]
fn a_drain_finishes_requests_and_closes_idle_connections() {
    let mut gateway = Gateway::start(ServerConfig::default(), 2, &[route("main", "/a")]);
    let idle = clients_of_both_workers(&gateway);
    let mut busy: Vec<_> = (0..20).map(|_| gateway.connect()).collect();
    for client in &mut busy {
        client.send("GET /a/held HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("all requests have begun", || gateway.stats().connections_writing == 20);
    let workers = gateway.workers.take().unwrap();
    let draining = std::thread::spawn(move || workers.drain(Duration::from_secs(30)));
    // A worker tells all its connections at once: when its idle ones are gone, the busy ones know.
    assert!(idle.into_iter().all(|mut client| client.is_closed()));
    eventually("nobody listens any more", || std::net::TcpStream::connect(gateway.address).is_err());
    gateway.gate.add_permits(20);
    for mut client in busy {
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        assert!(client.is_closed());
    }
    assert_eq!(draining.join().unwrap().cut_off, 0);
    Listeners::bind(&[Listen::on(gateway.address)], 2).expect("the port is free again at once");
}

#[test]
fn a_drain_ends_with_its_limit() {
    let mut gateway = Gateway::simple();
    let mut client = gateway.connect();
    client.send("GET /a/held HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request has begun", || gateway.stats().connections_writing == 1);
    let begin = Instant::now();
    let drained = gateway.workers.take().unwrap().drain(Duration::from_millis(100));
    assert_eq!(drained.cut_off, 1);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(client.is_closed());
}

#[test]
fn a_drain_may_be_told_to_end_earlier() {
    let mut gateway = Gateway::simple();
    let mut client = gateway.connect();
    client.send("GET /a/held HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request has begun", || gateway.stats().connections_writing == 1);
    let workers = gateway.workers.take().unwrap();
    let orders = workers.orders();
    let draining = std::thread::spawn(move || workers.drain(Duration::from_secs(3600)));
    eventually("nobody listens any more", || std::net::TcpStream::connect(gateway.address).is_err());
    orders.stop_within(Duration::from_millis(50));
    assert_eq!(draining.join().unwrap().cut_off, 1);
}

#[test]
fn new_settings_count_for_new_connections() {
    let gateway = Gateway::start(ServerConfig::default(), 1, &[route("main", "/a")]);
    let orders = gateway.workers.as_ref().unwrap().orders();
    let (mut idle, mut busy) = (gateway.connect(), gateway.connect());
    assert_eq!(idle.get("/a").header("server"), Some("towergate/0.1.0"));
    busy.send("GET /a/held HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request has begun", || gateway.stats().connections_writing == 1);
    let limits = Limits { body: Some(3), ..Limits::default() };
    orders.renew(ServerConfig { tokens: Tokens::OFF, limits, ..ServerConfig::default() }).unwrap();
    assert!(idle.is_closed(), "what is idle is closed, so that its client comes again");
    let mut new = gateway.connect();
    assert_eq!((new.get("/a").header("server"), new.get("/a").status), (None, 200));
    new.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n01234");
    assert_eq!(new.answer().status, 413);
    gateway.gate.add_permits(1);
    let answer = busy.answer();
    assert_eq!((answer.status, answer.header("server")), (200, Some("towergate/0.1.0")), "as it began");
    assert!(busy.is_closed());
    gateway.publish(&[route("main", "/b")]);
    assert_eq!((gateway.connect().get("/b").status, gateway.connect().get("/a").status), (200, 404));
    assert_eq!(gateway.kept_tables(), 0);
}

#[test]
fn a_drain_waits_two_seconds_for_those_that_have_not_said_what_they_want() {
    let mut gateway = Gateway::simple();
    let mut client = gateway.connect();
    client.send("GET /a HTTP/1.1\r\nHost: ");
    eventually("a head has begun", || gateway.stats().connections_reading == 1);
    let begin = Instant::now();
    let drained = gateway.workers.take().unwrap().drain(Duration::from_secs(30));
    assert_eq!(drained.cut_off, 1);
    assert!((2..10).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    assert!(client.is_closed());
}

#[test]
fn a_connection_ends_after_its_last_request() {
    let limits = Limits { keep_alive_requests: 2, ..Limits::default() };
    let gateway = Gateway::start(ServerConfig { limits, ..ServerConfig::default() }, 1, &[route("main", "/a")]);
    let mut client = gateway.connect();
    assert_eq!(client.get("/a").header("connection"), None);
    assert_eq!(client.get("/a").header("connection"), Some("close"));
    assert!(client.is_closed());
}

fn impatient() -> Gateway {
    let short = Duration::from_millis(200);
    let timeouts = Timeouts { keep_alive: short, header: short, body: short, send: short };
    Gateway::start(ServerConfig { timeouts, ..ServerConfig::default() }, 1, &[route("main", "/a")])
}

#[test]
fn who_keeps_the_gateway_waiting_is_let_go() {
    let gateway = impatient();
    let mut silent = gateway.connect();
    assert!(silent.is_closed(), "no request at all");
    let mut slow = gateway.connect();
    slow.send("GET /a HTTP/1.1\r\nHost:");
    assert!(slow.is_closed(), "half a head");
    let mut idle = gateway.connect();
    idle.get("/a");
    assert!(idle.is_closed(), "no second request");
    let mut patient = gateway.connect();
    patient.send("GET /a/held HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("its request has begun", || gateway.stats().connections_writing == 1);
    for _ in 0..2 {
        assert!(gateway.connect().is_closed(), "the timeout is over");
    }
    gateway.gate.add_permits(1);
    assert_eq!(patient.answer().status, 200, "waiting for us is no fault");
}

#[test]
fn who_takes_nothing_of_a_response_is_let_go() {
    let timeouts = Timeouts { send: Duration::from_millis(200), ..Timeouts::default() };
    let gateway = Gateway::start(ServerConfig { timeouts, ..ServerConfig::default() }, 1, &[route("main", "/a")]);
    let mut client = gateway.connect();
    client.send("GET /a?large HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the response is being sent", || gateway.stats().total_requests == 1);
    eventually("the connection is gone", || gateway.stats().connections_active == 0);
}

#[test]
fn ports_are_told_as_clients_see_them() {
    let mut by_port = route("by-port", "/a");
    by_port.rule.hosts = vec!["example.com:443".into()];
    let gateway = Gateway::mapped_to(443, &[by_port]);
    let facts = gateway.connect().get("/a").json();
    assert_eq!((&facts["route"], &facts["local_port"]), (&json!("by-port"), &json!(443)));
}

#[test]
fn a_slow_body_is_a_request_timeout() {
    let gateway = impatient();
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.lines().next()), (408, Some("Request timeout")));
    assert!(client.is_closed());
}

#[test]
fn a_body_may_be_as_long_as_allowed() {
    let limits = Limits { body: Some(10), ..Limits::default() };
    let gateway = Gateway::start(ServerConfig { limits, ..ServerConfig::default() }, 1, &[route("main", "/a")]);
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789");
    assert_eq!(client.answer().json()["body"], 10);
    client
        .send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n");
    assert_eq!(client.answer().json()["body"], 10);
    client.send(
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n",
    );
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.lines().next()), (413, Some("Payload too large")));
    assert_eq!(answer.header("x-plugin"), Some("kept"));
    assert!(client.is_closed());
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("x-mark")), (413, Some("seen")));
}

#[test]
fn a_malformed_body_is_a_bad_request() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nNONSENSE\r\n");
    assert_eq!(client.answer().status, 400);
}

#[test]
fn a_client_that_goes_away_ends_its_request() {
    let gateway = Gateway::simple();
    let mut client = gateway.connect();
    client.send("GET /a/held HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request has begun", || gateway.stats().connections_writing == 1);
    drop(client);
    eventually("the connection is gone", || gateway.stats().connections_active == 0);
}

#[test]
fn ipv4_in_ipv6_clothes_is_ipv4() {
    let both = Listen { ipv6_only: false, ..Listen::on("[::]:0".parse().unwrap()) };
    let Ok(listeners) = Listeners::bind(&[both], 1) else { return eprintln!("this machine has no IPv6") };
    let gateway = Gateway::on(listeners, &[route("main", "/a")]);
    let facts = gateway.connect().get("/a").json();
    assert_eq!((&facts["address"], &facts["peer"]), (&json!("127.0.0.1"), &json!("127.0.0.1")));
}

#[test]
fn as_many_tables_as_workers() {
    let listeners = Listeners::bind(&[Listen::on(([127, 0, 0, 1], 0).into())], 2).unwrap();
    let stack = tower::service_fn(|_: http::Request<towergate_core::Body>| async {
        Ok(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
    });
    let error = towergate_server::Workers::start(ServerConfig::default(), listeners, Vec::new(), move |_| stack);
    assert_eq!(error.unwrap_err().to_string(), "sockets for 2 workers, tables for 0");
}
