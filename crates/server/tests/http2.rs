//! HTTP/2 with real sockets and a stack that plays with bodies: what a gateway's stack cannot be made to do from outside.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tower::{ServiceBuilder, service_fn};
use towergate_core::{BoxError, GuardBody, GuardLayer, Plan};
use towergate_router::{Router, Rule};
use towergate_runtime::{Publisher, Table};
use towergate_server::{Http2, Limits, Listen, Listeners, ServerConfig, Workers};

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// A worker that speaks HTTP/2 and answers each request by its path.
struct Gateway {
    address: SocketAddr,
    workers: Workers,
    _publisher: Publisher<Table>,
}

impl Gateway {
    fn start(config: ServerConfig) -> Self {
        let listen = Listen { http2: true, ..Listen::on(([127, 0, 0, 1], 0).into()) };
        let listeners = Listeners::bind(&[listen], 1).unwrap();
        let address = listeners.addresses()[0];
        let router = Router::new(vec![Rule { paths: vec!["/".into()], ..Rule::default() }]).unwrap();
        let (plans, unrouted, certificates) = (vec![Arc::default()], Arc::new(Plan::default()), Arc::default());
        let (router, generation, asked) = (Arc::new(router), Arc::default(), towergate_tls::Asked::Nobody);
        let table = Table { router, plans, unrouted, generation, certificates, asked };
        let (publisher, watched) = Publisher::new([table]);
        let stack = |_| ServiceBuilder::new().layer(GuardLayer::from_plan()).service(service_fn(answer));
        let workers = Workers::start(config, listeners, watched, stack).unwrap();
        Self { address, workers, _publisher: publisher }
    }

    /// What connections do: waiting, reading, writing.
    fn phases(&self) -> [u64; 3] {
        let stats = self.workers.stats().snapshot();
        [stats.connections_waiting, stats.connections_reading, stats.connections_writing]
    }
}

/// `/mirror` sends back what it is sent, trailers too; `/whole` is one long piece; else nothing ever comes.
async fn answer(request: Request<GuardBody<towergate_core::Body>>) -> Result<Answer, Infallible> {
    let body = match request.uri().path() {
        "/mirror" => request.into_body().map_err(Into::into).boxed_unsync(),
        "/whole" => Full::new(Bytes::from(whole())).map_err(|never| match never {}).boxed_unsync(),
        "/broken" => {
            StreamBody::new(stream::iter([Ok(Frame::data("some".into())), Err("no more".into())])).boxed_unsync()
        }
        _ => std::future::pending().await,
    };
    Ok(Response::new(body))
}

fn whole() -> Vec<u8> {
    (0..1_000_000u32).map(|n| (n % 251) as u8).collect()
}

async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (send, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    send
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://example.com{path}")).body(()).unwrap()
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited for a condition that did not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let gateway = Gateway::start(ServerConfig::default());
    let mut send = connect(gateway.address).await;
    let (response, mut upload) = send.send_request(get("/mirror"), false).unwrap();
    upload.send_data("body".into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "42".parse().unwrap());
    upload.send_trailers(trailers.clone()).unwrap();
    let mut body = response.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "body");
    assert_eq!(body.trailers().await.unwrap(), Some(trailers));
}

#[tokio::test]
async fn one_long_piece_arrives_whole_and_with_its_length() {
    let gateway = Gateway::start(ServerConfig::default());
    let mut send = connect(gateway.address).await;
    let response = send.send_request(get("/whole"), true).unwrap().0.await.unwrap();
    assert_eq!(response.headers()["content-length"], "1000000");
    let (mut body, mut all) = (response.into_body(), Vec::new());
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        all.extend_from_slice(&piece);
    }
    assert!(all == whole(), "{} bytes", all.len());
}

#[tokio::test]
async fn a_body_that_breaks_is_never_a_clean_end() {
    let gateway = Gateway::start(ServerConfig::default());
    let mut send = connect(gateway.address).await;
    let broken = async {
        let mut body = send.send_request(get("/broken"), true)?.0.await?.into_body();
        while let Some(piece) = body.data().await {
            assert_eq!(piece?, "some");
        }
        Ok::<_, h2::Error>(())
    };
    let error = broken.await.unwrap_err();
    assert!(error.is_reset() && error.reason() != Some(h2::Reason::NO_ERROR), "{error}");
}

#[tokio::test]
async fn a_connection_is_busy_while_any_of_its_requests_is() {
    let gateway = Gateway::start(ServerConfig::default());
    let mut send = connect(gateway.address).await;
    eventually(|| gateway.phases() == [1, 0, 0]).await;
    let first = send.send_request(get("/never"), true).unwrap();
    let second = send.send_request(get("/never"), true).unwrap();
    eventually(|| gateway.phases() == [0, 0, 1] && gateway.workers.stats().snapshot().total_requests == 2).await;
    drop(first);
    let third = send.send_request(get("/mirror"), true).unwrap().0;
    assert_eq!(third.await.unwrap().status(), 200);
    assert_eq!(gateway.phases(), [0, 0, 1]);
    drop(second);
    eventually(|| gateway.phases() == [1, 0, 0]).await;
    drop(send);
    eventually(|| gateway.phases() == [0, 0, 0]).await;
}

#[tokio::test]
async fn the_limit_of_streams_is_told_and_kept() {
    let http2 = Http2 { max_concurrent_streams: 3, ..Http2::default() };
    let limits = Limits { http2, ..Limits::default() };
    let gateway = Gateway::start(ServerConfig { limits, ..ServerConfig::default() });
    let mut send = connect(gateway.address).await;
    assert_eq!(send.send_request(get("/mirror"), true).unwrap().0.await.unwrap().status(), 200);
    assert_eq!(send.current_max_send_streams(), 3);
}
