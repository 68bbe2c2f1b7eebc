//! Bodies of requests: pulled from the socket, or left alone.

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use towergate_http1::server::{Body, BodyError, Config, Connection};

use crate::harness::*;

#[tokio::test]
async fn a_body_is_read_as_it_comes() {
    for head in ["Content-Length: 11", "Transfer-Encoding: chunked"] {
        let (sender, mut frames) = tokio::sync::mpsc::unbounded_channel();
        let mut client = connect(move |asked: Asked| {
            let sender = sender.clone();
            async move {
                let mut body = asked.unwrap().into_body();
                while let Some(frame) = body.frame().await {
                    sender.send(frame.unwrap().into_data().unwrap()).unwrap();
                }
                text("done")
            }
        });
        client.send(format!("POST / HTTP/1.1\r\n{head}\r\n\r\n")).await;
        let coded = head.starts_with('T');
        for part in ["hello ", "world"] {
            let chunk = if coded { format!("{:x}\r\n{part}\r\n", part.len()) } else { part.to_owned() };
            client.send(chunk).await;
            assert_eq!(frames.recv().await.unwrap(), part);
        }
        client.send(if coded { "0\r\n\r\n" } else { "" }).await;
        client.until("done").await;
    }
}

#[tokio::test]
async fn lengths_are_known_and_trailers_are_read() {
    use http_body::Body as _;
    let mut client = connect(|asked: Asked| async move {
        let body = asked.unwrap().into_body();
        let (is_end, exact) = (body.is_end_stream(), body.size_hint().exact());
        let all = body.collect().await.unwrap();
        let trailer = all.trailers().map(|trailers| format!("{:?}", trailers["x-sum"]));
        text(format!("{is_end} {exact:?} {} {trailer:?};", all.to_bytes().len()))
    });
    let coded = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    for (rest, expected) in [
        ("\r\n", "true Some(0) 0 None;"),
        ("Content-Length: 0\r\n\r\n", "true Some(0) 0 None;"),
        ("Content-Length: 3\r\n\r\nabc", "false Some(3) 3 None;"),
        (coded, "false None 3 Some(\"\\\"1\\\"\");"),
    ] {
        client.send(format!("POST / HTTP/1.1\r\n{rest}")).await;
        assert!(client.until(";").await.ends_with(expected), "{rest:?}");
    }
}

#[tokio::test]
async fn a_client_that_waits_is_told_to_continue_when_its_body_is_read() {
    let mut client = connect(|asked: Asked| async move {
        let body = asked.unwrap().into_body().collect().await.unwrap().to_bytes();
        text(body)
    });
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
        assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("hello").await;
        assert_eq!(client.until("hello").await, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    }
    client.send("POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhe").await;
    client.send("llo").await;
    assert!(client.until("hello").await.starts_with("HTTP/1.1 200"), "who has begun does not wait");
}

#[tokio::test]
async fn a_client_that_waits_for_nothing_gets_the_answer_and_the_end() {
    let mut client = connect(|_| async { status(403) });
    client.send("POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(client.until("\r\n\r\n").await, answer);
    client.assert_end().await;
}

#[tokio::test]
async fn a_small_body_that_nobody_reads_is_passed_over() {
    let mut client = connect(|asked: Asked| async move { text(asked.unwrap().uri().path().to_owned()) });
    for body in ["Content-Length: 60000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nea60\r\n"] {
        let end = if body.starts_with('T') { "\r\n0\r\n\r\n" } else { "" };
        client.send(format!("POST /a HTTP/1.1\r\n{body}{}{end}GET /b HTTP/1.1\r\n\r\n", "x".repeat(60_000))).await;
        assert!(!client.until("/a").await.contains("close"));
        client.until("/b").await;
    }
}

#[tokio::test]
async fn a_large_body_that_nobody_reads_ends_the_connection() {
    let mut client = connect(|_| async { status(413) });
    client.send("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n").await;
    assert!(client.until("\r\n\r\n").await.contains("\r\nConnection: close\r\n"));
    client.assert_end().await;
    let mut unknown = connect(|_| async { status(413) });
    unknown.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert!(!unknown.until("\r\n\r\n").await.contains("close"), "it may be short");
    unknown.send(format!("186a0\r\n{}\r\n", "x".repeat(100_000))).await;
    unknown.assert_end().await;
}

#[tokio::test]
async fn a_client_that_goes_on_sending_sees_the_answer_not_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let service = Closure::new(|_| async { status(413) });
    let config = Config { linger: SOON, ..Config::default() };
    let mut client = Client { stream, connection: tokio::spawn(Connection::new(server, service, config)) };
    client.send(format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", 64 << 20)).await;
    for _ in 0..64 {
        client.send(vec![b'x'; 1 << 20]).await;
    }
    assert!(client.rest().await.starts_with("HTTP/1.1 413 "));
    assert!(client.ended().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_waited_for_for_ever() {
    let mut client = connect_with(Config::default(), |_| async { status(413) });
    client.send("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    let began = tokio::time::Instant::now();
    client.connection.await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
}

/// What reading a body of this request comes to.
async fn fault(request: &str) -> BodyError {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let mut client = connect(move |asked: Asked| {
        let sender = sender.take().unwrap();
        async move {
            sender.send(asked.unwrap().into_body().collect().await.unwrap_err()).unwrap();
            status(400)
        }
    });
    client.send(request).await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
    let fault = receiver.await.unwrap();
    let rest = client.rest().await;
    assert!(rest.starts_with("HTTP/1.1 400 Bad Request\r\n") && rest.contains("Connection: close"), "{rest:?}");
    fault
}

#[tokio::test]
async fn a_body_that_is_none_is_an_error_and_the_end() {
    let post = |rest: &str| format!("POST / HTTP/1.1\r\n{rest}");
    let coded = |chunks: &str| post(&format!("Transfer-Encoding: chunked\r\n\r\n{chunks}"));
    for chunks in
        ["zz\r\n", "5\r\nhelloXX", "-1\r\n", "5\nhello\n0\n\n", "0\r\nX A: b\r\n\r\n", "fffffffffffffffff\r\n"]
    {
        assert_eq!(fault(&coded(chunks)).await, BodyError::Malformed, "{chunks:?}");
    }
    assert_eq!(fault(&coded("5\r\nhel")).await, BodyError::Incomplete);
    assert_eq!(fault(&coded("5\r\nhello\r\n")).await, BodyError::Incomplete);
    assert_eq!(fault(&post("Content-Length: 5\r\n\r\nhell")).await, BodyError::Incomplete);
}

#[tokio::test]
async fn a_body_may_be_read_by_another_task_until_the_response_is_complete() {
    let (sender, bodies) = oneshot::channel::<Body>();
    let mut sender = Some(sender);
    let (parts, answer) = channel();
    let mut answer = Some(answer);
    let mut client = connect(move |asked: Asked| {
        let _ = sender.take().unwrap().send(asked.unwrap().into_body());
        std::future::ready(answer.take().unwrap())
    });
    client.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello").await;
    let mut body = bodies.await.unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), Bytes::from("hello"));
    let reading = tokio::spawn(async move { body.frame().await });
    client.until("\r\n\r\n").await;
    drop(parts);
    client.until("0\r\n\r\n").await;
    let end = tokio::time::timeout(SOON, reading).await.expect("the reader is told").unwrap();
    assert_eq!(end.unwrap().unwrap_err(), BodyError::Abandoned);
}

#[tokio::test]
async fn request_and_response_may_flow_at_the_same_time() {
    let mut client = connect(|asked: Asked| async move {
        let body = asked.unwrap().into_body();
        http::Response::new(body.map_err(BoxError::from).boxed_unsync())
    });
    client.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    for _ in 0..3 {
        client.send("2\r\nhi\r\n").await;
        assert_eq!(client.until("hi\r\n").await, "2\r\nhi\r\n");
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.until("\r\n\r\n").await, "0\r\n\r\n");
    client.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nho").await;
    client.until("ho").await;
}
