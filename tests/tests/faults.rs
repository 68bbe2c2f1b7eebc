//! What clients get while networks and targets fail: one fault at a time, and one of three targets under load.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use towergate_tests::{Answer, Fault, FaultProxy, Gateway, Reply, Request, SOON, Upstream, eventually, proxying_to};

const BODY: &str = "a body of some length";

/// An upstream that is well, with a proxy in front of it that may not be.
struct Site {
    upstream: Upstream,
    proxy: FaultProxy,
}

impl Site {
    fn open() -> Self {
        let upstream = Upstream::answering(|_| Reply::ok(BODY));
        let proxy = FaultProxy::to(upstream.address());
        Self { upstream, proxy }
    }
}

/// The bytes of the head of the answer.
fn head() -> usize {
    Reply::ok(BODY).bytes().len() - BODY.len()
}

// --- one fault at a time -------------------------------------------------------------------------------------------------

/// A client's answer while this goes wrong: a status, `None` for one that breaks off after its head.
fn answered(fault: Fault, service_fields: &[&str]) -> Option<u16> {
    let site = Site::open();
    let gateway = Gateway::serving(&proxying_to(&format!("http://{}", site.proxy.address()), service_fields));
    // So that there is a kept connection, too.
    assert_eq!(gateway.get("/").status, 200);
    site.proxy.set(fault);
    match gateway.connect().try_request(&Request::get("/")) {
        Ok(answer) => {
            assert!(answer.status != 200 || answer.text() == BODY, "{fault:?}: {}", answer.text());
            Some(answer.status)
        }
        Err(broken) => {
            assert_eq!(broken.status, Some(200), "{fault:?}: {}", broken.why);
            None
        }
    }
}

#[test]
fn each_fault_has_its_documented_answer() {
    let fields = ["retries: 0", "connect_timeout: 1500", "read_timeout: 1500"];
    for (fault, status) in [
        (Fault::None, Some(200)),
        (Fault::Delay(Duration::from_millis(100)), Some(200)),
        (Fault::Delay(Duration::from_secs(60)), Some(504)),
        (Fault::Drop, Some(502)),
        (Fault::Reset, Some(502)),
        (Fault::Truncate(0), Some(502)),
        (Fault::Truncate(9), Some(502)),
        (Fault::Truncate(head() - 2), Some(502)),
        (Fault::Truncate(head() + 3), None),
        (Fault::ResetAfter(9), Some(502)),
        (Fault::ResetAfter(head() + 3), None),
        (Fault::BlackHole, Some(504)),
        (Fault::Refuse, Some(502)),
    ] {
        assert_eq!(answered(fault, &fields), status, "{fault:?}");
    }
}

// --- one of three targets, under load ------------------------------------------------------------------------------------

const CLIENTS: usize = 64;

/// How often targets are asked.
const INTERVAL: Duration = Duration::from_millis(300);

/// What a busy machine may add.
const BUSY: Duration = Duration::from_secs(4);

/// Three sites behind an upstream whose health is watched in both ways.
fn three(sites: &[Site; 3], service_fields: &[&str]) -> String {
    let targets: String = sites.iter().map(|site| format!("  - {{target: '{}'}}\n", site.proxy.address())).collect();
    let document = proxying_to("http://group", service_fields);
    format!(
        "{document}upstreams:
- name: group
  healthchecks:
    active:
      timeout: 1
      healthy: {{interval: 0.3, successes: 1}}
      unhealthy: {{interval: 0.3, tcp_failures: 2, timeouts: 2, http_failures: 2}}
    passive:
      unhealthy: {{tcp_failures: 2, timeouts: 2, http_failures: 2}}
  targets:
{targets}"
    )
}

fn is_healthy(gateway: &Gateway, target: SocketAddr) -> bool {
    let health = gateway.ask_admin(&Request::get("/upstreams/group/health")).json();
    let targets = health["data"].as_array().expect("targets");
    let found = targets.iter().find(|known| known["target"] == target.to_string()).expect("the target");
    found["health"] == "HEALTHY"
}

/// Requests of so many clients, without a pause, until dropped or [`stop`](Self::stop)ped.
struct Load {
    answers: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Runs `story` while the clients send; answers what they got that was not 200.
    fn during(gateway: &Gateway, clients: usize, story: impl FnOnce(&Self)) -> Vec<String> {
        let load = Self { answers: AtomicUsize::new(0), is_over: AtomicBool::new(false) };
        thread::scope(|scope| {
            let running: Vec<_> = (0..clients).map(|_| scope.spawn(|| load.send(gateway))).collect();
            story(&load);
            load.is_over.store(true, Ordering::Relaxed);
            running.into_iter().flat_map(|client| client.join().expect("a client")).collect()
        })
    }

    fn send(&self, gateway: &Gateway) -> Vec<String> {
        let (mut wrong, mut connection) = (Vec::new(), gateway.connect());
        while !self.is_over.load(Ordering::Relaxed) {
            match connection.try_request(&Request::get("/")) {
                Ok(Answer { status: 200, .. }) => {}
                Ok(answer) => wrong.push(format!("{}: {}", answer.status, answer.text())),
                Err(broken) => {
                    wrong.push(format!("{broken:?}"));
                    connection = gateway.connect();
                }
            }
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        wrong
    }

    /// Waits until so many more requests were answered.
    fn wait_for(&self, more: usize) {
        let goal = self.answers.load(Ordering::Relaxed) + more;
        eventually(Duration::from_secs(60), || self.answers.load(Ordering::Relaxed) >= goal);
    }
}

/// One of three targets fails under load and comes back: no client notices.
fn nobody_notices(fault: Fault) {
    let sites = [Site::open(), Site::open(), Site::open()];
    let gateway = Gateway::serving(&three(&sites, &["retries: 5", "connect_timeout: 2000", "read_timeout: 2000"]));
    let ill = &sites[1];
    let wrong = Load::during(&gateway, CLIENTS, |load| {
        load.wait_for(500);
        ill.proxy.set(fault);
        eventually(SOON, || !is_healthy(&gateway, ill.proxy.address()));
        // What was under way is over when each client has been answered some times.
        load.wait_for(CLIENTS * 4);
        let before = ill.upstream.count();
        load.wait_for(500);
        let asked = ill.upstream.count() - before;
        assert!(asked < 100, "{asked} of 500 requests to a target that is known to be ill");

        ill.proxy.set(Fault::None);
        let well = Instant::now();
        eventually(SOON, || is_healthy(&gateway, ill.proxy.address()));
        let took = well.elapsed();
        assert!(took < INTERVAL + BUSY, "noticed after {took:?}");
        let before = ill.upstream.count();
        eventually(SOON, || ill.upstream.count() > before + 50);
    });
    assert!(wrong.is_empty(), "{} failed: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
}

#[test]
fn nobody_notices_a_target_that_is_killed() {
    nobody_notices(Fault::Refuse);
}

#[test]
fn nobody_notices_a_target_that_hangs() {
    nobody_notices(Fault::BlackHole);
}

#[test]
fn nobody_notices_a_target_that_resets_in_the_middle_of_its_answers() {
    nobody_notices(Fault::ResetAfter(20));
}

#[test]
fn nobody_notices_a_target_that_flaps() {
    let sites = [Site::open(), Site::open(), Site::open()];
    let gateway = Gateway::serving(&three(&sites, &["retries: 5", "connect_timeout: 2000", "read_timeout: 2000"]));
    let wrong = Load::during(&gateway, 16, |load| {
        for fault in [Fault::Refuse, Fault::Reset, Fault::Refuse, Fault::Drop, Fault::ResetAfter(5), Fault::Refuse] {
            sites[2].proxy.set(fault);
            load.wait_for(100);
            sites[2].proxy.set(Fault::None);
            load.wait_for(100);
        }
    });
    assert!(wrong.is_empty(), "{} failed: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    eventually(SOON, || is_healthy(&gateway, sites[2].proxy.address()));
}

#[test]
fn with_all_targets_down_the_answer_is_503_until_one_is_back() {
    let sites = [Site::open(), Site::open(), Site::open()];
    let gateway = Gateway::serving(&three(&sites, &["retries: 5"]));
    assert_eq!(gateway.get("/").status, 200);
    sites.iter().for_each(|site| site.proxy.set(Fault::Refuse));
    eventually(SOON, || gateway.get("/").status == 503);
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.message().as_str()), (503, "failure to get a peer from the ring-balancer"));
    sites[0].proxy.set(Fault::None);
    eventually(SOON, || gateway.get("/").status == 200);
}
