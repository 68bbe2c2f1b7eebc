//! Switching protocols.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use towergate_http1::{Upgrade, Upgraded};

use crate::harness::*;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

fn switching() -> Answer {
    let mut answer = status(101);
    answer.headers_mut().insert("connection", "Upgrade".parse().unwrap());
    answer.headers_mut().insert("upgrade", "echo".parse().unwrap());
    answer
}

async fn echo(mut stream: Upgraded) {
    let mut buffer = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        stream.write_all(&buffer[..count]).await.unwrap();
    }
}

#[tokio::test]
async fn the_stream_goes_to_who_wishes_for_it_with_what_came_early() {
    let mut client = connect(|asked: Asked| async move {
        let mut request = asked.unwrap();
        let upgrade = request.extensions_mut().remove::<Upgrade>().unwrap();
        tokio::spawn(async move { echo(upgrade.await.unwrap()).await });
        switching()
    });
    client.send(format!("{REQUEST}early")).await;
    let head = client.until("\r\n\r\n").await;
    assert_eq!(
        head,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n".replace("\r\nC", "\r\nUpgrade: echo\r\nC")
    );
    assert_eq!(client.until("early").await, "early");
    client.send("later").await;
    assert_eq!(client.until("later").await, "later");
    assert!(!client.connection.is_finished(), "the connection lasts as long as its stream");
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "");
    assert!(client.ended().await.is_ok());
}

#[tokio::test]
async fn another_answer_refuses() {
    let (sender, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let mut client = connect(move |asked: Asked| {
        let sender = sender.clone();
        let upgrade = asked.unwrap().extensions_mut().remove::<Upgrade>();
        tokio::spawn(async move { sender.send(upgrade?.await.is_err()).ok() });
        async { status(403) }
    });
    client.send(REQUEST).await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(refused.recv().await, Some(true));
    client.send(REQUEST).await;
    client.until("\r\n\r\n").await;
}

#[tokio::test]
async fn a_stream_that_nobody_takes_is_closed() {
    let mut client = connect(|_| async { switching() });
    client.send(REQUEST).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 101 "));
    assert!(client.ended().await.is_ok());
}

#[tokio::test]
async fn nobody_switches_who_was_not_asked_to() {
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: echo\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
    ] {
        let mut client = connect(|asked: Asked| async move {
            assert!(asked.unwrap().extensions().get::<Upgrade>().is_none());
            switching()
        });
        client.send(request).await;
        assert_eq!(client.rest().await, "", "{request:?}");
    }
}
