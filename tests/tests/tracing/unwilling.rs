//! A collector that is down, slow, or refuses: requests do not notice, and memory stays bounded.

use std::time::{Duration, Instant};

use towergate_tests::{
    BlackHole, Fault, FaultProxy, Gateway, Port, Reply, SOON, Script, Setup, Upstream, eventually, proxying,
};

use crate::collector::{collector, spans};

const REQUESTS: usize = 200;

/// Both plugins, with queues of a few entries.
fn tracing(upstream: &Upstream, collector: &str, retry_time: &str) -> Setup {
    let queue = format!("queue: {{max_entries: 50, max_retry_time: {retry_time}, max_coalescing_delay: 0.05}}");
    let plugins = format!(
        "plugins:\n\
         - {{name: opentelemetry, config: {{traces_endpoint: \"{collector}\", sampling_rate: 1, read_timeout: 500, {queue}}}}}\n\
         - {{name: zipkin, config: {{http_endpoint: \"{collector}\", sample_ratio: 1, read_timeout: 500, {queue}}}}}\n"
    );
    Gateway::with(&(proxying(upstream) + &plugins)).setting("tracing_instrumentations", "all")
}

/// Requests go through, fast, whatever the collector does.
#[track_caller]
fn assert_unharmed(gateway: &Gateway) {
    let start = Instant::now();
    let mut client = gateway.connect();
    for _ in 0..REQUESTS {
        assert_eq!(client.request(&towergate_tests::Request::get("/")).status, 200);
    }
    // Half of what it would be if each waited for the collector's timeout.
    assert!(start.elapsed() < Duration::from_secs(50), "{:?} for {REQUESTS} requests", start.elapsed());
}

#[test]
fn nobody_listens() {
    let upstream = Upstream::echo();
    let nowhere = format!("http://{}/v1/traces", Port::free().address());
    let mut gateway = tracing(&upstream, &nowhere, "60").start();
    assert_unharmed(&gateway);
    eventually(SOON, || gateway.log().contains("handler could not process entries: failed to send request"));
    eventually(SOON, || gateway.log().contains("queue full, dropping old entries"));
    // The end does not wait for a collector that is not there.
    let exit = gateway.terminate();
    assert!(exit.status.success() && exit.took < Duration::from_secs(15), "{:?}", exit.took);
}

#[test]
fn it_refuses() {
    let upstream = Upstream::echo();
    let collector = Upstream::answering(|_| Reply::new(503).body("overloaded\u{7}"));
    let gateway = tracing(&upstream, &collector.url(), "0.1").start();
    assert_unharmed(&gateway);
    eventually(SOON, || gateway.log().contains("response error: 503, body: overloaded"));
    eventually(SOON, || gateway.log().contains("queue entries were lost"));
}

#[test]
fn it_is_slow_or_never_answers() {
    let upstream = Upstream::echo();
    let slow = Upstream::answering(|_| Script::from(Reply::ok("")).after(Duration::from_millis(300)));
    let gateway = tracing(&upstream, &slow.url(), "60").start();
    assert_unharmed(&gateway);
    drop(gateway);
    let hole = BlackHole::open();
    let gateway = tracing(&upstream, &format!("http://{}/", hole.address()), "60").start();
    assert_unharmed(&gateway);
}

#[test]
fn it_comes_back() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let between = FaultProxy::to(collector.address());
    between.set(Fault::Refuse);
    let url = format!("http://{}/v1/traces", between.address());
    let plugin = format!(
        "plugins:\n- {{name: opentelemetry, config: {{traces_endpoint: \"{url}\", sampling_rate: 1, \
         queue: {{max_retry_delay: 0.2, max_coalescing_delay: 0.05}}}}}}\n"
    );
    let gateway =
        Gateway::with(&(proxying(&upstream) + &plugin)).setting("tracing_instrumentations", "request").start();
    assert_eq!(gateway.get("/").status, 200);
    eventually(SOON, || gateway.log().contains("handler could not process entries"));
    between.set(Fault::None);
    eventually(SOON, || spans(&collector).len() == 1);
}

/// What waits is bounded by `max_entries`, not by how long the collector is away.
#[test]
fn memory_is_bounded() {
    const MANY: usize = 2000;
    let upstream = Upstream::answering(|_| Reply::ok("ok"));
    let nowhere = format!("http://{}/v1/traces", Port::free().address());
    let gateway = tracing(&upstream, &nowhere, "60").start();
    assert_unharmed(&gateway);
    let before = gateway.peak_memory();
    let mut client = gateway.connect();
    for _ in 0..MANY {
        assert_eq!(client.request(&towergate_tests::Request::get("/")).status, 200);
    }
    let grown = gateway.peak_memory().saturating_sub(before);
    assert!(grown < 8 * 1024 * 1024, "{} KiB more after {} requests", grown / 1024, MANY);
}
