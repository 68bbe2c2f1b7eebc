//! Towards upstreams: real handshakes over loopback.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{io, net::IpAddr, sync::Arc};

use rcgen::{BasicConstraints, IsCa, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::{
    HandshakeKind, RootCertStore, ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use support::{Authority, Echo, Pair, params, ping, self_signed};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use towergate_tls::{Authorities, Authority as Trusted, Client, Clients, PemPair, Protocol, Trust, explain};

fn der(pair: &Pair) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).map(Result::unwrap).collect();
    (chain, PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap())
}

/// A server with this certificate; with an authority, clients must show a certificate of it.
async fn server(pair: &Pair, clients_of: Option<&Authority>) -> Echo {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients_of {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = der(pair);
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Echo::start(Arc::new(config)).await
}

fn clients() -> Clients {
    Clients::new(Authorities::none())
}

/// Shakes hands as `name` and sends something back and forth.
async fn try_it(client: &Client, echo: &Echo, name: &str) -> io::Result<HandshakeKind> {
    let stream = TcpStream::connect(echo.address).await.unwrap();
    let mut stream = client.connect(name, echo.address.ip(), stream).await?;
    ping(&mut stream).await?;
    Ok(stream.get_ref().1.handshake_kind().unwrap())
}

/// What the log says of the attempt.
async fn said(trust: &Trust, echo: &Echo, name: &str) -> String {
    match try_it(&clients().client(trust).unwrap(), echo, name).await {
        Ok(_) => "fine".to_owned(),
        Err(error) => explain(&error),
    }
}

fn strict(authority: &Authority) -> Trust {
    Trust { verify: true, authorities: authority.text(), ..Trust::default() }
}

const NAME: &str = "up.example.test";

#[tokio::test]
async fn a_server_is_checked_if_that_is_asked_for() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let days = |before: i64, after: i64| {
        let mut params = params(&[NAME]);
        params.not_before = OffsetDateTime::UNIX_EPOCH + Duration::days(before);
        params.not_after = OffsetDateTime::UNIX_EPOCH + Duration::days(after);
        ours.issue_with(&params, &PKCS_ECDSA_P256_SHA256)
    };
    let mut authoritative = params(&[NAME]);
    authoritative.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (pair, expected) in [
        (ours.issue(&[NAME]), "fine"),
        (ours.issue_with(&params(&[NAME]), &PKCS_RSA_SHA256), "fine"),
        (ours.issue(&["*.example.test"]), "fine"),
        (other.issue(&[NAME]), "its certificate is not accepted: its issuer is not trusted"),
        (support::lone(&[NAME]), "its certificate is not accepted: its issuer is not trusted"),
        (
            ours.issue(&["a.test", "*.b.test"]),
            "its certificate is not accepted: it is for a.test, *.b.test, 'up.example.test' was asked for",
        ),
        (
            ours.issue(&[]),
            "its certificate is not accepted: it names no server (subjectAltName), 'up.example.test' was asked for",
        ),
        (days(0, 365), "its certificate is not accepted: it expired at 1971-01-01 00:00:00 UTC"),
        (days(365 * 200, 365 * 201), "its certificate is not accepted: it is not valid before 2169-11-13 00:00:00 UTC"),
        (
            ours.issue_with(&authoritative, &PKCS_ECDSA_P256_SHA256),
            "its certificate is not accepted: it is that of an authority",
        ),
    ] {
        let echo = server(&pair, None).await;
        assert_eq!(said(&strict(&ours), &echo, NAME).await, expected);
        assert_eq!(said(&Trust::default(), &echo, NAME).await, "fine", "without a check: {expected}");
    }
}

#[tokio::test]
async fn so_many_certificates_may_stand_between() {
    let root = Authority::new("root");
    let upper = root.between("upper");
    let lower = upper.between("lower");
    let chains = [
        (root.issue(&[NAME]), 0),
        (upper.issue(&[NAME]).with_chain(&[&upper]), 1),
        (lower.issue(&[NAME]).with_chain(&[&lower, &upper]), 2),
    ];
    for (pair, between) in &chains {
        let echo = server(pair, None).await;
        for depth in 0..=3 {
            let told = said(&Trust { depth, ..strict(&root) }, &echo, NAME).await;
            let refusal = format!(
                "its certificate is not accepted: there are more than {depth} certificates between it and a trusted \
                 authority (tls_verify_depth)"
            );
            assert_eq!(told, if depth < *between { &refusal } else { "fine" }, "{between} at depth {depth}");
        }
    }
    // One that is missing in between cannot be guessed.
    let echo = server(&upper.issue(&[NAME]), None).await;
    assert_eq!(said(&strict(&root), &echo, NAME).await, "its certificate is not accepted: its issuer is not trusted");
}

/// What `openssl req -x509` makes has the mark of an authority, and OpenSSL takes it where it is trusted itself.
#[tokio::test]
async fn a_certificate_that_is_trusted_itself_is_taken() {
    let mut params = params(&[NAME]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pair = self_signed(&params, &PKCS_ECDSA_P256_SHA256);
    let trust =
        |pair: &Pair| Trust { verify: true, authorities: vec![pair.certificate.as_str().into()], ..Trust::default() };
    let echo = server(&pair, None).await;
    assert_eq!(said(&trust(&pair), &echo, NAME).await, "fine");
    let mismatch = "its certificate is not accepted: it is for up.example.test, 'other.test' was asked for";
    assert_eq!(said(&trust(&pair), &echo, "other.test").await, mismatch);

    params.not_after = OffsetDateTime::UNIX_EPOCH + Duration::days(365 * 30);
    let expired = self_signed(&params, &PKCS_ECDSA_P256_SHA256);
    let echo = server(&expired, None).await;
    let told = said(&trust(&expired), &echo, NAME).await;
    assert!(told.starts_with("its certificate is not accepted: it expired at 1999-"), "{told}");
}

#[tokio::test]
async fn without_authorities_of_its_own_a_service_trusts_those_of_the_gateway() {
    let ours = Authority::new("ours");
    let echo = server(&ours.issue(&[NAME]), None).await;
    let check = Trust { verify: true, ..Trust::default() };
    let nobody = clients().client(&check).unwrap();
    let error = try_it(&nobody, &echo, NAME).await.unwrap_err();
    assert_eq!(
        explain(&error),
        "its certificate is not accepted: no authority is trusted (ca_certificates, lua_ssl_trusted_certificate)"
    );
    let gateway = Clients::new(Authorities::none().with_pem(&ours.pem).unwrap()).client(&check).unwrap();
    assert!(try_it(&gateway, &echo, NAME).await.is_ok());
    let system = Clients::new(Authorities::none().with_system()).client(&check).unwrap();
    assert!(try_it(&system, &echo, NAME).await.is_err());
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_it_is_asked_for() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let echo = server(&ours.issue(&[NAME]), Some(&ours)).await;
    let as_whom = |pair: Option<Pair>| Trust { identity: pair.and_then(|pair| pair.texts()), ..strict(&ours) };
    assert_eq!(said(&as_whom(Some(ours.issue(&["gateway"]))), &echo, NAME).await, "fine");
    assert_eq!(echo.seen().client_certificates, 1);
    let told = said(&as_whom(None), &echo, NAME).await;
    assert_eq!(told, "the other side refuses: it wants a client certificate");
    let told = said(&as_whom(Some(other.issue(&["gateway"]))), &echo, NAME).await;
    assert_eq!(told, "the other side refuses: it does not trust the issuer of our certificate");
}

#[tokio::test]
async fn equal_trust_is_one_client_and_resumes_its_sessions() {
    let ours = Authority::new("ours");
    let echo = server(&ours.issue(&[NAME]), None).await;
    let clients = clients();
    let one = clients.client(&strict(&ours)).unwrap();
    let same = clients.client(&strict(&ours)).unwrap();
    assert_eq!(one, same);
    assert_eq!(try_it(&one, &echo, NAME).await.unwrap(), HandshakeKind::Full);
    assert_eq!(try_it(&same, &echo, NAME).await.unwrap(), HandshakeKind::Resumed);
    assert_eq!(try_it(&one, &echo, "up.example.test").await.unwrap(), HandshakeKind::Resumed);

    let identity = ours.issue(&["gateway"]).texts();
    for trust in [
        Trust::default(),
        Trust { depth: 2, ..strict(&ours) },
        Trust { identity, ..strict(&ours) },
        Trust { protocol: Protocol::Either, ..strict(&ours) },
        Trust { authorities: [ours.text(), Authority::new("other").text()].concat(), ..strict(&ours) },
    ] {
        let other = clients.client(&trust).unwrap();
        assert_ne!(one, other, "{trust:?}");
        assert_eq!(try_it(&other, &echo, NAME).await.unwrap(), HandshakeKind::Full, "{trust:?}");
    }
}

#[tokio::test]
async fn names_are_sent_and_addresses_are_not() {
    let ours = Authority::new("ours");
    let echo = server(&ours.issue(&[NAME, "127.0.0.1", "::1"]), None).await;
    for (name, sent) in [(NAME, Some(NAME)), ("127.0.0.1", None), ("[::1]", None), ("no name!", None)] {
        assert_eq!(said(&strict(&ours), &echo, name).await, "fine", "{name}");
        assert_eq!(echo.seen().server_name.as_deref(), sent, "{name}");
    }
    let echo = server(&ours.issue(&[NAME]), None).await;
    let told = said(&strict(&ours), &echo, "127.0.0.1").await;
    let expected = "its certificate is not accepted: it is for up.example.test, '127.0.0.1' was asked for";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_protocol_inside_is_agreed_upon() {
    let echo = server(&support::lone(&[NAME]), None).await;
    for (protocol, expected) in [(Protocol::Http1, "http/1.1"), (Protocol::Http2, "h2"), (Protocol::Either, "h2")] {
        assert_eq!(said(&Trust { protocol, ..Trust::default() }, &echo, NAME).await, "fine");
        assert_eq!(echo.seen().alpn.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told() {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        first.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        drop(listener.accept().await.unwrap());
        let _ = first.shutdown().await;
    });
    let client = clients().client(&Trust::default()).unwrap();
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let mut told = Vec::new();
    for _ in 0..2 {
        let stream = TcpStream::connect(address).await.unwrap();
        told.push(explain(&client.connect(NAME, loopback, stream).await.unwrap_err()));
    }
    assert_eq!(told[0], "the other side does not speak TLS");
    assert!(told[1].contains("closed in the handshake") || told[1].contains("reset"), "{}", told[1]);
}

#[test]
fn what_is_wrong_with_trust_is_told() {
    let garbage = || Arc::from("garbage");
    let client = |trust| clients().client(&trust).unwrap_err().to_string();
    let expected = "invalid certificate: expected PEM: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----";
    assert_eq!(client(Trust { verify: true, authorities: vec![garbage()], ..Trust::default() }), expected);
    assert_eq!(
        client(Trust { identity: Some(PemPair { certificate: garbage(), key: garbage() }), ..Trust::default() }),
        expected
    );
}

#[test]
fn an_authority_is_what_kong_takes_for_one() {
    let ours = Authority::new("ours");
    let digest = Trusted::from_pem(&ours.pem).unwrap().digest();
    assert_eq!(digest.len(), 64);
    assert!(digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{digest}");

    let wrong = |text: &str| Trusted::from_pem(text).unwrap_err().to_string();
    assert_eq!(wrong(&format!("{0}{0}", ours.pem)), "please submit only one certificate at a time");
    assert_eq!(
        wrong(&support::lone(&["x"]).certificate),
        "certificate does not appear to be a CA because it is missing the \"CA\" basic constraint"
    );
    let mut old = params(&["x"]);
    old.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    old.not_after = OffsetDateTime::UNIX_EPOCH + Duration::days(365 * 30);
    let expired = self_signed(&old, &PKCS_ECDSA_P256_SHA256);
    assert_eq!(wrong(&expired.certificate), "certificate expired, \"Not After\" time is in the past");
}
