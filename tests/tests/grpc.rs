//! gRPC with somebody else's implementation on both sides: a client and a server of grpcio (`tests/grpc/*.py`), the real
//! binary between them. What is promised stands in `client.py`, one function for each test here.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tempfile::TempDir;
use towergate_tests::{Authority, Gateway, Port, Request, SOON, Setup, eventually, tool};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grpc").join(name)
}

/// A running `server.py`; it ends with its standard input, when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(arguments: &[PathBuf]) -> Self {
        let mut command = tool("python");
        command.arg(script("server.py")).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let port: u16 = line.trim().parse().expect("a port");
        Self { child, address: ([127, 0, 0, 1], port).into() }
    }

    /// A document with this server behind the route of a service; both may have more fields.
    fn document(&self, service: &str, route: &str) -> String {
        document("grpc", self.address, service, route)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn document(protocol: &str, address: SocketAddr, service: &str, route: &str) -> String {
    format!(
        r#"_format_version: "3.0"
services:
- name: shop
  url: {protocol}://localhost:{}
  {service}
  routes:
  - name: shop
    paths: ["/shop.Shop/"]
    protocols: [grpc, grpcs]
    {route}
"#,
        address.port()
    )
}

fn gateway(document: &str) -> Setup {
    Gateway::with(document).with_http2()
}

/// Runs a case of `client.py`.
#[track_caller]
fn ask(case: &str, address: &str, more: &[&Path]) {
    let output =
        tool("python").arg(script("client.py")).args([case, address]).args(more).output().expect("python runs");
    assert!(output.status.success(), "{case}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a case against a gateway in front of a server.
#[track_caller]
fn case(name: &str) {
    let server = Server::start();
    let gateway = gateway(&server.document("", "")).start();
    ask(name, &gateway.proxy().to_string(), &[]);
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

#[test]
fn all_four_kinds_of_calls() {
    case("four_kinds");
}

#[test]
fn a_dialogue() {
    case("dialogue");
}

#[test]
fn metadata_in_both_directions_and_in_trailers() {
    case("metadata");
}

#[test]
fn deadlines() {
    case("deadline");
}

#[test]
fn cancellation_reaches_the_upstream() {
    case("cancellation");
}

#[test]
fn large_messages() {
    case("large");
}

#[test]
fn statuses_with_details() {
    case("failures");
}

#[test]
fn a_hundred_calls_at_once() {
    case("hundred");
}

#[test]
fn calls_of_all_kinds_beside_each_other() {
    case("many");
}

#[test]
fn refusals_of_plugins_are_statuses() {
    let server = Server::start();
    let document = format!(
        "{}consumers:\n- username: alice\n  keyauth_credentials:\n  - key: secret\n",
        server.document("plugins: [{name: key-auth}]", "")
    );
    let gateway = gateway(&document).start();
    ask("unauthenticated", &gateway.proxy().to_string(), &[]);
}

#[test]
fn a_call_without_a_route() {
    case("no_route");
}

#[test]
fn an_upstream_that_is_down() {
    let port = Port::free();
    let gateway = gateway(&document("grpc", port.address(), "retries: 1", "")).start();
    ask("down", &gateway.proxy().to_string(), &[]);
}

#[test]
fn an_upstream_that_is_silent() {
    let server = Server::start();
    let gateway = gateway(&server.document("read_timeout: 300", "")).start();
    ask("silent", &gateway.proxy().to_string(), &[]);
}

#[test]
fn a_route_for_grpcs_is_not_for_cleartext() {
    let server = Server::start();
    let document = server.document("", "").replace("[grpc, grpcs]", "[grpcs]");
    let gateway = gateway(&document).start();
    ask("grpcs_only", &gateway.proxy().to_string(), &[]);
}

/// Kong asks for HTTP/2, and words it for a client of HTTP/1.1.
#[test]
fn a_grpc_route_is_not_for_http_1() {
    let port = Port::free();
    let gateway = gateway(&document("grpc", port.address(), "", "")).start();
    let grpc = Request::post("/shop.Shop/Echo", "x").header("Content-Type", "application/grpc");
    let answer = gateway.send(&grpc);
    assert_eq!((answer.status, answer.header("Upgrade")), (426, Some("HTTP/2")));
    assert_eq!(answer.json()["message"], "Please use HTTP2 protocol");
    let answer = gateway.send(&Request::post("/shop.Shop/Echo", "x").header("Content-Type", "text/plain"));
    assert_eq!(answer.status, 415);
    assert_eq!(answer.json()["message"], "Non-gRPC request matched gRPC route");
}

/// Runs the dialogue of `client.py` and lets something happen in its middle.
fn dialogue_in_which(gateway: &mut Gateway, something: impl FnOnce(&mut Gateway)) {
    let mut command = tool("python");
    command.arg(script("client.py")).args(["interrupted", &gateway.proxy().to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
    if line == "now\n" {
        something(gateway);
        child.stdin.take().expect("piped").write_all(b"go on\n").expect("the client reads");
    }
    let output = child.wait_with_output().expect("our own child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_open_stream_outlives_a_change_of_configuration() {
    let server = Server::start();
    let mut gateway = gateway(&server.document("", "")).start();
    dialogue_in_which(&mut gateway, |gateway| gateway.reload(&server.document("retries: 0", "tags: [new]")));
    ask("four_kinds", &gateway.proxy().to_string(), &[]);
}

#[test]
fn an_open_stream_ends_before_the_gateway_does() {
    let server = Server::start();
    let mut gateway = gateway(&server.document("", "")).start();
    dialogue_in_which(&mut gateway, |gateway| {
        gateway.signal("TERM");
        // It takes nobody new, and waits for the one it has.
        eventually(SOON, || std::net::TcpStream::connect(gateway.proxy()).is_err());
        assert!(gateway.is_running());
    });
    assert!(gateway.end().status.success());
}

/// TLS on both sides. The client checks; of upstreams Kong lets only `https` services check who they are.
#[test]
fn over_tls() {
    let (folder, authority) = (TempDir::new().expect("a folder"), Authority::new("ours"));
    let server = Server::with(&authority.issue(&["localhost"]).write(folder.path(), "server"));
    let [certificate, key] = authority.issue(&["localhost"]).write(folder.path(), "gateway");
    let trusted = folder.path().join("trusted.crt");
    std::fs::write(&trusted, &authority.pem).expect("written");

    let document = document("grpcs", server.address, "", "");
    let tls = Port::free();
    let gateway = Gateway::with(&document)
        .also_listening_on(&format!("{} http2 ssl", tls.address()))
        .setting("ssl_cert", certificate.to_str().expect("text"))
        .setting("ssl_cert_key", key.to_str().expect("text"))
        .start();
    let address = format!("localhost:{}", tls.number());
    for case in ["four_kinds", "dialogue", "large", "hundred"] {
        ask(case, &address, &[&trusted]);
    }
    drop(gateway);
}

/// The status of a call stands behind its body, where Kong's logs do not look.
#[test]
fn a_call_is_logged_with_its_status() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.log");
    let document = format!(
        "{}consumers:\n- username: alice\n  keyauth_credentials:\n  - key: secret\n\
         plugins: [{{name: file-log, config: {{path: {}}}}}]\n",
        server.document("plugins: [{name: key-auth}]", ""),
        path.display()
    );
    let gateway = gateway(&document)
        .setting("proxy_access_log", "logs/access.log mine")
        .setting("nginx_http_log_format", "mine '$request $status $sent_trailer_grpc_status $sent_http_grpc_status'")
        .start();
    ask("unauthenticated", &gateway.proxy().to_string(), &[]);
    let mut text = String::new();
    eventually(SOON, || {
        text = std::fs::read_to_string(&path).unwrap_or_default();
        text.contains("\"alice\"")
    });
    let entries: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (served, refused) = entries.iter().partition::<Vec<_>, _>(|entry| entry.get("consumer").is_some());
    for entry in served {
        assert_eq!(
            (&entry["request"]["method"], &entry["response"]["status"]),
            (&"POST".into(), &200.into()),
            "{entry}"
        );
        assert_eq!(entry["response"]["trailers"]["grpc-status"], "0", "{entry}");
        assert_eq!((&entry["upstream_status"], &entry["source"]), (&"200".into(), &"upstream".into()), "{entry}");
        assert!(entry["request"]["size"].as_u64() > Some(0) && entry["response"]["size"].as_u64() > Some(0), "{entry}");
    }
    // What the gateway answers itself is a head alone, whose HTTP status Kong keeps.
    for entry in refused {
        assert_eq!((&entry["response"]["status"], &entry["source"]), (&401.into(), &"kong".into()), "{entry}");
        assert_eq!(entry["response"]["headers"]["grpc-status"], "16", "{entry}");
        assert_eq!(entry["latencies"]["proxy"], -1, "{entry}");
    }
    let lines = std::fs::read_to_string(gateway.prefix().join("logs/access.log")).unwrap_or_default();
    assert!(lines.contains("HTTP/2.0 200 0 -") && lines.contains("HTTP/2.0 401 - 16"), "{lines}");
}
