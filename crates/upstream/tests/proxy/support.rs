//! Upstreams scripted byte by byte on loopback sockets, and requests as the gateway's server makes them.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;
use towergate_core::{
    Balancing, Body, BoxError, Client, Context, Matched, Plan, Protocol, Route, Service, Target, Timing,
};
use towergate_upstream::{Destinations, Proxy, ProxySettings};
use uuid::Uuid;

/// Fails a test that would hang.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("takes too long")
}

/// A listening upstream.
pub(crate) struct Upstream {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Upstream {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = within(self.listener.accept()).await.unwrap();
        Peer { stream, read: Vec::new() }
    }

    /// Accepts and shakes hands.
    pub(crate) async fn accept_tls(&self, tls: &TlsAcceptor) -> Peer<TlsStream<TcpStream>> {
        self.try_accept_tls(tls).await.expect("a handshake")
    }

    pub(crate) async fn try_accept_tls(&self, tls: &TlsAcceptor) -> Option<Peer<TlsStream<TcpStream>>> {
        let stream = within(tls.accept(self.accept().await.stream)).await.ok()?;
        Some(Peer { stream, read: Vec::new() })
    }

    /// Whether somebody is waiting to be accepted.
    pub(crate) async fn is_called(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(100), self.listener.accept()).await.is_ok()
    }
}

/// An address at which nobody listens.
pub(crate) async fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// The upstream's end of a connection.
pub(crate) struct Peer<S = TcpStream> {
    pub(crate) stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// The next bytes up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        within(async {
            loop {
                if let Some(at) = self.read.windows(end.len()).position(|window| window == end.as_bytes()) {
                    let text: Vec<u8> = self.read.drain(..at + end.len()).collect();
                    return String::from_utf8(text).unwrap();
                }
                let mut chunk = [0; 16 * 1024];
                let count = self.stream.read(&mut chunk).await.unwrap();
                assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&self.read));
                self.read.extend_from_slice(&chunk[..count]);
            }
        })
        .await
    }

    /// The head of the next request.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    pub(crate) async fn send(&mut self, text: &str) {
        within(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    /// Reads a request without body and answers it.
    pub(crate) async fn answer(&mut self, response: &str) -> String {
        let head = self.head().await;
        self.send(response).await;
        head
    }

    /// Waits until the other end closes.
    pub(crate) async fn closed(mut self) {
        within(async {
            let mut rest = [0; 1024];
            while !matches!(self.stream.read(&mut rest).await, Ok(0) | Err(_)) {}
        })
        .await;
    }
}

impl Peer {
    /// Closes with a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(crate) fn service(address: SocketAddr) -> Service {
    Service {
        id: Uuid::new_v4(),
        name: Some("test".into()),
        protocol: Protocol::Http,
        host: address.ip().to_string(),
        port: address.port(),
        path: None,
        retries: 5,
        connect_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        tls: None,
        tags: vec![],
        balancing: None,
    }
}

/// A service in front of several targets.
pub(crate) fn balanced(targets: &[SocketAddr]) -> Service {
    let targets = targets.iter().map(|a| Target { host: a.ip().to_string(), port: a.port(), weight: 100 }).collect();
    let balancing = Balancing::new(Uuid::new_v4(), "up", targets);
    Service { balancing: Some(Arc::new(balancing)), ..service("127.0.0.1:1".parse().unwrap()) }
}

pub(crate) fn route() -> Route {
    Route {
        id: Uuid::new_v4(),
        name: None,
        protocols: [Protocol::Http].into(),
        strip_path: true,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        https_redirect_status_code: 426,
        tags: vec![],
    }
}

/// What a request meets: a route, a service, and a proxy to send it through.
pub(crate) struct Gateway {
    pub(crate) proxy: Proxy,
    pub(crate) plan: Arc<Plan>,
    pub(crate) client: Client,
    pub(crate) matched: Matched,
}

impl Gateway {
    pub(crate) fn to(service: Service) -> Self {
        Self::new(service, route(), &ProxySettings { via_token: "kong/3.9.1".into(), ..Default::default() })
    }

    pub(crate) fn new(service: Service, route: Route, settings: &ProxySettings) -> Self {
        let destination = Destinations::new().destination(&service);
        let plan = Plan {
            route: Some(route),
            service: Some(Arc::new(service)),
            destination: Some(destination),
            ..Plan::default()
        };
        let client = Client {
            peer: Some("192.0.2.7:5000".parse().unwrap()),
            local: Some("192.0.2.1:8000".parse().unwrap()),
            address: Some("192.0.2.7".parse().unwrap()),
            ..Client::default()
        };
        Self { proxy: Proxy::new(settings), plan: Arc::new(plan), client, matched: Matched::default() }
    }

    pub(crate) fn context<B>(&self, request: Request<B>) -> (Arc<Context>, Request<B>) {
        let (mut head, body) = request.into_parts();
        let mut cx = Context::new(self.client.clone(), &head, Timing::start(), Some(self.plan.clone()));
        cx.matched = self.matched.clone();
        cx.records.ask();
        let cx = Arc::new(cx);
        head.extensions.insert(cx.clone());
        (cx, Request::from_parts(head, body))
    }

    pub(crate) async fn call<B>(&self, request: Request<B>) -> (Arc<Context>, Response<Body>)
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (cx, request) = self.context(request);
        let response = within(self.proxy.clone().oneshot(request)).await.unwrap();
        (cx, response)
    }

    /// Sends a request while the test plays the upstream.
    pub(crate) fn spawn<B>(&self, request: Request<B>) -> JoinHandle<(Arc<Context>, Response<Body>)>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (cx, request) = self.context(request);
        let proxy = self.proxy.clone();
        tokio::spawn(async move { (cx, within(proxy.oneshot(request)).await.unwrap()) })
    }
}

pub(crate) fn get(target: &str) -> Request<Body> {
    Request::get(target).header("host", "client.test").body(Body::Empty).unwrap()
}

pub(crate) fn request(method: &str, body: impl Into<Bytes>) -> Request<Body> {
    with_body(method, Body::from(body.into()))
}

pub(crate) async fn text(response: Response<Body>) -> String {
    String::from_utf8(within(response.into_body().collect()).await.unwrap().to_bytes().to_vec()).unwrap()
}

/// The ports and codes of a request's attempts.
pub(crate) fn tries(cx: &Context) -> Vec<(u16, u16)> {
    cx.records.tries().unwrap().iter().map(|attempt| (attempt.port, attempt.code)).collect()
}

/// A client's body of unknown length, sent by the test.
pub(crate) struct Upload(mpsc::Receiver<Result<Bytes, BoxError>>);

/// The test's end of an upload and the gateway's; one chunk may be on its way.
pub(crate) fn upload() -> (mpsc::Sender<Result<Bytes, BoxError>>, Upload) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Upload(receiver))
}

/// An upload that is over already.
pub(crate) fn uploaded(chunks: &[&'static str]) -> Upload {
    let (sender, receiver) = mpsc::channel(chunks.len().max(1));
    for chunk in chunks {
        sender.try_send(Ok(Bytes::from_static(chunk.as_bytes()))).unwrap();
    }
    Upload(receiver)
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

pub(crate) fn with_body<B>(method: &str, body: B) -> Request<B> {
    Request::builder().method(method).uri("/").header("host", "client.test").body(body).unwrap()
}

/// The next bytes of a response body; `None` at its end.
pub(crate) async fn chunk(body: &mut Body) -> Option<Result<Bytes, BoxError>> {
    within(body.frame()).await.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
}
