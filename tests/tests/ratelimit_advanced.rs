//! rate-limiting-advanced as a whole: several windows of any size, counted here, in Redis, by sentinels and in a cluster.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use towergate_tests::{Answer, Gateway, Redis, Request, SOON, Upstream, eventually, proxying};

/// A document with `rate-limiting-advanced` of this configuration for everything.
fn document(upstream: &Upstream, config: &str) -> String {
    format!("{}plugins: [{{name: rate-limiting-advanced, config: {{{config}}}}}]\n", proxying(upstream))
}

fn limited(upstream: &Upstream, config: &str) -> Gateway {
    Gateway::serving(&document(upstream, config))
}

/// A header that says a number.
fn number(answer: &Answer, name: &str) -> u64 {
    let value = answer.header(name).unwrap_or_else(|| panic!("no {name} in {:?}", answer.headers));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

/// Statuses of so many requests, one after the other.
fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    (0..count).map(|_| gateway.get("/").status).collect()
}

#[test]
fn the_guides_limit_counts_in_redis_though_it_says_no_sync_rate() {
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let port = redis.port();
    let guide = format!(
        "limit: [1000], window_size: [60], window_type: sliding, strategy: redis, redis: {{host: 127.0.0.1, port: {port}}}"
    );
    let gateway = limited(&upstream, &guide);
    let answer = gateway.get("/");
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("X-RateLimit-Limit-Minute", "1000"),
        ("X-RateLimit-Remaining-Minute", "999"),
        ("RateLimit-Limit", "1000"),
        ("RateLimit-Remaining", "999"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!((1..=60).contains(&number(&answer, "RateLimit-Reset")));
    let keys = redis.ask(&["KEYS", "*"]);
    assert!(
        keys.starts_with("{ratelimit-advanced:") && keys.contains(":127.0.0.1}:") && keys.ends_with(":60"),
        "{keys}"
    );
}

#[test]
fn several_windows_are_kept_and_told_at_once() {
    let upstream = Upstream::echo();
    // Sizes whose windows are not over in the next minutes: the first begins in 1970 and ends in 2070.
    let century = 100_u64 * 365 * 86_400;
    let config = format!("limit: [5, 3], window_size: [{}, {century}], window_type: fixed", 2 * century);
    let gateway = limited(&upstream, &config);
    let first = gateway.get("/");
    assert_eq!(number(&first, &format!("X-RateLimit-Limit-{century}")), 3);
    assert_eq!(number(&first, &format!("X-RateLimit-Remaining-{century}")), 2);
    assert_eq!(number(&first, &format!("X-RateLimit-Remaining-{}", 2 * century)), 4);
    assert_eq!((number(&first, "RateLimit-Limit"), number(&first, "RateLimit-Remaining")), (3, 2));
    assert_eq!(statuses(&gateway, 4), [200, 200, 429, 429]);
    let refused = gateway.get("/");
    assert_eq!(number(&refused, "Retry-After"), number(&refused, "RateLimit-Reset"));
    assert_eq!(refused.message(), "API rate limit exceeded");
    assert_eq!(number(&refused, &format!("X-RateLimit-Remaining-{}", 2 * century)), 0, "refused requests count");
}

#[test]
fn refused_requests_count_unless_that_is_disabled() {
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let port = redis.port();
    for (penalty, counted) in [("false", "5"), ("true", "2")] {
        let config = format!(
            "limit: [2], window_size: [3153600000], window_type: fixed, strategy: redis, sync_rate: 0, \
             disable_penalty: {penalty}, namespace: penalty-{penalty}, redis: {{host: 127.0.0.1, port: {port}}}"
        );
        let gateway = limited(&upstream, &config);
        assert_eq!(statuses(&gateway, 5), [200, 200, 429, 429, 429]);
        let key = format!("{{ratelimit-advanced:penalty-{penalty}:127.0.0.1}}:0:3153600000");
        assert_eq!(redis.ask(&["GET", &key]), counted);
    }
}

#[test]
fn a_sliding_window_lets_requests_through_again_bit_by_bit() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "limit: [4], window_size: [2], disable_penalty: true");
    eventually(SOON, || gateway.get("/").status == 429);
    let refused = gateway.get("/");
    if refused.status == 429 {
        assert!((1..=4).contains(&number(&refused, "Retry-After")), "{:?}", refused.headers);
    }
    eventually(SOON, || gateway.get("/").status == 200);
    // Never more than the limit in any window: four seconds let at most three windows' worth through.
    let before = upstream.count();
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        gateway.get("/");
        thread::sleep(Duration::from_millis(5));
    }
    let through = upstream.count() - before;
    assert!((4..=12).contains(&through), "{through}");
}

#[test]
fn when_to_come_again_may_be_spread() {
    let upstream = Upstream::echo();
    let gateway =
        limited(&upstream, "limit: [1], window_size: [3153600000], window_type: fixed, retry_after_jitter_max: 3");
    gateway.get("/");
    let mut seen = std::collections::BTreeSet::new();
    eventually(SOON, || {
        let refused = gateway.get("/");
        seen.insert(number(&refused, "Retry-After") - number(&refused, "RateLimit-Reset"));
        seen.len() == 4
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn hidden_headers_another_status_and_another_message() {
    let upstream = Upstream::echo();
    let config = "limit: [1], window_size: [3153600000], window_type: fixed, hide_client_headers: true, error_code: 403, \
                  error_message: Enough";
    let gateway = limited(&upstream, config);
    assert!(!gateway.get("/").headers.has("RateLimit-Limit"));
    let refused = gateway.get("/");
    assert_eq!((refused.status, refused.message().as_str()), (403, "Enough"));
    assert!(!refused.headers.has("Retry-After") && !refused.headers.has("RateLimit-Limit"));
}

#[test]
fn plugins_of_one_namespace_count_together() {
    let upstream = Upstream::echo();
    let with = |namespace: &str| {
        let plugin = |route: &str| {
            format!(
                "- {{name: rate-limiting-advanced, route: {route}, \
                 config: {{limit: [1], window_size: [3153600000], window_type: fixed{namespace}}}}}\n"
            )
        };
        let document = format!(
            "_format_version: \"3.0\"\nservices:\n- name: echo\n  url: {}\n  retries: 0\n  routes:\n  \
             - {{name: a, paths: [/a]}}\n  - {{name: b, paths: [/b]}}\nplugins:\n{}{}",
            upstream.url(),
            plugin("a"),
            plugin("b")
        );
        let gateway = Gateway::serving(&document);
        [gateway.get("/a").status, gateway.get("/b").status]
    };
    assert_eq!(with(", namespace: shared"), [200, 429]);
    assert_eq!(with(""), [200, 200]);
}

const CONSUMERS: &str = r"
consumer_groups:
- name: gold
  plugins:
  - {name: rate-limiting-advanced, config: {limit: [3], window_size: [3153600000], window_type: fixed, identifier: consumer-group}}
consumers:
- username: alice
  groups: [{name: gold}]
  keyauth_credentials: [{key: alice}]
- username: bob
  groups: [{name: gold}]
  keyauth_credentials: [{key: bob}]
- username: eve
  keyauth_credentials: [{key: eve}]
";

#[test]
fn a_groups_own_limit_takes_the_place_of_the_general_one_and_may_be_shared() {
    let upstream = Upstream::echo();
    let plugins = "plugins:\n- {name: key-auth}\n- {name: rate-limiting-advanced, \
                   config: {limit: [1], window_size: [3153600000], window_type: fixed, enforce_consumer_groups: true, consumer_groups: [gold]}}\n";
    let gateway = Gateway::serving(&format!("{}{plugins}{CONSUMERS}", proxying(&upstream)));
    let by = |key: &str| gateway.send(&Request::get("/").header("apikey", key)).status;
    assert_eq!(["alice", "bob", "alice", "bob", "eve", "eve"].map(by), [200, 200, 200, 429, 200, 429]);
}

#[test]
fn several_identifiers_may_be_one() {
    let upstream = Upstream::echo();
    let config = "limit: [1], window_size: [3153600000], window_type: fixed, compound_identifier: [ip, header], header_name: X-App";
    let gateway = limited(&upstream, config);
    let of = |app: &str| gateway.send(&Request::get("/").header("X-App", app)).status;
    assert_eq!(["a", "b", "a", "b"].map(of), [200, 200, 429, 429]);
}

/// How many of `requests` requests by each of `clients` clients at the same time are let through.
fn admitted(gateways: &[Gateway], clients: usize, requests: usize) -> usize {
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..clients {
            let (gateway, admitted) = (&gateways[client % gateways.len()], &admitted);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for _ in 0..requests {
                    let status = connection.request(&Request::get("/")).status;
                    assert!(status == 200 || status == 429, "{status}");
                    admitted.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    admitted.into_inner()
}

/// `limit` requests in the twenty years until 2029, counted in Redis as these settings say.
fn in_redis(limit: u32, redis: &str) -> String {
    format!(
        "limit: [{limit}, {}], window_size: [630720000, 1261440000], window_type: sliding, strategy: redis, \
         sync_rate: 0, namespace: test, redis: {{{redis}}}",
        limit * 2
    )
}

#[test]
fn not_one_more_than_the_limit_gets_through_two_gateways() {
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let config = in_redis(80, &format!("port: {}", redis.port()));
    let gateways = [(); 2].map(|()| limited(&upstream, &config));
    assert_eq!(admitted(&gateways, 24, 10), 80);
    assert_eq!(upstream.count(), 80);
}

#[test]
fn without_redis_each_node_counts_for_itself() {
    let upstream = Upstream::echo();
    let mut redis = Redis::prepared(&[]);
    let gateway = limited(&upstream, &in_redis(2, &format!("port: {}", redis.port())));
    assert_eq!(statuses(&gateway, 4), [200, 200, 429, 429]);
    eventually(SOON, || gateway.log().contains("does not answer"));
    redis.launch();
    // Redis knows of nothing that was counted without it.
    eventually(SOON, || gateway.get("/").status == 200);
}

#[test]
fn exchanging_nodes_never_wait_and_learn_of_each_other() {
    let (upstream, redis) = (Upstream::echo(), Redis::start());
    let config = in_redis(20, &format!("port: {}", redis.port())).replace("sync_rate: 0", "sync_rate: 0.05");
    let gateways = [(); 2].map(|()| limited(&upstream, &config));
    eventually(SOON, || {
        gateways.iter().for_each(|gateway| _ = gateway.get("/"));
        gateways.iter().all(|gateway| gateway.get("/").status == 429)
    });
    let through = upstream.count();
    assert!((20..=40).contains(&through), "{through}");
}

#[test]
fn a_cluster_keeps_the_counters_of_a_request_together() {
    let (upstream, cluster) = (Upstream::echo(), Redis::cluster());
    let config = in_redis(60, &format!("cluster_nodes: [{{ip: 127.0.0.1, port: {}}}]", cluster[0].port()))
        .replace("namespace: test", "namespace: test, identifier: header, header_name: X-App");
    let gateways = [(); 2].map(|()| limited(&upstream, &config));
    assert_eq!(admitted(&gateways, 12, 10), 60);
    // Other clients' counters lie on other nodes.
    for app in 0..30 {
        let answer = gateways[0].send(&Request::get("/").header("X-App", &app.to_string()));
        assert_eq!((answer.status, number(&answer, "RateLimit-Remaining")), (200, 59));
    }
    let keys = cluster.each_ref().map(|node| node.ask(&["DBSIZE"]).parse::<u64>().expect("a number"));
    assert_eq!(keys.iter().sum::<u64>(), 62, "{keys:?}");
    assert!(keys.iter().all(|count| *count > 0), "{keys:?}");
    assert!(!gateways[0].log().contains("does not answer"), "{}", gateways[0].log());
}

#[test]
fn sentinels_tell_the_master_also_after_it_failed() {
    let upstream = Upstream::echo();
    let mut master = Redis::start();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &master.port().to_string()]);
    eventually(SOON, || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"));
    let sentinel = Redis::sentinel_of(&master);
    eventually(SOON, || sentinel.ask(&["SENTINEL", "replicas", "limits"]).contains(&replica.port().to_string()));
    let settings = format!(
        "sentinel_master: limits, sentinel_nodes: [{{host: 127.0.0.1, port: {}}}], read_timeout: 500, connect_timeout: 1000",
        sentinel.port()
    );
    let gateway = limited(&upstream, &in_redis(100, &settings));
    assert_eq!(number(&gateway.get("/"), "RateLimit-Remaining"), 99);
    assert_eq!(master.ask(&["DBSIZE"]), "2");
    eventually(SOON, || replica.ask(&["DBSIZE"]) == "2");
    master.stop();
    eventually(Duration::from_secs(60), || replica.ask(&["ROLE"]).starts_with("master"));
    // The replica knows what was counted, and goes on.
    eventually(Duration::from_secs(60), || number(&gateway.get("/"), "RateLimit-Remaining") == 98);
}
