//! A client that speaks in bytes to a connection whose service is a closure.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};
use towergate_http1::server::{Body, Broken, Config, Connection, Malformed, Service};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
pub(crate) type Asked = Result<Request<Body>, Malformed>;

/// How long anything may take before a test gives up.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A closure as a service.
pub(crate) struct Closure(Box<dyn FnMut(Asked) -> Answering + Send>);

impl Closure {
    pub(crate) fn new<F>(mut answer: impl FnMut(Asked) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self(Box::new(move |asked| Box::pin(answer(asked))))
    }
}

impl Service for Closure {
    type Body = UnsyncBoxBody<Bytes, BoxError>;
    type Future = Answering;

    fn call(&mut self, asked: Asked) -> Answering {
        (self.0)(asked)
    }
}

/// A client, and the task of the connection it is connected to.
pub(crate) struct Client<T = DuplexStream> {
    pub(crate) stream: T,
    pub(crate) connection: JoinHandle<Result<(), Broken>>,
}

/// A client of a service that is a closure.
pub(crate) fn connect<F>(answer: impl FnMut(Asked) -> F + Send + 'static) -> Client
where
    F: Future<Output = Answer> + Send + 'static,
{
    connect_with(Config { linger: SOON, ..Config::default() }, answer)
}

pub(crate) fn connect_with<F>(config: Config, answer: impl FnMut(Asked) -> F + Send + 'static) -> Client
where
    F: Future<Output = Answer> + Send + 'static,
{
    let (stream, server) = tokio::io::duplex(1 << 20);
    Client { stream, connection: tokio::spawn(Connection::new(server, Closure::new(answer), config)) }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything up to the end of the connection, without `Date`.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let reading = self.stream.read_to_end(&mut rest);
        tokio::time::timeout(SOON, reading).await.expect("the connection ends").unwrap();
        without_date(rest)
    }

    /// What comes until it ends like this, without `Date`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let reading = async {
            while !read.ends_with(end.as_bytes()) {
                let mut byte = [0];
                if self.stream.read(&mut byte).await.unwrap() == 0 {
                    break;
                }
                read.extend_from_slice(&byte);
            }
        };
        let in_time = tokio::time::timeout(SOON, reading).await.is_ok();
        let text = without_date(read);
        assert!(in_time && text.ends_with(end), "instead of {end:?}: {text:?}");
        text
    }

    /// Nothing has come that was not read.
    pub(crate) async fn assert_silent(&mut self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_millis(1), self.stream.read(&mut byte)).await;
        assert!(read.is_err(), "{read:?} {byte:?}");
    }

    /// Nothing more is sent, although this side may still send.
    pub(crate) async fn assert_end(&mut self) {
        assert_eq!(self.rest().await, "");
    }

    /// How the connection ended.
    pub(crate) async fn ended(self) -> Result<(), Broken> {
        drop(self.stream);
        tokio::time::timeout(SOON, self.connection).await.expect("the connection ends").unwrap()
    }
}

fn without_date(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap();
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

/// `200` with this text.
pub(crate) fn text(text: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(text.into()).map_err(never).boxed_unsync())
}

/// This status without a body.
pub(crate) fn status(status: u16) -> Answer {
    let mut response = Response::new(Empty::new().map_err(never).boxed_unsync());
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// `200` with these frames, of which all are ready.
pub(crate) fn frames(frames: Vec<Result<Frame<Bytes>, BoxError>>) -> Answer {
    Response::new(Frames(frames.into_iter()).boxed_unsync())
}

/// `200` with what comes through a channel.
pub(crate) fn channel() -> (UnboundedSender<Result<Frame<Bytes>, BoxError>>, Answer) {
    let (sender, receiver) = unbounded_channel();
    (sender, Response::new(Channel(receiver).boxed_unsync()))
}

pub(crate) fn data(text: &'static str) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

fn never(never: Infallible) -> BoxError {
    match never {}
}

/// Frames that are ready, and then the end.
struct Frames(std::vec::IntoIter<Result<Frame<Bytes>, BoxError>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.next())
    }
}

struct Channel(UnboundedReceiver<Result<Frame<Bytes>, BoxError>>);

impl http_body::Body for Channel {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(task)
    }
}
