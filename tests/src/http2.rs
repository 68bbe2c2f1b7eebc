//! A well-behaved HTTP/2 client.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::{Answer, Headers};

/// A client gives up after this long.
const LIMIT: Duration = Duration::from_secs(30);

/// `GET` of a path at `gateway.test`.
pub fn get(path: &str) -> Request<()> {
    Request::get(format!("http://gateway.test{path}")).body(()).expect("a request")
}

/// `POST` to a path at `gateway.test`.
pub fn post(path: &str) -> Request<()> {
    Request::post(format!("http://gateway.test{path}")).body(()).expect("a request")
}

/// One HTTP/2 connection, which works by itself while a test does something else.
pub struct Http2 {
    runtime: Runtime,
    send: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request that was sent and not read to its end.
pub struct Stream<'a> {
    client: &'a Http2,
    response: Option<ResponseFuture>,
    body: Option<RecvStream>,
    upload: SendStream<Bytes>,
}

impl Http2 {
    /// Connects, with windows large enough for everything.
    ///
    /// # Panics
    /// When nobody accepts, or nobody speaks HTTP/2 there.
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::open_with(address, |builder| {
            builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 24);
        })
    }

    /// Connects with settings of one's own.
    ///
    /// # Panics
    /// When nobody accepts, or nobody speaks HTTP/2 there.
    #[track_caller]
    pub fn open_with(address: SocketAddr, set: impl FnOnce(&mut Builder)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut builder = Builder::new();
        set(&mut builder);
        let (send, connection) = within(&runtime, async {
            let socket = TcpStream::connect(address).await.expect("somebody accepts");
            socket.set_nodelay(true).expect("a socket");
            builder.handshake(socket).await.expect("HTTP/2")
        });
        let connection = runtime.spawn(connection);
        Self { runtime, send, connection }
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// When no further request may be sent.
    #[track_caller]
    pub fn start(&self, request: Request<()>) -> Result<Stream<'_>, h2::Error> {
        self.send_head(request, true)
    }

    /// Sends a request's head; its body is to follow.
    ///
    /// # Errors
    /// When no further request may be sent.
    #[track_caller]
    pub fn start_upload(&self, request: Request<()>) -> Result<Stream<'_>, h2::Error> {
        self.send_head(request, false)
    }

    fn send_head(&self, request: Request<()>, is_whole: bool) -> Result<Stream<'_>, h2::Error> {
        let (response, upload) = within(&self.runtime, async {
            let mut send = self.send.clone().ready().await?;
            send.send_request(request, is_whole)
        })?;
        Ok(Stream { client: self, response: Some(response), body: None, upload })
    }

    /// `GET` of a path.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send(get(path))
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn send(&self, request: Request<()>) -> Answer {
        self.try_send(request).unwrap_or_else(|error| panic!("no whole answer: {error}"))
    }

    /// Sends a request and reads its answer, which may break.
    ///
    /// # Errors
    /// When it does.
    #[track_caller]
    pub fn try_send(&self, request: Request<()>) -> Result<Answer, h2::Error> {
        self.start(request)?.answer()
    }

    /// Sends a request with a body and reads its answer.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn upload(&self, request: Request<()>, body: impl Into<Bytes>) -> Answer {
        let mut stream = self.start_upload(request).expect("a further request");
        stream.send(body, true);
        stream.answer().unwrap_or_else(|error| panic!("no whole answer: {error}"))
    }

    /// Waits for the end of the connection.
    ///
    /// # Errors
    /// When it does not end in peace.
    #[track_caller]
    pub fn ended(mut self) -> Result<(), h2::Error> {
        within(&self.runtime, &mut self.connection).expect("the task of the connection")
    }

    /// Whether the connection has ended.
    pub fn is_ended(&self) -> bool {
        self.connection.is_finished()
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http2")
    }
}

impl Stream<'_> {
    /// Sends some of the body, when the window allows it.
    ///
    /// # Panics
    /// When the stream is over.
    #[track_caller]
    pub fn send(&mut self, bytes: impl Into<Bytes>, is_last: bool) {
        self.upload.send_data(bytes.into(), is_last).expect("a stream that is open");
    }

    /// Sends trailers, the end of the body.
    ///
    /// # Panics
    /// When the stream is over.
    #[track_caller]
    pub fn send_trailers(&mut self, trailers: http::HeaderMap) {
        self.upload.send_trailers(trailers).expect("a stream that is open");
    }

    /// Waits for the head of the answer.
    ///
    /// # Errors
    /// When the stream is reset or the connection breaks.
    #[track_caller]
    pub fn head(&mut self) -> Result<Response<()>, h2::Error> {
        let response = self.response.take().expect("one head");
        let (head, body) = within(&self.client.runtime, response)?.into_parts();
        self.body = Some(body);
        Ok(Response::from_parts(head, ()))
    }

    /// Waits for some of the body; `None` at its end.
    ///
    /// # Errors
    /// When the stream is reset or the connection breaks.
    #[track_caller]
    pub fn piece(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let body = self.body.as_mut().expect("after the head");
        within(&self.client.runtime, async {
            loop {
                let piece = body.data().await?;
                // The frame that ends a body may have nothing in it.
                if !matches!(&piece, Ok(bytes) if bytes.is_empty()) {
                    let taken = |bytes: &Bytes| body.flow_control().release_capacity(bytes.len()).expect("just come");
                    return Some(piece.inspect(taken));
                }
            }
        })
    }

    /// Reads the body to its end.
    ///
    /// # Errors
    /// When the stream is reset or the connection breaks.
    #[track_caller]
    pub fn rest(&mut self) -> Result<Vec<u8>, h2::Error> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece() {
            body.extend_from_slice(&piece?);
        }
        Ok(body)
    }

    /// Waits for what comes after the body.
    ///
    /// # Errors
    /// When the stream is reset or the connection breaks.
    #[track_caller]
    pub fn trailers(&mut self) -> Result<Option<Headers>, h2::Error> {
        let body = self.body.as_mut().expect("after the head");
        let trailers = within(&self.client.runtime, body.trailers())?;
        Ok(trailers.map(|trailers| Headers::of(&trailers)))
    }

    /// Reads the answer to its end.
    ///
    /// # Errors
    /// When the stream is reset or the connection breaks.
    #[track_caller]
    pub fn answer(mut self) -> Result<Answer, h2::Error> {
        let start = Instant::now();
        let head = self.head()?;
        let body = self.rest()?;
        let (status, headers) = (head.status().as_u16(), Headers::of(head.headers()));
        Ok(Answer { status, reason: String::new(), headers, body, interim: Vec::new(), took: start.elapsed() })
    }

    /// Waits until the other side has reset the stream.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn reset_by_peer(&mut self) -> Reason {
        let upload = &mut self.upload;
        let reset = std::future::poll_fn(|cx| upload.poll_reset(cx));
        within(&self.client.runtime, reset).unwrap_or_else(|error| panic!("no reset: {error}"))
    }

    /// Takes the request back.
    pub fn cancel(mut self) {
        self.upload.send_reset(Reason::CANCEL);
    }
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

#[track_caller]
fn within<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    runtime.block_on(async { tokio::time::timeout(LIMIT, future).await }).expect("it takes too long")
}
