//! A WebSocket server and client by a library that knows nothing of the gateway.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response as Handshake;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::http::header::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use crate::patient::Patient;

/// A client that gives up after this long without a byte.
const SILENCE: Duration = Duration::from_secs(30);

/// A client's end of a WebSocket.
pub type Socket = WebSocket<Patient>;

/// A WebSocket server, running until dropped. The path says what it does:
///
/// - `/leave` closes with 4001 after the first message;
/// - `/die` resets the connection after the first message;
/// - `/deaf` reads nothing, ever;
/// - `/flood` sends without end, whether it is read or not;
/// - any other sends every message back.
#[derive(Debug)]
pub struct Sockets {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    handshakes: Vec<HeaderMap>,
    open: usize,
}

impl Sockets {
    /// Starts one on a port of its own.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::<Mutex<Seen>>::default();
        let (stop, stopped) = oneshot::channel();
        let server = Arc::clone(&seen);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = accept(TcpListener::from_std(listener).expect("a listener"), server) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The header lines of the handshakes so far.
    pub fn handshakes(&self) -> Vec<HeaderMap> {
        self.seen.lock().expect("no panic inside").handshakes.clone()
    }

    /// How many sockets are open.
    pub fn open(&self) -> usize {
        self.seen.lock().expect("no panic inside").open
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // The thread ends by the message, or has ended by a panic of its own, which its test has seen.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn accept(listener: TcpListener, seen: Arc<Mutex<Seen>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut path = String::new();
            #[allow(clippy::result_large_err, reason = "the library's type")]
            let greet = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
                request.uri().path().clone_into(&mut path);
                if let Some(first) = first_protocol(request.headers()) {
                    response.headers_mut().insert("sec-websocket-protocol", first);
                }
                seen.lock().expect("no panic inside").handshakes.push(request.headers().clone());
                Ok(response)
            };
            let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, greet).await else {
                return;
            };
            seen.lock().expect("no panic inside").open += 1;
            let _ = serve(&path, &mut socket).await;
            seen.lock().expect("no panic inside").open -= 1;
        });
    }
}

fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get("sec-websocket-protocol")?.to_str().ok()?;
    HeaderValue::from_str(offered.split(',').next()?.trim()).ok()
}

async fn serve(path: &str, socket: &mut WebSocketStream<tokio::net::TcpStream>) -> Result<(), Error> {
    match path {
        "/deaf" => std::future::pending::<()>().await,
        "/flood" => loop {
            socket.send(Message::binary(vec![7; 64 * 1024])).await?;
        },
        _ => {}
    }
    while let Some(message) = socket.next().await {
        let message = message?;
        match path {
            "/leave" => socket.close(Some(CloseFrame { code: CloseCode::from(4001), reason: "done".into() })).await?,
            "/die" => {
                socket.get_ref().set_zero_linger()?;
                return Ok(());
            }
            _ if message.is_text() || message.is_binary() => socket.send(message).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Opens a WebSocket at this address with these header lines added.
///
/// # Errors
/// What the library says of an answer that does not open one.
pub fn try_open(address: SocketAddr, path: &str, lines: &[(&str, &str)]) -> Result<(Socket, Handshake), Box<Error>> {
    let mut request = format!("ws://gateway.test{path}").into_client_request().map_err(Box::new)?;
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        request.headers_mut().append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    let stream = TcpStream::connect(address).map_err(|error| Box::new(error.into()))?;
    let set_up = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(SILENCE)));
    set_up.and_then(|()| stream.set_write_timeout(Some(SILENCE))).expect("a socket that can be set up");
    client(request, Patient(stream)).map_err(|failure| match failure {
        tokio_tungstenite::tungstenite::HandshakeError::Failure(error) => Box::new(error),
        tokio_tungstenite::tungstenite::HandshakeError::Interrupted(_) => {
            Box::new(Error::Io(std::io::ErrorKind::TimedOut.into()))
        }
    })
}

/// How long closing this socket waits for the other side; at once with zero, and then it is a reset.
///
/// # Panics
/// When the system refuses.
pub fn linger(socket: &Socket, limit: Option<Duration>) {
    socket2::SockRef::from(&socket.get_ref().0).set_linger(limit).expect("a socket of ours");
}

/// Opens a WebSocket at this address.
///
/// # Panics
/// When the answer does not open one.
#[track_caller]
pub fn open(address: SocketAddr, path: &str) -> Socket {
    try_open(address, path, &[]).unwrap_or_else(|error| panic!("no WebSocket: {error}")).0
}
