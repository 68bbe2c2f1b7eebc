//! What comes back.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use towergate_http1::{
    Spelling,
    client::{Body, ErrorKind, Length, Timeouts},
};

use crate::support::{Peer, Upload, ask, feed, get, pair, read, upload, within};

/// What a whole response is read as.
#[derive(Debug, PartialEq)]
enum Got {
    /// Status, body, and whether the connection takes another request.
    Whole(u16, &'static str, bool),
    /// The head is refused so.
    Refused(ErrorKind),
    /// The body ends so.
    Broken(ErrorKind),
}

#[tokio::test]
async fn responses_end_where_they_say() {
    use Got::{Broken, Refused, Whole};
    let get = Method::GET;
    for (method, sent, got) in [
        (&get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Whole(200, "hello", true)),
        (&get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Whole(200, "", true)),
        (&get, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", Whole(200, "ok", false)),
        (&get, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore", Whole(200, "ok", false)),
        (&get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx", Whole(200, "", false)),
        (&get, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Whole(200, "ok", false)),
        (&get, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", Whole(200, "ok", true)),
        (&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Whole(200, "ok", true)),
        (
            &get,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;a=b\r\n!\r\n0\r\nX-A: b\r\n\r\n",
            Whole(200, "ok!", true),
        ),
        (&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", Whole(200, "", false)),
        (&get, "HTTP/1.1 200 OK\r\n\r\nuntil the end", Whole(200, "until the end", false)),
        (&get, "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", Whole(200, "x", true)),
        (&get, "HTTP/1.1 204 No\r\n\r\n", Whole(204, "", true)),
        (&get, "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", Whole(304, "", true)),
        (&Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Whole(200, "", true)),
        (&Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Whole(200, "", true)),
        (
            &get,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            Whole(204, "", true),
        ),
        (&get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", Broken(ErrorKind::Closed)),
        (&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", Broken(ErrorKind::Closed)),
        (&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok!", Broken(ErrorKind::BadResponse)),
        (&get, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", Refused(ErrorKind::BadResponse)),
        (&get, "SSH-2.0-OpenSSH_9.6\r\n", Refused(ErrorKind::BadResponse)),
        (&get, "HTTP/1.1 200 OK\r\nContent-", Refused(ErrorKind::Closed)),
        (&get, "HTTP/1.1 100 Continue\r\n\r\n", Refused(ErrorKind::Closed)),
        (&get, "", Refused(ErrorKind::Closed)),
    ] {
        let (connection, mut peer) = pair().await;
        let serving = tokio::spawn(async move {
            peer.until("\r\n\r\n").await;
            peer.send(sent).await;
            peer.stream.shutdown().await.unwrap();
            peer
        });
        let answer = ask(connection, method, Timeouts::default()).await;
        let seen = match answer {
            Err(error) => {
                assert_eq!(error.is_heard(), !sent.is_empty());
                assert!(!error.is_unsent());
                Refused(error.kind())
            }
            Ok(response) => {
                let (status, mut body) = (response.status().as_u16(), response.into_body());
                match read(&mut body).await {
                    Err(error) => Broken(error.kind()),
                    Ok((text, _)) => Whole(status, text.leak(), body.reclaim().is_some()),
                }
            }
        };
        assert_eq!(seen, got, "{method} {sent:?}");
        drop(serving.await.unwrap());
    }
}

#[tokio::test]
async fn a_head_keeps_its_lines_and_their_spelling() {
    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.0 404 Gone Fishing\r\nserver: a\r\nX-A: 1\r\nSet-Cookie: b\r\nETag: \"c\"\r\nSet-Cookie: d\r\nContent-Length: 0\r\n\r\n").await;
    let response = get(connection).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (404, Version::HTTP_10));
    let lines: Vec<_> = response.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
    assert_eq!(lines, ["server: a", "x-a: 1", "set-cookie: b", "set-cookie: d", "etag: \"c\"", "content-length: 0"]);
    let spelling = response.extensions().get::<Spelling>().unwrap();
    assert_eq!(spelling.of(&http::header::SERVER), Some(&b"server"[..]));
    assert_eq!(spelling.of(&http::header::ETAG), None);

    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 0\r\n\r\n").await;
    assert!(get(connection).await.unwrap().extensions().is_empty(), "nothing unusual, nothing remembered");
}

#[tokio::test]
async fn a_body_that_came_with_its_head_is_at_hand() {
    for (sent, whole) in [
        ("Content-Length: 5\r\n\r\nhello", Some(("hello", true))),
        ("Content-Length: 5\r\n\r\nhelloX", Some(("hello", false))),
        ("Content-Length: 0\r\n\r\n", Some(("", true))),
        ("Content-Length: 5\r\n\r\nhell", None),
        ("\r\nhello", None),
    ] {
        let (connection, mut peer) = pair().await;
        peer.send(&format!("HTTP/1.1 200 OK\r\n{sent}")).await;
        let body = get(connection).await.unwrap().into_body();
        let length = body.size_hint().exact();
        match (body.complete(), whole) {
            (Ok((bytes, connection)), Some((text, free))) => {
                assert_eq!((&bytes[..], connection.is_some()), (text.as_bytes(), free))
            }
            (Err(mut body), None) => {
                assert_eq!(length, sent.starts_with("Content").then_some(5));
                peer.until("\r\n\r\n").await;
                peer.send("o").await;
                drop(peer);
                assert!(read(&mut body).await.unwrap().0.starts_with("hello"));
            }
            (Ok(_), None) | (Err(_), Some(_)) => panic!("{sent:?}"),
        }
    }
}

#[tokio::test]
async fn trailers_come_after_the_body() {
    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\nA: b\r\n\r\n")
        .await;
    let mut body = get(connection).await.unwrap().into_body();
    let (text, trailers) = read(&mut body).await.unwrap();
    assert_eq!(text, "ok");
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
    assert!(body.reclaim().is_some());
}

#[tokio::test]
async fn the_end_of_chunks_is_known_with_the_last_of_them() {
    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let mut body = get(connection).await.unwrap().into_body();
    assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "ok");
    assert!(body.is_end_stream() && body.reclaim().is_some());
}

#[tokio::test]
async fn a_response_may_come_before_the_request_is_over() {
    let (connection, mut peer) = pair().await;
    let (sender, body) = upload();
    let request = connection.request(&Method::POST, &["/"]);
    let exchange = request.send(Length::Unknown { trailers: false }, body, Timeouts::default());
    let asked = tokio::spawn(within(exchange));
    feed(&sender, "one").await;
    peer.until("one\r\n").await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nuno\r\n").await;
    let mut body = asked.await.unwrap().unwrap().into_body();
    assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "uno");
    // The rest goes out while the body is read.
    let reading = tokio::spawn(async move { (read(&mut body).await.unwrap().0, body.reclaim().is_some()) });
    feed(&sender, "two").await;
    peer.until("3\r\ntwo\r\n").await;
    peer.send("3\r\ndos\r\n").await;
    drop(sender);
    peer.until("0\r\n\r\n").await;
    peer.send("0\r\n\r\n").await;
    assert_eq!(within(reading).await.unwrap(), ("dos".into(), true));
}

/// A response that came before its request was over, the rest of which a task sends.
async fn apart(
    timeouts: Timeouts,
) -> (Arc<Mutex<Body<TcpStream, Upload>>>, tokio::task::JoinHandle<()>, crate::support::Feed, Peer) {
    let (connection, mut peer) = pair().await;
    let (sender, body) = upload();
    let request = connection.request(&Method::POST, &["/"]);
    let asked = tokio::spawn(within(request.send(Length::Unknown { trailers: false }, body, timeouts)));
    peer.until("\r\n\r\n").await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let body = asked.await.unwrap().unwrap().into_body();
    assert!(body.is_sending());
    let body = Arc::new(Mutex::new(body));
    let shared = body.clone();
    let sending = tokio::spawn(poll_fn(move |cx| shared.lock().unwrap().poll_request(cx)));
    (body, sending, sender, peer)
}

/// The next frame of a body that is shared.
async fn next(
    body: &Mutex<Body<TcpStream, Upload>>,
) -> Option<Result<http_body::Frame<Bytes>, towergate_http1::client::Error>> {
    within(poll_fn(|cx| Pin::new(&mut *body.lock().unwrap()).poll_frame(cx))).await
}

#[tokio::test]
async fn the_rest_of_a_request_can_go_out_while_nobody_reads() {
    let (body, sending, sender, mut peer) = apart(Timeouts::default()).await;
    for part in ["one", "two"] {
        feed(&sender, part).await;
        peer.until(&format!("3\r\n{part}\r\n")).await;
    }
    let reading = tokio::spawn({
        let body = body.clone();
        async move { next(&body).await.unwrap().unwrap().into_data().unwrap() }
    });
    feed(&sender, "six").await;
    peer.until("six\r\n").await;
    peer.send("3\r\nsei\r\n").await;
    assert_eq!(within(reading).await.unwrap(), "sei");
    drop(sender);
    peer.until("0\r\n\r\n").await;
    within(sending).await.unwrap();
    peer.send("0\r\n\r\n").await;
    assert!(next(&body).await.is_none());
    assert!(body.lock().unwrap().reclaim().is_some());
}

#[tokio::test]
async fn what_goes_wrong_with_it_reaches_who_reads() {
    // Its body breaks ...
    let (body, sending, sender, _peer) = apart(Timeouts::default()).await;
    let reading = tokio::spawn(async move { next(&body).await.unwrap().unwrap_err().kind() });
    within(sender.send(Err("gone".into()))).await.unwrap();
    within(sending).await.unwrap();
    assert_eq!(within(reading).await.unwrap(), ErrorKind::RequestBody);
    // ... or the server takes nothing.
    let limit = Duration::from_millis(100);
    let (body, sending, sender, _peer) = apart(Timeouts { write: limit, ..Timeouts::default() }).await;
    let reading = tokio::spawn(async move { next(&body).await.unwrap().unwrap_err().kind() });
    feed(&sender, vec![b'x'; 64 << 20]).await;
    within(sending).await.unwrap();
    assert_eq!(within(reading).await.unwrap(), ErrorKind::WriteTimeout(limit));
}

#[tokio::test]
async fn a_response_before_the_end_of_the_request_ends_the_connection() {
    let (connection, mut peer) = pair().await;
    let (sender, body) = upload();
    let request = connection.request(&Method::POST, &["/"]);
    let asked = tokio::spawn(within(request.send(Length::Known(100), body, Timeouts::default())));
    feed(&sender, "one").await;
    peer.until("one").await;
    peer.send("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno").await;
    let mut body = asked.await.unwrap().unwrap().into_body();
    assert_eq!(read(&mut body).await.unwrap().0, "no");
    assert!(body.reclaim().is_none(), "the rest would be taken for the next request");
    peer.closed().await;
    assert!(sender.is_closed(), "nobody wants the rest");
}

#[tokio::test]
async fn a_response_counts_though_the_request_was_not_taken() {
    let (connection, mut peer) = pair().await;
    let (sender, body) = upload();
    let request = connection.request(&Method::POST, &["/"]);
    let asked = tokio::spawn(within(request.send(Length::Known(64 << 20), body, Timeouts::default())));
    feed(&sender, "not read").await;
    peer.until("\r\n\r\n").await;
    // Answered and gone, while the request goes on and on: what was not read makes it a reset.
    peer.send("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno").await;
    drop(peer);
    let uploading = tokio::spawn(async move {
        while sender.send(Ok(http_body::Frame::data(Bytes::from(vec![b'x'; 64 * 1024])))).await.is_ok() {}
    });
    let response = asked.await.unwrap().unwrap();
    assert_eq!(response.status(), 413);
    drop(response);
    within(uploading).await.unwrap();
}

#[tokio::test]
async fn a_switch_of_protocols_hands_the_stream_over() {
    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nContent-Length: 9\r\n\r\nhi").await;
    let response = get(connection).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["upgrade"]), (101, &"chat".parse().unwrap()));
    let body = response.into_body();
    assert!(body.is_upgrade() && body.is_end_stream());
    let mut upgraded = body.upgrade().unwrap();
    assert_eq!(upgraded.read, "hi");
    peer.until("\r\n\r\n").await;
    upgraded.io.write_all(b"ho").await.unwrap();
    peer.until("ho").await;
    peer.send("!").await;
    let mut more = [0; 1];
    within(upgraded.io.read_exact(&mut more)).await.unwrap();
    assert_eq!(&more, b"!");

    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 200 Connected\r\n\r\nhi").await;
    let request = connection.request(&Method::CONNECT, &["a.test:443"]);
    let response = within(request.send(Length::None, Empty::<Bytes>::new(), Timeouts::default())).await.unwrap();
    assert_eq!(response.into_body().upgrade().unwrap().read, "hi");

    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 200 OK\r\n\r\nhi").await;
    assert!(get(connection).await.unwrap().into_body().upgrade().is_none());
}

#[tokio::test]
async fn interim_responses_without_end_are_no_answer() {
    let (connection, mut peer) = pair().await;
    let flooding = tokio::spawn(async move {
        let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
        while peer.stream.write_all(flood.as_bytes()).await.is_ok() {}
    });
    assert_eq!(get(connection).await.unwrap_err().kind(), ErrorKind::NoAnswer);
    within(flooding).await.unwrap();
}

#[tokio::test]
async fn a_large_body_comes_whole_in_large_pieces() {
    let size = 8 << 20;
    for head in [format!("Content-Length: {size}\r\n\r\n"), "\r\n".into()] {
        let (connection, mut peer) = pair().await;
        let sending = tokio::spawn(async move {
            peer.until("\r\n\r\n").await;
            peer.send(&format!("HTTP/1.1 200 OK\r\n{head}")).await;
            within(peer.stream.write_all(&vec![b'x'; size])).await.unwrap();
        });
        let mut body = get(connection).await.unwrap().into_body();
        let (mut total, mut largest) = (0, 0);
        while let Some(frame) = within(body.frame()).await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.iter().all(|byte| *byte == b'x'));
            (total, largest) = (total + data.len(), largest.max(data.len()));
        }
        assert_eq!(total, size);
        assert!(largest >= 64 * 1024, "{largest}");
        sending.await.unwrap();
    }
}
