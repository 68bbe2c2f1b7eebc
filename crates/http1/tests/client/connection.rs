//! A connection from request to request.

use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use towergate_http1::client::{Connection, ErrorKind};

use crate::support::{get, pair, read, within};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn it_serves_one_request_after_the_other() {
    let (mut connection, mut peer) = pair().await;
    for served in 0..4 {
        assert_eq!(connection.served(), served);
        assert!(connection.is_open());
        let asked = tokio::spawn(get(connection));
        assert_eq!(peer.until("\r\n\r\n").await, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        peer.send(OK).await;
        let mut body = asked.await.unwrap().unwrap().into_body();
        assert!(body.reclaim().is_none(), "not before its end");
        assert_eq!(read(&mut body).await.unwrap().0, "ok");
        connection = body.reclaim().unwrap();
        assert!(body.reclaim().is_none(), "only once");
    }
}

#[tokio::test]
async fn its_memory_can_go_to_another() {
    let (connection, mut idle_peer) = pair().await;
    idle_peer.send(OK).await;
    let (first, connection) = get(connection).await.unwrap().into_body().complete().unwrap();
    let mut idle = connection.unwrap();
    let buffers = idle.take_buffers();
    assert!(buffers.size() > 0);
    assert_eq!(idle.take_buffers().size(), 0);

    let (mut connection, mut peer) = pair().await;
    connection.give_buffers(buffers);
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await;
    let (second, _) = get(connection).await.unwrap().into_body().complete().unwrap();
    assert_eq!((&first[..], &second[..]), (&b"ok"[..], &b"no"[..]), "what was given out before stays");
    idle_peer.send(OK).await;
    assert_eq!(read(&mut get(idle).await.unwrap().into_body()).await.unwrap().0, "ok", "it works without");
}

#[tokio::test]
async fn what_happens_while_it_is_idle_makes_it_unusable() {
    for unasked in [OK, "\r\n", ""] {
        let (connection, mut peer) = pair().await;
        peer.send(OK).await;
        let mut body = get(connection).await.unwrap().into_body();
        read(&mut body).await.unwrap();
        let mut connection = body.reclaim().unwrap();
        assert!(connection.is_open());
        if unasked.is_empty() {
            drop(peer);
        } else {
            peer.send(unasked).await;
        }
        within(async {
            while connection.is_open() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn errors_tell_whether_anything_was_sent_or_heard() {
    // Reset before anything could be written.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    peer.set_zero_linger().unwrap();
    drop(peer);
    within(stream.readable()).await.unwrap();
    let error = get(Connection::new(stream)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent(), error.is_heard()), (ErrorKind::Closed, true, false), "{error}");

    for (sent, heard) in [("", false), ("HTTP/1.1 200", true)] {
        let (connection, mut peer) = pair().await;
        let asked = tokio::spawn(get(connection));
        peer.until("\r\n\r\n").await;
        peer.send(sent).await;
        drop(peer);
        let error = asked.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.is_unsent(), error.is_heard()), (ErrorKind::Closed, false, heard));
    }
}

#[tokio::test]
async fn what_is_given_up_closes_it() {
    // While the response is awaited ...
    let (connection, mut peer) = pair().await;
    let asked = tokio::spawn(get(connection));
    peer.until("\r\n\r\n").await;
    asked.abort();
    peer.closed().await;
    // ... while its body is read ...
    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345").await;
    let mut body = get(connection).await.unwrap().into_body();
    within(body.frame()).await.unwrap().unwrap();
    drop(body);
    peer.closed().await;
    // ... and after an error, whoever holds the body.
    let (connection, mut peer) = pair().await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx").await;
    let mut body = get(connection).await.unwrap().into_body();
    assert!(within(body.frame()).await.unwrap().is_err());
    peer.closed().await;
    assert!(within(body.frame()).await.is_none());
}

#[tokio::test]
async fn a_reset_is_not_the_end_of_a_body() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"] {
        let (connection, mut peer) = pair().await;
        peer.send(head).await;
        peer.send("12345").await;
        let mut body = get(connection).await.unwrap().into_body();
        assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "12345");
        peer.until("\r\n\r\n").await;
        peer.stream.set_zero_linger().unwrap();
        drop(peer);
        assert_eq!(within(body.frame()).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn pieces_of_any_size_make_the_same_response() {
    let sent = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n";
    for step in 1..=sent.len() {
        let (io, mut peer) = tokio::io::duplex(step);
        let serving = async move {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                peer.read_buf(&mut asked).await.unwrap();
            }
            peer.write_all(sent.as_bytes()).await.unwrap();
            peer
        };
        let asking = async {
            let mut body = get(Connection::new(io)).await.unwrap().into_body();
            (read(&mut body).await.unwrap().0, body.reclaim().is_some())
        };
        let (got, _peer) = within(async { tokio::join!(asking, serving) }).await;
        assert_eq!(got, ("hello world".into(), true), "{step}");
    }
}
