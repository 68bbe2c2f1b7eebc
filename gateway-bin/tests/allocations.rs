//! How many allocations a request takes on its way through a worker, counted over the whole process: the client and the
//! upstream of this test make none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    alloc::System,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use towergate_config::{Source, parse};
use towergate_core::{Policy, Service};
use towergate_gateway::{Bundled, PluginSet as _};
use towergate_runtime::{Base, Destinations, Publisher, compile};
use towergate_server::{Listen, Listeners, ServerConfig, Workers};
use towergate_upstream::{Proxy, ProxySettings};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: test\r\nDate: Mon, 23 Nov 2026 08:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

/// What a plain request makes:
/// 1 to put the context into its extensions (the box of the entry), 1 the context;
/// 3 texts: its host, its path, the path upstream;
/// 1 the future of the proxying service.
/// The maps of headers and extensions are those of messages before.
const PLAIN: usize = 6;

/// What key-auth, correlation-id and cors add: 1 the correlation id, 1 the list of what they say to the upstream and 1 the box it is
/// handed on in, 1 the list of what they say to the client.
const GUARDS: usize = 4;

/// What rate-limiting and prometheus add: 2 the future and the body of the outer layers, which only requests have that go
/// through them.
const COUNTERS: usize = 2;

#[test]
fn a_request_makes_no_more_allocations_than_are_accounted_for() {
    let plain = allocations("", b"GET /a HTTP/1.1\r\nHost: a.test\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n");
    assert!(plain <= PLAIN, "{plain}");
    let plugins = "plugins:
- {name: key-auth}
- {name: correlation-id, config: {echo_downstream: true}}
- {name: cors, config: {origins: [\"https://a.test\"], credentials: true}}
consumers:
- {username: alice, keyauth_credentials: [{key: secret}]}
";
    let request = b"GET /a HTTP/1.1\r\nHost: a.test\r\nUser-Agent: x\r\nAccept: */*\r\napikey: secret\r\n\r\n";
    let guarded = allocations(plugins, request);
    assert!(guarded <= PLAIN + GUARDS, "{guarded}");
    let counters = "plugins:
- {name: rate-limiting, config: {minute: 1000000}}
- {name: prometheus, config: {per_consumer: true, status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true}}
";
    let whole = allocations(&plugins.replacen("plugins:\n", counters, 1), request);
    assert!(whole <= PLAIN + GUARDS + COUNTERS, "{whole}");
}

/// How many allocations each request makes (growing counts) when there have been some before.
fn allocations(plugins: &str, request: &[u8]) -> usize {
    const REQUESTS: usize = 1000;
    let (workers, address) = gateway(plugins);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_nodelay(true).unwrap();
    for _ in 0..100 {
        ask(&mut client, request);
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..REQUESTS {
        ask(&mut client, request);
    }
    let made = region.change();
    drop(client);
    workers.drain(Duration::from_secs(5));
    (made.allocations + made.reallocations) / REQUESTS
}

fn ask(client: &mut TcpStream, request: &[u8]) {
    let mut buffer = [0; 4096];
    client.write_all(request).unwrap();
    let mut length = 0;
    while !buffer[..length].ends_with(b"\r\n\r\nhello") {
        let count = client.read(&mut buffer[length..]).unwrap();
        assert!(count > 0, "the gateway has closed the connection: {}", String::from_utf8_lossy(&buffer[..length]));
        length += count;
    }
    assert!(buffer.starts_with(b"HTTP/1.1 200"));
}

/// A worker with one route to the upstream.
fn gateway(plugins: &str) -> (Workers, SocketAddr) {
    let upstream = upstream();
    let text = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{upstream}\n  routes:\n  - {{name: r, paths: [/]}}\n{plugins}"
    );
    let registry = Bundled.registry();
    let config = Arc::new(parse(vec![Source::new("kong.yml", text)], &registry).unwrap().config);
    let table = compile(config, &registry, &mut Reach::default(), &Base::default(), None).unwrap().table;
    let (_publisher, watched) = Publisher::new([table]);
    let listeners = Listeners::bind(&[Listen::on("127.0.0.1:0".parse().unwrap())], 1).unwrap();
    let address = listeners.addresses()[0];
    let stack = |_| Bundled.stack(Proxy::new(&ProxySettings::default()));
    (Workers::start(ServerConfig::default(), listeners, watched, stack).unwrap(), address)
}

#[derive(Default)]
struct Reach(towergate_upstream::Destinations);

impl Destinations for Reach {
    fn next(&self) -> Box<dyn Destinations> {
        Box::new(Self(towergate_upstream::Destinations::after(&self.0)))
    }

    fn destination(&mut self, service: &Service) -> Arc<Policy> {
        self.0.destination(service)
    }
}

/// Answers requests that come whole, one connection after the other.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut buffer) = (stream.unwrap(), [0; 4096]);
            stream.set_nodelay(true).unwrap();
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                stream.write_all(ANSWER).unwrap();
            }
        }
    });
    address
}
