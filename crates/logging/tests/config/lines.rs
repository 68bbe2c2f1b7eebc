//! What the fields of file-log, udp-log, tcp-log, syslog and loggly do.

use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use towergate_logging::{FileLog, Loggly, Syslog, TcpLog, UdpLog};

use crate::scene::{Connections, Datagrams, LIMIT, Told, entry, uninterrupted};

const CUSTOM: &str = r#"{"team": "return kong.request.get_header('x-team')", "request.method": "return nil"}"#;

fn custom() -> Value {
    entry(CUSTOM)
}

#[track_caller]
fn assert_custom(entry: &Value) {
    assert_eq!((&entry["team"], entry["request"].get("method")), (&json!("shop"), None), "{entry}");
    assert_eq!(entry["request"]["uri"], "/a?b=1", "{entry}");
}

/// Waits until a file holds so many lines.
#[track_caller]
fn lines(path: &std::path::Path, count: usize) -> Vec<String> {
    let end = Instant::now() + LIMIT;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count && text.ends_with('\n') {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(Instant::now() < end, "{} has {text:?}", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn file_log() {
    let folder = tempfile::tempdir().unwrap();
    let [path, moved] = ["a.log", "a.log.1"].map(|name| folder.path().join(name));
    for reopen in [false, true] {
        let told = Told::<FileLog>::of(json!({"path": path, "reopen": reopen, "custom_fields_by_lua": custom()}));
        told.ended(200);
        assert_custom(&entry(&lines(&path, 1)[0]));
        std::fs::rename(&path, &moved).unwrap();
        told.ended(200);
        // Without `reopen` the file that was moved away goes on until somebody says so.
        lines(if reopen { &path } else { &moved }, if reopen { 1 } else { 2 });
        assert_eq!(path.exists(), reopen);
    }
}

#[test]
fn udp_log() {
    let collector = Datagrams::new();
    let told = Told::<UdpLog>::of(collector.config(json!({"timeout": 1000, "custom_fields_by_lua": custom()})));
    told.ended(200).ended(404);
    assert_custom(&entry(&collector.next()));
    assert_eq!(entry(&collector.next())["response"]["status"], 404);
}

#[test]
fn tcp_log() {
    let collector = Connections::new();
    let told = Told::<TcpLog>::of(collector.config(json!({"keepalive": 50, "custom_fields_by_lua": custom()})));
    told.ended(200);
    let mut first = BufReader::new(collector.next()).lines();
    assert_custom(&entry(&first.next().unwrap().unwrap()));
    // One that was idle for longer than `keepalive` is not used again.
    std::thread::sleep(Duration::from_millis(60));
    told.ended(201);
    let mut second = BufReader::new(collector.next()).lines();
    assert_eq!(entry(&second.next().unwrap().unwrap())["response"]["status"], 201);
    assert!(first.next().is_none(), "the first is closed");
}

/// Somebody who never shakes hands keeps the entries that follow waiting for so long and no longer.
#[test]
fn tcp_log_timeout() {
    let collector = Connections::new();
    let told = Told::<TcpLog>::of(collector.config(json!({"tls": true, "timeout": 50})));
    told.ended(200);
    let silent = collector.next();
    told.ended(201);
    drop((collector.next(), silent));
}

#[test]
fn syslog() {
    let folder = tempfile::tempdir().unwrap();
    let device = folder.path().join("log");
    let socket = UnixDatagram::bind(&device).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let next = || {
        let mut bytes = [0; 4096];
        let length = uninterrupted(|| socket.recv(&mut bytes)).expect("an entry comes");
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        let (head, entry_text) = text.split_once(" kong: ").unwrap();
        (head[1..head.find('>').unwrap()].parse::<u16>().unwrap(), entry(entry_text))
    };
    let told = |config: Value| Told::<Syslog>::changed(config, |syslog| syslog.at(&device));
    // RFC 5424 section 6.2.1; user is 1, info 6.
    told(json!({"custom_fields_by_lua": custom()})).ended(200);
    let (priority, first) = next();
    assert_eq!(priority, 8 + 6);
    assert_custom(&first);
    for (place, name) in ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"].into_iter().enumerate()
    {
        let config = |field: &str| json!({"log_level": "debug", field: name});
        for (field, status) in
            [("successful_severity", 302), ("client_errors_severity", 499), ("server_errors_severity", 500)]
        {
            told(config(field)).ended(status);
            assert_eq!(usize::from(next().0), 8 + place, "{field}: {name}");
        }
    }
    let facilities = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "",
        "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ];
    for (number, name) in facilities.into_iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        told(json!({"facility": name})).ended(200);
        assert_eq!(usize::from(next().0), number * 8 + 6, "{name}");
    }
    // What is less severe than `log_level` is not told.
    told(json!({"log_level": "warning", "client_errors_severity": "warning"})).ended(200).ended(500).ended(404);
    assert_eq!(next().1["response"]["status"], 404);
}

#[test]
fn loggly() {
    let collector = Datagrams::new();
    let config = json!({
        "key": "some-key", "tags": ["a", "b"], "log_level": "notice", "successful_severity": "notice",
        "client_errors_severity": "crit", "server_errors_severity": "emerg", "timeout": 1000,
        "custom_fields_by_lua": custom()
    });
    let told = Told::<Loggly>::of(collector.config(config));
    told.ended(200).ended(404).ended(500);
    for (priority, status) in [(8 + 5, 200), (8 + 2, 404), (8, 500)] {
        let text = collector.next();
        let (head, text) = text.split_once(" kong - - [some-key@41058 tag=\"a\" tag=\"b\"] ").unwrap();
        assert!(head.starts_with(&format!("<{priority}>1 ")), "{head}");
        let entry = entry(text);
        assert_custom(&entry);
        assert_eq!(entry["response"]["status"], status);
    }
    // `info`, the default of all, is less severe than this.
    let told = Told::<Loggly>::of(collector.config(json!({
        "key": "k", "log_level": "err", "server_errors_severity": "err"
    })));
    told.ended(200).ended(404).ended(503);
    assert!(collector.next().contains("[k@41058 tag=\"kong\"]"));
}
