//! A client that goes away takes the work for it along.

use std::sync::Arc;

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use towergate_http1::server::{Config, Connection};

use crate::harness::*;

/// Tells when it is dropped.
struct Work(Arc<Notify>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn dropped(work: &Notify) {
    tokio::time::timeout(SOON, work.notified()).await.expect("the work is dropped");
}

/// A client of a service that never answers; what tells that the work has begun, and that it is dropped.
fn connect_to_work() -> (Client, Arc<Notify>, Arc<Notify>) {
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, ends) = (begun.clone(), ended.clone());
    let client = connect(move |_| {
        begins.notify_one();
        let work = Work(ends.clone());
        async move {
            std::future::pending::<()>().await;
            drop(work);
            status(200)
        }
    });
    (client, begun, ended)
}

#[tokio::test]
async fn a_request_is_dropped_with_its_client() {
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi",
        "GET / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n",
    ] {
        let (mut client, begun, ended) = connect_to_work();
        client.send(request).await;
        begun.notified().await;
        drop(client.stream);
        dropped(&ended).await;
        assert!(client.connection.await.unwrap().is_ok(), "it is no fault of ours");
    }
}

/// As in nginx, who also takes a client for gone that has nothing more to say.
#[tokio::test]
async fn a_client_that_closes_its_half_has_gone() {
    let (mut client, begun, ended) = connect_to_work();
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    begun.notified().await;
    client.stream.shutdown().await.unwrap();
    dropped(&ended).await;
}

#[tokio::test]
async fn a_response_is_dropped_with_its_client() {
    let (sender, answer) = channel();
    let mut answer = Some(answer);
    let mut client = connect(move |_| std::future::ready(answer.take().unwrap()));
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    drop(client.stream);
    tokio::time::timeout(SOON, sender.closed()).await.expect("the body is dropped");
}

#[tokio::test]
async fn a_reset_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let (sender, answer) = channel();
    let mut answer = Some(answer);
    let service = Closure::new(move |_| std::future::ready(answer.take().unwrap()));
    let mut client = Client { stream, connection: tokio::spawn(Connection::new(server, service, Config::default())) };
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    client.stream.set_zero_linger().unwrap();
    drop(client.stream);
    tokio::time::timeout(SOON, sender.closed()).await.expect("the body is dropped");
}

#[tokio::test]
async fn what_comes_early_is_bounded_and_waits() {
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let mut client = connect(move |asked: Asked| {
        let released = released.clone();
        async move {
            let path = asked.unwrap().uri().path().to_owned();
            if path == "/first" {
                released.notified().await;
            }
            text(path)
        }
    });
    client.send("GET /first HTTP/1.1\r\n\r\n").await;
    let many = "GET /next HTTP/1.1\r\n\r\n".repeat(100_000);
    let sending = tokio::time::timeout(std::time::Duration::from_millis(200), client.stream.write_all(many.as_bytes()));
    assert!(sending.await.is_err(), "nobody reads all of it");
    release.notify_one();
    client.until("/first").await;
    client.until("/next").await;
}

#[tokio::test]
async fn a_client_may_leave_between_requests_and_within_a_head() {
    for begun in ["", "GE", "GET / HTTP/1.1\r\nHo"] {
        let mut client = connect(|_| async { status(200) });
        client.send("GET / HTTP/1.1\r\n\r\n").await;
        client.until("\r\n\r\n").await;
        client.send(begun).await;
        assert!(client.ended().await.is_ok());
    }
}
