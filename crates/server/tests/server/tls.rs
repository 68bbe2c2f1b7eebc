//! Listeners with TLS.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::json;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use towergate_core::Protocol;
use towergate_router::Rule;
use towergate_server::{Listen, Listeners, ServerConfig, Timeouts};
use towergate_tls::{Certificates, Identity, Server, ServerSettings};

use crate::gateway::{Client, Gateway, TestRoute, eventually, route};

type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A certificate with this name, for everybody.
fn showing(name: &str) -> Arc<Certificates> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Arc::new(Certificates::new(Identity::from_pem(&pem, &key.serialize_pem()).unwrap().into()))
}

fn start(timeouts: Timeouts, routes: &[TestRoute]) -> Gateway {
    let listen = Listen { tls: true, ..Listen::on(([127, 0, 0, 1], 0).into()) };
    let tls = Some(Server::new(&ServerSettings::default()).unwrap());
    let config = ServerConfig { timeouts, tls, ..ServerConfig::default() };
    let listeners = Listeners::bind(&[listen], 1).unwrap();
    Gateway::start_showing(listeners, config, 1, routes, showing("first"))
}

fn simple() -> Gateway {
    start(Timeouts::default(), &[route("main", "/a")])
}

/// Believes anything.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

fn session(name: &str) -> ClientConnection {
    let mut config = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Credulous));
    ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap()
}

fn socket(gateway: &Gateway) -> TcpStream {
    let socket = TcpStream::connect(gateway.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// A client whose handshake is over.
fn connect(gateway: &Gateway, name: &str) -> TlsClient {
    let mut stream = StreamOwned::new(session(name), socket(gateway));
    stream.conn.complete_io(&mut stream.sock).unwrap();
    Client::over(stream)
}

/// The name in the certificate the client was shown.
fn shown(client: &TlsClient) -> String {
    let certificate = &client.stream().conn.peer_certificates().unwrap()[0];
    let text = String::from_utf8_lossy(certificate).into_owned();
    ["first", "second"].into_iter().find(|name| text.contains(*name)).unwrap().to_owned()
}

#[test]
fn a_request_over_tls_knows_that_it_is_one() {
    let gateway = simple();
    let mut client = connect(&gateway, "Shop.Example.com");
    for number in 1..=3 {
        let facts = client.get("/a").json();
        assert_eq!((&facts["scheme"], &facts["server_name"]), (&json!("https"), &json!("shop.example.com")));
        assert_eq!((&facts["request"], &facts["connection"]), (&json!(number), &json!(1)));
    }
    let nameless = connect(&gateway, "127.0.0.1").get("/a").json();
    assert_eq!((&nameless["scheme"], &nameless["server_name"]), (&json!("https"), &json!(null)));
}

#[test]
fn routes_are_found_by_server_name_and_by_scheme() {
    let by_name = |name: &'static str, snis: &[&str]| {
        let rule = Rule { snis: snis.iter().map(|sni| (*sni).to_owned()).collect(), ..Rule::default() };
        TestRoute { rule, ..route(name, "/") }
    };
    let https = TestRoute { protocols: vec![Protocol::Https], ..route("secure", "/secure") };
    let routes = [by_name("exact", &["one.example.com"]), by_name("wildcard", &["*.example.org"]), https];
    let gateway = start(Timeouts::default(), &routes);
    for (name, expected) in [("one.example.com", "exact"), ("ONE.example.com", "exact"), ("a.example.org", "wildcard")]
    {
        assert_eq!(connect(&gateway, name).get("/").json()["route"], expected, "{name}");
    }
    assert_eq!(connect(&gateway, "other.example.com").get("/").status, 404);
    assert_eq!(connect(&gateway, "other.example.com").get("/secure").json()["route"], "secure");
}

#[test]
fn plain_http_is_told_to_be_in_the_wrong_place() {
    let gateway = simple();
    let mut client = gateway.connect();
    let answer = client.get("/a");
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("text/html")));
    assert!(answer.body.contains("<center>The plain HTTP request was sent to HTTPS port</center>"), "{}", answer.body);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed());
}

#[test]
fn what_is_no_handshake_ends_the_connection_and_nothing_else() {
    let gateway = simple();
    for bytes in [&b"\x16\x03\x01\x00\x05hello"[..], b"\x80\x2e\x01\x00\x02", b"\x16", b"", b"\x00\x00\x00"] {
        let mut client = gateway.connect();
        client.send(bytes);
        client.hang_up();
    }
    eventually("all connections are gone", || gateway.stats().connections_active == 0);
    assert_eq!(connect(&gateway, "x").get("/a").status, 200);
}

#[test]
fn new_certificates_are_shown_and_open_connections_go_on() {
    let gateway = simple();
    let mut open = connect(&gateway, "x");
    assert_eq!(open.get("/a").status, 200);
    gateway.publish_showing(&[route("other", "/a")], showing("second"));
    assert_eq!(open.get("/a").json()["route"], "other", "the newest table, on the connection that was open");
    assert_eq!(shown(&open), "first");
    assert_eq!(shown(&connect(&gateway, "x")), "second");
}

fn impatient() -> Gateway {
    let short = Duration::from_millis(200);
    start(Timeouts { keep_alive: short, header: short, body: short, send: short }, &[route("main", "/a")])
}

#[test]
fn who_keeps_the_gateway_waiting_is_let_go() {
    let gateway = impatient();
    assert!(gateway.connect().is_closed(), "not a byte");
    let mut half = gateway.connect();
    half.send(b"\x16\x03\x01\x02\x00\x01");
    assert!(half.is_closed(), "half a handshake");
    assert!(connect(&gateway, "x").is_closed(), "no request at all");
    let mut slow = connect(&gateway, "x");
    slow.send("GET /a HTTP/1.1\r\nHost:");
    assert!(is_over(&mut slow), "half a head");
    let mut idle = connect(&gateway, "x");
    idle.get("/a");
    assert!(idle.is_closed(), "no second request");
}

/// Half a head may come in one piece with the end of the handshake, before anybody waits for a head.
#[test]
fn half_a_head_behind_the_handshake_is_not_waited_for_any_longer() {
    let gateway = impatient();
    let (mut session, mut socket) = (session("x"), socket(&gateway));
    while session.is_handshaking() {
        while session.wants_write() && session.is_handshaking() {
            session.write_tls(&mut socket).unwrap();
        }
        if session.is_handshaking() {
            match session.read_tls(&mut socket) {
                // As when the machine was stopped for a moment: the next turn reads on.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => drop(read.unwrap()),
            }
            session.process_new_packets().unwrap();
        }
    }
    session.writer().write_all(b"GET /a HTTP/1.1\r\nHost:").unwrap();
    let mut flight = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut flight).unwrap();
    }
    socket.write_all(&flight).unwrap();
    assert!(is_over(&mut Client::over(StreamOwned::new(session, socket))));
}

/// Whether the connection ends without an answer; without TLS's own end, too.
fn is_over(client: &mut TlsClient) -> bool {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    let mut rest = Vec::new();
    match client.stream_mut().read_to_end(&mut rest) {
        Ok(_) => rest.is_empty(),
        Err(error) => matches!(error.kind(), ConnectionReset | UnexpectedEof),
    }
}

#[test]
fn who_takes_nothing_of_a_response_is_let_go_and_who_is_slow_is_not() {
    let timeouts = Timeouts { send: Duration::from_secs(1), ..Timeouts::default() };
    let gateway = start(timeouts, &[route("main", "/a")]);
    let mut client = connect(&gateway, "x");
    client.send("GET /a?large HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the connection is gone", || gateway.stats().connections_active == 0);

    // Slower in all than the timeout, but never without taking something for so long.
    let mut client = connect(&gateway, "x");
    client.send("GET /a?large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let begin = Instant::now();
    let mut piece = vec![0; 1 << 20];
    for taken in 0..32 {
        client.stream_mut().read_exact(&mut piece).unwrap_or_else(|error| panic!("cut off after {taken} MiB: {error}"));
        std::thread::sleep(Duration::from_millis(60));
    }
    assert!(begin.elapsed() > timeouts.send + timeouts.send / 2);
}

#[test]
fn a_drain_waits_for_requests_and_for_nobody_who_has_none() {
    let mut gateway = simple();
    let mut silent = gateway.connect();
    let mut idle = connect(&gateway, "x");
    idle.get("/a");
    let mut busy = connect(&gateway, "x");
    busy.send("GET /a/held HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request has begun", || gateway.stats().connections_writing == 1);
    let workers = gateway.workers.take().unwrap();
    let draining = std::thread::spawn(move || workers.drain(Duration::from_secs(30)));
    assert!(silent.is_closed());
    assert!(idle.is_closed());
    gateway.gate.add_permits(1);
    let answer = busy.answer();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(busy.is_closed());
    assert_eq!(draining.join().unwrap().cut_off, 0);
}

#[test]
fn a_listener_with_tls_needs_settings_of_tls() {
    let listen = Listen { tls: true, ..Listen::on(([127, 0, 0, 1], 0).into()) };
    let listeners = Listeners::bind(&[listen], 1).unwrap();
    let (_publisher, watched) = towergate_runtime::Publisher::new([crate::gateway::table(&[], Arc::default())]);
    let stack = tower::service_fn(|_: http::Request<towergate_core::Body>| async {
        Ok(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
    });
    let error = towergate_server::Workers::start(ServerConfig::default(), listeners, watched, move |_| stack);
    assert_eq!(error.unwrap_err().to_string(), "a listener with TLS, and no settings of TLS");
}
