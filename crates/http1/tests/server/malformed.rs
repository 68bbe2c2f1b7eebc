//! What is no request is given to the service all the same, once.

use towergate_http1::server::{Config, Fault};

use crate::harness::*;

/// Answers with what is wrong, or with the target if nothing is.
async fn told(asked: Asked) -> Answer {
    let Err(malformed) = asked else { return text("fine") };
    let mut answer = text(format!("{:?} {} {}", malformed.fault(), malformed.head().method, malformed.head().uri));
    *answer.status_mut() = 400.try_into().unwrap();
    answer
}

#[tokio::test]
async fn faults_are_told_and_end_the_connection() {
    let long = "x".repeat(9_000);
    let target = format!("PUT /{long}");
    let many = "A: b\r\n".repeat(201);
    let large = format!("A: {}\r\n", "x".repeat(8_000)).repeat(6);
    let table = [
        ("GET\r\n\r\n".to_owned(), Fault::RequestLine, "GET /"),
        ("\x16\x03\x01\x02".to_owned(), Fault::RequestLine, "GET /"),
        ("get / HTTP/1.1\r\n".to_owned(), Fault::RequestLine, "GET /"),
        ("\r\n".repeat(200), Fault::RequestLine, "GET /"),
        (format!("PUT /{long} HTTP/1.1\r\n\r\n"), Fault::RequestLineTooLong, target.as_str()),
        (format!("PUT /{long} {long}"), Fault::RequestLineTooLong, "PUT /"),
        (format!("PUT /a HTTP/1.1\r\nA: {long}\r\n\r\n"), Fault::HeadTooLarge, "PUT /a"),
        (format!("PUT /a HTTP/1.1\r\nA: {long}"), Fault::HeadTooLarge, "PUT /a"),
        (format!("PUT /a HTTP/1.1\r\n{many}\r\n"), Fault::TooManyHeaders, "PUT /a"),
        (format!("PUT /a HTTP/1.1\r\n{large}\r\n"), Fault::HeadTooLarge, "PUT /a"),
        ("PUT /a HTTP/1.1\r\nA : b\r\n\r\n".to_owned(), Fault::Header, "PUT /a"),
        ("GET /a HTTP/2.0\r\n\r\n".to_owned(), Fault::Version, "GET /"),
        (
            "PUT /a HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            Fault::Framing,
            "PUT /a",
        ),
        ("PUT /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(), Fault::TransferCoding, "PUT /a"),
    ];
    for (bytes, fault, known) in table {
        let mut client = connect(told);
        client.send(format!("{bytes}GET /smuggled HTTP/1.1\r\n\r\n")).await;
        let body = format!("{fault:?} {known}");
        let answer =
            format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        assert_eq!(client.until(&body).await, answer);
        client.assert_end().await;
    }
}

#[tokio::test]
async fn limits_are_kept_exactly() {
    let config = Config { line: 100, head: 250, header_lines: 3, ..Config::default() };
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(length - 16));
    let header = |length: usize| format!("A: {}\r\n", "b".repeat(length - 5));
    for (request, is_fine) in [
        (line(100), true),
        (line(101), false),
        (line(20) + &header(100), true),
        (line(20) + &header(101), false),
        (line(20) + &header(6).repeat(3), true),
        (line(20) + &header(6).repeat(4), false),
        (line(48) + &header(100) + &header(100), true),
        (line(49) + &header(100) + &header(100), false),
    ] {
        let mut client = connect_with(config, told);
        client.send(format!("{request}\r\n")).await;
        let answer = if is_fine { "HTTP/1.1 200" } else { "HTTP/1.1 400" };
        assert_eq!(client.until(if is_fine { "fine" } else { "GET /" }).await.get(..12), Some(answer), "{request:?}");
    }
}

#[tokio::test]
async fn a_few_empty_lines_and_bare_line_feeds_are_taken() {
    let mut client = connect(told);
    client.send("\r\n\r\n\nGET / HTTP/1.1\nHost: a\n\n\r\nGET / HTTP/1.1\r\nHost: a\n\r\n").await;
    client.until("fine").await;
    client.until("fine").await;
}
