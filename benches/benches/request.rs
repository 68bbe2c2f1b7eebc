//! What single steps of a request cost: a plan of eight guards, writing headers and reading a response, and a request over
//! a connection that is taken from the pool and goes back there (with the system calls of both ends).
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::{
    convert::Infallible,
    future::ready,
    hint::black_box,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderName, HeaderValue, Method, Request, Response, header, request, response};
use http_body_util::Empty;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use tower::{Layer, Service, service_fn};
use towergate_core::{
    Choice, Client, Context, Guard, GuardBody, GuardLayer, Level, Plan, Plugins, Protocol, Timing, Verdict,
};
use towergate_http1::client::{Connection, Length, Timeouts};
use towergate_upstream::{Proxy, ProxySettings};
use uuid::Uuid;

/// Sets a header on the way there and one on the way back.
struct Marks {
    name: HeaderName,
}

impl Guard for Marks {
    fn check(&self, _: &Context, head: &mut request::Parts) -> Verdict {
        head.headers.insert(self.name.clone(), HeaderValue::from_static("1"));
        Verdict::Pass
    }

    fn respond(&self, _: &Context, head: &mut response::Parts) {
        head.headers.insert(self.name.clone(), HeaderValue::from_static("1"));
    }
}

/// Looks at nothing.
struct Passes;

impl Guard for Passes {
    fn check(&self, _: &Context, _: &mut request::Parts) -> Verdict {
        Verdict::Pass
    }
}

fn plan(guard: impl Fn(usize) -> Arc<dyn Guard>) -> Arc<Plan> {
    let guards = (0..8).map(|turn| Choice::new("bench", vec![Level::Everybody(guard(turn))])).collect();
    Arc::new(Plan::from(Plugins { guards, ..Plugins::default() }))
}

/// A request that follows a plan.
fn request(plan: &Arc<Plan>) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    let (mut head, body) = request.into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan.clone()));
    head.extensions.insert(Arc::new(cx));
    Request::from_parts(head, body)
}

fn guards(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("guards");
    let names = ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f", "x-g", "x-h"];
    let marks = |turn: usize| Marks { name: HeaderName::from_static(names.get(turn).unwrap_or(&"x-z")) };
    let plans = [
        ("none", Arc::new(Plan::default())),
        ("8_that_pass", plan(|_| Arc::new(Passes))),
        ("8_that_set_headers", plan(|turn| Arc::new(marks(turn)))),
    ];
    let inner = service_fn(|_: Request<GuardBody<Empty<Bytes>>>| {
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let mut service = GuardLayer::from_plan().layer(inner);
    for (name, plan) in plans {
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(service.call(request(black_box(&plan)))));
        });
    }
    group.finish();
}

/// A runtime like a worker's.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The headers a browser sends, and those a gateway adds.
const HEADERS: [(HeaderName, &str); 12] = [
    (header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (header::ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (header::ACCEPT_LANGUAGE, "en-GB,en;q=0.5"),
    (header::ACCEPT_ENCODING, "gzip, deflate, br, zstd"),
    (header::COOKIE, "session=5b1f0a52-1c7e-4f6e-9d05-3a1f0e8c2b77; theme=dark"),
    (header::CACHE_CONTROL, "no-cache"),
    (HeaderName::from_static("x-real-ip"), "192.0.2.60"),
    (HeaderName::from_static("x-forwarded-for"), "192.0.2.60"),
    (HeaderName::from_static("x-forwarded-proto"), "https"),
    (HeaderName::from_static("x-forwarded-host"), "shop.example.com"),
    (HeaderName::from_static("x-forwarded-port"), "443"),
    (HeaderName::from_static("x-trace-of-our-own"), "5b1f0a52"),
];

fn forwarding(criterion: &mut Criterion) {
    let runtime = runtime();
    let headers = HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    criterion.bench_function("forwarding/exchange_with_12_headers", |bencher| {
        let (stream, mut peer) = tokio::io::duplex(4096);
        let mut connection = Some(Connection::new(stream));
        bencher.iter(|| {
            runtime.block_on(async {
                let connection_taken = connection.take().expect("the connection came back");
                let mut request = connection_taken.request(&Method::GET, &["/shop/items"]);
                for (name, value) in &headers {
                    request.header(name, value);
                }
                let exchange = request.send(Length::None, Empty::<Bytes>::new(), Timeouts::default());
                let (response, ()) = tokio::join!(exchange, answer(&mut peer));
                let mut body = response.expect("a response").into_body();
                connection = body.reclaim();
            });
        });
    });
}

/// Reads a request and says that there is nothing to say.
async fn answer(peer: &mut tokio::io::DuplexStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = [0; 4096];
    let count = peer.read(&mut buffer).await.expect("a request");
    assert!(buffer.get(..count).is_some_and(|head| head.ends_with(b"\r\n\r\n")), "the whole head in one write");
    peer.write_all(b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Length: 0\r\n\r\n").await.expect("room");
}

/// A request through the proxying service, whose connection comes from the pool and goes back there; and the same on a
/// connection of its own: what is between them is the pool's, and that of the head's making.
fn pool(criterion: &mut Criterion) {
    let (runtime, address) = (runtime(), upstream());
    let mut group = criterion.benchmark_group("pool");
    group.bench_function("proxied_over_a_kept_connection", |bencher| {
        let mut proxy = Proxy::to(service(address), &ProxySettings::default());
        bencher.iter(|| {
            let request = Request::new(Empty::<Bytes>::new());
            let response = runtime.block_on(proxy.call(request)).expect("never fails");
            assert_eq!(response.status(), 200);
        });
    });
    group.bench_function("exchange_on_one_connection", |bencher| {
        let stream = runtime.block_on(TcpStream::connect(address)).expect("the upstream listens");
        stream.set_nodelay(true).expect("a socket");
        let mut connection = Some(Connection::new(stream));
        bencher.iter(|| {
            let mut request = connection.take().expect("the connection came back").request(&Method::GET, &["/"]);
            request.header(&header::HOST, &HeaderValue::from_static("bench.test"));
            let exchange = request.send(Length::None, Empty::<Bytes>::new(), Timeouts::default());
            let response = runtime.block_on(exchange).expect("a response");
            connection = response.into_body().reclaim();
        });
    });
    group.finish();
}

/// Answers every request, in a thread for each connection.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    if stream.write_all(b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Length: 0\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn service(address: SocketAddr) -> towergate_core::Service {
    let minute = Duration::from_secs(60);
    towergate_core::Service {
        id: Uuid::nil(),
        name: None,
        protocol: Protocol::Http,
        host: address.ip().to_string(),
        port: address.port(),
        path: None,
        retries: 5,
        connect_timeout: minute,
        write_timeout: minute,
        read_timeout: minute,
        tls: None,
        tags: Vec::new(),
        balancing: None,
    }
}

criterion_group!(benches, guards, forwarding, pool);
criterion_main!(benches);
