//! Connections that are asked to close.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
};

use tokio::sync::Notify;
use towergate_http1::server::{Config, Connection};

use crate::harness::*;

/// A client of a connection that is shut down when told.
fn connect_and_tell(service: Closure) -> (Client, Arc<Notify>) {
    let (stream, server) = tokio::io::duplex(1 << 16);
    let tell = Arc::new(Notify::new());
    let told = tell.clone();
    let connection = tokio::spawn(async move {
        let mut connection = pin!(Connection::new(server, service, Config::default()));
        let mut told = pin!(told.notified());
        let mut is_told = false;
        poll_fn(|task| {
            if !is_told && told.as_mut().poll(task).is_ready() {
                is_told = true;
                connection.as_mut().shut_down();
            }
            connection.as_mut().poll(task)
        })
        .await
    });
    (Client { stream, connection }, tell)
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let (mut client, tell) = connect_and_tell(Closure::new(|_| async { status(200) }));
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    tell.notify_one();
    assert_eq!(client.rest().await, "");
    assert!(client.ended().await.is_ok());
}

#[tokio::test]
async fn a_request_in_the_middle_of_its_head_is_answered() {
    let (mut client, tell) = connect_and_tell(Closure::new(|_| async { status(200) }));
    client.send("GET / HTTP/1.1\r\nHo").await;
    client.assert_silent().await;
    tell.notify_one();
    client.assert_silent().await;
    client.send("st: a\r\n\r\n").await;
    assert_eq!(client.rest().await, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

#[tokio::test]
async fn a_response_that_has_not_begun_says_that_it_is_the_last() {
    let (release, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (released, begins) = (release.clone(), begun.clone());
    let (mut client, tell) = connect_and_tell(Closure::new(move |_| {
        let released = released.clone();
        begins.notify_one();
        async move {
            released.notified().await;
            status(200)
        }
    }));
    client.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    begun.notified().await;
    tell.notify_one();
    client.assert_silent().await;
    release.notify_one();
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.assert_end().await;
}

#[tokio::test]
async fn a_response_that_has_begun_is_finished() {
    let (sender, answer) = channel();
    let mut answer = Some(answer);
    let (mut client, tell) = connect_and_tell(Closure::new(move |_| std::future::ready(answer.take().unwrap())));
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    tell.notify_one();
    client.assert_silent().await;
    sender.send(data("hi")).unwrap();
    drop(sender);
    assert_eq!(client.rest().await, "2\r\nhi\r\n0\r\n\r\n");
}
