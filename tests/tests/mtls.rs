//! The plugin mtls-auth as a whole: who is asked for a certificate, whom one makes of a client, reloads.

use std::sync::atomic::Ordering;

use towergate_tests::{
    Answer, Authority, Certificate, Gateway, Http2, Port, Request, SOON, TlsClient, Upstream, eventually, proxying,
};

const ROOT: &str = "8f2b1f5a-6f0e-4d7c-9a53-0b9a3f1c2d4e";
const MISSING: &str = r#"{"message":"No required TLS certificate was sent"}"#;
const FAILED: &str = r#"{"message":"TLS certificate failed verification"}"#;

/// A gateway with a listener in cleartext and one with TLS.
struct Secured {
    gateway: Gateway,
    tls: Port,
}

impl Secured {
    fn start(document: &str) -> Self {
        let tls = Port::free();
        let listen = format!("{} http2 ssl", tls.address());
        Self { gateway: Gateway::with(document).also_listening_on(&listen).start(), tls }
    }

    fn ask(&self, client: &TlsClient, name: &str) -> Answer {
        let (mut connection, _) = client.connect(self.tls.address(), name);
        connection.request(&Request::get("/").header("Host", name).header("X-Consumer-Username", "root"))
    }
}

/// The document of [`proxying`] with this authority, two consumers, and mtls-auth with these fields more.
fn document(upstream: &Upstream, root: &Authority, more: &str) -> String {
    format!(
        "{}consumers: [{{username: alice, custom_id: a-1}}, {{username: guest}}]\n{}plugins: [{{name: mtls-auth, config: {{ca_certificates: [{ROOT}]{more}}}}}]\n",
        proxying(upstream),
        authority(root)
    )
}

fn authority(root: &Authority) -> String {
    format!("ca_certificates: [{{id: {ROOT}, cert: {:?}}}]\n", root.pem)
}

fn showing(certificate: &Certificate) -> TlsClient {
    TlsClient::showing(certificate, &[], &["http/1.1"]).0
}

#[track_caller]
fn assert_refused(answer: &Answer, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (401, body));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("WWW-Authenticate"), None);
}

#[test]
fn a_certificate_names_the_consumer() {
    let upstream = Upstream::echo();
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let gateway = Secured::start(&document(&upstream, &root, ""));
    for names in [&["alice"][..], &["a-1"], &["nobody", "alice"]] {
        let client = showing(&root.issue(names));
        for _ in 0..3 {
            assert_eq!(gateway.ask(&client, "a.test").status, 200, "{names:?}");
            assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
            assert_eq!(upstream.last().header("X-Consumer-Custom-ID"), Some("a-1"));
        }
    }
    let served = upstream.count();
    assert_refused(&gateway.ask(&showing(&root.issue(&["bob"])), "a.test"), FAILED);
    assert_refused(&gateway.ask(&showing(&other.issue(&["alice"])), "a.test"), FAILED);
    assert_refused(&gateway.ask(&showing(&Certificate::alone(&["alice"])), "a.test"), FAILED);
    assert_refused(&gateway.ask(&TlsClient::new(), "a.test"), MISSING);
    assert_refused(&gateway.gateway.get("/"), MISSING);
    assert_eq!(upstream.count(), served);
    eventually(SOON, || gateway.gateway.log().contains("revocation_check_mode"));
}

#[test]
fn a_chain_may_have_something_in_between() {
    let upstream = Upstream::echo();
    let root = Authority::new("root");
    let between = root.between("between");
    let gateway = Secured::start(&document(&upstream, &root, ""));
    let certificate = between.issue(&["alice"]);
    assert_refused(&gateway.ask(&showing(&certificate), "a.test"), FAILED);
    let (client, _) = TlsClient::showing(&certificate, &[&between.pem], &["http/1.1"]);
    assert_eq!(gateway.ask(&client, "a.test").status, 200);
}

#[test]
fn all_requests_of_a_connection_with_http2_are_known_by_its_certificate() {
    let upstream = Upstream::echo();
    let root = Authority::new("root");
    let gateway = Secured::start(&document(&upstream, &root, ""));
    let (client, _) = TlsClient::showing(&root.issue(&["alice"]), &[], &["h2"]);
    let (near, handshake) = client.bridge(gateway.tls.address(), "a.test").expect("a handshake");
    assert_eq!(handshake.alpn.as_deref(), Some("h2"));
    let http2 = Http2::open(near);
    for _ in 0..3 {
        assert_eq!(http2.get("/").status, 200);
        assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
    }
}

#[test]
fn only_who_asks_for_a_name_that_may_need_it_is_asked_for_a_certificate() {
    let upstream = Upstream::echo();
    let root = Authority::new("root");
    let routes = format!(
        "_format_version: '3.0'\nservices:\n- name: echo\n  url: {}\n  routes:\n  - {{name: open, protocols: [https], snis: [open.test]}}\n  \
         - name: closed\n    protocols: [https]\n    snis: [Closed.test]\n    plugins: [{{name: mtls-auth, config: {{ca_certificates: [{ROOT}], revocation_check_mode: SKIP}}}}]\n\
         consumers: [{{username: alice}}]\n{}",
        upstream.url(),
        authority(&root)
    );
    let named = Secured::start(&routes);
    let anywhere = Secured::start(&routes.replace("    snis: [Closed.test]\n", "    paths: [/]\n"));
    let none = Secured::start(&routes.replace("mtls-auth, config", "mtls-auth, enabled: false, config"));
    let alice = root.issue(&["alice"]);
    for (gateway, name, expected) in [
        (&named, "closed.test", true),
        (&named, "CLOSED.test", true),
        (&named, "open.test", false),
        (&named, "other.test", false),
        (&anywhere, "open.test", true),
        (&anywhere, "other.test", true),
        (&none, "closed.test", false),
    ] {
        let (client, asked) = TlsClient::showing(&alice, &[], &["http/1.1"]);
        gateway.ask(&client, name);
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{name}");
    }
    assert_eq!(named.ask(&showing(&alice), "closed.test").status, 200);
    assert_eq!(named.ask(&showing(&alice), "open.test").status, 200);
    assert_refused(&named.ask(&TlsClient::new(), "closed.test"), MISSING);
    assert!(!named.gateway.log().contains("revocation_check_mode"));
}

#[test]
fn a_session_without_a_certificate_is_not_resumed_where_one_is_asked_for() {
    let upstream = Upstream::echo();
    let root = Authority::new("root");
    let gateway = Secured::start(&proxying(&upstream));
    let (client, asked) = TlsClient::showing(&root.issue(&["alice"]), &[], &["http/1.1"]);
    for _ in 0..2 {
        assert_eq!(gateway.ask(&client, "a.test").status, 200);
    }
    assert!(!asked.load(Ordering::SeqCst));
    gateway.gateway.reload(&document(&upstream, &root, ""));
    eventually(SOON, || gateway.ask(&client, "a.test").status == 200 && asked.load(Ordering::SeqCst));
    let (mut connection, handshake) = client.connect(gateway.tls.address(), "a.test");
    assert!(handshake.resumed, "one in which it was shown is");
    assert_eq!(connection.request(&Request::get("/")).status, 200);
}

#[test]
fn another_authority_ends_what_was_remembered_also_on_open_connections() {
    let upstream = Upstream::echo();
    let (root, other) = (Authority::new("root"), Authority::new("root"));
    let gateway = Secured::start(&document(&upstream, &root, ""));
    let (mut connection, _) = showing(&root.issue(&["alice"])).connect(gateway.tls.address(), "a.test");
    for _ in 0..2 {
        assert_eq!(connection.request(&Request::get("/")).status, 200);
    }
    assert_eq!(gateway.gateway.post_document(&document(&upstream, &other, "")).status, 201);
    assert_refused(&connection.request(&Request::get("/")), FAILED);
    assert_eq!(gateway.gateway.post_document(&document(&upstream, &root, "")).status, 201);
    assert_eq!(connection.request(&Request::get("/")).status, 200);
}

#[test]
fn a_good_certificate_may_be_enough() {
    let upstream = Upstream::echo();
    let root = Authority::new("root");
    let gateway = Secured::start(&document(&upstream, &root, ", skip_consumer_lookup: true"));
    assert_eq!(gateway.ask(&showing(&root.issue(&["bob"])), "a.test").status, 200);
    let received = upstream.only();
    assert_eq!(received.header("X-Client-Cert-DN"), Some("CN=bob"));
    assert_eq!(received.header("X-Client-Cert-SAN"), Some("bob"));
    assert_eq!(received.header("X-Consumer-Username"), None);
}

#[test]
fn strangers_go_on_as_the_anonymous_consumer() {
    let upstream = Upstream::echo();
    let root = Authority::new("root");
    let gateway = Secured::start(&document(&upstream, &root, ", anonymous: guest"));
    for client in [TlsClient::new(), showing(&Certificate::alone(&["alice"]))] {
        assert_eq!(gateway.ask(&client, "a.test").status, 200);
        assert_eq!(upstream.last().header("X-Anonymous-Consumer"), Some("true"));
        assert_eq!(upstream.last().header("X-Consumer-Username"), Some("guest"));
    }
    assert_eq!(gateway.ask(&showing(&root.issue(&["alice"])), "a.test").status, 200);
    assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
    assert_eq!(upstream.last().header("X-Anonymous-Consumer"), None);
}

#[test]
fn what_cannot_protect_is_refused() {
    let upstream = Upstream::echo();
    let root = Authority::new("root");
    let gateway = Gateway::serving("_format_version: \"3.0\"\n");
    let good = document(&upstream, &root, "");
    let unknown = "0b9a3f1c-6f0e-4d7c-9a53-8f2b1f5a2d4e";
    let elsewhere = good.replace(&format!("ca_certificates: [{ROOT}]"), &format!("ca_certificates: [{unknown}]"));
    for (document, expected) in [
        (elsewhere, format!("invalid reference 'ca_certificates: {unknown}' (no such entry in 'ca_certificates')")),
        (document(&upstream, &root, ", revocation_check_mode: STRICT"), "take SKIP or IGNORE_CA_ERROR".to_owned()),
        (good.replace(&format!("[{ROOT}]"), "[]"), "length must be at least 1".to_owned()),
    ] {
        let answer = gateway.post_document(&document);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(&expected), "{expected}: {}", answer.text());
    }
    assert_eq!(gateway.post_document(&good).status, 201);
}
