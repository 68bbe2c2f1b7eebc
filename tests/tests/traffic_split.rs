//! Requests that go elsewhere than to their route's service: `canary`, `route-by-header`, `traffic-split`.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use towergate_tests::{Gateway, Port, Reply, Request, SOON, Upstream, eventually};

/// An upstream that answers with its name and the path it was asked for.
fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |request: &towergate_tests::Received| Reply::ok(format!("{name} {}", request.path)))
}

/// A document with one route, whose service is at this address, and the rest as it is.
fn document(service: SocketAddr, rest: &str) -> String {
    format!(
        "_format_version: \"3.0\"\nservices:\n- name: shop\n  url: http://{service}\n  retries: 0\n  routes:\n  - name: \
         shop\n    paths: [/]\n{rest}"
    )
}

fn upstream(name: &str, targets: &[SocketAddr]) -> String {
    let targets: String = targets.iter().map(|target| format!("  - {{target: '{target}'}}\n")).collect();
    format!("- name: {name}\n  targets:\n{targets}")
}

/// How many clients ask at a time.
const CLIENTS: usize = 4;

/// How many requests decide by chance where they go: of so many, the share of one half is 2 percent off once in two million
/// times, other shares are less often.
const MANY: usize = 16_000;

/// How many of so many requests each upstream got.
fn shares<const N: usize>(gateway: &Gateway, requests: usize, upstreams: [&Upstream; N]) -> [usize; N] {
    let before = upstreams.map(Upstream::count);
    let client = || {
        let mut connection = gateway.connect();
        for _ in 0..requests / CLIENTS {
            assert_eq!(connection.request(&Request::get("/a")).status, 200);
        }
    };
    thread::scope(|scope| (0..CLIENTS).for_each(|_| _ = scope.spawn(client)));
    let after = upstreams.map(Upstream::count);
    std::array::from_fn(|place| after[place] - before[place])
}

// --- canary --------------------------------------------------------------------------------------------------------------

#[test]
fn a_canary_gets_its_percentage_within_two() {
    let (stable, new) = (named("stable"), named("new"));
    for (percentage, requests) in [(0.0, 1_000), (10.0, MANY / 2), (50.0, MANY), (100.0, 1_000)] {
        let canary = format!(
            "plugins:\n- name: canary\n  config: {{percentage: {percentage}, hash: none, upstream_host: 127.0.0.1, \
             upstream_port: {}}}\n",
            new.address().port()
        );
        let gateway = Gateway::serving(&document(stable.address(), &canary));
        let [_, met] = shares(&gateway, requests, [&stable, &new]);
        let percent = met as f64 * 100.0 / requests as f64;
        assert!((percent - percentage).abs() <= 2.0, "{percent} % for {percentage}");
    }
}

#[test]
fn a_canary_grows_with_time() {
    let (stable, new) = (named("stable"), named("new"));
    let canary = |start: u64, duration: u64| {
        let port = new.address().port();
        let rest = format!(
            "plugins:\n- name: canary\n  config: {{start: {start}, duration: {duration}, hash: none, upstream_port: \
             {port}}}\n"
        );
        Gateway::serving(&document(stable.address(), &rest))
    };
    let time = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let now = time();
    let share = |gateway: &Gateway| shares(gateway, 1_000, [&stable, &new])[1];
    assert_eq!(share(&canary(now + 3_600, 60)), 0, "it has not begun");
    assert_eq!(share(&canary(now - 3_600, 60)), 1_000, "it is over");
    let half = share(&canary(now - 50_000, 100_000));
    assert!((420..580).contains(&half), "{half} of 1,000 at half time");
    // However many are answered meanwhile, now the one is met and now the other, and in the end only the new one.
    let growing = canary(time(), GROWING.as_secs());
    let (begun, mut met) = (Instant::now(), Vec::new());
    while begun.elapsed() < GROWING {
        met.push(growing.get("/").text());
    }
    let changes = met.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 5, "{met:?}");
    eventually(SOON, || shares(&growing, 100, [&stable, &new])[1] == 100);
}

/// How long a canary grows that a test waits for: longer than a start takes on a busy machine.
const GROWING: Duration = Duration::from_secs(6);

#[test]
fn a_client_stays_at_its_version_or_decides_itself() {
    let (stable, new) = (named("stable"), named("new"));
    let rest = format!(
        "plugins:\n- name: canary\n  config: {{percentage: 50, hash: header, hash_header: X-User, upstream_port: {}, \
         canary_by_header_name: X-Canary}}\n",
        new.address().port()
    );
    let gateway = Gateway::serving(&document(stable.address(), &rest));
    let ask = |name: &str, value: &str| gateway.send(&Request::get("/").header(name, value)).text();
    let users: Vec<_> = (0..30).map(|user| ask("X-User", &user.to_string())).collect();
    assert!(["stable /", "new /"].iter().all(|version| users.iter().any(|met| met == version)), "{users:?}");
    assert!((0..30).all(|user| ask("X-User", &user.to_string()) == users[user]));
    assert_eq!((ask("X-Canary", "always"), ask("X-Canary", "never")), ("new /".into(), "stable /".into()));
}

#[test]
fn groups_of_consumers_meet_the_canary() {
    let (stable, new) = (named("stable"), named("new"));
    let rest = format!(
        "consumers:
- {{username: tester, keyauth_credentials: [{{key: t}}], acls: [{{group: beta}}]}}
- {{username: customer, keyauth_credentials: [{{key: c}}]}}
plugins:
- name: key-auth
- name: canary
  config: {{hash: allow, groups: [beta], upstream_port: {}}}
",
        new.address().port()
    );
    let gateway = Gateway::serving(&document(stable.address(), &rest));
    let ask = |key: &str| gateway.send(&Request::get("/").header("apikey", key)).text();
    assert_eq!((ask("t"), ask("c")), ("new /".into(), "stable /".into()));
}

#[test]
fn a_canary_may_be_another_path_with_the_same_query() {
    let stable = named("stable");
    let rest = "plugins:\n- name: canary\n  config: {percentage: 100, upstream_uri: /v2/orders}\n";
    let gateway = Gateway::serving(&document(stable.address(), rest));
    assert_eq!(gateway.get("/orders?id=7").text(), "stable /v2/orders?id=7");
}

#[test]
fn a_canary_is_an_upstream_with_its_targets_and_host() {
    let (stable, one, other) = (named("stable"), named("one"), named("other"));
    let upstream = upstream("shop-v2", &[one.address(), other.address()]);
    let rest = format!(
        "upstreams:\n{upstream}plugins:\n- name: canary\n  config: {{percentage: 100, upstream_host: shop-v2}}\n"
    );
    let gateway = Gateway::serving(&document(stable.address(), &rest));
    assert_eq!(shares(&gateway, 20, [&stable, &one, &other]), [0, 10, 10]);
    let host = one.address().to_string();
    assert!(one.requests().iter().all(|request| request.header("Host") == Some(&host)));
}

#[test]
fn a_canary_of_which_nobody_is_well_may_be_spared_requests() {
    let (stable, nobody) = (named("stable"), Port::free());
    for (fallback, status) in [(true, 200), (false, 503)] {
        let rest = format!(
            "upstreams:
- name: shop-v2
  healthchecks:
    active: {{healthy: {{interval: 0.1, successes: 1}}, unhealthy: {{interval: 0.1, tcp_failures: 1}}}}
  targets: [{{target: '{}'}}]
plugins:
- name: canary
  config: {{percentage: 100, upstream_host: shop-v2, upstream_fallback: {fallback}}}
",
            nobody.address()
        );
        let gateway = Gateway::serving(&document(stable.address(), &rest));
        eventually(SOON, || gateway.get("/").status == status);
        assert!((0..5).all(|_| gateway.get("/").status == status));
    }
}

// --- route-by-header -----------------------------------------------------------------------------------------------------

#[test]
fn headers_choose_the_upstream() {
    let (own, east, west) = (named("own"), named("east"), named("west"));
    let rest = format!(
        "upstreams:
{}{}plugins:
- name: route-by-header
  config:
    rules:
    - {{condition: {{location: us-east, x-tier: gold}}, upstream_name: east}}
    - {{condition: {{Location: us-west}}, upstream_name: west}}
    - {{condition: {{location: moon}}, upstream_name: not-there}}
",
        upstream("east", &[east.address()]),
        upstream("west", &[west.address()]),
    );
    let gateway = Gateway::serving(&document(own.address(), &rest));
    for (headers, expected) in [
        (&[][..], "own /p"),
        (&[("Location", "us-east"), ("X-Tier", "gold")], "east /p"),
        (&[("location", "us-east")], "own /p"),
        (&[("location", "us-west"), ("x-tier", "gold")], "west /p"),
        (&[("location", "US-WEST")], "own /p"),
    ] {
        let request = headers.iter().fold(Request::get("/p"), |request, (name, value)| request.header(name, value));
        assert_eq!(gateway.send(&request).text(), expected, "{headers:?}");
    }
    let lost = gateway.send(&Request::get("/").header("location", "moon").header("Accept", "application/json"));
    assert_eq!((lost.status, lost.message().as_str()), (503, "failure to get a peer from the ring-balancer"));
}

#[test]
fn a_reload_moves_the_ways() {
    let (own, one, other) = (named("own"), named("one"), named("other"));
    let rest = |target: &Upstream| {
        format!(
            "upstreams:\n{}plugins:\n- name: route-by-header\n  config: {{rules: [{{condition: {{x: y}}, \
             upstream_name: u}}]}}\n",
            upstream("u", &[target.address()])
        )
    };
    let gateway = Gateway::serving(&document(own.address(), &rest(&one)));
    let ask = || gateway.send(&Request::get("/").header("x", "y")).text();
    assert_eq!(ask(), "one /");
    gateway.reload(&document(own.address(), &rest(&other)));
    assert_eq!(ask(), "other /");
}

// --- traffic-split -------------------------------------------------------------------------------------------------------

#[test]
fn weights_split_between_services_and_upstreams_within_two_percent() {
    let (own, service, target) = (named("own"), named("service"), named("target"));
    let rest = format!(
        "- name: shop-v2
  url: http://{}/v2
upstreams:
{}plugins:
- name: traffic-split
  config:
    splits:
    - {{weight: 60}}
    - {{weight: 30, service: shop-v2}}
    - {{weight: 10, upstream: shop-v3}}
",
        service.address(),
        upstream("shop-v3", &[target.address()]),
    );
    let gateway = Gateway::serving(&document(own.address(), &rest));
    let met = shares(&gateway, MANY, [&own, &service, &target]);
    for (met, percentage) in met.into_iter().zip([60.0, 30.0, 10.0]) {
        let percent = met as f64 * 100.0 / MANY as f64;
        assert!((percent - percentage).abs() <= 2.0, "{percent} % for {percentage}");
    }
    assert!(service.requests().iter().all(|request| request.path == "/v2/a"), "by the path of its own");
    assert!(target.requests().iter().all(|request| request.path == "/a"));
}

#[test]
fn another_service_counts_with_its_timeouts() {
    let own = named("own");
    let slow = Upstream::answering(|_| towergate_tests::Script::hang());
    let rest = format!(
        "- name: slow\n  url: http://{}\n  retries: 0\n  read_timeout: 200\nplugins:\n- name: traffic-split\n  config: \
         {{splits: [{{weight: 0}}, {{service: slow}}]}}\n",
        slow.address()
    );
    let answer = Gateway::serving(&document(own.address(), &rest)).get("/");
    assert_eq!((answer.status, slow.count(), own.count()), (504, 1, 0));
    assert!(answer.took < Duration::from_secs(10));
}

#[test]
fn a_service_that_is_not_there_is_refused_with_the_plugin() {
    let own = named("own");
    let gateway = Gateway::serving(&document(own.address(), ""));
    let rest = "plugins:\n- name: traffic-split\n  config: {splits: [{service: gone}]}\n";
    let answer = gateway.post_document(&document(own.address(), rest));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("no service has the name or id 'gone'"), "{}", answer.text());
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn of_two_plugins_the_later_decides() {
    let (own, east, new) = (named("own"), named("east"), named("new"));
    let rest = format!(
        "upstreams:\n{}plugins:\n- name: route-by-header\n  config: {{rules: [{{condition: {{x: y}}, upstream_name: \
         east}}]}}\n- name: canary\n  config: {{percentage: 0, upstream_port: {}, canary_by_header_name: c}}\n",
        upstream("east", &[east.address()]),
        new.address().port(),
    );
    let gateway = Gateway::serving(&document(own.address(), &rest));
    let ask = |canary: &str| gateway.send(&Request::get("/").header("x", "y").header("c", canary)).text();
    assert_eq!((ask("never"), ask("always")), ("east /".into(), "new /".into()));
}
