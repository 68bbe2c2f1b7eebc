//! The same server, asked by hyper's client and by ours.

use std::pin::pin;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use towergate_http1::client::{Connection, Length, Timeouts};

use crate::support::within;

/// What a server says, and where we are stricter than hyper about it.
#[derive(Debug, Clone)]
struct Script {
    method: Method,
    bytes: Vec<u8>,
    /// The pieces in which it is written.
    step: usize,
    stricter: bool,
}

/// What a client makes of it.
#[derive(Debug, PartialEq)]
enum Seen {
    Refused,
    Response { status: u16, headers: HeaderMap, body: Vec<u8>, trailers: Option<HeaderMap>, broken: bool },
}

async fn seen<B: HttpBody<Data = Bytes> + Unpin, E>(response: Result<Response<B>, E>) -> Seen {
    let Ok(response) = response else { return Seen::Refused };
    let (head, mut stream) = response.into_parts();
    let (mut body, mut trailers, mut broken) = (Vec::new(), None, false);
    while let Some(frame) = stream.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) => body.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    Seen::Response { status: head.status.as_u16(), headers: head.headers, body, trailers, broken }
}

async fn serve(mut peer: DuplexStream, script: &Script) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") && peer.read_buf(&mut asked).await.is_ok_and(|count| count > 0) {}
    for piece in script.bytes.chunks(script.step) {
        if peer.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    let _ = peer.shutdown().await;
}

async fn by_ours(script: &Script) -> Seen {
    let (io, peer) = duplex(64 * 1024);
    let asking = async {
        let request = Connection::new(io).request(&script.method, &["/"]);
        seen(request.send(Length::None, Empty::<Bytes>::new(), Timeouts::default()).await).await
    };
    tokio::join!(asking, serve(peer, script)).0
}

async fn by_hyper(script: &Script) -> Seen {
    let (io, peer) = duplex(64 * 1024);
    let mut builder = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) = builder.max_headers(200).handshake(TokioIo::new(io)).await.unwrap();
    let asking = async {
        let request = Request::builder().method(script.method.clone()).uri("/").body(Empty::<Bytes>::new()).unwrap();
        let seen = seen(sender.send_request(request).await).await;
        drop(sender);
        seen
    };
    let driving = async {
        let _ = pin!(connection).await;
    };
    tokio::join!(asking, driving, serve(peer, script)).0
}

/// Lines that say where the body ends, and whether only we refuse them.
fn framing() -> impl Strategy<Value = (&'static str, bool)> {
    let usual = prop::sample::select(vec![
        "",
        "Content-Length: 5\r\n",
        "content-length:5\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding:\tChunked \r\n",
    ]);
    let odd = prop::sample::select(vec![
        ("Content-Length: 5\r\nContent-Length: 5\r\n", false),
        ("Content-Length: 5, 5\r\n", false),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", false),
        ("Content-Length: +5\r\n", false),
        ("Content-Length: 5x\r\n", false),
        ("Content-Length: \r\n", false),
        ("Content-Length: 18446744073709551616\r\n", false),
        // A coding that is not undone here is passed on by hyper, and the end left to the connection.
        ("Transfer-Encoding: gzip\r\n", true),
        ("Transfer-Encoding: identity\r\n", true),
        ("Transfer-Encoding: gzip, chunked\r\n", true),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", true),
        ("Transfer-Encoding: chunked, \r\n", true),
        // hyper lets the coding count.
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", true),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", true),
    ]);
    prop_oneof![3 => usual.prop_map(|lines| (lines, false)), 2 => odd]
}

/// Bodies of all kinds, whether or not they fit their framing, and whether only we refuse them.
fn body() -> impl Strategy<Value = (String, bool)> {
    let plain = prop::sample::select(vec!["", "he", "hello", "hello world"]).prop_map(str::to_owned);
    let ends = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", "\r", "", " \r\n", ";a=b\r\n", ";\"q;\"\r\n"]);
    let sizes = prop::sample::select(vec!["5", "05", "5", "5", "5", "+5", "0x5", "", "5 5", "ffffffffffffffff1"]);
    let chunk = (sizes, ends, prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\r\n", "\n", "X\r\n"]));
    let last = prop::sample::select(vec![
        ("0\r\n\r\n", false),
        ("0\r\nX-Sum: 7\r\n\r\n", false),
        ("0\r\nX-Sum: 7\r\nx-b:\r\n\r\nmore", false),
        ("000\r\n\r\n", false),
        ("0\r\n", false),
        ("", false),
        ("0\r\nX Sum: 7\r\n\r\n", false),
        ("0;a\r\n\r\n", false),
    ]);
    let chunked = (prop::collection::vec(chunk, 0..4), last).prop_map(|(chunks, (last, stricter))| {
        let mut text: String = chunks.iter().map(|(size, end, after)| format!("{size}{end}hello{after}")).collect();
        text.push_str(last);
        (text, stricter)
    });
    prop_oneof![plain.prop_map(|text| (text, false)), chunked]
}

fn script() -> impl Strategy<Value = Script> {
    let interim =
        prop::sample::select(vec!["", "", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 X\r\nLink: a\r\n\r\n"]);
    let start = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 404 Not Found\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 Not Modified\r\n",
        "HTTP/1.1 999 \x7f\r\n",
        "HTTP/1.1 1000 X\r\n",
        "HTTP/3.1 200 OK\r\n",
        "ICY 200 OK\r\n",
    ]);
    let line = prop::sample::select(vec![
        "Server: a\r\n",
        "set-cookie: a=1\r\n",
        "Set-Cookie: b=2\r\n",
        "X-Empty:\r\n",
        "X-Pad: \t a b \t \r\n",
        "Connection: close\r\n",
        "Connection: keep-alive\r\n",
        "X-Utf: \u{e9}\r\n",
    ]);
    let odd = prop::sample::select(vec![
        "A : 1\r\n",
        " folded\r\n",
        "A\r\n",
        ": 1\r\n",
        "A: b\rc\r\n",
        "A: \0\r\n",
        "A: 1\n",
    ]);
    let lines = prop::collection::vec(prop_oneof![15 => line, 1 => odd], 0..5);
    let method = prop::sample::select(vec![Method::GET, Method::GET, Method::GET, Method::HEAD]);
    let mutation = prop_oneof![6 => Just(None), 1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(Some)];
    let step = prop_oneof![Just(usize::MAX), 1..40_usize];
    (method, interim, start, framing(), lines, body(), mutation, step).prop_map(
        |(method, interim, start, framing, lines, body, mutation, step)| {
            let text = format!("{interim}{start}{}{}\r\n{}", framing.0, lines.concat(), body.0);
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = &mutation {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Script { method, bytes, step, stricter: framing.1 || body.1 || mutation.is_some() }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, max_shrink_iters: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn both_see_the_same(script in script()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (ours, hypers) = runtime.block_on(within(async { (by_ours(&script).await, by_hyper(&script).await) }));
        let refused = matches!(ours, Seen::Refused | Seen::Response { broken: true, .. });
        if !(script.stricter && refused) {
            prop_assert_eq!(ours, hypers, "{}", String::from_utf8_lossy(&script.bytes));
        }
    }
}
