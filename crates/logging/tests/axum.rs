//! In an axum service of one's own: what is logged of its requests, without a gateway around.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, routing::get};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use towergate_core::{Env, ObserveLayer, Plugin};
use towergate_logging::{AccessLog, FileLog, Format, Syslog, SyslogConfig, Writer};

const LIMIT: Duration = Duration::from_secs(20);

fn app() -> Router {
    Router::new().route("/hello", get(|| async { "hello" }))
}

async fn ask(app: Router, target: &str) {
    let request = Request::get(target).header("Authorization", "Bearer secret").header("User-Agent", "test");
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    response.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn entries_and_lines_are_written_when_a_response_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let [file, access] = ["requests.log", "access.log"].map(|name| folder.path().join(name));
    let writer = Writer::default();
    let app = app().layer(ObserveLayer::new(FileLog::new(&writer, &file))).layer(ObserveLayer::new(AccessLog::new(
        writer.to(&access),
        Format::text("$request $status $body_bytes_sent $http_user_agent").unwrap(),
    )));
    ask(app.clone(), "/hello?a=b").await;
    ask(app, "/none").await;
    writer.flush(LIMIT);
    assert_eq!(
        std::fs::read_to_string(access).unwrap(),
        "GET /hello?a=b HTTP/1.1 200 5 test\nGET /none HTTP/1.1 404 0 test\n"
    );
    let text = std::fs::read_to_string(file).unwrap();
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&entries[0]["request"]["uri"], &entries[0]["response"]["status"]), (&"/hello?a=b".into(), &200.into()));
    assert_eq!(
        (&entries[0]["request"]["headers"]["authorization"], &entries[1]["response"]["status"]),
        (&"REDACTED".into(), &404.into())
    );
    assert!(entries[0].get("route").is_none() && entries[0].get("tries").is_none());
}

#[tokio::test]
async fn the_systems_log_gets_what_is_severe_enough() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("log");
    let socket = std::os::unix::net::UnixDatagram::bind(&device).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let config = SyslogConfig {
        log_level: "warning".into(),
        client_errors_severity: "err".into(),
        facility: "local3".into(),
        ..SyslogConfig::default()
    };
    let syslog = Arc::new(Syslog::new(config, &Env::default()).unwrap().at(&device));
    syslog.background().unwrap().await;
    let app = app().layer(ObserveLayer::new(syslog));
    ask(app.clone(), "/hello").await;
    ask(app, "/none").await;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = [0; 4096];
        // Where there is a limit, Linux may interrupt that when the machine was stopped for a moment.
        let length = loop {
            match socket.recv(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                length => break length.unwrap(),
            }
        };
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    });
    let text = read.await.unwrap();
    // local3 is 19, err is 3.
    let (head, entry) = text.split_once(" kong: ").unwrap();
    assert!(head.starts_with("<155>") && head.len() == "<155>Nov 28 15:04:05".len(), "{head}");
    assert_eq!(serde_json::from_str::<Value>(entry).unwrap()["response"]["status"], 404);
}
