//! A request that is over, and collectors that are told of it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use towergate_core::{
    Accounts, Client, Consumer, Context, Directory, Ended, Env, Observe, Plan, Plugin, Protocol, Route, Service, Timing,
};
use towergate_queue::Queues;
use towergate_schema::RecordSchema;
use uuid::Uuid;

use crate::completed;

/// A test gives up after this.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) const ROUTE: Uuid = Uuid::from_u128(7);
pub(crate) const SERVICE: Uuid = Uuid::from_u128(8);
pub(crate) const CONSUMER: Uuid = Uuid::from_u128(9);

/// A policy that tells of requests, and what delivers for it.
pub(crate) struct Told<P> {
    policy: Arc<P>,
    queues: Arc<Queues>,
    runtime: tokio::runtime::Runtime,
}

impl<P> Drop for Told<P> {
    /// What was told is delivered, if anybody takes it.
    fn drop(&mut self) {
        self.runtime.block_on(self.queues.drain(Duration::from_secs(1)));
    }
}

impl<P> Told<P>
where
    P: Plugin<Config: RecordSchema + DeserializeOwned> + Observe,
{
    /// Of this configuration; `change` makes a collector of its own known to it.
    pub(crate) fn changed(config: Value, change: impl FnOnce(P) -> P) -> Self {
        let config = serde_json::from_value(completed::<P::Config>(config).unwrap()).unwrap();
        let env = Env::default();
        let policy = P::new(config, &env).map_err(|error| error.to_string()).unwrap();
        let policy = Arc::new(change(policy));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        if let Some(work) = policy.background() {
            runtime.block_on(work);
        }
        Self { policy, queues: env.shared.of(), runtime }
    }

    pub(crate) fn of(config: Value) -> Self {
        Self::changed(config, |policy| policy)
    }

    /// Tells it of a request of alice that was answered with this status.
    pub(crate) fn ended(&self, status: u16) -> &Self {
        let (cx, ended) = request(status);
        self.policy.observe(&cx, &ended);
        self
    }

    /// The same of one that no route takes.
    pub(crate) fn unmatched(&self) -> &Self {
        let (head, ()) = Request::get("/none").body(()).unwrap().into_parts();
        let cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(Plan::default())));
        let (_, ended) = request(404);
        self.policy.observe(&cx, &ended);
        self
    }
}

/// A request of alice to `orders` at `orders.test`, and how it ended.
fn request(status: u16) -> (Context, Ended) {
    let (mut head, ()) = Request::get("/a?b=1").body(()).unwrap().into_parts();
    head.headers.insert("x-team", HeaderValue::from_static("shop"));
    let mut consumer = Consumer::named("alice");
    (consumer.id, consumer.custom_id) = (CONSUMER, Some("a-1".into()));
    let plan = Plan { route: Some(route()), service: Some(Arc::new(service())), ..Plan::default() };
    let client = Client { address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), ..Client::default() };
    let timing = Timing::at(Instant::now(), SystemTime::now());
    timing.mark_sent(timing.started() + Duration::from_millis(3));
    timing.mark_answered(timing.started() + Duration::from_millis(10));
    let directory = Arc::new(Directory::builder().consumer(consumer).build());
    let cx = Context::new(client, &head, timing, Some(Arc::new(plan))).under(Arc::new(directory.into()));
    cx.mark_proxied();
    cx.records.ask();
    cx.records.keep_request(&head.headers);
    cx.records.keep_response(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
    Accounts::default().admit_anonymous(&cx, cx.directory().unwrap().consumer(CONSUMER).unwrap());
    let ended = Ended {
        method: head.method,
        uri: head.uri,
        version: Version::HTTP_11,
        status,
        received: 120,
        sent: 340,
        body_sent: 200,
        trailers: None,
        took: Duration::from_millis(12),
        receiving: Duration::from_millis(2),
    };
    (cx, ended)
}

fn route() -> Route {
    Route {
        id: ROUTE,
        name: Some("orders-route".into()),
        protocols: [Protocol::Http].into(),
        strip_path: false,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        https_redirect_status_code: 426,
        tags: Vec::new(),
    }
}

fn service() -> Service {
    Service {
        id: SERVICE,
        name: Some("or.ders".into()),
        protocol: Protocol::Http,
        host: "orders.test".into(),
        port: 80,
        path: None,
        retries: 0,
        connect_timeout: LIMIT,
        write_timeout: LIMIT,
        read_timeout: LIMIT,
        tls: None,
        tags: Vec::new(),
        balancing: None,
    }
}

/// Waits for what comes. Where there is a limit, Linux may interrupt that when the machine was stopped for a moment.
pub(crate) fn uninterrupted<T>(mut wait: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match wait() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A collector of datagrams.
pub(crate) struct Datagrams(UdpSocket);

impl Datagrams {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self(socket)
    }

    /// These fields, and where this listens.
    pub(crate) fn config(&self, fields: Value) -> Value {
        at(self.0.local_addr().unwrap(), fields)
    }

    #[track_caller]
    pub(crate) fn next(&self) -> String {
        let mut bytes = vec![0; 65536];
        let length = uninterrupted(|| self.0.recv(&mut bytes)).expect("a datagram comes");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

/// A collector of connections.
pub(crate) struct Connections(TcpListener);

impl Connections {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn config(&self, fields: Value) -> Value {
        at(self.address(), fields)
    }

    #[track_caller]
    pub(crate) fn next(&self) -> TcpStream {
        self.0.set_nonblocking(true).unwrap();
        let end = Instant::now() + LIMIT;
        loop {
            match self.0.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(LIMIT)).unwrap();
                    return stream;
                }
                Err(_) => assert!(Instant::now() < end, "nobody connects"),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn at(address: SocketAddr, fields: Value) -> Value {
    let mut config = json!({"host": address.ip().to_string(), "port": address.port()});
    config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    config
}

/// The entry in a text.
#[track_caller]
pub(crate) fn entry(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}
