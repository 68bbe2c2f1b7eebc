//! How long a server may take.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full};
use towergate_http1::client::{ErrorKind, Length, Timeouts};

use crate::support::{ask, feed, pair, read, upload, within};

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(60);

fn reading(read: Duration) -> Timeouts {
    Timeouts { read, write: LONG }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let (connection, mut peer) = pair().await;
    let started = Instant::now();
    let error = ask(connection, &Method::GET, reading(SHORT)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::ReadTimeout(SHORT), false));
    assert!(started.elapsed() >= SHORT);
    peer.until("\r\n\r\n").await;
    peer.closed().await;
}

#[tokio::test]
async fn each_wait_counts_from_the_last_bytes() {
    let (connection, mut peer) = pair().await;
    // All pieces together take longer than the timeout, each one far less.
    let sending = tokio::spawn(async move {
        for piece in ["HTTP/1.1 200 OK\r\n", "Content-", "Length: 3", "\r\n\r\n", "o", "k"] {
            tokio::time::sleep(SHORT * 2).await;
            peer.send(piece).await;
        }
        peer
    });
    let mut body = ask(connection, &Method::GET, reading(SHORT * 10)).await.unwrap().into_body();
    for piece in ["o", "k"] {
        assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    let stopped = Instant::now();
    let error = within(body.frame()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadTimeout(SHORT * 10));
    assert!(stopped.elapsed() >= SHORT * 5);
    sending.await.unwrap().closed().await;
}

#[tokio::test]
async fn the_next_request_has_a_limit_of_its_own() {
    let (mut connection, mut peer) = pair().await;
    // Longer, shorter, longer: the timer that is kept must serve each.
    for limit in [LONG, SHORT * 20, LONG, SHORT] {
        let asked = tokio::spawn(async move { ask(connection, &Method::GET, reading(limit)).await });
        peer.until("\r\n\r\n").await;
        if limit == SHORT {
            assert_eq!(asked.await.unwrap().unwrap_err().kind(), ErrorKind::ReadTimeout(SHORT));
            return;
        }
        tokio::time::sleep(SHORT).await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let mut body = asked.await.unwrap().unwrap().into_body();
        read(&mut body).await.unwrap();
        connection = body.reclaim().unwrap();
    }
}

#[tokio::test]
async fn the_server_owes_nothing_before_it_has_the_request() {
    let (connection, mut peer) = pair().await;
    let (sender, body) = upload();
    let request = connection.request(&Method::PUT, &["/"]);
    let timeouts = Timeouts { read: SHORT, write: SHORT };
    let asked = tokio::spawn(within(request.send(Length::Known(4), body, timeouts)));
    peer.until("\r\n\r\n").await;
    tokio::time::sleep(SHORT * 3).await;
    feed(&sender, "late").await;
    peer.until("late").await;
    peer.send("HTTP/1.1 204 No\r\n\r\n").await;
    assert_eq!(asked.await.unwrap().unwrap().status(), 204);
}

#[tokio::test]
async fn a_server_that_takes_nothing_is_given_up() {
    let (connection, _peer) = pair().await;
    let size = 64 << 20;
    let body = Full::new(Bytes::from(vec![b'x'; size]));
    let timeouts = Timeouts { read: SHORT, write: SHORT * 2 };
    let started = Instant::now();
    let request = connection.request(&Method::PUT, &["/"]);
    let error = within(request.send(Length::Known(size as u64), body, timeouts)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::WriteTimeout(SHORT * 2), false));
    assert!(started.elapsed() >= SHORT * 2);
}

#[tokio::test]
async fn times_without_end_never_pass() {
    let (connection, mut peer) = pair().await;
    let timeouts = Timeouts { read: Duration::MAX, write: Duration::MAX };
    let asked = tokio::spawn(ask(connection, &Method::GET, timeouts));
    peer.until("\r\n\r\n").await;
    peer.send("HTTP/1.1 204 No\r\n\r\n").await;
    assert_eq!(asked.await.unwrap().unwrap().status(), 204);
}
