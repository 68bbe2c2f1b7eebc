//! Where requests to an upstream go: shares, keys, load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use towergate_tests::{Gate, Gateway, Reply, Request, SOON, Script, Upstream, eventually, proxying_to};

/// So many upstreams, each of which answers with its number.
fn numbered<const N: usize>() -> [Upstream; N] {
    std::array::from_fn(|number| Upstream::answering(move |_| Reply::ok(number.to_string())))
}

/// A document with one route to an upstream with these fields and targets of these weights.
fn balanced(fields: &str, targets: &[(SocketAddr, u16)]) -> String {
    let line = |(address, weight): &(SocketAddr, u16)| format!("  - {{target: '{address}', weight: {weight}}}\n");
    let targets: String = targets.iter().map(line).collect();
    let document = proxying_to("http://group", &["retries: 1"]);
    format!("{document}upstreams:\n- name: group\n  {fields}\n  targets:\n{targets}")
}

fn equal(upstreams: &[Upstream]) -> Vec<(SocketAddr, u16)> {
    upstreams.iter().map(|upstream| (upstream.address(), 100)).collect()
}

#[test]
fn shares_are_those_of_the_weights() {
    let upstreams = numbered::<4>();
    let weights = [300, 200, 100, 0];
    let targets: Vec<_> = upstreams.iter().map(Upstream::address).zip(weights).collect();
    let gateway = Gateway::serving(&balanced("algorithm: round-robin", &targets));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = gateway.connect();
                for _ in 0..1_250 {
                    assert_eq!(connection.request(&Request::get("/")).status, 200);
                }
            });
        }
    });
    for (upstream, weight) in upstreams.iter().zip(weights) {
        let (count, expected) = (upstream.count() as f64, 10_000.0 * f64::from(weight) / 600.0);
        assert!((count - expected).abs() <= 200.0, "{count} of 10,000 requests for weight {weight} of 600");
    }
}

// --- consistent hashing --------------------------------------------------------------------------------------------------

/// Which target each of these users meets.
fn targets_of_users(gateway: &Gateway, users: usize) -> Vec<String> {
    let mut connection = gateway.connect();
    (0..users)
        .map(|user| connection.request(&Request::get("/").header("X-User-Id", &format!("user-{user}"))).text())
        .collect()
}

const BY_USER: &str = "algorithm: consistent-hashing\n  hash_on: header\n  hash_on_header: X-User-Id";

#[test]
fn a_key_keeps_its_target_over_requests_and_restarts() {
    let upstreams = numbered::<3>();
    let document = balanced(BY_USER, &equal(&upstreams));
    let mut gateway = Gateway::serving(&document);
    let before = targets_of_users(&gateway, 200);
    assert_eq!(targets_of_users(&gateway, 200), before);
    for number in ["0", "1", "2"] {
        let share = before.iter().filter(|target| *target == number).count();
        assert!((20..140).contains(&share), "{share} of 200 users at target {number}");
    }
    gateway.terminate();
    let restarted = Gateway::with(&document).on_the_ports_of(&gateway).start();
    assert_eq!(targets_of_users(&restarted, 200), before);
}

#[test]
fn a_target_that_goes_moves_only_its_keys() {
    let upstreams = numbered::<4>();
    let gateway = Gateway::serving(&balanced(BY_USER, &equal(&upstreams)));
    let before = targets_of_users(&gateway, 300);
    gateway.reload(&balanced(BY_USER, &equal(&upstreams[..3])));
    let after = targets_of_users(&gateway, 300);
    let strays = before.iter().zip(&after).filter(|(was, is)| *was != "3" && was != is).count();
    assert!(strays <= 15, "{strays} of 300 users moved without need");
    assert!(after.iter().all(|target| target != "3"));
}

#[test]
fn a_retry_of_a_key_goes_to_the_next_target() {
    let [sound] = numbered::<1>();
    let breaking = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::serving(&balanced(BY_USER, &[(sound.address(), 100), (breaking.address(), 100)]));
    assert!(targets_of_users(&gateway, 40).iter().all(|target| target == "0"));
    assert!(breaking.count() > 0);
}

#[test]
fn a_client_without_the_cookie_is_given_one_and_stays() {
    let upstreams = numbered::<3>();
    let fields = "hash_on: cookie\n  hash_on_cookie: sid\n  hash_on_cookie_path: /shop";
    let gateway = Gateway::serving(&balanced(fields, &equal(&upstreams)));
    for _ in 0..10 {
        let first = gateway.get("/");
        let cookie = first.headers.one("Set-Cookie").expect("a cookie").to_owned();
        let (pair, attributes) = cookie.split_once("; ").expect("attributes");
        assert_eq!(attributes, "Path=/shop; Same-Site=Lax; HttpOnly");
        let again = gateway.send(&Request::get("/").header("Cookie", pair));
        assert_eq!((again.text(), again.headers.one("Set-Cookie")), (first.text(), None));
    }
}

/// How many targets are met by requests that differ in one thing.
fn spread(fields: &str, more: &str, requests: impl Fn(usize) -> Request) -> usize {
    let upstreams = numbered::<3>();
    let gateway = Gateway::serving(&(balanced(fields, &equal(&upstreams)) + more));
    let mut seen = BTreeMap::new();
    // Ports are others in each run, and so are the shares: of so many requests each target gets one.
    for n in 0..100 {
        let first = gateway.send(&requests(n));
        assert_eq!((first.status, gateway.send(&requests(n)).text()), (200, first.text()), "{fields}: the same again");
        *seen.entry(first.text()).or_insert(0) += 1;
    }
    seen.len()
}

#[test]
fn each_input_spreads_what_differs_in_it() {
    let path = |n: usize| Request::get(&format!("/things/{n}?q={n}"));
    for (fields, targets) in [
        ("hash_on: path", 3),
        ("hash_on: query_arg\n  hash_on_query_arg: q", 3),
        ("hash_on: query_arg\n  hash_on_query_arg: other", 1),
        ("hash_on: header\n  hash_on_header: missing\n  hash_fallback: path", 3),
        ("hash_on: ip", 1),
        ("algorithm: consistent-hashing", 1),
    ] {
        assert_eq!(spread(fields, "", path), targets, "{fields}");
    }
}

#[test]
fn a_capture_of_the_routes_regex_is_a_key() {
    let upstreams = numbered::<3>();
    let document = balanced("hash_on: uri_capture\n  hash_on_uri_capture: user", &equal(&upstreams))
        .replace(r#"paths: ["/"]"#, r#"paths: ["~/users/(?<user>\\d+)/"]"#);
    let gateway = Gateway::serving(&document);
    let target = |user: usize, rest: &str| gateway.get(&format!("/users/{user}/{rest}")).text();
    let all: Vec<_> = (0..100).map(|user| target(user, "a")).collect();
    assert!((0..100).all(|user| target(user, "b") == all[user]));
    assert!(["0", "1", "2"].iter().all(|number| all.iter().any(|target| target == number)), "{all:?}");
}

#[test]
fn a_consumer_is_a_key() {
    let consumers: String =
        (0..100).map(|n| format!("- username: user-{n}\n  keyauth_credentials:\n  - key: key-{n}\n")).collect();
    let more = format!("plugins:\n- name: key-auth\nconsumers:\n{consumers}");
    let requests = |n: usize| Request::get("/").header("apikey", &format!("key-{n}"));
    assert_eq!(spread("hash_on: consumer", &more, requests), 3);
}

// --- load ----------------------------------------------------------------------------------------------------------------

#[test]
fn least_connections_avoids_who_is_busy() {
    let gate = Gate::closed();
    let closed = gate.clone();
    let [free] = numbered::<1>();
    let busy = Upstream::answering(move |_| Script::from(Reply::ok("slow")).behind(&closed));
    let targets = [(busy.address(), 100), (free.address(), 100)];
    let gateway = Gateway::serving(&balanced("algorithm: least-connections", &targets));
    let mut waiting = Vec::new();
    // With one request at each, who finishes gets the next; so all but the first pass by the busy one.
    while busy.count() == 0 {
        let mut connection = gateway.connect();
        connection.send(Request::get("/").bytes());
        waiting.push(connection);
        eventually(SOON, || busy.count() + free.count() == waiting.len());
    }
    let before = free.count();
    for _ in 0..50 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!((busy.count(), free.count()), (1, before + 50));
    gate.open();
    assert_eq!(waiting.pop().expect("the one at the busy target").answer().text(), "slow");
}

#[test]
fn latency_avoids_who_is_slow() {
    let [fast] = numbered::<1>();
    let slow = Upstream::answering(|_| Script::from(Reply::ok("slow")).after(Duration::from_millis(500)));
    let targets = [(slow.address(), 100), (fast.address(), 100)];
    let gateway = Gateway::serving(&balanced("algorithm: latency", &targets));
    for _ in 0..100 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert!(slow.count() >= 1 && fast.count() > 80, "slow {}, fast {}", slow.count(), fast.count());
}
