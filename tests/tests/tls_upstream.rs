//! TLS towards upstreams, through the real binary.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use towergate_tests::{
    Answer, Authority, Certificate, Gateway, Request, SOON, TlsFront, Upstream, eventually, proxying_to,
};

const CLIENT: &str = "11111111-1111-4111-8111-111111111111";
const OURS: &str = "22222222-2222-4222-8222-222222222222";

/// A document with a service at this URL with these fields, and the entities it may name.
fn document(url: &str, fields: &[&str], ours: &Authority, client: &Certificate) -> String {
    format!(
        "{}ca_certificates:\n- id: {OURS}\n  cert: {:?}\ncertificates:\n{}  id: {CLIENT}\n",
        proxying_to(url, &[&["retries: 0"], fields].concat()),
        ours.pem,
        client.entry()
    )
}

const STRICT: &str = "tls_verify: true";

fn trusting() -> String {
    format!("ca_certificates: [{OURS}]")
}

/// What Kong answers when it could not agree with an upstream.
fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, 502);
    assert!(
        answer.text().starts_with("An invalid response was received from the upstream server"),
        "{}",
        answer.text()
    );
}

struct World {
    upstream: Upstream,
    ours: Authority,
    other: Authority,
    client: Certificate,
}

impl World {
    fn new() -> Self {
        let ours = Authority::new("ours");
        let client = ours.issue(&["the-gateway"]);
        Self { upstream: Upstream::echo(), other: Authority::new("other"), ours, client }
    }

    fn document(&self, front: &TlsFront, fields: &[&str]) -> String {
        document(&front.url("localhost"), fields, &self.ours, &self.client)
    }

    fn get(&self, front: &TlsFront, fields: &[&str]) -> (Answer, Gateway) {
        let gateway = Gateway::serving(&self.document(front, fields));
        (gateway.get("/a?b"), gateway)
    }
}

#[test]
fn an_https_service_is_reached_over_tls_and_its_connections_are_kept() {
    let world = World::new();
    let front = TlsFront::new(&world.upstream, &world.ours.issue(&["localhost"]), None);
    // Checks are off by default, as in Kong.
    let (answer, gateway) = world.get(&front, &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = world.upstream.last();
    assert_eq!(received.header("Host"), Some(format!("localhost:{}", front.address().port()).as_str()));
    assert_eq!(received.header("X-Forwarded-Proto"), Some("http"));
    let mut connection = gateway.connect();
    for _ in 0..5 {
        assert_eq!(connection.request(&Request::post("/", "body")).status, 200);
    }
    let calls = front.calls();
    // Two workers, each with a pool of its own.
    assert!(calls.len() <= 2, "{calls:?}");
    assert!(calls.iter().all(|call| call.server_name.as_deref() == Some("localhost")), "{calls:?}");
}

#[test]
fn whom_a_service_trusts_decides() {
    let world = World::new();
    let trusting = trusting();
    let ours = || world.ours.issue(&["localhost"]);
    let between = world.ours.between("between");
    let mut chained = between.issue(&["localhost"]);
    chained.certificate.push_str(&between.pem);
    for (certificate, fields, refusal) in [
        (ours(), vec![STRICT, &trusting], None),
        (world.other.issue(&["localhost"]), vec![STRICT, &trusting], Some("its issuer is not trusted")),
        (world.other.issue(&["localhost"]), vec!["tls_verify: false", &trusting], None),
        (
            world.ours.issue(&["elsewhere.test"]),
            vec![STRICT, &trusting],
            Some("it is for elsewhere.test, 'localhost' was asked for"),
        ),
        (world.ours.issue(&["elsewhere.test"]), vec![], None),
        (Certificate::alone(&["localhost"]), vec![STRICT, &trusting], Some("its issuer is not trusted")),
        // Nobody has put our authority among those the system trusts.
        (ours(), vec![STRICT], Some("its certificate is not accepted")),
        (chained.clone(), vec![STRICT, &trusting], None),
        (chained, vec![STRICT, &trusting, "tls_verify_depth: 0"], Some("more than 0 certificates between")),
    ] {
        let front = TlsFront::new(&world.upstream, &certificate, None);
        let before = world.upstream.count();
        let (answer, gateway) = world.get(&front, &fields);
        let Some(refusal) = refusal else {
            assert_eq!(answer.status, 200, "{fields:?}: {}", gateway.stderr());
            continue;
        };
        assert_refused(&answer);
        assert_eq!(world.upstream.count(), before, "{fields:?}");
        eventually(SOON, || gateway.stderr().contains(refusal));
        eventually(SOON, || gateway.stderr().contains("no agreement on TLS with"));
    }
}

#[test]
fn the_gateway_may_trust_for_all_services() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &world.ours.pem).expect("a file");
    let path = |path: &Path| path.to_str().expect("text").to_owned();
    let between = world.ours.between("between");
    let mut deep = between.between("deeper").issue(&["localhost"]);
    deep.certificate.push_str(&between.pem);
    let fronts = [
        TlsFront::new(&world.upstream, &world.ours.issue(&["localhost"]), None),
        TlsFront::new(&world.upstream, &world.other.issue(&["localhost"]), None),
    ];
    for (trusted, expected) in [
        (path(&file), [200, 502]),
        (format!("system, {}", path(&file)), [200, 502]),
        (world.other.pem.clone(), [502, 200]),
    ] {
        for (front, status) in fronts.iter().zip(expected) {
            let setup = Gateway::with(&world.document(front, &[STRICT]));
            let gateway = setup.setting("lua_ssl_trusted_certificate", &trusted).start();
            assert_eq!(gateway.get("/").status, status, "{trusted}: {}", gateway.stderr());
        }
    }
    // What a service trusts itself counts in its place.
    let setup = Gateway::with(&world.document(&fronts[0], &[STRICT, &trusting()]));
    let gateway = setup.setting("lua_ssl_trusted_certificate", &world.other.pem).start();
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn who_we_are_is_shown_to_upstreams_that_ask() {
    let world = World::new();
    let front = TlsFront::new(&world.upstream, &world.ours.issue(&["localhost"]), Some(&world.ours));
    let shown = || {
        let certificate = front.calls().pop().and_then(|call| call.certificate);
        certificate.map(|der| String::from_utf8_lossy(&der).into_owned()).unwrap_or_default()
    };
    let named = format!("client_certificate: {CLIENT}");
    assert_eq!(world.get(&front, &[&named]).0.status, 200);
    assert!(shown().contains("the-gateway"));

    // Without one the upstream refuses, and the log says why.
    let (answer, gateway) = world.get(&front, &[]);
    assert_refused(&answer);
    eventually(SOON, || gateway.stderr().contains("it wants a client certificate"));

    // One for all services, for those without one of their own.
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = world.ours.issue(&["everywhere"]).write(folder.path(), "client");
    let start = |fields: &[&str]| {
        Gateway::with(&world.document(&front, fields))
            .setting("client_ssl", "on")
            .setting("client_ssl_cert", cert.to_str().expect("text"))
            .setting("client_ssl_cert_key", key.to_str().expect("text"))
            .start()
    };
    let gateway = start(&[]);
    assert_eq!(gateway.get("/").status, 200);
    assert!(shown().contains("everywhere"));
    assert_eq!(start(&[&named]).get("/").status, 200);
    assert!(shown().contains("the-gateway"));

    // It is read again when the gateway is told to.
    world.ours.issue(&["renewed"]).write(folder.path(), "client");
    gateway.signal("HUP");
    eventually(SOON, || gateway.get("/").status == 200 && shown().contains("renewed"));
}

#[test]
fn an_upstream_entity_may_say_who_we_are() {
    let world = World::new();
    let front = TlsFront::new(&world.upstream, &world.ours.issue(&["the.upstream"]), Some(&world.ours));
    let document = format!(
        "{}upstreams:\n- name: pool\n  client_certificate: {CLIENT}\n  host_header: the.upstream\n  targets: [{{target: '{}'}}]\n",
        document("https://pool", &[STRICT, &trusting()], &world.ours, &world.client),
        front.address()
    );
    let gateway = Gateway::serving(&document);
    assert_eq!(gateway.get("/").status, 200, "{}", gateway.stderr());
    let call = front.calls().pop().expect("a call");
    assert_eq!(call.server_name.as_deref(), Some("the.upstream"));
    assert!(call.certificate.is_some());
}

/// A connection made without a check must never carry requests that ask for one.
#[test]
fn connections_are_not_shared_across_trust_settings() {
    let world = World::new();
    let front = TlsFront::new(&world.upstream, &world.other.issue(&["localhost"]), None);
    let url = front.url("localhost");
    let document = format!(
        r#"_format_version: "3.0"
services:
- {{name: lenient, url: "{url}", retries: 0, routes: [{{name: lenient, paths: [/lenient]}}]}}
- {{name: strict, url: "{url}", retries: 0, tls_verify: true, ca_certificates: [{OURS}], routes: [{{name: strict, paths: [/strict]}}]}}
ca_certificates:
- {{id: {OURS}, cert: {:?}}}
"#,
        world.ours.pem
    );
    let gateway = Gateway::with(&document).setting("nginx_worker_processes", "1").start();
    let mut connection = gateway.connect();
    for _ in 0..3 {
        assert_eq!(connection.request(&Request::get("/lenient")).status, 200);
        assert_refused(&connection.request(&Request::get("/strict")));
    }
    assert_eq!(world.upstream.accepted(), 1, "one connection was kept, and the others came to nothing");
    // The front hears of a refusal a moment after the gateway has told its client.
    eventually(SOON, || front.calls().iter().filter(|call| call.failure.is_some()).count() == 3);

    // A change of trust counts for the next request, whatever is kept.
    let lenient = document.replace("tls_verify: true", "tls_verify: false");
    gateway.reload(&lenient);
    assert_eq!(connection.request(&Request::get("/strict")).status, 200);
    gateway.reload(&lenient.replace("name: lenient, url", "name: lenient, tls_verify: true, url"));
    eventually(SOON, || connection.request(&Request::get("/lenient")).status == 502);
}

#[test]
fn with_the_clients_host_the_upstream_must_have_a_certificate_for_it() {
    let world = World::new();
    let front = TlsFront::new(&world.upstream, &world.ours.issue(&["shop.test"]), None);
    let document = world.document(&front, &[STRICT, &trusting()]);
    let document = document.replace("    strip_path: false\n", "    strip_path: false\n    preserve_host: true\n");
    let gateway = Gateway::serving(&document);
    let get = |host: &str| gateway.send(&Request::get("/").header("Host", host));
    assert_eq!(get("Shop.test:8443").status, 200, "{}", gateway.stderr());
    assert_eq!(world.upstream.last().header("Host"), Some("Shop.test:8443"));
    assert_eq!(front.calls().pop().expect("a call").server_name.as_deref(), Some("shop.test"));
    assert_refused(&get("other.test"));
}

#[test]
fn sessions_with_upstreams_are_resumed() {
    let world = World::new();
    let front = TlsFront::new(&world.upstream, &world.ours.issue(&["localhost"]), None);
    let document = world.document(&front, &[STRICT, &trusting()]);
    let gateway = Gateway::with(&document).setting("upstream_keepalive_pool_size", "0").start();
    for _ in 0..6 {
        assert_eq!(gateway.get("/").status, 200);
    }
    let resumed: Vec<_> = front.calls().iter().map(|call| call.resumed).collect();
    assert_eq!(resumed, [false, true, true, true, true, true]);
}

/// An upstream that speaks no TLS, or none at all, is told in the log and leaves the gateway whole.
#[test]
fn an_upstream_without_tls_is_a_bad_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
    });
    let gateway = Gateway::serving(&proxying_to(&url, &["retries: 1"]));
    for _ in 0..3 {
        assert_refused(&gateway.get("/"));
    }
    eventually(SOON, || gateway.stderr().contains("the other side does not speak TLS"));
}

#[test]
fn an_authority_that_is_not_there_is_refused() {
    let world = World::new();
    let front = TlsFront::new(&world.upstream, &world.ours.issue(&["localhost"]), None);
    let document = proxying_to(&front.url("localhost"), &[STRICT, &trusting()]);
    let failure = Gateway::with(&document).fails();
    let told = format!("services[0].ca_certificates[0]: invalid reference 'ca_certificates: {OURS}'");
    assert!(failure.stderr.contains(&told), "{}", failure.stderr);
}
