//! Towards clients: real handshakes over loopback.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::{
    CipherSuite as Suite, HandshakeKind, ProtocolVersion, SignatureScheme,
    version::{TLS12, TLS13},
};
use support::{Asks, Echo, Pair, connect, get, lone, params, ping, self_signed};
use towergate_tls::{
    CertificateSource, Certificates, CipherSuite, Custom, Identities, Identity, Part, Server, ServerSettings, Version,
};

fn shown(pair: &Pair) -> Identities {
    pair.identity().into()
}

fn settings(cipher_suite: CipherSuite) -> ServerSettings {
    ServerSettings { cipher_suite, ..ServerSettings::default() }
}

fn custom(protocols: &[Version], ciphers: &str, prefer_server_ciphers: bool) -> ServerSettings {
    let ciphers = (!ciphers.is_empty()).then(|| ciphers.to_owned());
    settings(CipherSuite::Custom(Custom { protocols: protocols.to_vec(), ciphers, prefer_server_ciphers }))
}

/// A server with an RSA and an ECDSA certificate for everybody.
async fn both(settings: &ServerSettings, http2: bool) -> Echo {
    let server = Server::new(settings).unwrap();
    Echo::start(server.config(Arc::new(Certificates::new(two_keys())), http2)).await
}

/// Made once: RSA keys take their time.
fn two_keys() -> Identities {
    static BOTH: LazyLock<Identities> = LazyLock::new(|| {
        let pair = |algorithm| self_signed(&params(&["both.test"]), algorithm).identity();
        Identities::new(vec![pair(&PKCS_RSA_SHA256), pair(&PKCS_ECDSA_P256_SHA256)]).unwrap()
    });
    BOTH.clone()
}

#[tokio::test]
async fn each_server_name_gets_its_certificate() {
    let mut certificates = Certificates::new(shown(&lone(&["default"])));
    for name in ["exact.example.com", "*.example.com", "exact.*"] {
        certificates.insert(name, shown(&lone(&[name])));
    }
    let server = Server::new(&ServerSettings::default()).unwrap();
    let echo = Echo::start(server.config(Arc::new(certificates), false)).await;
    let config = Asks::default().config();
    for (asked, expected) in [
        ("exact.example.com", "exact.example.com"),
        ("EXACT.Example.Com", "exact.example.com"),
        ("other.example.com", "*.example.com"),
        ("exact.org", "exact.*"),
        ("example.com", "default"),
        ("a.b.example.com", "default"),
        // No server name is sent for an address.
        ("127.0.0.1", "default"),
    ] {
        assert_eq!(get(echo.address, asked, &config).await.unwrap().name(), expected, "{asked}");
    }
    assert_eq!(echo.seen().server_name, None);
}

#[tokio::test]
async fn of_two_keys_the_one_the_client_understands_is_used() {
    let echo = both(&ServerSettings::default(), false).await;
    let rsa = vec![SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256];
    let only_12 = vec![&TLS12];
    for (asks, is_rsa) in [
        (Asks::default(), false),
        (Asks { schemes: rsa.clone(), ..Asks::default() }, true),
        (Asks { schemes: rsa, versions: only_12.clone(), ..Asks::default() }, true),
        (
            Asks {
                versions: only_12.clone(),
                suites: vec![Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256],
                ..Asks::default()
            },
            true,
        ),
        (
            Asks { versions: only_12, suites: vec![Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], ..Asks::default() },
            false,
        ),
    ] {
        assert_eq!(get(echo.address, "x", &asks.config()).await.unwrap().is_rsa(), is_rsa, "{:?}", asks.suites);
    }
}

#[tokio::test]
async fn versions_are_those_of_the_settings() {
    use ProtocolVersion::{TLSv1_2 as V12, TLSv1_3 as V13};
    for (settings, newest, of_12, of_13) in [
        (settings(CipherSuite::Intermediate), V13, true, true),
        (settings(CipherSuite::Old), V13, true, true),
        (settings(CipherSuite::Modern), V13, false, true),
        (settings(CipherSuite::Fips), V12, true, false),
        (custom(&[Version::Tls12], "", false), V12, true, false),
        (custom(&[Version::Tls13], "", false), V13, false, true),
        (custom(&[Version::Older, Version::Tls12], "", false), V12, true, false),
        (custom(&[Version::Tls12, Version::Tls13], "AES128-SHA", false), V13, false, true),
    ] {
        let echo = both(&settings, false).await;
        let asked = |versions| Asks { versions, ..Asks::default() }.config();
        assert_eq!(get(echo.address, "x", &Asks::default().config()).await.unwrap().version, newest, "{settings:?}");
        assert_eq!(get(echo.address, "x", &asked(vec![&TLS12])).await.is_ok(), of_12, "{settings:?}");
        assert_eq!(get(echo.address, "x", &asked(vec![&TLS13])).await.is_ok(), of_13, "{settings:?}");
    }
}

#[tokio::test]
async fn ciphers_are_those_of_the_settings_in_the_order_they_say() {
    const RSA_128: Suite = Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    const RSA_256: Suite = Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384;
    const ECDSA_128: Suite = Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    const ECDSA_256: Suite = Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    const ECDSA_CHACHA: Suite = Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    let v12 = &[Version::Tls12];
    let both_256_first = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
    for (settings, asked, expected) in [
        (custom(v12, both_256_first, true), vec![ECDSA_128, ECDSA_256], Some(ECDSA_256)),
        (custom(v12, both_256_first, false), vec![ECDSA_128, ECDSA_256], Some(ECDSA_128)),
        (custom(v12, both_256_first, true), vec![ECDSA_CHACHA], None),
        (custom(v12, "ECDHE-RSA-AES256-GCM-SHA384", true), vec![RSA_128, RSA_256], Some(RSA_256)),
        (settings(CipherSuite::Fips), vec![ECDSA_CHACHA], None),
        (settings(CipherSuite::Fips), vec![ECDSA_CHACHA, ECDSA_128], Some(ECDSA_128)),
        (settings(CipherSuite::Intermediate), vec![ECDSA_CHACHA], Some(ECDSA_CHACHA)),
        (
            custom(&[Version::Tls13], "TLS_AES_128_GCM_SHA256", true),
            vec![Suite::TLS13_AES_256_GCM_SHA384, Suite::TLS13_AES_128_GCM_SHA256],
            Some(Suite::TLS13_AES_128_GCM_SHA256),
        ),
    ] {
        let echo = both(&settings, false).await;
        let is_13 = asked[0] == Suite::TLS13_AES_256_GCM_SHA384;
        let versions = vec![if is_13 { &TLS13 } else { &TLS12 }];
        let asks = Asks { versions, suites: asked.clone(), ..Asks::default() };
        let got = get(echo.address, "x", &asks.config()).await;
        assert_eq!(got.ok().map(|got| got.suite), expected, "{settings:?} {asked:?}");
    }
}

#[test]
fn what_is_not_offered_is_told() {
    let warnings = |settings: &ServerSettings| Server::new(settings).unwrap().warnings().to_vec();
    assert!(warnings(&ServerSettings::default()).is_empty());
    assert!(warnings(&settings(CipherSuite::Modern)).is_empty());
    assert!(warnings(&settings(CipherSuite::Fips)).is_empty());
    let old = "TLS 1.1 and older are not built in and not offered; TLS 1.2 and 1.3 are";
    assert_eq!(warnings(&settings(CipherSuite::Old)), [old]);
    assert_eq!(
        warnings(&custom(&[Version::Tls12, Version::Tls13], "AES128-SHA:DES-CBC3-SHA:!aNULL", true)),
        [
            "ssl_ciphers: not built in and not offered: AES128-SHA, DES-CBC3-SHA",
            "TLS 1.2 is not offered: ssl_ciphers leaves it no cipher that is built in"
        ]
    );
    for nothing in [custom(&[Version::Older], "", true), custom(&[Version::Tls12], "RC4-MD5", true)] {
        let error = Server::new(&nothing).unwrap_err().to_string();
        assert!(error.starts_with("ssl_protocols and ssl_ciphers leave nothing"), "{error}");
    }
}

#[tokio::test]
async fn http2_is_offered_where_it_is_flagged() {
    for (http2, asked, expected) in [
        (true, vec!["h2", "http/1.1"], Some(Some("h2"))),
        (true, vec!["http/1.1"], Some(Some("http/1.1"))),
        (true, vec![], Some(None)),
        (false, vec!["h2", "http/1.1"], Some(Some("http/1.1"))),
        (false, vec!["h2"], None),
        (false, vec!["http/1.0"], Some(Some("http/1.0"))),
    ] {
        let echo = both(&ServerSettings::default(), http2).await;
        let got = get(echo.address, "x", &Asks { alpn: asked.clone(), ..Asks::default() }.config()).await;
        let expected = expected.map(|alpn| alpn.map(str::to_owned));
        assert_eq!(got.ok().map(|got| got.alpn), expected, "{http2} {asked:?}");
        if let Some(alpn) = expected {
            assert_eq!(echo.seen().alpn, alpn);
        }
    }
}

#[tokio::test]
async fn sessions_are_resumed_by_any_worker() {
    let quick = Duration::from_secs(3600);
    let with = |session_tickets, session_cache| ServerSettings {
        session_tickets,
        session_cache,
        session_timeout: quick,
        ..ServerSettings::default()
    };
    for (settings, resumed) in [(with(true, 0), true), (with(false, 100), true), (with(false, 0), false)] {
        for version in [&TLS12, &TLS13] {
            let server = Server::new(&settings).unwrap();
            let certificates = Arc::new(Certificates::new(two_keys()));
            let mut workers = Vec::new();
            for _ in 0..2 {
                workers.push(Echo::start(server.config(certificates.clone(), false)).await);
            }
            let config = Asks { versions: vec![version], ..Asks::default() }.config();
            let mut kinds = Vec::new();
            for worker in &workers {
                kinds.push(get(worker.address, "x", &config).await.unwrap().kind);
            }
            let second = if resumed { HandshakeKind::Resumed } else { HandshakeKind::Full };
            assert_eq!(kinds, [HandshakeKind::Full, second], "{settings:?} {version:?}");
        }
    }
}

#[tokio::test]
async fn another_gateway_does_not_take_a_session() {
    let config = Asks::default().config();
    for _ in 0..2 {
        let echo = both(&ServerSettings::default(), false).await;
        assert_eq!(get(echo.address, "x", &config).await.unwrap().kind, HandshakeKind::Full);
    }
}

struct Newest(Arc<Mutex<Certificates>>);

impl CertificateSource for Newest {
    fn look(&self, use_them: &mut dyn FnMut(&Certificates)) {
        use_them(&self.0.lock().unwrap());
    }
}

#[tokio::test]
async fn new_certificates_count_for_new_connections_and_old_ones_go_on() {
    let newest = Arc::new(Mutex::new(Certificates::new(shown(&lone(&["before"])))));
    let server = Server::new(&ServerSettings::default()).unwrap();
    let echo = Echo::start(server.config(Newest(newest.clone()), false)).await;
    let mut open = connect(echo.address, "x", &Asks::default().config()).await.unwrap();
    ping(&mut open).await.unwrap();

    *newest.lock().unwrap() = Certificates::new(shown(&lone(&["after"])));
    assert_eq!(get(echo.address, "x", &Asks::default().config()).await.unwrap().name(), "after");
    assert_eq!(support::got(&open).name(), "before");
    ping(&mut open).await.unwrap();
}

#[tokio::test]
async fn without_any_certificate_the_handshake_fails() {
    let server = Server::new(&ServerSettings::default()).unwrap();
    let echo = Echo::start(server.config(Arc::new(Certificates::default()), false)).await;
    assert!(get(echo.address, "x", &Asks::default().config()).await.is_err());
}

#[test]
fn what_is_wrong_with_a_pair_is_told() {
    let (one, other) = (lone(&["one"]), lone(&["other"]));
    let rsa = self_signed(&params(&["rsa"]), &PKCS_RSA_SHA256);
    let garbage = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let wrong = |certificate: &str, key: &str| {
        let error = Identity::from_pem(certificate, key).unwrap_err();
        (error.part(), error.to_string())
    };
    let mismatch = (Part::Both, "certificate does not match key".to_owned());
    assert_eq!(wrong(&one.certificate, &other.key), mismatch);
    assert_eq!(wrong(&one.certificate, &rsa.key), mismatch);
    assert_eq!(
        wrong(&one.certificate, garbage),
        (
            Part::Key,
            "invalid key: it is damaged or of a type that is not supported (RSA of 2048 to 8192 bits, ECDSA on P-256, \
             P-384 or P-521, or Ed25519)"
                .to_owned()
        )
    );
    assert_eq!(
        wrong(&one.key, &one.key),
        (
            Part::Certificate,
            "invalid certificate: expected PEM with a block 'CERTIFICATE', found 'PRIVATE KEY'".to_owned()
        )
    );
    assert_eq!(
        wrong(&one.certificate, &one.certificate),
        (Part::Key, "invalid key: expected PEM with a block 'PRIVATE KEY', found 'CERTIFICATE'".to_owned())
    );
    // One text may hold both.
    let both = format!("{}{}", one.key, one.certificate);
    assert!(Identity::from_pem(&both, &both).is_ok());
}

#[test]
fn two_keys_must_be_of_two_types() {
    let error = Identities::new(vec![lone(&["one"]).identity(), lone(&["two"]).identity()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), the provided \
         certificates were both of the same type"
    );
}
