//! Requests and responses, one after another.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use towergate_http1::server::{Config, Connection};

use crate::harness::*;

/// Answers with method, target and body.
async fn echo(asked: Asked) -> Answer {
    let request = asked.unwrap();
    let line = format!("{} {} ", request.method(), request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    text([line.as_bytes(), &body].concat())
}

fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

#[tokio::test]
async fn requests_come_one_after_another() {
    let mut client = connect(echo);
    for path in ["/a", "/b", "/c"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let answer = format!("GET {path} ");
        assert_eq!(client.until(&answer).await, ok(&answer));
    }
    client.send("GET /d HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(client.rest().await, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nGET /d ");
    assert!(client.ended().await.is_ok());
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_order() {
    let mut client = connect(echo);
    client
        .send(
            "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\r\nPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n\r\nGET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\nConnection: close\r\n\r\n",
        )
        .await;
    let all = client.rest().await;
    let order: Vec<_> = all.match_indices("/").map(|(at, _)| &all[at..at + 2]).filter(|path| *path != "/1").collect();
    assert_eq!(order, ["/a", "/b", "/c", "/d"]);
    assert!(all.contains("POST /a hello") && all.contains("POST /b hello"), "{all}");
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let mut client = connect(echo);
    let request = b"\r\nPOST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n";
    for _ in 0..2 {
        for byte in request {
            client.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.until("POST /a hello").await, ok("POST /a hello"));
    }
}

#[tokio::test]
async fn http_1_0_is_kept_only_if_that_is_asked_for() {
    let mut client = connect(echo);
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let kept = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\nGET /a ";
    assert_eq!(client.until("GET /a ").await, kept);
    client.send("GET /b HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.rest().await, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nGET /b ");
}

#[tokio::test]
async fn a_body_without_a_known_length_is_chunked_or_ends_with_the_connection() {
    let answer = |_: Asked| async { frames(vec![data("he"), data(""), data("llo")]) };
    let mut client = connect(answer);
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    let expected = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    assert_eq!(client.until("0\r\n\r\n").await, expected);
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    assert_eq!(client.rest().await, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
}

#[tokio::test]
async fn responses_without_a_body_have_none() {
    let mut client = connect(|asked: Asked| async move {
        let mut answer = text("hello");
        *answer.status_mut() = asked.unwrap().uri().path()[1..].parse().unwrap();
        answer
    });
    for (request, head) in [
        ("HEAD /200", "200 OK\r\nContent-Length: 5"),
        ("GET /204", "204 No Content"),
        ("GET /304", "304 Not Modified"),
        ("HEAD /404", "404 Not Found\r\nContent-Length: 5"),
    ] {
        client.send(format!("{request} HTTP/1.1\r\n\r\n")).await;
        assert_eq!(client.until("\r\n\r\n").await, format!("HTTP/1.1 {head}\r\n\r\n"), "{request}");
        client.assert_silent().await;
    }
}

#[tokio::test]
async fn trailers_go_to_clients_that_take_them() {
    let mut client = connect(|_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        trailers.insert("content-length", "7".parse().unwrap());
        frames(vec![data("hi"), Ok(Frame::trailers(trailers))])
    });
    client.send("GET / HTTP/1.1\r\nTE: trailers\r\n\r\n").await;
    assert!(client.until("\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n").await.contains("chunked"));
    client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(client.rest().await.ends_with("\r\n2\r\nhi\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn a_service_can_end_the_connection() {
    let mut client = connect(|_| async {
        let mut answer = text("bye");
        answer.headers_mut().insert("connection", "close".parse().unwrap());
        answer
    });
    client.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.until("bye").await, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbye");
    client.assert_end().await;
}

#[tokio::test]
async fn what_a_body_gives_is_sent_at_once() {
    let (sender, answer) = channel();
    let mut answer = Some(answer);
    let mut client = connect(move |_| std::future::ready(answer.take().unwrap()));
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for part in ["one", "two"] {
        sender.send(data(part)).unwrap();
        assert_eq!(client.until("\r\n").await, "3\r\n");
        assert_eq!(client.until("\r\n").await, format!("{part}\r\n"));
    }
    drop(sender);
    assert_eq!(client.until("0\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn a_body_that_breaks_off_never_looks_whole() {
    for (request, looks_whole) in [("GET / HTTP/1.1\r\n\r\n", false), ("GET / HTTP/1.0\r\n\r\n", true)] {
        let mut client = connect(|_| async { frames(vec![data("hel"), Err("upstream has gone".into())]) });
        client.send(request).await;
        let rest = client.rest().await;
        assert!(rest.contains("hel") && !rest.contains("0\r\n\r\n"), "{rest}");
        let broken = client.ended().await.unwrap_err();
        assert_eq!(broken.looks_whole(), looks_whole);
        assert!(broken.to_string().ends_with(": upstream has gone"), "{broken}");
    }
}

#[tokio::test]
async fn a_body_that_differs_from_its_length_never_looks_whole() {
    for (length, sent) in [("6", "hello"), ("4", "")] {
        let mut client = connect(move |_| async move {
            let mut answer = frames(vec![data("hello")]);
            answer.headers_mut().insert("content-length", length.parse().unwrap());
            answer
        });
        client.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.rest().await, format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{sent}"));
        assert!(client.ended().await.is_err());
    }
}

#[tokio::test]
async fn every_response_has_a_date() {
    let mut client = connect(echo);
    client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let mut all = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut client.stream, &mut all).await.unwrap();
    assert!(all.contains("\r\nDate: ") && all.contains(" GMT\r\n"), "{all}");
}

/// How long the slices of each write are.
type Writes = Arc<Mutex<Vec<Vec<usize>>>>;

/// Tells how it is written to.
struct Counted(DuplexStream, Writes);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(task, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.lock().unwrap().push(vec![bytes.len()]);
        Pin::new(&mut self.0).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.lock().unwrap().push(slices.iter().map(|slice| slice.len()).collect());
        Pin::new(&mut self.0).poll_write(task, &slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>())
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(task)
    }
}

/// How the response is written, and all of it.
async fn writes(answer: impl Fn() -> Answer + Send + 'static) -> (Vec<Vec<usize>>, String) {
    let (stream, server) = tokio::io::duplex(1 << 20);
    let writes = Writes::default();
    let service = Closure::new(move |_| std::future::ready(answer()));
    let connection = Connection::new(Counted(server, writes.clone()), service, Config::default());
    let mut client = Client { stream, connection: tokio::spawn(connection) };
    client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let all = client.rest().await;
    let writes = writes.lock().unwrap().clone();
    (writes, all)
}

#[tokio::test]
async fn a_head_and_what_is_small_leave_in_one_write() {
    let (one, all) = writes(|| text("hello")).await;
    assert_eq!(one.len(), 1, "{one:?}");
    assert!(all.ends_with("\r\n\r\nhello"));
    let (many, all) = writes(|| frames((0..50).map(|_| data("hello")).collect())).await;
    assert_eq!(many.len(), 1, "{many:?}");
    assert_eq!(all.matches("hello").count(), 50);
}

#[tokio::test]
async fn what_is_large_is_not_copied() {
    let large = |size| Bytes::from(vec![b'x'; size]);
    let (exact, all) = writes(move || text(large(100_000))).await;
    assert_eq!(exact.iter().map(Vec::len).collect::<Vec<_>>(), [3]);
    assert_eq!(exact[0][1], 100_000);
    assert_eq!(all.matches('x').count(), 100_000);
    let frame = move |size| Ok(Frame::data(large(size)));
    let (chunked, all) = writes(move || frames(vec![data("hi"), frame(20_000), frame(300_000), data("hi")])).await;
    assert_eq!(
        chunked.iter().map(|slices| slices.get(1).copied()).collect::<Vec<_>>(),
        [Some(20_000), Some(300_000), None]
    );
    assert_eq!(all.matches('x').count(), 320_000);
    assert!(all.ends_with("x\r\n2\r\nhi\r\n0\r\n\r\n"), "{}", &all[all.len() - 40..]);
}
