//! What the fields of http-log do.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};
use towergate_logging::HttpLog;

use crate::scene::{Connections, Told, entry};

/// A request that came: its head, in lower case but for the first line, and its body.
struct Came {
    line: String,
    head: String,
    body: Value,
}

/// A connection to the collector.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn of(collector: &Connections) -> Self {
        Self(BufReader::new(collector.next()))
    }

    /// The next request; `None` when it is closed.
    fn request(&mut self) -> Option<Came> {
        let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
        if self.0.read_line(&mut line).ok()? == 0 {
            return None;
        }
        loop {
            let mut next = String::new();
            self.0.read_line(&mut next).ok()?;
            if next == "\r\n" {
                break;
            }
            let next = next.to_ascii_lowercase();
            if let Some(value) = next.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            head += &next;
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Came { line: line.trim().to_owned(), head, body: entry(std::str::from_utf8(&body).ok()?) })
    }

    fn answer(&mut self, status: &str) {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        self.0.get_mut().write_all(answer.as_bytes()).unwrap();
    }
}

fn told(collector: &Connections, mut config: Value) -> Told<HttpLog> {
    if config.get("http_endpoint").is_none() {
        config["http_endpoint"] = json!(format!("http://{}", collector.address()));
    }
    Told::of(config)
}

#[test]
fn where_to_and_how() {
    let collector = Connections::new();
    let config = json!({
        "http_endpoint": format!("http://u:p@{}/in?x=1", collector.address()), "method": "PATCH",
        "content_type": "application/json; charset=utf-8", "headers": {"X-Token": "t"},
        "custom_fields_by_lua": {"team": "return kong.request.get_header('x-team')"}
    });
    let told = told(&collector, config);
    told.ended(200);
    let mut connection = Connection::of(&collector);
    let came = connection.request().unwrap();
    assert_eq!(came.line, "PATCH /in?x=1 HTTP/1.1");
    for line in [
        "content-type: application/json; charset=utf-8\r\n",
        "x-token: t\r\n",
        "authorization: basic dtpw\r\n",
        &format!("host: {}\r\n", collector.address()),
    ] {
        assert!(came.head.contains(line), "{line} is missing in {}", came.head);
    }
    assert_eq!((&came.body["team"], &came.body["response"]["status"]), (&json!("shop"), &json!(200)));
    connection.answer("299 Fine");
}

#[test]
fn methods_and_the_type_unless_said() {
    for (config, method) in [(json!({}), "POST"), (json!({"method": "PUT"}), "PUT")] {
        let collector = Connections::new();
        let told = told(&collector, config);
        told.ended(200);
        let mut connection = Connection::of(&collector);
        let came = connection.request().unwrap();
        assert_eq!(came.line, format!("{method} / HTTP/1.1"));
        assert!(came.head.contains("content-type: application/json\r\n"), "{}", came.head);
        connection.answer("200 OK");
    }
}

/// A collector that says nothing is asked again after `timeout`, one that refuses after `queue.initial_retry_delay`.
#[test]
fn timeout_and_retries() {
    let collector = Connections::new();
    let silent = told(&collector, json!({"timeout": 50, "retry_count": 0}));
    silent.ended(200);
    let mut first = Connection::of(&collector);
    assert!(first.request().is_some());
    let mut second = Connection::of(&collector);
    assert_eq!(second.request().unwrap().body["response"]["status"], 200, "`retry_count` has no effect");
    second.answer("300 No");
    assert_eq!(second.request().unwrap().body["response"]["status"], 200, "300 is no success");
    second.answer("200 OK");

    // Without retries the next entry follows at once.
    let collector = Connections::new();
    let hasty = told(&collector, json!({"queue": {"max_retry_time": -1}}));
    hasty.ended(200);
    let mut connection = Connection::of(&collector);
    assert!(connection.request().is_some());
    connection.answer("500 No");
    hasty.ended(201);
    assert_eq!(connection.request().unwrap().body["response"]["status"], 201);
    connection.answer("200 OK");
}

#[test]
fn keepalive() {
    let collector = Connections::new();
    let told = told(&collector, json!({"keepalive": 50}));
    told.ended(200);
    let mut first = Connection::of(&collector);
    assert!(first.request().is_some());
    first.answer("200 OK");
    std::thread::sleep(Duration::from_millis(100));
    told.ended(201);
    let mut second = Connection::of(&collector);
    assert_eq!(second.request().unwrap().body["response"]["status"], 201);
    second.answer("200 OK");
}

/// In an array, even if it is one, where `queue.max_batch_size` or its old name `queue_size` is above 1.
#[test]
fn batches() {
    for (config, lengths) in [
        (json!({"queue": {"max_batch_size": 2, "max_coalescing_delay": 0.1}}), [2, 1]),
        (json!({"queue_size": 2, "flush_timeout": 0.1}), [2, 1]),
        (json!({"queue_size": 2, "flush_timeout": 0.1, "queue": {"max_batch_size": 3}}), [2, 1]),
    ] {
        let collector = Connections::new();
        let told = told(&collector, config);
        told.ended(200).ended(201).ended(202);
        let mut connection = Connection::of(&collector);
        for length in lengths {
            let came = connection.request().unwrap();
            assert_eq!(came.body.as_array().map(Vec::len), Some(length), "{}", came.body);
            connection.answer("200 OK");
        }
    }
}

/// Above `queue.max_entries` and `queue.max_bytes` the oldest is dropped; `queue.concurrency_limit` -1 sends at once.
#[test]
fn limits_of_the_queue() {
    for limits in [json!({"max_entries": 2}), json!({"max_bytes": 2100})] {
        let collector = Connections::new();
        let told = told(&collector, json!({"queue": limits}));
        told.ended(200);
        let mut connection = Connection::of(&collector);
        let first = connection.request().unwrap();
        // While it is under way four more come, of which two have room.
        assert!((700..1050).contains(&first.body.to_string().len()), "{}", first.body.to_string().len());
        told.ended(201).ended(202).ended(203).ended(204);
        connection.answer("200 OK");
        for status in [203, 204] {
            assert_eq!(connection.request().unwrap().body["response"]["status"], status);
            connection.answer("200 OK");
        }
    }
    let collector = Connections::new();
    let told = told(&collector, json!({"queue": {"concurrency_limit": -1}}));
    told.ended(200).ended(201);
    // Nobody has answered the first when the second comes.
    let mut connections = [Connection::of(&collector), Connection::of(&collector)];
    for connection in &mut connections {
        assert!(connection.request().is_some());
    }
    connections.iter_mut().for_each(|connection| connection.answer("200 OK"));
}
