//! Peers on loopback sockets, and bodies that the test feeds.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Empty};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use towergate_http1::client::{Body, Connection, Error, Length, Timeouts};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Fails a test that would hang.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("takes too long")
}

/// Both ends of a connection.
pub(crate) async fn pair() -> (Connection<TcpStream>, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    (Connection::new(stream), Peer { stream: peer, read: Vec::new() })
}

/// The server's end.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Peer {
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

    pub(crate) async fn send(&mut self, text: &str) {
        within(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    /// Waits until the other end closes; what it sent until then.
    pub(crate) async fn closed(mut self) -> String {
        within(async {
            let mut rest = [0; 1024];
            while let Ok(count @ 1..) = self.stream.read(&mut rest).await {
                self.read.extend_from_slice(&rest[..count]);
            }
            String::from_utf8(self.read).unwrap()
        })
        .await
    }
}

/// A request without body.
pub(crate) async fn get<T>(connection: Connection<T>) -> Result<Response<Body<T, Empty<Bytes>>>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    ask(connection, &Method::GET, Timeouts::default()).await
}

pub(crate) async fn ask<T>(
    connection: Connection<T>,
    method: &Method,
    timeouts: Timeouts,
) -> Result<Response<Body<T, Empty<Bytes>>>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = connection.request(method, &["/"]);
    request.header(&header::HOST, &HeaderValue::from_static("a.test"));
    within(request.send(Length::None, Empty::new(), timeouts)).await
}

/// All of a body, and its trailers.
pub(crate) async fn read<B>(body: &mut B) -> Result<(String, Option<HeaderMap>), B::Error>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let all = within(body.collect()).await?;
    let trailers = all.trailers().cloned();
    Ok((String::from_utf8(all.to_bytes().to_vec()).unwrap(), trailers))
}

/// A body that the test feeds.
pub(crate) struct Upload(mpsc::Receiver<Result<Frame<Bytes>, BoxError>>);

pub(crate) type Feed = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

pub(crate) fn upload() -> (Feed, Upload) {
    let (sender, receiver) = mpsc::channel(4);
    (sender, Upload(receiver))
}

pub(crate) async fn feed(feed: &Feed, data: impl Into<Bytes>) {
    within(feed.send(Ok(Frame::data(data.into())))).await.unwrap();
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx)
    }
}

/// A body of these frames.
pub(crate) fn frames(frames: Vec<Frame<Bytes>>) -> impl HttpBody<Data = Bytes, Error = BoxError> + Unpin {
    let (sender, body) = mpsc::channel(frames.len().max(1));
    frames.into_iter().for_each(|frame| sender.try_send(Ok(frame)).unwrap());
    Upload(body)
}

/// A stream that notes how much was written each time, of how many pieces.
pub(crate) struct Noting<T> {
    pub(crate) io: T,
    pub(crate) writes: Arc<Mutex<Vec<(usize, usize)>>>,
    pub(crate) vectored: bool,
}

impl<T: AsyncRead + Unpin> AsyncRead for Noting<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Noting<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes)?;
        written.map(|count| {
            self.writes.lock().unwrap().push((count, 1));
            Ok(count)
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices)?;
        written.map(|count| {
            self.writes.lock().unwrap().push((count, slices.iter().filter(|slice| !slice.is_empty()).count()));
            Ok(count)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
