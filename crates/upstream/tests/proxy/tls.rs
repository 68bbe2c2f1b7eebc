//! Upstreams over TLS.

use std::{sync::Arc, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        HandshakeKind, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};
use towergate_core::{Body, KeyPair as Shown, Plan, Protocol, Route, Service, Tls};
use towergate_upstream::{Destinations, TlsSettings};

use crate::support::{Gateway, OK, Peer, Upstream, balanced, chunk, get, request, route, service, text, tries, within};

/// An authority, and certificates it issued for servers and clients.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> Shown {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem().into();
        Shown { certificate, key: key.serialize_pem().into() }
    }

    /// A server with a certificate for this name; clients must have one, too, if `mutual`.
    pub(crate) fn server(&self, name: &str, mutual: bool) -> TlsAcceptor {
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
            ServerConfig::builder()
                .with_client_cert_verifier(WebPkiClientVerifier::builder(roots.into()).build().unwrap())
        } else {
            ServerConfig::builder().with_no_client_auth()
        };
        let pair = self.issue(name);
        let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        Arc::new(builder.with_single_cert(chain, key).unwrap()).into()
    }

    pub(crate) fn strict(&self) -> Tls {
        Tls { verify: Some(true), authorities: vec![self.pem.as_str().into()], ..Tls::default() }
    }
}

/// A service at this address that is called `localhost` and reached over TLS.
fn secure(upstream: &Upstream, tls: Tls) -> Service {
    let host = "localhost".into();
    Service { protocol: Protocol::Https, host, retries: 0, tls: Some(tls), ..service(upstream.address) }
}

/// A gateway to a service, whose destination these made.
fn made_by(destinations: &mut Destinations, service: Service) -> Gateway {
    let destination = Some(destinations.destination(&service));
    let mut gateway = Gateway::to(service);
    gateway.plan = Arc::new(Plan { destination, ..Plan::clone(&gateway.plan) });
    gateway
}

type TlsPeer = Peer<TlsStream<TcpStream>>;

fn server_name(peer: &TlsPeer) -> Option<&str> {
    peer.stream.get_ref().1.server_name()
}

async fn serve(gateway: &Gateway, peer: &mut TlsPeer) {
    let call = gateway.spawn(get("/"));
    peer.answer(OK).await;
    assert_eq!(text(call.await.unwrap().1).await, "ok");
}

#[tokio::test]
async fn requests_go_over_tls_and_connections_are_kept() {
    let (upstream, authority) = (Upstream::bind().await, Authority::new());
    let acceptor = authority.server("localhost", false);
    for tls in [Tls::default(), authority.strict()] {
        let gateway = Gateway::to(secure(&upstream, tls));
        let call = gateway.spawn(request("POST", "hello"));
        let mut peer = upstream.accept_tls(&acceptor).await;
        let head = peer.until("hello").await;
        assert!(head.contains(&format!("\r\nHost: localhost:{}\r\n", upstream.address.port())), "{head}");
        assert_eq!(server_name(&peer), Some("localhost"));
        assert_eq!(peer.stream.get_ref().1.alpn_protocol(), None, "the server says nothing of protocols");
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
        assert_eq!(text(call.await.unwrap().1).await, "ok");
        for _ in 0..3 {
            serve(&gateway, &mut peer).await;
        }
        assert!(!upstream.is_called().await);
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_who_it_should_be_gets_nothing() {
    let (upstream, ours, other) = (Upstream::bind().await, Authority::new(), Authority::new());
    for (acceptor, trust, is_fine) in [
        (ours.server("localhost", false), ours.strict(), true),
        (ours.server("elsewhere.test", false), ours.strict(), false),
        (other.server("localhost", false), ours.strict(), false),
        (other.server("elsewhere.test", false), Tls::default(), true),
        (other.server("elsewhere.test", false), Tls { verify: Some(false), ..ours.strict() }, true),
    ] {
        let gateway = Gateway::to(secure(&upstream, trust));
        let call = gateway.spawn(get("/"));
        let peer = upstream.try_accept_tls(&acceptor).await;
        if is_fine {
            peer.unwrap().answer(OK).await;
        } else {
            assert!(peer.is_none(), "no handshake, so that nothing was sent");
        }
        let (cx, response) = call.await.unwrap();
        let status = if is_fine { 200 } else { 502 };
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(tries(&cx), [(upstream.address.port(), status)]);
    }
}

/// Kong's pool knows address, name, and all that is trusted and shown.
#[tokio::test]
async fn a_connection_is_never_used_under_another_trust_or_for_another_name() {
    let (upstream, authority) = (Upstream::bind().await, Authority::new());
    let acceptor = authority.server("localhost", false);
    let mut destinations = Destinations::new();
    let lenient = || secure(&upstream, Tls::default());
    let first = made_by(&mut destinations, lenient());
    let call = first.spawn(get("/"));
    let mut kept = upstream.accept_tls(&acceptor).await;
    kept.answer(OK).await;
    text(call.await.unwrap().1).await;

    let others = [
        secure(&upstream, authority.strict()),
        secure(&upstream, Tls { depth: Some(3), ..authority.strict() }),
        secure(&upstream, Tls { identity: Some(authority.issue("gateway")), ..Tls::default() }),
        Service { host: "127.0.0.1".into(), ..lenient() },
    ];
    for other in others {
        let mut gateway = made_by(&mut destinations, other);
        gateway.proxy = first.proxy.clone();
        let call = gateway.spawn(get("/"));
        let mut peer = upstream.accept_tls(&acceptor).await;
        peer.answer(OK).await;
        text(call.await.unwrap().1).await;
    }
    // Another service that trusts in the same way may share it.
    let mut same = made_by(&mut destinations, lenient());
    same.proxy = first.proxy.clone();
    serve(&same, &mut kept).await;
    // The same, after a change of configuration.
    let mut same = made_by(&mut Destinations::after(&destinations), lenient());
    same.proxy = first.proxy.clone();
    serve(&same, &mut kept).await;
    assert!(!upstream.is_called().await);
}

#[tokio::test]
async fn with_the_clients_host_the_upstream_must_be_that() {
    let (upstream, authority) = (Upstream::bind().await, Authority::new());
    let acceptor = authority.server("client.test", false);
    let preserving = Route { preserve_host: true, ..route() };
    let gateway = Gateway::new(secure(&upstream, authority.strict()), preserving, &Default::default());
    let call = gateway.spawn(get("/"));
    let mut peer = upstream.accept_tls(&acceptor).await;
    let head = peer.answer(OK).await;
    assert!(head.contains("\r\nHost: client.test\r\n"), "{head}");
    assert_eq!(server_name(&peer), Some("client.test"));
    assert_eq!(call.await.unwrap().1.status().as_u16(), 200);

    let mut other = get("/");
    other.headers_mut().insert("host", "other.test:8443".parse().unwrap());
    let call = gateway.spawn(other);
    assert!(upstream.try_accept_tls(&acceptor).await.is_none(), "a new connection, and no certificate for it");
    assert_eq!(call.await.unwrap().1.status().as_u16(), 502);
}

#[tokio::test]
async fn upstreams_that_ask_are_told_who_we_are() {
    let (upstream, authority) = (Upstream::bind().await, Authority::new());
    let acceptor = authority.server("localhost", true);
    let identity = Some(authority.issue("service"));
    let of_service = Tls { identity, ..authority.strict() };
    let everywhere = TlsSettings { identity: Some(authority.issue("everywhere")), ..TlsSettings::default() };
    for (settings, tls, expected) in [
        (TlsSettings::default(), of_service.clone(), Some("service")),
        (everywhere.clone(), authority.strict(), Some("everywhere")),
        (everywhere, of_service, Some("service")),
        (TlsSettings::default(), authority.strict(), None),
    ] {
        let gateway = made_by(&mut Destinations::trusting(settings), secure(&upstream, tls));
        let call = gateway.spawn(request("POST", "hello"));
        let peer = upstream.try_accept_tls(&acceptor).await;
        let Some(name) = expected else {
            assert!(peer.is_none());
            assert_eq!(call.await.unwrap().1.status().as_u16(), 502);
            continue;
        };
        let mut peer = peer.unwrap();
        let shown = peer.stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        assert!(String::from_utf8_lossy(&shown).contains(name));
        peer.until("hello").await;
        peer.send(OK).await;
        assert_eq!(text(call.await.unwrap().1).await, "ok");
    }
}

#[tokio::test]
async fn sessions_are_resumed() {
    let (upstream, authority) = (Upstream::bind().await, Authority::new());
    let acceptor = authority.server("localhost", false);
    let gateway = Gateway::to(secure(&upstream, authority.strict()));
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let call = gateway.spawn(get("/"));
        let mut peer = upstream.accept_tls(&acceptor).await;
        kinds.push(peer.stream.get_ref().1.handshake_kind().unwrap());
        peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
        assert_eq!(text(call.await.unwrap().1).await, "ok");
    }
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
}

#[tokio::test]
async fn without_agreement_on_tls_another_target_is_tried_whatever_the_method() {
    let (plain, upstream, authority) = (Upstream::bind().await, Upstream::bind().await, Authority::new());
    let acceptor = authority.server("127.0.0.1", false);
    let targets = balanced(&[plain.address, upstream.address]);
    let gateway = Gateway::to(Service { protocol: Protocol::Https, tls: Some(authority.strict()), ..targets });
    tokio::spawn(async move {
        loop {
            let mut peer = plain.accept().await;
            peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    for _ in 0..4 {
        let call = gateway.spawn(request("POST", "hello"));
        let mut peer = upstream.accept_tls(&acceptor).await;
        peer.until("hello").await;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
        let (cx, response) = call.await.unwrap();
        assert_eq!(text(response).await, "ok");
        assert_eq!(tries(&cx).last().unwrap().1, 200);
    }
}

#[tokio::test]
async fn a_handshake_has_as_long_as_connecting() {
    let (upstream, short) = (Upstream::bind().await, Duration::from_millis(100));
    let gateway = Gateway::to(Service { connect_timeout: short, ..secure(&upstream, Tls::default()) });
    let call = gateway.spawn(get("/"));
    let peer = upstream.accept().await;
    assert_eq!(call.await.unwrap().1.status().as_u16(), 504);
    peer.closed().await;
}

#[tokio::test]
async fn that_a_kept_connection_was_closed_is_no_failure() {
    let (upstream, authority) = (Upstream::bind().await, Authority::new());
    let acceptor = authority.server("localhost", false);
    let gateway = Gateway::to(secure(&upstream, authority.strict()));
    for says_so in [true, false] {
        let call = gateway.spawn(get("/"));
        let mut peer = upstream.accept_tls(&acceptor).await;
        peer.answer(OK).await;
        text(call.await.unwrap().1).await;
        if says_so {
            peer.stream.shutdown().await.unwrap();
        }
        drop(peer);
    }
    let call = gateway.spawn(get("/"));
    upstream.accept_tls(&acceptor).await.answer(OK).await;
    let (cx, response) = call.await.unwrap();
    assert_eq!((text(response).await.as_str(), tries(&cx).len()), ("ok", 1));
}

/// RFC 9112, section 9.8: without TLS's own end, a response that ends with the connection is not whole.
#[tokio::test]
async fn a_response_until_the_end_is_whole_only_if_tls_says_so() {
    let (upstream, authority) = (Upstream::bind().await, Authority::new());
    let acceptor = authority.server("localhost", false);
    for says_so in [true, false] {
        let gateway = Gateway::to(secure(&upstream, authority.strict()));
        let call = gateway.spawn(get("/"));
        let mut peer = upstream.accept_tls(&acceptor).await;
        peer.answer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf").await;
        if says_so {
            peer.stream.shutdown().await.unwrap();
        } else {
            peer.stream.flush().await.unwrap();
        }
        drop(peer);
        let mut body: Body = within(call).await.unwrap().1.into_body();
        assert_eq!(chunk(&mut body).await.unwrap().unwrap(), "half");
        assert_eq!(chunk(&mut body).await.is_none(), says_so);
    }
}
