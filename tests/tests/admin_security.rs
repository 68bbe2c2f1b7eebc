//! Who may use the Admin API, and what is noted of it.

use std::fs;

use serde_json::Value;
use towergate_tests::{
    Answer, Authority, Certificate, Connection, Gateway, Port, Request, SOON, Setup, TlsClient, eventually, run,
};

const EMPTY: &str = "_format_version: \"3.0\"\n";

/// A token, and the entry of the settings for it.
fn token(name: &str, role: &str) -> (String, String) {
    let output = run(&["token", "--name", name, "--role", role]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let token = String::from_utf8(output.stderr).unwrap().trim().strip_prefix("token: ").unwrap().to_owned();
    (token, String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

fn bearing(request: Request, token: &str) -> Request {
    request.header("Authorization", &format!("Bearer {token}"))
}

fn post_config() -> Request {
    Request::post("/config", EMPTY).header("Content-Type", "application/yaml")
}

/// All entries of the audit log.
fn noted(gateway: &Gateway) -> Vec<Value> {
    let text = fs::read_to_string(gateway.prefix().join("logs/admin_audit.log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

// --- tokens --------------------------------------------------------------------------------------------------------------

#[test]
fn whoever_shows_a_token_does_what_its_role_allows() {
    let (alice, of_alice) = token("alice", "admin");
    let (bob, of_bob) = token("bob", "read-only");
    let gateway = Gateway::with(EMPTY).setting("admin_tokens", &format!("{of_alice}, {of_bob}")).start();
    let forbidden = "bob, you do not have permissions to create this resource";
    for (who, request, status, message) in [
        ("nobody", Request::get("/"), 401, "Unauthorized"),
        ("nobody", Request::get("/nowhere"), 401, "Unauthorized"),
        ("nobody", post_config(), 401, "Unauthorized"),
        ("a guess", bearing(Request::get("/status"), "guess"), 401, "Unauthorized"),
        ("alice", bearing(post_config(), &alice), 201, ""),
        ("alice", Request::get("/").header("Kong-Admin-Token", &alice), 200, ""),
        ("bob", bearing(Request::get("/config"), &bob), 200, ""),
        ("bob", bearing(post_config(), &bob), 403, forbidden),
    ] {
        let answer = gateway.ask_admin(&request);
        assert_eq!(answer.status, status, "{who}: {}", answer.text());
        if !message.is_empty() {
            assert_eq!(answer.message(), message, "{who}");
        }
        if status == 401 {
            assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer realm=\"admin\""));
        }
    }
    // Neither a scraper nor a browser's question needs a token.
    assert_eq!(gateway.ask_admin(&Request::new("OPTIONS", "/config")).status, 204);
    assert_eq!(gateway.ask_admin(&Request::get("/robots.txt")).status, 200);
    assert!(!gateway.log().contains(&alice) && !gateway.log().contains(&bob));
    let shown = gateway.ask_admin(&bearing(Request::get("/"), &bob)).text();
    assert!(!shown.contains("sha256"), "{shown}");
}

#[test]
fn a_file_of_tokens_is_read_again_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let (alice, of_alice) = token("alice", "admin");
    let (bob, of_bob) = token("bob", "admin");
    fs::write(&file, format!("# ours\n{of_alice}\n")).unwrap();
    let gateway = Gateway::with(EMPTY).setting("admin_tokens_file", file.to_str().unwrap()).start();
    let status = |token: &str| gateway.ask_admin(&bearing(Request::get("/status"), token)).status;
    assert_eq!((status(&alice), status(&bob)), (200, 401));
    fs::write(&file, format!("{of_bob}\n")).unwrap();
    gateway.signal("HUP");
    eventually(SOON, || (status(&alice), status(&bob)) == (401, 200));
    fs::write(&file, "nonsense\n").unwrap();
    gateway.signal("HUP");
    eventually(SOON, || gateway.log().contains("tokens not reloaded, those before stay in force"));
    assert_eq!((status(&alice), status(&bob)), (401, 200));
}

#[test]
fn what_leaves_the_admin_api_open_is_told_or_refused() {
    let refused = Gateway::with(EMPTY).setting("admin_require_auth", "on").fails();
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("admin_require_auth: nobody could be told from anybody"), "{}", refused.stderr);
    let gateway = Gateway::with(EMPTY).admin_on_all_addresses().start();
    eventually(SOON, || gateway.log().contains("the Admin API has no authentication and listens on 0.0.0.0:"));
    let (_, entry) = token("alice", "admin");
    let closed = Gateway::with(EMPTY).setting("admin_tokens", &entry).setting("admin_require_auth", "on");
    let closed = closed.admin_on_all_addresses().start();
    assert!(!closed.log().contains("has no authentication"), "{}", closed.log());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, "hunter2\n").unwrap();
    let failure = Gateway::with(EMPTY).setting("admin_tokens_file", file.to_str().unwrap()).fails();
    assert!(
        failure.stderr.contains("line 1: the form is") && !failure.stderr.contains("hunter2"),
        "{}",
        failure.stderr
    );
}

// --- certificates --------------------------------------------------------------------------------------------------------

fn secured(authority: &Authority, port: &Port) -> Setup {
    Gateway::with(EMPTY)
        .setting("admin_client_ca", &authority.pem)
        .setting("admin_clients", "admin:ops.example.com, read-only:watch.example.com")
        .also_admin_on(&format!("{} ssl http2", port.address()))
}

#[test]
fn clients_are_known_by_certificates_of_an_authority() {
    let (authority, port) = (Authority::new("operators"), Port::free());
    let gateway = secured(&authority, &port).start();
    let ask = |client: &TlsClient, request: &Request| -> Result<Answer, String> {
        let (mut connection, _) = client.try_connect(port.address(), "localhost")?;
        connection.try_request(request).map_err(|broken| format!("{broken:?}"))
    };
    for (name, read, write) in
        [("ops.example.com", 200, 201), ("watch.example.com", 200, 403), ("other.test", 401, 401)]
    {
        let (client, asked) = TlsClient::showing(&authority.issue(&[name]), &[], &["http/1.1"]);
        assert_eq!(ask(&client, &Request::get("/status")).unwrap().status, read, "{name}");
        assert_eq!(ask(&client, &post_config()).unwrap().status, write, "{name}");
        assert!(asked.load(std::sync::atomic::Ordering::SeqCst));
    }
    assert_eq!(ask(&TlsClient::new(), &Request::get("/status")).unwrap().status, 401, "without a certificate");
    let (stranger, _) = TlsClient::showing(&Certificate::alone(&["ops.example.com"]), &[], &["http/1.1"]);
    assert!(ask(&stranger, &Request::get("/status")).is_err(), "somebody else's certificate ends the handshake");
    assert_eq!(gateway.ask_admin(&Request::get("/status")).status, 401, "without TLS nobody is known");
    let entry = noted(&gateway).into_iter().find(|entry| entry["status"] == 201).unwrap();
    assert_eq!((&entry["who"], &entry["by"]), (&"ops.example.com".into(), &"certificate".into()));
}

#[test]
fn the_admin_api_speaks_tls_and_http2_with_a_certificate_of_its_own_making() {
    let port = Port::free();
    let gateway = Gateway::with(EMPTY).also_admin_on(&format!("{} ssl http2", port.address())).start();
    let (mut connection, handshake) = TlsClient::new().connect(port.address(), "localhost");
    assert!(handshake.shows("localhost"));
    assert_eq!(connection.request(&Request::get("/status").header("Host", "localhost:8444")).status, 200);
    let ssl = gateway.prefix().join("ssl");
    assert!(ssl.join("admin-kong-default.crt").exists() && ssl.join("admin-kong-default-ecdsa.key").exists());
    let versions = [&tokio_rustls::rustls::version::TLS13];
    let (_, handshake) = TlsClient::speaking(&versions, &["h2"]).connect(port.address(), "localhost");
    assert_eq!(handshake.alpn.as_deref(), Some("h2"));
}

// --- browsers ------------------------------------------------------------------------------------------------------------

#[test]
fn a_page_cannot_make_a_browser_change_the_configuration() {
    let gateway = Gateway::serving(EMPTY);
    let form = || Request::post("/config", "config=_format_version: \"3.0\"").header("Host", "127.0.0.1:8001");
    let form = || form().header("Content-Type", "application/x-www-form-urlencoded");
    for (header, value, status) in [
        ("Origin", "https://evil.test", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Origin", "http://127.0.0.1:8001", 201),
        ("Origin", "http://localhost:8002", 201),
        ("X-Not-A-Browser", "", 201),
    ] {
        let answer = gateway.ask_admin(&form().header(header, value));
        assert_eq!(answer.status, status, "{header}: {value}: {}", answer.text());
    }
}

#[test]
fn a_page_s_own_name_does_not_become_the_admin_api_s() {
    let gateway = Gateway::with(EMPTY).setting("admin_allowed_hosts", "kong-admin").start();
    for (host, status) in
        [("127.0.0.1:8001", 200), ("localhost", 200), ("[::1]:8001", 200), ("kong-admin:8001", 200), ("evil.test", 403)]
    {
        let answer = gateway.ask_admin(&Request::get("/key-auths").header("Host", host));
        assert_eq!(answer.status == 403, status == 403, "{host}: {}", answer.text());
        if status == 403 {
            assert!(answer.message().contains("admin_allowed_hosts"), "{}", answer.text());
        }
    }
}

// --- what is noted -------------------------------------------------------------------------------------------------------

#[test]
fn each_attempt_to_change_something_is_noted_without_secrets() {
    let (alice, of_alice) = token("alice", "admin");
    let (bob, of_bob) = token("bob", "read-only");
    let gateway = Gateway::with(EMPTY).setting("admin_tokens", &format!("{of_alice}, {of_bob}")).start();
    let secret = "hunter2";
    let consumers = format!("{EMPTY}consumers:\n- username: c\n  keyauth_credentials:\n  - key: {secret}\n");
    let with_secret = Request::post("/config?check_hash=1", consumers).header("Content-Type", "application/yaml");
    for request in [
        bearing(with_secret, &alice),
        bearing(post_config(), &bob),
        post_config(),
        bearing(Request::new("DELETE", &format!("/key-auths/{secret}")), &alice),
        bearing(Request::get("/config"), &alice),
    ] {
        gateway.ask_admin(&request);
    }
    let told: Vec<_> = noted(&gateway)
        .iter()
        .map(|entry| {
            [&entry["who"], &entry["role"], &entry["method"], &entry["path"], &entry["status"]].map(Value::to_string)
        })
        .map(|values| values.join(" "))
        .collect();
    assert_eq!(told[0], r#""alice" "admin" "POST" "/config" 201"#);
    assert_eq!(told[1], r#""bob" "read-only" "POST" "/config" 403"#);
    assert_eq!(told[2], r#"null null "POST" "/config" 401"#);
    assert!(told[3].starts_with(r#""alice" "admin" "DELETE" "/key-auths/*" "#), "{}", told[3]);
    assert_eq!(told.len(), 4, "reading is not noted");
    let text = fs::read_to_string(gateway.prefix().join("logs/admin_audit.log")).unwrap();
    assert!(!text.contains(secret) && !text.contains(&alice) && !text.contains(&bob), "{text}");
    let entry = &noted(&gateway)[0];
    assert!(entry["from"].as_str().unwrap().starts_with("127.0.0.1:"), "{entry}");
    assert!(entry["time"].as_str().unwrap().contains('T'), "{entry}");
}

#[test]
fn the_audit_log_may_be_moved_away_and_switched_off() {
    let gateway = Gateway::serving(EMPTY);
    gateway.ask_admin(&post_config());
    let file = gateway.prefix().join("logs/admin_audit.log");
    fs::rename(&file, file.with_extension("1")).unwrap();
    gateway.ask_admin(&post_config());
    assert_eq!(noted(&gateway).len(), 1);
    let silent = Gateway::with(EMPTY).setting("admin_audit_log", "off").start();
    assert_eq!(silent.ask_admin(&post_config()).status, 201);
    assert!(!silent.prefix().join("logs/admin_audit.log").exists());
    let _ = Connection::open(silent.admin());
}
