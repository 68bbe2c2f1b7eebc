//! A gateway with everything that is monitored, under traffic, in front of upstreams that can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use towergate_tests::{
    Certificate, Connection, Fault, FaultProxy, Gateway, Port, Redis, Reply, Request, Script, Upstream,
};

/// The gateway, and what is around it.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) status: Port,
    ways: Ways,
    fails: Arc<AtomicBool>,
    traffic: Vec<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    _upstream: Upstream,
    _redis: Redis,
}

/// The ways to upstreams, the store and the collector of traces, which can be cut.
struct Ways {
    pool: FaultProxy,
    closed: FaultProxy,
    store: FaultProxy,
    collector: FaultProxy,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Scene {
    /// Starts it, without a fault.
    pub(crate) fn start() -> Self {
        let fails = Arc::new(AtomicBool::new(false));
        let upstream = upstream(&fails);
        let redis = Redis::start();
        let ways = Ways {
            pool: FaultProxy::to(upstream.address()),
            closed: FaultProxy::to(upstream.address()),
            store: FaultProxy::to(([127, 0, 0, 1], redis.port()).into()),
            collector: FaultProxy::to(upstream.address()),
        };
        let status = Port::free();
        let document = ways.document(&upstream, 365);
        // Thousands of requests fail: their lines would bury what a failed test has to say.
        let gateway = Gateway::with(&document)
            .setting("log_level", "crit")
            .setting("tracing_instrumentations", "all")
            .status_api_on(&status)
            .start();
        let is_over = Arc::new(AtomicBool::new(false));
        let traffic = ["slow", "broken", "breaker", "closed", "pool", "limited", "counted"];
        let traffic = traffic.map(|path| keep_asking(&gateway, path, &is_over)).into();
        Self { gateway, status, ways, fails, traffic, is_over, _upstream: upstream, _redis: redis }
    }

    /// Breaks everything that can be broken.
    pub(crate) fn fail(&self) {
        self.fails.store(true, Relaxed);
        self.ways.pool.set(Fault::Refuse);
        self.ways.closed.set(Fault::Refuse);
        self.ways.store.set(Fault::Refuse);
        self.ways.collector.set(Fault::Refuse);
        self.gateway.reload(&self.ways.document(&self._upstream, 10));
        self.gateway.replace_document("services: 7\n");
        self.gateway.signal("HUP");
    }

    /// Mends it.
    pub(crate) fn mend(&self) {
        self.fails.store(false, Relaxed);
        self.ways.pool.set(Fault::None);
        self.ways.closed.set(Fault::None);
        self.ways.store.set(Fault::None);
        self.ways.collector.set(Fault::None);
        self.gateway.reload(&self.ways.document(&self._upstream, 366));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        for thread in self.traffic.drain(..) {
            // What went wrong there is told by what is missing in the metrics.
            let _ = thread.join();
        }
    }
}

/// Answers at once, unless it is to fail: then the slow are slow and the broken are broken. Some close their connection.
fn upstream(fails: &Arc<AtomicBool>) -> Upstream {
    let fails = Arc::clone(fails);
    Upstream::answering(move |request| match (fails.load(Relaxed), request.path.as_str()) {
        (true, "/slow") => Script::from(Reply::ok("late")).after(Duration::from_millis(1_200)),
        (true, "/broken" | "/breaker") => Script::from(Reply::new(500)),
        (_, "/counted") => Script::from(Reply::ok("bye").header("Connection", "close")),
        _ => Script::from(Reply::ok("ok")),
    })
}

/// Asks for this path again and again, four times in a tenth of a second on connections of their own and kept ones.
fn keep_asking(gateway: &Gateway, path: &'static str, is_over: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (address, is_over) = (gateway.proxy(), Arc::clone(is_over));
    thread::spawn(move || {
        let request = Request::get(&format!("/{path}")).header("apikey", "alices").header("Origin", "http://a.test");
        while !is_over.load(Relaxed) {
            if let Ok(mut connection) = Connection::try_open(address) {
                for _ in 0..4 {
                    if connection.try_request(&request).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(25));
                }
            }
        }
    })
}

impl Ways {
    /// The configuration; its certificates are valid for so many days, and for one day if that is little.
    fn document(&self, upstream: &Upstream, days: u32) -> String {
        let soonest = if days < 21 { 1 } else { days };
        let certificates = [("soon.test", days), ("now.test", soonest)]
            .map(|(name, days)| Certificate::expiring_in(name, DAY * days).entry());
        let (own, closed, pool) = (upstream.address(), self.closed.address(), self.pool.address());
        let service = |name: &str, host: &str| {
            format!(
                "- {{name: {name}, url: 'http://{host}', retries: 0, connect_timeout: 1000, \
                 routes: [{{name: {name}, paths: [/{name}], strip_path: false}}]}}\n"
            )
        };
        let services: String = ["slow", "broken", "breaker", "limited", "counted"]
            .map(|name| service(name, &own.to_string()))
            .into_iter()
            .chain([service("closed", &closed.to_string()), service("pool", "pool.upstream")])
            .collect();
        format!(
            "_format_version: '3.0'\nservices:\n{services}\
             upstreams:\n- name: pool.upstream\n  targets: [{{target: '{pool}'}}]\n  healthchecks:\n    active:\n      \
             type: tcp\n      healthy: {{interval: 0.2, successes: 1}}\n      unhealthy: {{interval: 0.2, tcp_failures: 1}}\n\
             consumers:\n- {{username: alice, keyauth_credentials: [{{key: alices}}]}}\n\
             certificates:\n{}\
             plugins:\n\
             - name: prometheus\n  config: {{per_consumer: true, status_code_metrics: true, latency_metrics: true, \
             bandwidth_metrics: true, upstream_health_metrics: true}}\n\
             - name: opentelemetry\n  config: {{traces_endpoint: 'http://{}/v1/traces', sampling_rate: 1, queue: {{max_batch_size: 20, \
             max_retry_time: -1}}}}\n\
             - {{name: file-log, config: {{path: {}}}}}\n\
             - name: key-auth\n- name: cors\n- name: correlation-id\n\
             - {{name: circuit-breaker, service: breaker, config: {{failure_threshold: 3, reset_timeout: 2}}}}\n\
             - {{name: rate-limiting, service: limited, config: {{second: 5, policy: local}}}}\n\
             - name: rate-limiting\n  service: counted\n  config: {{second: 100000, policy: redis, redis: {{host: 127.0.0.1, \
             port: {}, timeout: 200}}}}\n",
            certificates.concat(),
            self.collector.address(),
            // A place where nobody can write, when things go wrong.
            if days < 21 { "/proc/none/file.log" } else { "/dev/null" },
            self.store.address().port()
        )
    }
}
