//! The example does what its README says.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(example_hyper_guards::serve(listener));
    address
}

/// What is answered to a client of this address on a connection of its own.
async fn ask(server: SocketAddr, client: &str, key: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{client}:0").parse().unwrap()).unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n{key}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn whose_the_key_is_reaches_the_service() {
    let server = start().await;
    let good = ask(server, "127.0.0.1", "apikey: alices-key\r\n").await;
    assert!(good.starts_with("HTTP/1.1 200 OK\r\n") && good.ends_with("\r\n\r\nHello, alice"), "{good}");
    let refused = ask(server, "127.0.0.1", "").await;
    assert!(refused.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{refused}");
    assert!(refused.contains("No API key found in request"), "{refused}");
    for answer in [good, refused] {
        assert!(answer.to_lowercase().contains("\r\nkong-request-id: "), "{answer}");
    }
}

#[tokio::test]
async fn each_address_has_its_own_five_a_minute_whatever_its_connections() {
    let server = start().await;
    for _ in 0..5 {
        assert!(ask(server, "127.0.0.1", "apikey: alices-key\r\n").await.starts_with("HTTP/1.1 200 "));
    }
    let refused = ask(server, "127.0.0.1", "apikey: alices-key\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(ask(server, "127.0.0.2", "apikey: alices-key\r\n").await.starts_with("HTTP/1.1 200 "));
}
