//! The gateway of the example, running.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kong.yml");

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-own-plugin"));
    command.env("KONG_PREFIX", folder).env("KONG_ADMIN_LISTEN", "off").env("KONG_STATUS_LISTEN", "off");
    command
}

/// Killed at the end of a test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks on a connection of its own, which is waited for.
fn ask(port: u16, header: &str) -> String {
    let limit = Instant::now() + Duration::from_secs(30);
    let mut connection = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(connection) => break connection,
            Err(error) => assert!(Instant::now() < limit, "{error}"),
        }
        sleep(Duration::from_millis(20));
    };
    let request = format!("GET /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

#[test]
fn testers_are_let_through_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut start = command(folder.path());
    start.args(["start", CONFIGURATION]).env("KONG_PROXY_LISTEN", format!("127.0.0.1:{port}"));
    let _running = Running(start.stderr(Stdio::null()).spawn().expect("the gateway can be run"));
    let refused = ask(port, "");
    assert!(refused.starts_with("http/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nretry-after: 600\r\n") && refused.contains("back at noon"), "{refused}");
    assert!(refused.contains("\r\nx-request-id: "), "{refused}");
    let let_through = ask(port, "X-Tester: let me in\r\n");
    assert!(let_through.starts_with("http/1.1 502 "), "nobody serves orders: {let_through}");
}

fn check(text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, text).unwrap();
    command(folder.path()).arg("check").arg(&file).output().expect("the gateway can be run")
}

#[test]
fn mistakes_in_its_configuration_are_told_with_their_place() {
    let text = fs::read_to_string(CONFIGURATION).unwrap();
    assert!(check(&text).status.success());
    for (wrong, said) in [
        (text.replace("600", "0"), "value should be between 1 and 86400"),
        (text.replace("word:", "header: \"no header\", word:"), "not the name of a header"),
        (text.replace("word:", "words:"), "unknown field"),
    ] {
        let output = check(&wrong);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said) && error.contains("kong.yml:13"), "{error}");
    }
}
