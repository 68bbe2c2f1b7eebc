//! Health checks as operators see them: who gets requests, what the Admin API says, what targets are asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use towergate_tests::{
    Answer, Authority, BlackHole, Gateway, Port, Received, Reply, Request, SOON, Script, TlsFront, Upstream,
    eventually, proxying_to,
};

/// How often targets are asked in these tests.
const INTERVAL: Duration = Duration::from_millis(200);

/// What a busy machine may add.
const BUSY: Duration = Duration::from_secs(4);

/// Asks healthy and unhealthy targets for `/health`; one answer or failure decides.
const ACTIVE: &str = "active: {http_path: /health, timeout: 0.5,
      healthy: {interval: 0.2, successes: 1},
      unhealthy: {interval: 0.2, tcp_failures: 1, timeouts: 1, http_failures: 1}}";

/// A document with one route to an upstream with these health checks and further fields.
fn watched(checks: &str, fields: &str, targets: &[SocketAddr], service_fields: &[&str]) -> String {
    // The Admin API tells of the newest first, and of those as old as each other of the greatest id.
    let target = |(n, address): (usize, &SocketAddr)| {
        format!("  - {{id: 00000000-0000-4000-8000-{:012}, target: '{address}'}}\n", 99 - n)
    };
    let targets: String = targets.iter().enumerate().map(target).collect();
    let document = proxying_to("http://group", service_fields);
    format!("{document}upstreams:\n- name: group\n  {fields}\n  healthchecks:\n    {checks}\n  targets:\n{targets}")
}

/// For [`switchable`]: once 200, and then what is neither good nor bad.
const WELL_ONCE: u16 = 0;

/// An upstream whose `/health` answers with a status that may change; everything else is 200.
fn switchable() -> (Upstream, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let told = Arc::clone(&status);
    let upstream = Upstream::answering(move |request: &Received| match request.path.as_str() {
        "/health" => match told.compare_exchange(WELL_ONCE, 204, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Reply::new(200),
            Err(status) => Reply::new(status),
        },
        _ => Reply::ok("ok"),
    });
    (upstream, status)
}

/// The requests of clients that came to an upstream.
fn served(upstream: &Upstream) -> usize {
    upstream.requests().iter().filter(|request| request.path != "/health").count()
}

fn health(gateway: &Gateway) -> Value {
    let answer = gateway.ask_admin(&Request::get("/upstreams/group/health"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The health of each target, in the order of the document.
fn words(gateway: &Gateway) -> Vec<String> {
    let health = health(gateway);
    let targets = health["data"].as_array().expect("targets");
    targets.iter().map(|target| target["health"].as_str().expect("a word").to_owned()).collect()
}

fn put(gateway: &Gateway, path: &str) -> Answer {
    gateway.ask_admin(&Request::new("PUT", path))
}

#[test]
fn a_target_that_says_it_is_ill_gets_nothing_until_it_is_well() {
    let [(first, status), (second, _)] = [switchable(), switchable()];
    let gateway = Gateway::serving(&watched(ACTIVE, "", &[first.address(), second.address()], &["retries: 0"]));
    assert_eq!(words(&gateway), ["HEALTHY", "HEALTHY"]);
    status.store(500, Ordering::Relaxed);
    eventually(SOON, || words(&gateway) == ["UNHEALTHY", "HEALTHY"]);
    let before = served(&first);
    assert!((0..20).all(|_| gateway.get("/").status == 200));
    assert_eq!((served(&first), served(&second)), (before, 20));

    // The first good answer decides: all after it say nothing.
    status.store(WELL_ONCE, Ordering::Relaxed);
    let well = Instant::now();
    eventually(SOON, || words(&gateway) == ["HEALTHY", "HEALTHY"]);
    // It comes within an interval; the rest is what a busy machine takes.
    assert!(well.elapsed() < INTERVAL + BUSY, "{:?}", well.elapsed());
    assert!((0..20).all(|_| gateway.get("/").status == 200));
    assert_eq!(served(&first), before + 10);
}

#[test]
fn a_status_that_is_neither_good_nor_bad_changes_nothing() {
    let (upstream, status) = switchable();
    let gateway = Gateway::serving(&watched(ACTIVE, "", &[upstream.address()], &["retries: 0"]));
    status.store(204, Ordering::Relaxed);
    let seen = upstream.count();
    eventually(SOON, || upstream.count() > seen + 3);
    assert_eq!(words(&gateway), ["HEALTHY"]);
    status.store(429, Ordering::Relaxed);
    eventually(SOON, || words(&gateway) == ["UNHEALTHY"]);
    status.store(401, Ordering::Relaxed);
    let seen = upstream.count();
    eventually(SOON, || upstream.count() > seen + 3);
    assert_eq!(words(&gateway), ["UNHEALTHY"]);
}

#[test]
fn targets_that_refuse_hang_or_talk_nonsense_are_found_out() {
    let (nobody, hole) = (Port::free(), BlackHole::open());
    let hanging = Upstream::answering(|_| Script::hang());
    let nonsense = Upstream::answering(|_| Script::raw("SSH-2.0-OpenSSH\r\n").then_close());
    let (sound, _) = switchable();
    let targets = [nobody.address(), hole.address(), hanging.address(), nonsense.address(), sound.address()];
    let gateway = Gateway::serving(&watched(ACTIVE, "", &targets, &["retries: 0"]));
    let expected = ["UNHEALTHY", "UNHEALTHY", "UNHEALTHY", "UNHEALTHY", "HEALTHY"];
    eventually(SOON, || words(&gateway) == expected);
    assert!((0..10).all(|_| gateway.get("/").status == 200));
}

#[test]
fn with_nobody_well_the_answer_is_503_in_kongs_words() {
    let (upstream, status) = switchable();
    status.store(503, Ordering::Relaxed);
    let gateway = Gateway::serving(&watched(ACTIVE, "", &[upstream.address()], &["retries: 5"]));
    eventually(SOON, || words(&gateway) == ["UNHEALTHY"]);
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.message().as_str()), (503, "failure to get a peer from the ring-balancer"));
    assert_eq!(served(&upstream), 0);
    status.store(200, Ordering::Relaxed);
    eventually(SOON, || gateway.get("/").status == 200);
}

/// Kong 3.9.3 asks in HTTP/1.0, with the configured headers and `Host` only.
#[test]
fn a_target_is_asked_as_kong_asks() {
    let checks = ACTIVE.replace("active: {", "active: {headers: {X-Probe: [one, two]}, ");
    for (fields, host) in [("", "127.0.0.1"), ("host_header: shop.test", "shop.test")] {
        let (upstream, _) = switchable();
        let gateway = Gateway::serving(&watched(&checks, fields, &[upstream.address()], &["retries: 0"]));
        eventually(SOON, || upstream.count() > 0);
        let asked = String::from_utf8(upstream.requests()[0].raw_head.clone()).expect("text");
        assert_eq!(asked, format!("GET /health HTTP/1.0\r\nx-probe: one\r\nx-probe: two\r\nHost: {host}\r\n\r\n"));
        drop(gateway);
    }
}

#[test]
fn over_tls_the_certificate_counts_unless_it_is_not_to_be_checked() {
    let authority = Authority::new("unknown authority");
    let certificate = authority.issue(&["shop.test"]);
    let (upstream, _) = switchable();
    let front = TlsFront::new(&upstream, &certificate, None);
    for (verify, word) in [("false", "HEALTHY"), ("true", "UNHEALTHY")] {
        let checks = ACTIVE.replace(
            "active: {",
            &format!("active: {{type: https, https_sni: shop.test, https_verify_certificate: {verify}, "),
        );
        let gateway = Gateway::serving(&watched(&checks, "", &[front.address()], &["retries: 0"]));
        let seen = upstream.count();
        if word == "HEALTHY" {
            eventually(SOON, || upstream.count() > seen + 1);
        }
        eventually(SOON, || words(&gateway) == [word]);
    }
}

#[test]
fn a_tcp_check_asks_nothing_but_a_connection() {
    let (upstream, nobody) = (Upstream::answering(|_| Script::reset()), Port::free());
    let checks = ACTIVE.replace("active: {", "active: {type: tcp, ");
    let gateway = Gateway::serving(&watched(&checks, "", &[upstream.address(), nobody.address()], &["retries: 0"]));
    eventually(SOON, || words(&gateway) == ["HEALTHY", "UNHEALTHY"]);
    eventually(SOON, || upstream.accepted() > 2);
    assert_eq!((words(&gateway), upstream.count()), (vec!["HEALTHY".to_owned(), "UNHEALTHY".to_owned()], 0));
}

#[test]
fn a_grpc_check_wants_http2() {
    let (http1, _) = switchable();
    let checks = ACTIVE.replace("active: {", "active: {type: grpc, ");
    let back = Gateway::with(&proxying_to(&http1.url(), &[])).with_http2().start();
    let gateway = Gateway::serving(&watched(&checks, "", &[http1.address(), back.proxy()], &["retries: 0"]));
    eventually(SOON, || words(&gateway) == ["UNHEALTHY", "HEALTHY"]);
}

#[test]
fn a_grpcs_check_wants_http2_over_tls_from_whom_it_trusts() {
    let (http1, _) = switchable();
    let authority = Authority::new("Test Root");
    let front = TlsFront::new(&http1, &authority.issue(&["shop.test"]), None);
    let port = Port::free();
    let listen = format!("{} ssl http2", port.address());
    let back = Gateway::with(&proxying_to(&http1.url(), &[])).also_listening_on(&listen).start();
    let targets = [front.address(), port.address(), back.proxy()];
    for (verify, words_expected) in
        [("false", ["UNHEALTHY", "HEALTHY", "UNHEALTHY"]), ("true", ["UNHEALTHY", "UNHEALTHY", "UNHEALTHY"])]
    {
        let checks =
            ACTIVE.replace("active: {", &format!("active: {{type: grpcs, https_verify_certificate: {verify}, "));
        let gateway = Gateway::serving(&watched(&checks, "", &targets, &["retries: 0"]));
        // HTTP/1.1 over TLS; HTTP/2 over TLS, whose certificate nobody has signed; HTTP without TLS.
        eventually(SOON, || words(&gateway) == words_expected);
    }
}

// --- by what becomes of requests -----------------------------------------------------------------------------------------

fn passive(limits: &str) -> String {
    format!("passive: {{unhealthy: {{{limits}}}}}")
}

#[test]
fn answers_that_are_bad_take_a_target_out_for_good() {
    let [ill, well] = [Upstream::answering(|_| Reply::new(500)), Upstream::answering(|_| Reply::ok("ok"))];
    let document = watched(&passive("http_failures: 3"), "", &[ill.address(), well.address()], &["retries: 0"]);
    let gateway = Gateway::serving(&document);
    let statuses: Vec<_> = (0..40).map(|_| gateway.get("/").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 3, "{statuses:?}");
    assert_eq!((ill.count(), words(&gateway)), (3, vec!["UNHEALTHY".to_owned(), "HEALTHY".to_owned()]));
    // There is no way back by itself, and a reload does not help either.
    gateway.reload(&format!("{document}- name: other\n"));
    assert_eq!(words(&gateway), ["UNHEALTHY", "HEALTHY"]);
    assert_eq!(put(&gateway, &format!("/upstreams/group/targets/{}/healthy", ill.address())).status, 204);
    assert_eq!(words(&gateway), ["HEALTHY", "HEALTHY"]);
}

/// Kong counts failed connections of attempts that are repeated, and of the last one what the client reads: 502.
#[test]
fn the_last_attempt_of_a_request_is_no_failed_connection() {
    let nobody = Port::free();
    for (retries, statuses) in [(0, [502, 502, 502]), (1, [503, 503, 503])] {
        let service = [format!("retries: {retries}")];
        let service: Vec<_> = service.iter().map(String::as_str).collect();
        let document = watched(&passive("tcp_failures: 1"), "", &[nobody.address()], &service);
        let gateway = Gateway::serving(&document);
        assert_eq!([(); 3].map(|()| gateway.get("/").status), statuses, "{retries} retries");
    }
}

#[test]
fn any_504_is_a_timeout() {
    let slow = Upstream::answering(|_| Script::hang());
    let telling = Upstream::answering(|_| Reply::new(504));
    for upstream in [slow, telling] {
        let service = ["retries: 0", "read_timeout: 100"];
        let gateway = Gateway::serving(&watched(&passive("timeouts: 2"), "", &[upstream.address()], &service));
        assert_eq!([(); 3].map(|()| gateway.get("/").status), [504, 504, 503]);
    }
}

#[test]
fn below_the_threshold_nobody_is_asked() {
    let [ill, well] = [Upstream::answering(|_| Reply::new(500)), Upstream::answering(|_| Reply::ok("ok"))];
    let checks = format!("threshold: 50\n    {}", passive("http_failures: 1"));
    let gateway = Gateway::serving(&watched(&checks, "", &[ill.address(), well.address()], &["retries: 0"]));
    eventually(SOON, || gateway.get("/").status == 500);
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.message().as_str()), (503, "failure to get a peer from the ring-balancer"));
    assert_eq!(words(&gateway), ["UNHEALTHY", "HEALTHY"]);
    let whole = gateway.ask_admin(&Request::get("/upstreams/group/health?balancer_health=1")).json();
    assert_eq!(whole["data"]["health"], "UNHEALTHY");
    assert_eq!(whole["data"]["details"]["weight"], json!({"total": 200, "unavailable": 100, "available": 100}));
}

// --- the Admin API -------------------------------------------------------------------------------------------------------

#[test]
fn the_admin_api_tells_what_kongs_tells() {
    let (upstream, _) = switchable();
    let (address, port) = (upstream.address(), upstream.address().port());
    let gateway = Gateway::serving(&watched(ACTIVE, "", &[address], &[]));
    let shown = health(&gateway);
    assert!(shown["next"].is_null() && shown["node_id"].is_string());
    let target = &shown["data"][0];
    assert_eq!((&target["target"], &target["weight"]), (&json!(address.to_string()), &json!(100)));
    assert!(target["id"].is_string() && target["created_at"].is_number() && target["upstream"]["id"].is_string());
    assert_eq!(
        target["data"],
        json!({
            "host": "127.0.0.1", "port": port, "dns": "A", "nodeWeight": 100,
            "weight": {"total": 100, "unavailable": 0, "available": 100},
            "addresses": [{"ip": "127.0.0.1", "port": port, "weight": 100, "health": "HEALTHY"}],
        })
    );
}

#[test]
fn a_person_decides_until_something_else_is_noticed() {
    let [one, other] = [Upstream::echo(), Upstream::echo()];
    let targets = [one.address(), other.address()];
    let gateway = Gateway::serving(&watched(&passive("tcp_failures: 1"), "", &targets, &["retries: 0"]));
    let path = |end: &str| format!("/upstreams/group/targets/{}/{end}", one.address());
    assert_eq!(put(&gateway, &path("unhealthy")).status, 204);
    assert_eq!(words(&gateway), ["UNHEALTHY", "HEALTHY"]);
    assert!((0..10).all(|_| gateway.get("/").status == 200));
    assert_eq!((one.count(), other.count()), (0, 10));
    assert_eq!(put(&gateway, &path(&format!("{}/healthy", one.address()))).status, 204);
    assert_eq!(words(&gateway), ["HEALTHY", "HEALTHY"]);
    for (path, status) in [
        (path("10.0.0.1/healthy"), 404),
        ("/upstreams/group/targets/10.0.0.1:80/healthy".into(), 404),
        ("/upstreams/nobody/targets/10.0.0.1:80/healthy".into(), 404),
    ] {
        assert_eq!(put(&gateway, &path).status, status, "{path}");
    }
    assert_eq!(gateway.ask_admin(&Request::get("/upstreams/nobody/health")).status, 404);
}

#[test]
fn what_is_not_watched_is_said_so() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&watched("threshold: 0", "", &[upstream.address()], &[]));
    assert_eq!(words(&gateway), ["HEALTHCHECKS_OFF"]);
    let answer = put(&gateway, &format!("/upstreams/group/targets/{}/unhealthy", upstream.address()));
    assert_eq!((answer.status, answer.message().as_str()), (400, "no healthchecker found for group"));
    assert_eq!(gateway.get("/").status, 200);
}
