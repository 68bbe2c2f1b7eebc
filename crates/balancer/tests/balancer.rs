//! Which addresses get requests: names, health, threshold, and what outlives a change of configuration.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use towergate_balancer::{Address, Answer, Asking, Balancer, LookUp, Names, Outcome, Wish};
use towergate_core::{Algorithm, Balancing, HealthRules, Target};
use uuid::Uuid;

/// Names that mean what the test says.
#[derive(Default)]
struct Zone {
    addresses: Mutex<HashMap<String, Vec<Address>>>,
    asked: AtomicUsize,
}

const TTL: Duration = Duration::from_secs(5);

impl Zone {
    fn of(name: &str, addresses: &[&str]) -> Self {
        let zone = Self::default();
        zone.set(name, addresses);
        zone
    }

    fn set(&self, name: &str, addresses: &[&str]) {
        let address = |ip: &&str| Address { ip: ip.parse().unwrap(), port: None, weight: None, name: None };
        self.addresses.lock().unwrap().insert(name.into(), addresses.iter().map(address).collect());
    }
}

impl Names for Zone {
    fn look_up<'a>(&'a self, name: &'a str) -> Asking<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let addresses = self.addresses.lock().unwrap().get(name).cloned().unwrap_or_default();
        Box::pin(async move {
            tokio::task::yield_now().await;
            Answer { addresses, ttl: TTL, kind: "A".into() }
        })
    }
}

fn upstream(targets: &[(&str, u16, u16)]) -> Balancing {
    let target =
        |(host, port, weight): &(&str, u16, u16)| Target { host: (*host).into(), port: *port, weight: *weight };
    Balancing::new(Uuid::from_u128(7), "shop", targets.iter().map(target).collect())
}

fn passive(mut balancing: Balancing) -> Balancing {
    let (good_statuses, bad_statuses) = (vec![200], vec![500]);
    let rules = HealthRules { good_statuses, bad_statuses, successes: 2, tcp_failures: 1, ..HealthRules::default() };
    balancing.health.passive = HealthRules { http_failures: 2, timeouts: 3, ..rules };
    balancing
}

fn made(balancing: Balancing) -> Balancer {
    Balancer::new(Arc::new(balancing), Instant::now())
}

fn any() -> Wish<'static> {
    Wish::at(Instant::now())
}

/// How many of so many picks went to each address.
fn picks(balancer: &Balancer, count: usize) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for picked in (0..count).filter_map(|_| balancer.pick(&any())) {
        *counts.entry(picked.address.to_string()).or_default() += 1;
    }
    counts
}

fn fail(balancer: &Balancer, address: &str, outcome: Outcome) {
    let found = (0..1_000).filter_map(|_| balancer.pick(&any())).find(|it| it.address.to_string() == address);
    balancer.report(&found.expect("in rotation"), outcome);
}

#[tokio::test]
async fn a_name_counts_as_often_as_it_has_addresses() {
    let zone = Zone::of("web.test", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let balancer = made(upstream(&[("web.test", 80, 100), ("10.0.0.9", 81, 100), ("off.test", 1, 0)]));
    assert_eq!(balancer.look_up(Instant::now()), LookUp::First);
    balancer.refresh(&zone, Instant::now()).await;
    let counts = picks(&balancer, 400);
    assert_eq!(counts["10.0.0.1:80"], 100);
    assert_eq!(counts["10.0.0.9:81"], 100);
    assert_eq!(counts.len(), 4, "{counts:?}");
}

#[tokio::test]
async fn records_bring_their_own_port_and_weight() {
    let zone = Zone::default();
    let record = |ip: &str, port, weight| Address {
        ip: ip.parse::<IpAddr>().unwrap(),
        port,
        weight,
        name: Some("one.test".into()),
    };
    let records = vec![record("10.0.0.1", Some(8001), Some(3)), record("10.0.0.2", Some(8002), Some(0))];
    zone.addresses.lock().unwrap().insert("srv.test".into(), records);
    let balancer = made(upstream(&[("srv.test", 80, 100)]));
    balancer.refresh(&zone, Instant::now()).await;
    let counts = picks(&balancer, 400);
    assert_eq!((counts["10.0.0.1:8001"], counts["10.0.0.2:8002"]), (300, 100), "a weight of 0 counts as 1");
    assert_eq!(balancer.pick(&any()).unwrap().name, None, "the target's name is the host");
    let named = made(Balancing { use_srv_name: true, ..upstream(&[("srv.test", 80, 100)]) });
    named.refresh(&zone, Instant::now()).await;
    assert_eq!(named.pick(&any()).unwrap().name.as_deref(), Some("one.test"));
}

#[tokio::test]
async fn names_are_looked_up_again_beside_requests() {
    let zone = Zone::of("web.test", &["10.0.0.1"]);
    let balancer = made(upstream(&[("web.test", 80, 100)]));
    let start = Instant::now();
    tokio::join!(balancer.refresh(&zone, start), balancer.refresh(&zone, start), balancer.refresh(&zone, start));
    assert_eq!(zone.asked.load(Ordering::Relaxed), 1, "who asks at the same time waits for one answer");
    assert_eq!(balancer.look_up(start + TTL / 2), LookUp::None);

    zone.set("web.test", &["10.0.0.2"]);
    let later = start + TTL;
    assert_eq!(balancer.look_up(later), LookUp::Beside);
    assert_eq!(balancer.look_up(later), LookUp::None, "one is enough");
    assert_eq!(picks(&balancer, 1).keys().next().unwrap(), "10.0.0.1:80", "requests go on");
    balancer.refresh(&zone, later).await;
    assert_eq!(picks(&balancer, 1).keys().next().unwrap(), "10.0.0.2:80");

    zone.set("web.test", &[]);
    balancer.refresh(&zone, later + TTL).await;
    assert!(balancer.pick(&any()).is_none(), "a name without an address");
    assert_eq!(balancer.look_up(later + TTL * 2), LookUp::Beside, "it is asked for again");
}

#[test]
fn what_keeps_failing_leaves_rotation_and_comes_back() {
    let balancer = made(passive(upstream(&[("10.0.0.1", 80, 100), ("10.0.0.2", 80, 100)])));
    let one = balancer.pick(&Wish { tried: &["10.0.0.2:80".parse().unwrap()], ..any() }).unwrap();
    balancer.report(&one, Outcome::Status(500));
    assert_eq!(picks(&balancer, 10).len(), 2, "one of two is not enough");
    balancer.report(&one, Outcome::Status(404));
    balancer.report(&one, Outcome::Status(500));
    assert_eq!(picks(&balancer, 10)["10.0.0.2:80"], 10);
    // Answers of requests that were under way are the only way back without active checks.
    balancer.report(&one, Outcome::Status(200));
    balancer.report(&one, Outcome::Status(200));
    assert_eq!(picks(&balancer, 10).len(), 2);
}

#[test]
fn nobody_left_means_nobody_is_asked() {
    let balancer = made(passive(upstream(&[("10.0.0.1", 80, 100), ("10.0.0.2", 80, 100)])));
    fail(&balancer, "10.0.0.1:80", Outcome::Broken);
    fail(&balancer, "10.0.0.2:80", Outcome::Broken);
    assert!(balancer.pick(&any()).is_none());
}

#[test]
fn too_little_healthy_weight_is_as_good_as_none() {
    for (threshold, still_used) in [(0.0, true), (24.9, true), (25.0, false), (50.0, false)] {
        let mut balancing = passive(upstream(&[("10.0.0.1", 80, 300), ("10.0.0.2", 80, 100)]));
        balancing.health.threshold = threshold;
        let balancer = made(balancing);
        fail(&balancer, "10.0.0.1:80", Outcome::Broken);
        assert_eq!(balancer.pick(&any()).is_some(), still_used, "25 % healthy, {threshold} wanted");
    }
    let mut balancing = passive(upstream(&[("10.0.0.1", 80, 1)]));
    balancing.health.threshold = 100.0;
    assert!(made(balancing).pick(&any()).is_none(), "100 % cannot be exceeded: as in Kong, nobody is asked");
}

#[test]
fn what_is_not_watched_is_always_used() {
    let mut balancing = upstream(&[("10.0.0.1", 80, 100)]);
    balancing.health.threshold = 100.0;
    let balancer = made(balancing);
    fail(&balancer, "10.0.0.1:80", Outcome::Broken);
    assert!(balancer.pick(&any()).is_some());
    assert!(!balancer.is_watched());
}

#[test]
fn health_outlives_a_change_of_configuration() {
    let before = made(passive(upstream(&[("10.0.0.1", 80, 100), ("10.0.0.2", 80, 100)])));
    let under_way = before.pick(&Wish { tried: &["10.0.0.1:80".parse().unwrap()], ..any() }).unwrap();
    fail(&before, "10.0.0.1:80", Outcome::Broken);
    let now = Instant::now();
    let targets = [("10.0.0.1", 80, 50), ("10.0.0.2", 80, 50), ("10.0.0.3", 80, 50)];
    let after = Balancer::after(&before, Arc::new(passive(upstream(&targets))), now);
    assert!(!picks(&after, 30).contains_key("10.0.0.1:80"));
    before.report(&under_way, Outcome::Broken);
    assert_eq!(picks(&after, 30)["10.0.0.3:80"], 30, "what requests of the old one find out counts for the new one");
    let off = Balancer::after(&after, Arc::new(upstream(&targets)), now);
    assert_eq!(picks(&off, 30).len(), 3, "without checks all count");
}

#[tokio::test]
async fn what_is_shown_is_what_is_so() {
    let zone = Zone::of("web.test", &["10.0.0.5", "10.0.0.6"]);
    let mut balancing = passive(upstream(&[("10.0.0.1", 80, 100), ("web.test", 80, 50), ("none.test", 1, 1)]));
    balancing.health.threshold = 50.0;
    let balancer = made(balancing);
    assert_eq!(balancer.health().targets[1].dns, "not looked up yet");
    balancer.refresh(&zone, Instant::now()).await;
    fail(&balancer, "10.0.0.5:80", Outcome::Broken);
    let health = balancer.health();
    assert!(health.is_watched && health.is_healthy);
    let shown: Vec<_> = health
        .targets
        .iter()
        .map(|target| (target.dns.as_str(), target.addresses.iter().map(|a| (a.weight, a.is_healthy)).collect()))
        .collect();
    assert_eq!(shown, [("A", vec![(100, true)]), ("A", vec![(50, false), (50, true)]), ("A", vec![])]);
    fail(&balancer, "10.0.0.1:80", Outcome::Broken);
    assert!(!balancer.health().is_healthy, "a quarter is healthy, more than half is wanted");
}

#[tokio::test]
async fn somebody_may_decide() {
    let zone = Zone::of("web.test", &["10.0.0.5", "10.0.0.6"]);
    let balancer = made(passive(upstream(&[("web.test", 80, 50)])));
    balancer.refresh(&zone, Instant::now()).await;
    let one = "10.0.0.5:80".parse().unwrap();
    assert!(balancer.decide("web.test", 80, Some(one), false, Instant::now()));
    assert_eq!(picks(&balancer, 10)["10.0.0.6:80"], 10);
    assert!(balancer.decide("web.test", 80, None, false, Instant::now()));
    assert!(balancer.pick(&any()).is_none());
    assert!(balancer.decide("web.test", 80, None, true, Instant::now()));
    assert_eq!(picks(&balancer, 10).len(), 2);
    assert!(
        !balancer.decide("web.test", 81, None, true, Instant::now())
            && !balancer.decide("x", 80, None, true, Instant::now())
    );
    assert!(
        !made(upstream(&[("10.0.0.1", 80, 1)])).decide("10.0.0.1", 80, None, false, Instant::now()),
        "nothing is watched"
    );
}

#[tokio::test]
async fn names_outlive_a_change_of_configuration() {
    let zone = Zone::of("web.test", &["10.0.0.1"]);
    let before = made(upstream(&[("web.test", 80, 100)]));
    let start = Instant::now();
    before.refresh(&zone, start).await;
    let same = Balancer::after(&before, Arc::new(upstream(&[("web.test", 81, 100)])), start);
    assert_eq!((same.look_up(start), picks(&same, 1).len()), (LookUp::None, 1));
    let more = Balancer::after(&before, Arc::new(upstream(&[("web.test", 80, 1), ("new.test", 80, 1)])), start);
    assert_eq!(picks(&more, 1).len(), 1, "requests go on with the name that is known");
    assert_eq!(more.look_up(start + TTL / 2), LookUp::Beside);
    let other = Balancer::after(&before, Arc::new(upstream(&[("new.test", 80, 1)])), start);
    assert_eq!(other.look_up(start), LookUp::First);
}

#[test]
fn tried_addresses_and_barred_targets_are_avoided() {
    for algorithm in
        [Algorithm::RoundRobin, Algorithm::ConsistentHashing, Algorithm::LeastConnections, Algorithm::Latency]
    {
        let targets = [("10.0.0.1", 80, 100), ("10.0.0.2", 80, 100), ("10.0.0.3", 80, 100)];
        let balancer = made(Balancing { algorithm, ..upstream(&targets) });
        let tried = ["10.0.0.1:80".parse().unwrap(), "10.0.0.2:80".parse().unwrap()];
        for hash in 0..50 {
            let picked = |tried: &[_], barred: &[_]| {
                balancer.pick(&Wish { hash, tried, barred, ..any() }).map(|picked| picked.target)
            };
            assert_eq!(picked(&tried, &[]), Some(2), "{algorithm:?}");
            assert_eq!(picked(&[], &[0, 2]), Some(1), "{algorithm:?}");
            assert!(matches!(picked(&tried, &[2]), Some(0 | 1)), "{algorithm:?}: tried is better than nobody");
            assert_eq!(picked(&[], &[0, 1, 2]), None, "{algorithm:?}");
        }
    }
}

#[test]
fn requests_in_flight_count_until_they_are_over() {
    let algorithm = Algorithm::LeastConnections;
    let balancer = made(Balancing { algorithm, ..upstream(&[("10.0.0.1", 80, 1), ("10.0.0.2", 80, 1)]) });
    let first = balancer.pick(&any()).unwrap();
    let second = balancer.pick(&any()).unwrap();
    assert_ne!(first.address, second.address);
    let address = first.address;
    drop(first);
    assert_eq!(balancer.pick(&any()).unwrap().address, address);
}

#[test]
fn the_order_of_targets_in_the_configuration_does_not_matter_to_keys() {
    let of =
        |targets: &[(&str, u16, u16)]| made(Balancing { algorithm: Algorithm::ConsistentHashing, ..upstream(targets) });
    let (a, b, c) = (("10.0.0.1", 80, 100), ("10.0.0.2", 80, 300), ("10.0.0.3", 80, 100));
    let (one, other) = (of(&[a, b, c]), of(&[c, a, b]));
    for key in 0..1_000u32 {
        let hash = key.wrapping_mul(2_654_435_761);
        let address = |balancer: &Balancer| balancer.pick(&Wish { hash, ..any() }).unwrap().address;
        assert_eq!(address(&one), address(&other));
    }
}
