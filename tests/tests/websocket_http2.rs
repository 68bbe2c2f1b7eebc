//! WebSockets over HTTP/2 (RFC 8441): extended CONNECT on one side, HTTP/1.1 on the other.

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::WebSocketStream;
use towergate_tests::sockets::Sockets;
use towergate_tests::tungstenite::protocol::{CloseFrame, Message, Role, frame::coding::CloseCode};
use towergate_tests::{Gateway, Reply, SOON, Script, Upstream, eventually, proxying, proxying_to};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// An HTTP/2 connection of a real client.
#[derive(Clone)]
struct Client(SendRequest<Empty<Bytes>>);

impl Client {
    /// Connects, and has heard what the gateway is able to do.
    async fn open(gateway: &Gateway) -> Self {
        let stream = tokio::net::TcpStream::connect(gateway.proxy()).await.unwrap();
        let (mut send, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        // The answer comes after the gateway's settings.
        let hello = Request::get("http://gateway.test/hello").version(Version::HTTP_2).body(Empty::new()).unwrap();
        let answer = send.send_request(hello).await.unwrap();
        let _ = answer.into_body().collect().await;
        Self(send)
    }

    /// Asks for a WebSocket.
    async fn ask(&mut self, path: &str, lines: &[(&str, &str)]) -> Response<Incoming> {
        self.connect("websocket", path, lines).await.unwrap()
    }

    async fn connect(
        &mut self,
        protocol: &'static str,
        path: &str,
        lines: &[(&str, &str)],
    ) -> Result<Response<Incoming>, hyper::Error> {
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://gateway.test{path}"))
            .version(Version::HTTP_2)
            .extension(Protocol::from_static(protocol))
            .header("sec-websocket-version", "13");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        self.0.send_request(request.body(Empty::new()).unwrap()).await
    }

    /// Opens one.
    async fn socket(&mut self, path: &str) -> Socket {
        socket(self.ask(path, &[]).await).await
    }
}

async fn socket(answer: Response<Incoming>) -> Socket {
    assert_eq!(answer.status(), StatusCode::OK);
    let stream = hyper::upgrade::on(answer).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Client, None).await
}

/// A gateway that takes HTTP/2, with this document.
fn serving(document: &str) -> Gateway {
    Gateway::with(document).with_http2().start()
}

fn in_front_of(sockets: &Sockets) -> Gateway {
    serving(&proxying_to(&sockets.url(), &["retries: 0"]))
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it comes soon")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_socket_opens_and_messages_pass() {
    let sockets = Sockets::start();
    let gateway = in_front_of(&sockets);
    let mut client = Client::open(&gateway).await;
    let lines = [("sec-websocket-protocol", "chat.v2, chat.v1"), ("origin", "https://example.com"), ("cookie", "a=1")];
    let answer = client.ask("/echo", &lines).await;
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat.v2");
    for name in ["connection", "upgrade", "sec-websocket-accept", "content-length", "transfer-encoding"] {
        assert!(!answer.headers().contains_key(name), "{name}: {:?}", answer.headers());
    }
    assert!(answer.headers().contains_key("x-kong-request-id"));
    let handshake = sockets.handshakes().remove(0);
    for (name, value) in
        [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")]
    {
        assert_eq!(handshake[name], value);
    }
    for (name, value) in lines {
        assert_eq!(handshake[name], value);
    }
    assert!(!handshake.contains_key(":protocol"));
    assert_eq!(handshake["via"], format!("2 {}", towergate_tests::PRODUCT));
    let mut socket = socket(answer).await;
    for size in [0, 1, 126, 65_536, 4 << 20] {
        let message = Message::binary(vec![7; size]);
        // The echo begins while a large message is still being sent.
        let (mut sink, mut stream) = (&mut socket).split();
        let (sent, received) = soon(async { tokio::join!(sink.send(message.clone()), stream.next()) }).await;
        sent.unwrap();
        assert!(received.unwrap().unwrap() == message, "{size} bytes");
    }
    socket.send(Message::Ping("ping".into())).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::Pong("ping".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_ends_from_either_side() {
    let sockets = Sockets::start();
    let gateway = in_front_of(&sockets);
    let mut client = Client::open(&gateway).await;
    let mut socket = client.socket("/echo").await;
    let goodbye = CloseFrame { code: CloseCode::Library(4000), reason: "enough".into() };
    socket.close(Some(goodbye.clone())).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::Close(Some(goodbye)));
    assert!(soon(socket.next()).await.is_none());
    let mut socket = client.socket("/leave").await;
    socket.send(Message::text("hello")).await.unwrap();
    let goodbye = CloseFrame { code: CloseCode::Library(4001), reason: "done".into() };
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::Close(Some(goodbye)));
    assert!(soon(socket.next()).await.is_none());
    let mut socket = client.socket("/die").await;
    socket.send(Message::text("hello")).await.unwrap();
    assert!(soon(socket.next()).await.unwrap().is_err());
    // The client's stream is reset, or its whole connection breaks.
    let dropped = client.socket("/echo").await;
    eventually(SOON, || sockets.open() == 1);
    drop(dropped);
    eventually(SOON, || sockets.open() == 0);
    let _open = client.socket("/echo").await;
    eventually(SOON, || sockets.open() == 1);
    drop((client, _open));
    eventually(SOON, || sockets.open() == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_sockets_share_a_connection_with_requests() {
    let sockets = Sockets::start();
    let upstream = Upstream::echo();
    let document = format!(
        "{}- name: plain\n  url: {}\n  routes:\n  - paths: [/plain]\n",
        proxying_to(&sockets.url(), &[]),
        upstream.url()
    );
    let gateway = serving(&document);
    let client = Client::open(&gateway).await;
    let talks = (0..50).map(|number| {
        let mut client = client.clone();
        tokio::spawn(async move {
            let mut socket = client.socket("/echo").await;
            for message in 0..20 {
                let text = format!("{number}/{message}");
                socket.send(Message::text(&text)).await.unwrap();
                assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(&text));
                if message % 5 == 0 {
                    let request = Request::get("http://gateway.test/plain").body(Empty::new()).unwrap();
                    let answer = client.0.send_request(request).await.unwrap();
                    assert_eq!(answer.status(), StatusCode::OK);
                    answer.into_body().collect().await.unwrap();
                }
            }
            socket.close(None).await.unwrap();
        })
    });
    for talk in talks.collect::<Vec<_>>() {
        soon(talk).await.unwrap();
    }
    eventually(SOON, || sockets.open() == 0);
}

// --- answers that open nothing -------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn plugins_guard_it_and_a_missing_route_is_404() {
    let sockets = Sockets::start();
    let document = proxying_to(&sockets.url(), &[]).replace("paths: [\"/\"]", "paths: [\"/echo\"]")
        + "plugins: [{name: key-auth}]\n\
           consumers: [{username: alice, keyauth_credentials: [{key: secret}]}]\n";
    let gateway = serving(&document);
    let mut client = Client::open(&gateway).await;
    assert_eq!(client.ask("/echo", &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(client.ask("/nowhere", &[("apikey", "secret")]).await.status(), StatusCode::NOT_FOUND);
    assert!(sockets.handshakes().is_empty());
    let mut socket = socket(client.ask("/echo", &[("apikey", "secret")]).await).await;
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
    assert_eq!(sockets.handshakes()[0]["x-consumer-username"], "alice");
}

/// It is routed by what a GET of the same path would be routed by.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn routes_for_get_take_it() {
    let sockets = Sockets::start();
    for (methods, status) in [("[GET]", 200), ("[POST]", 404), ("[CONNECT]", 404)] {
        let document = format!("{}    methods: {methods}\n", proxying_to(&sockets.url(), &[]));
        let gateway = serving(&document);
        let mut client = Client::open(&gateway).await;
        assert_eq!(client.ask("/echo", &[]).await.status(), status, "{methods}");
    }
}

/// In HTTP/2 any 2xx to a CONNECT opens a tunnel: nothing but a true switch of the upstream may become one.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_other_success_of_the_upstream_is_passed_on() {
    let wrong = Reply::new(101).head_only().header("Upgrade", "websocket").header("Connection", "Upgrade");
    for (reply, status) in [
        (Reply::ok("welcome"), 502),
        (Reply::new(204), 502),
        (wrong.clone(), 502),
        (wrong.header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), 502),
        (Reply::new(403).body("no"), 403),
        (Reply::new(302).header("Location", "/elsewhere"), 302),
        (Reply::new(426).header("Upgrade", "websocket").header("Connection", "Upgrade"), 426),
    ] {
        let script = Script::from(reply.clone());
        let upstream =
            Upstream::answering(move |request| if request.path == "/hello" { Script::echo() } else { script.clone() });
        let gateway = serving(&proxying(&upstream));
        let mut client = Client::open(&gateway).await;
        let answer = client.ask("/ws", &[]).await;
        assert_eq!(answer.status(), status, "{reply:?}");
        for name in ["upgrade", "connection", "sec-websocket-accept"] {
            assert!(!answer.headers().contains_key(name), "{name}: {reply:?}");
        }
        let body = soon(answer.into_body().collect()).await.unwrap().to_bytes();
        assert!(!body.starts_with(b"welcome"));
        // The connection goes on.
        assert_eq!(client.ask("/ws", &[]).await.status(), status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_tunnels_are_not_taken() {
    let upstream = Upstream::echo();
    let gateway = serving(&proxying(&upstream));
    let mut client = Client::open(&gateway).await;
    for protocol in ["connect-udp", "connect-ip", "h2c", "websockets"] {
        let answer = client.connect(protocol, "/ws", &[]).await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{protocol}");
    }
    assert_eq!(upstream.count(), 1, "only the greeting");
}

// --- how long it stays ---------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_silent_socket_ends_with_the_services_timeout_and_the_connection_stays() {
    let sockets = Sockets::start();
    let gateway = serving(&proxying_to(&sockets.url(), &["read_timeout: 1000", "write_timeout: 1000"]));
    let mut client = Client::open(&gateway).await;
    let mut busy = client.socket("/echo").await;
    let mut silent = client.socket("/echo").await;
    let begin = Instant::now();
    // Longer than the timeout, and until the silent one is gone.
    while begin.elapsed() < Duration::from_millis(2500) || sockets.open() > 1 {
        assert!(begin.elapsed() < SOON, "the silent one is still there");
        busy.send(Message::text("tick")).await.unwrap();
        assert_eq!(soon(busy.next()).await.unwrap().unwrap(), Message::text("tick"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(soon(silent.next()).await.is_none_or(|end| end.is_err()));
    assert_eq!(sockets.open(), 1);
    let mut next = client.socket("/echo").await;
    next.send(Message::text("again")).await.unwrap();
    assert_eq!(soon(next.next()).await.unwrap().unwrap(), Message::text("again"));
}

/// An open socket is no idle connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_socket_outlives_the_keep_alive_timeout() {
    let sockets = Sockets::start();
    let gateway = Gateway::with(&proxying_to(&sockets.url(), &[]))
        .with_http2()
        .setting("nginx_http_keepalive_timeout", "1s")
        .start();
    let mut client = Client::open(&gateway).await;
    let mut socket = client.socket("/echo").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    socket.send(Message::text("still there?")).await.unwrap();
    assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("still there?"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_open_socket_holds_sigterm_until_it_is_closed() {
    let sockets = Sockets::start();
    let mut gateway = in_front_of(&sockets);
    let mut client = Client::open(&gateway).await;
    let mut socket = client.socket("/echo").await;
    gateway.signal("TERM");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        socket.send(Message::text("still there?")).await.unwrap();
        assert_eq!(soon(socket.next()).await.unwrap().unwrap(), Message::text("still there?"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(gateway.is_running());
    socket.close(None).await.unwrap();
    while soon(socket.next()).await.is_some_and(|message| message.is_ok()) {}
    drop((socket, client));
    let exit = gateway.end();
    assert_eq!(exit.status.code(), Some(0), "{}", gateway.log());
    assert!(begin.elapsed() < Duration::from_secs(8), "it does not wait for longer than it must");
    assert!(!gateway.log().contains("cut off"), "{}", gateway.log());
}
