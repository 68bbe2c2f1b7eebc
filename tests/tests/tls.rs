//! TLS towards clients, through the real binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::PKCS_RSA_SHA256;
use tokio_rustls::rustls::{ProtocolVersion, SignatureScheme, version};
use towergate_tests::{
    Answer, Certificate, Connection, Gate, Gateway, Handshake, Http2, Port, Reply, Request, SOON, Script, Setup,
    TlsClient, Upstream, eventually, proxying,
};

/// A gateway with a listener in cleartext and one with TLS.
struct Secured {
    gateway: Gateway,
    tls: Port,
}

impl Secured {
    fn with(document: &str, settings: &[(&str, &str)]) -> (Setup, Port) {
        let tls = Port::free();
        let listen = format!("{} http2 ssl reuseport backlog=16384", tls.address());
        let mut setup = Gateway::with(document).also_listening_on(&listen);
        for (name, value) in settings {
            setup = setup.setting(name, value);
        }
        (setup, tls)
    }

    fn start(document: &str, settings: &[(&str, &str)]) -> Self {
        let (setup, tls) = Self::with(document, settings);
        Self { gateway: setup.start(), tls }
    }

    fn connect(&self, name: &str) -> (Connection, Handshake) {
        TlsClient::new().connect(self.tls.address(), name)
    }

    fn get(&self, name: &str, target: &str) -> Answer {
        self.connect(name).0.request(&Request::get(target).header("Host", name))
    }

    fn shown(&self, name: &str) -> Handshake {
        self.connect(name).1
    }
}

/// Certificates with their server names.
fn certificates(entries: &[(&Certificate, &str)]) -> String {
    let entries: Vec<_> = entries.iter().map(|(one, snis)| format!("{}  snis: {snis}\n", one.entry())).collect();
    format!("certificates:\n{}", entries.concat())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path as text")
}

#[test]
fn without_a_certificate_one_for_localhost_is_made_and_kept() {
    let upstream = Upstream::echo();
    let mut first = Secured::start(&proxying(&upstream), &[]);
    let both = [&version::TLS12, &version::TLS13];
    let rsa = TlsClient::understanding(&both, &[], &[SignatureScheme::RSA_PSS_SHA256]);
    let ecdsa = TlsClient::understanding(&both, &[], &[SignatureScheme::ECDSA_NISTP256_SHA256]);
    let shown = |gateway: &Secured| {
        [&rsa, &ecdsa].map(|client| client.connect(gateway.tls.address(), "whatever.test").1.certificate)
    };
    let [with_rsa, with_ecdsa] = shown(&first);
    assert_ne!(with_rsa, with_ecdsa);
    assert!(first.shown("whatever.test").shows("localhost"));

    let ssl = first.gateway.prefix().join("ssl");
    for name in ["kong-default.key", "kong-default-ecdsa.key"] {
        let mode = fs::metadata(ssl.join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // The next gateway with the same prefix shows the same.
    let prefix = first.gateway.prefix();
    first.gateway.terminate();
    let second = Secured::start(&proxying(&upstream), &[("prefix", text(&prefix))]);
    assert_eq!(shown(&second), [with_rsa, with_ecdsa]);
}

#[test]
fn each_server_name_gets_its_certificate() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = Certificate::alone(&["the-default"]).write(folder.path(), "default");
    let [exact, wild, right, any] = ["exact", "wild", "right", "any"].map(|name| Certificate::alone(&[name]));
    let named = [(&exact, "[a.example.com]"), (&wild, "['*.example.com', b.test]"), (&right, "[{name: 'shop.*'}]")];
    let settings = [("ssl_cert", text(&cert)), ("ssl_cert_key", text(&key))];
    let document = |named: &[_]| format!("{}{}", proxying(&upstream), certificates(named));

    let gateway = Secured::start(&document(&named), &settings);
    for (name, expected) in [
        ("a.example.com", "exact"),
        ("A.EXAMPLE.com", "exact"),
        ("x.example.com", "wild"),
        ("b.test", "wild"),
        ("shop.test", "right"),
        ("x.y.example.com", "the-default"),
        ("127.0.0.1", "the-default"),
    ] {
        assert!(gateway.shown(name).shows(expected), "{name}");
    }
    gateway.gateway.reload(&document(&[(&exact, "[a.example.com]"), (&any, "['*']")]));
    for (name, expected) in [("a.example.com", "exact"), ("x.example.com", "any"), ("127.0.0.1", "the-default")] {
        eventually(SOON, || gateway.shown(name).shows(expected));
    }
}

#[test]
fn of_two_certificates_the_client_gets_the_one_it_understands() {
    let upstream = Upstream::echo();
    let (ecdsa, rsa) = (Certificate::alone(&["ecdsa"]), Certificate::alone_with(&["rsa"], &PKCS_RSA_SHA256));
    let document = format!(
        "{}certificates:\n{}  cert_alt: {:?}\n  key_alt: {:?}\n  snis: [both.test]\n",
        proxying(&upstream),
        rsa.entry(),
        ecdsa.certificate,
        ecdsa.key
    );
    let gateway = Secured::start(&document, &[]);
    let both = [&version::TLS12, &version::TLS13];
    for (scheme, expected) in
        [(SignatureScheme::RSA_PSS_SHA256, "rsa"), (SignatureScheme::ECDSA_NISTP256_SHA256, "ecdsa")]
    {
        let client = TlsClient::understanding(&both, &[], &[scheme]);
        assert!(client.connect(gateway.tls.address(), "both.test").1.shows(expected), "{scheme:?}");
    }
    assert!(gateway.shown("both.test").shows("ecdsa"), "the cheaper one for whoever understands both");
}

#[test]
fn requests_are_known_to_have_come_over_tls() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream)
        .replace("paths: [\"/\"]", "paths: [\"/\"]\n    protocols: [https]\n    https_redirect_status_code: 302");
    let gateway = Secured::start(&document, &[]);
    let (mut connection, _) = gateway.connect("shop.test");
    for _ in 0..3 {
        let answer = connection.request(&Request::get("/a?b").header("Host", "shop.test"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let received = upstream.last();
    assert_eq!(received.header("X-Forwarded-Proto"), Some("https"));
    assert_eq!(received.header("X-Forwarded-Port"), Some(gateway.tls.number().to_string().as_str()));
    assert_eq!(received.header("X-Forwarded-Host"), Some("shop.test"));

    let plain = gateway.gateway.send(&Request::get("/a?b").header("Host", "shop.test"));
    assert_eq!((plain.status, plain.header("Location")), (302, Some("https://shop.test/a?b")));
}

#[test]
fn routes_are_found_by_server_name() {
    let upstream = Upstream::echo();
    let document = format!(
        r#"_format_version: "3.0"
services:
- name: echo
  url: {}
  routes:
  - {{name: exact, protocols: [https], snis: [one.example.com], paths: ["/"], strip_path: false}}
  - {{name: wild, protocols: [https], snis: ["*.example.org"], paths: ["/"], strip_path: false}}
"#,
        upstream.url()
    );
    let gateway = Secured::start(&document, &[("allow_debug_header", "on")]);
    for (name, expected) in [
        ("one.example.com", Some("exact")),
        ("ONE.example.com", Some("exact")),
        ("a.example.org", Some("wild")),
        ("two.example.com", None),
    ] {
        let request = Request::get("/").header("Host", "any.test").header("Kong-Debug", "1");
        let answer = gateway.connect(name).0.request(&request);
        assert_eq!(answer.header("Kong-Route-Name"), expected, "{name}");
        assert_eq!(answer.status, if expected.is_some() { 200 } else { 404 }, "{name}");
    }
    // Over cleartext no server name is asked for: the route asks for TLS instead.
    assert_eq!(gateway.gateway.get("/").status, 426);
}

/// HTTP/2 is offered on listeners flagged so, and spoken with whoever takes it.
#[test]
fn http2_is_agreed_upon_where_it_is_flagged() {
    let upstream = Upstream::echo();
    let gateway = Secured::start(&proxying(&upstream), &[]);
    let both = [&version::TLS12, &version::TLS13];
    let client = TlsClient::speaking(&both, &["h2", "http/1.1"]);
    let (near, handshake) = client.bridge(gateway.tls.address(), "shop.test").expect("a handshake");
    assert_eq!(handshake.alpn.as_deref(), Some("h2"));
    let http2 = Http2::open(near);
    for _ in 0..3 {
        assert_eq!(http2.get("/a?b").status, 200);
    }
    assert_eq!(upstream.last().header("X-Forwarded-Proto"), Some("https"));
    // Whoever asks for HTTP/1.1, or for nothing, gets that.
    for protocols in [&["http/1.1"][..], &[]] {
        let client = TlsClient::speaking(&both, protocols);
        let (mut connection, handshake) = client.connect(gateway.tls.address(), "shop.test");
        assert_eq!(handshake.alpn.as_deref(), protocols.first().copied());
        assert_eq!(connection.request(&Request::get("/")).status, 200);
    }

    let tls = Port::free();
    let plain = Gateway::with(&proxying(&upstream)).also_listening_on(&format!("{} ssl", tls.address())).start();
    let (_, handshake) = client.connect(tls.address(), "shop.test");
    assert_eq!(handshake.alpn.as_deref(), Some("http/1.1"));
    drop(plain);
}

/// nginx's page, which Kong does not replace.
#[test]
fn plain_http_on_the_tls_port_is_told_so() {
    let upstream = Upstream::echo();
    let gateway = Secured::start(&proxying(&upstream), &[]);
    let mut connection = Connection::open(gateway.tls.address());
    let answer = connection.request(&Request::get("/"));
    assert_eq!((answer.status, answer.header("Content-Type")), (400, Some("text/html")));
    assert!(answer.text().contains("<title>400 The plain HTTP request was sent to HTTPS port</title>"));
    assert!(answer.text().contains("<center>The plain HTTP request was sent to HTTPS port</center>"));
    assert!(connection.drained().is_empty());
    assert_eq!(upstream.count(), 0);
}

#[test]
fn certificates_change_under_open_connections_and_requests() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |request| match request.path.as_str() {
        "/held" => Script::from(Reply::ok("late")).behind(&held),
        _ => Script::from(Reply::ok("at once")),
    });
    let [before, after] = ["before", "after"].map(|name| Certificate::alone(&[name]));
    let document = |one: &Certificate| format!("{}{}", proxying(&upstream), certificates(&[(one, "[a.test]")]));
    let gateway = Secured::start(&document(&before), &[]);
    let (mut idle, first) = gateway.connect("a.test");
    assert!(first.shows("before"));
    assert_eq!(idle.request(&Request::get("/")).text(), "at once");
    let (mut busy, _) = gateway.connect("a.test");
    busy.send(Request::get("/held").bytes());
    eventually(SOON, || upstream.requests().iter().any(|request| request.path == "/held"));

    gateway.gateway.reload(&document(&after));
    eventually(SOON, || gateway.shown("a.test").shows("after"));
    gate.open();
    assert_eq!(busy.answer().text(), "late");
    assert_eq!(busy.request(&Request::get("/")).text(), "at once");
    assert_eq!(idle.request(&Request::get("/")).text(), "at once");
}

#[test]
fn a_signal_reads_the_certificates_of_the_settings_again() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = Certificate::alone(&["before"]).write(folder.path(), "default");
    let settings = [("ssl_cert", text(&cert)), ("ssl_cert_key", text(&key))];
    let gateway = Secured::start(&proxying(&upstream), &settings);
    let (mut open, first) = gateway.connect("a.test");
    assert!(first.shows("before"));

    Certificate::alone(&["after"]).write(folder.path(), "default");
    gateway.gateway.signal("HUP");
    eventually(SOON, || gateway.shown("a.test").shows("after"));
    assert_eq!(open.request(&Request::get("/")).status, 200);

    // What is broken is told, and what was there stays.
    fs::write(&key, "garbage").expect("a file");
    gateway.gateway.signal("HUP");
    eventually(SOON, || gateway.gateway.stderr().contains("certificates not reloaded, those before stay in force"));
    assert!(gateway.shown("a.test").shows("after"));
}

#[test]
fn a_broken_certificate_is_told_with_its_place_and_changes_nothing() {
    let upstream = Upstream::echo();
    let [good, other] = ["good", "other"].map(|name| Certificate::alone(&[name]));
    let mixed = Certificate { key: other.key.clone(), ..good.clone() };
    let document = |one: &Certificate| format!("{}{}", proxying(&upstream), certificates(&[(one, "[a.test]")]));

    let (setup, _) = Secured::with(&document(&mixed), &[]);
    let failure = setup.fails();
    assert_eq!(failure.code, Some(1));
    assert!(
        failure.stderr.contains("kong.yml:11:3: certificates[0]: certificate does not match key"),
        "{}",
        failure.stderr
    );
    assert!(!failure.stderr.contains("PRIVATE KEY"), "{}", failure.stderr);

    let gateway = Secured::start(&document(&good), &[]);
    let refusal = gateway.gateway.post_document(&document(&mixed));
    assert_eq!(refusal.status, 400);
    assert_eq!(refusal.json()["fields"]["certificates"][0]["@entity"][0], "certificate does not match key");
    assert!(gateway.shown("a.test").shows("good"));
}

#[test]
fn a_private_key_may_be_kept_elsewhere() {
    let upstream = Upstream::echo();
    let one = Certificate::alone(&["secret"]);
    let document = format!(
        "{}certificates:\n- cert: {:?}\n  key: '{{vault://env/kong-tls-key}}'\n  snis: [a.test]\n",
        proxying(&upstream),
        one.certificate
    );
    let gateway = Secured::start(&document, &[("tls_key", &one.key)]);
    assert!(gateway.shown("a.test").shows("secret"));
    let shown = gateway.gateway.ask_admin(&Request::get("/config")).text();
    assert!(shown.contains("vault://env/kong-tls-key") && !shown.contains("PRIVATE KEY"), "{shown}");
}

/// Workers share the keys of tickets: whoever accepts the next connection resumes the session.
#[test]
fn sessions_are_resumed_across_workers() {
    let upstream = Upstream::echo();
    for (settings, resumes) in [
        (&[][..], true),
        (&[("ssl_session_tickets", "off")], true),
        (&[("ssl_session_tickets", "off"), ("ssl_session_cache_size", "0")], false),
    ] {
        let gateway = Secured::start(&proxying(&upstream), settings);
        for version in [&version::TLS12, &version::TLS13] {
            let client = TlsClient::speaking(&[version], &["http/1.1"]);
            let mut resumed = Vec::new();
            for _ in 0..6 {
                let (mut connection, handshake) = client.connect(gateway.tls.address(), "a.test");
                // Tickets of TLS 1.3 come behind the handshake: with the answer they are there.
                assert_eq!(connection.request(&Request::get("/")).status, 200);
                resumed.push(handshake.resumed);
            }
            assert_eq!(resumed, [false, resumes, resumes, resumes, resumes, resumes], "{settings:?} {version:?}");
        }
    }
}

#[test]
fn versions_and_ciphers_are_those_of_the_settings() {
    use ProtocolVersion::{TLSv1_2 as V12, TLSv1_3 as V13};
    let upstream = Upstream::echo();
    for (settings, of_12, newest) in [
        (&[][..], true, V13),
        (&[("ssl_cipher_suite", "modern"), ("ssl_protocols", "TLSv1.2")], false, V13),
        (&[("ssl_cipher_suite", "fips")], true, V12),
        (&[("ssl_cipher_suite", "custom"), ("ssl_protocols", "TLSv1.2"), ("ssl_ciphers", "AES256+aECDSA")], true, V12),
    ] {
        let gateway = Secured::start(&proxying(&upstream), settings);
        let old = TlsClient::speaking(&[&version::TLS12], &["http/1.1"]);
        assert_eq!(old.try_connect(gateway.tls.address(), "a.test").is_ok(), of_12, "{settings:?}");
        assert_eq!(gateway.shown("a.test").version, newest, "{settings:?}");
    }
}

#[test]
fn what_cannot_be_offered_is_told_before_anything_listens() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = Certificate::alone(&["one"]).write(folder.path(), "one");
    let [_, other] = Certificate::alone(&["two"]).write(folder.path(), "two");
    let nowhere = folder.path().join("nowhere.crt");
    for (settings, expected) in [
        (
            &[("ssl_cert", text(&nowhere)), ("ssl_cert_key", text(&key))][..],
            format!("KONG_SSL_CERT: ssl_cert: no such file at {}", nowhere.display()),
        ),
        (
            &[("ssl_cert", text(&cert)), ("ssl_cert_key", text(&other))],
            "KONG_SSL_CERT: ssl_cert: certificate does not match key".to_owned(),
        ),
        (&[("ssl_cert", text(&cert))], "KONG_SSL_CERT: ssl_cert_key must be specified".to_owned()),
        (
            &[("ssl_cipher_suite", "custom"), ("ssl_protocols", "TLSv1.1")],
            "KONG_SSL_CIPHER_SUITE: ssl_protocols and ssl_ciphers leave nothing that could be offered to clients"
                .to_owned(),
        ),
        (
            &[("lua_ssl_trusted_certificate", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t")],
            "KONG_LUA_SSL_TRUSTED_CERTIFICATE: lua_ssl_trusted_certificate: invalid certificate".to_owned(),
        ),
    ] {
        let failure = Secured::with(&proxying(&upstream), settings).0.fails();
        assert_eq!(failure.code, Some(1));
        assert!(failure.stderr.contains(&expected), "{expected}: {}", failure.stderr);
    }
    let old = Secured::start(&proxying(&upstream), &[("ssl_cipher_suite", "old")]);
    let warning = "TLS 1.1 and older are not built in and not offered; TLS 1.2 and 1.3 are";
    eventually(SOON, || old.gateway.stderr().contains(warning));
}

/// Settings may hold PEM itself, or that in base64, as Kong's may.
#[test]
fn certificates_of_settings_may_be_text() {
    let upstream = Upstream::echo();
    let one = Certificate::alone(&["inline"]);
    let encoded = base64(one.key.as_bytes());
    let settings = [("ssl_cert", one.certificate.as_str()), ("ssl_cert_key", encoded.as_str())];
    let gateway = Secured::start(&proxying(&upstream), &settings);
    assert!(gateway.shown("a.test").shows("inline"));
    assert_eq!(gateway.get("a.test", "/").status, 200);
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
