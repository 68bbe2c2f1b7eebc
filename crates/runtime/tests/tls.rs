//! Certificates, and whom services trust, from a configuration to its table.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use towergate_config::{Config, Source, parse};
use towergate_core::{Policy, Service};
use towergate_runtime::{Base, Control, Destinations, Registry, Runtime, compile};
use towergate_tls::Identity;

/// Remembers the services it was asked for.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Service>>>);

impl Destinations for Seen {
    fn next(&self) -> Box<dyn Destinations> {
        Box::new(self.clone())
    }

    fn destination(&mut self, service: &Service) -> Arc<Policy> {
        self.0.lock().unwrap().push(service.clone());
        Arc::new(())
    }
}

/// A certificate and its key, each quoted for YAML.
struct Pair {
    cert: String,
    key: String,
}

fn pair(algorithm: &'static rcgen::SignatureAlgorithm, authority: bool) -> Pair {
    let mut params = CertificateParams::default();
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate_for(algorithm).unwrap();
    let cert = params.self_signed(&key).unwrap().pem();
    Pair { cert: format!("{cert:?}"), key: format!("{:?}", key.serialize_pem()) }
}

fn ecdsa() -> Pair {
    pair(&PKCS_ECDSA_P256_SHA256, false)
}

fn text_of(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap()
}

fn identity(pair: &Pair) -> Identity {
    Identity::from_pem(&text_of(&pair.cert), &text_of(&pair.key)).unwrap()
}

fn load(text: &str) -> Result<Config, Vec<String>> {
    let source = Source::new("kong.yml", format!("_format_version: '3.0'\n{text}"));
    let loaded = parse(vec![source], &Registry::default());
    loaded.map(|loaded| loaded.config).map_err(|report| report.problems().iter().map(ToString::to_string).collect())
}

fn compiled(text: &str, previous: Option<&Runtime>) -> Runtime {
    let config = Arc::new(load(text).unwrap());
    compile(config, &Registry::default(), &mut Seen::default(), &Base::default(), previous).unwrap()
}

#[test]
fn what_only_reading_a_certificate_shows_is_told_with_its_place() {
    let (one, other, alternative) = (ecdsa(), ecdsa(), pair(&PKCS_ED25519, false));
    let certificate = |lines: &[(&str, &str)]| {
        let lines: Vec<_> = lines.iter().map(|(field, value)| format!("  {field}: {value}\n")).collect();
        load(&format!("certificates:\n- tags: [x]\n{}", lines.concat())).map(drop)
    };
    let garbage = "\"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n\"";
    let (cert, key) = (("cert", one.cert.as_str()), ("key", one.key.as_str()));
    let alt = [("cert_alt", alternative.cert.as_str()), ("key_alt", alternative.key.as_str())];
    assert_eq!(certificate(&[cert, key]), Ok(()));
    assert_eq!(certificate(&[cert, key, alt[0], alt[1]]), Ok(()));
    let told = |problem: &str| Err(vec![problem.to_owned()]);
    assert_eq!(
        certificate(&[cert, ("key", &other.key)]),
        told("kong.yml:3:3: certificates[0]: certificate does not match key")
    );
    assert_eq!(
        certificate(&[cert, ("key", garbage)]),
        told(
            "kong.yml:5:8: certificates[0].key: invalid key: it is damaged or of a type that is not supported (RSA of 2048 to \
             8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519)"
        )
    );
    assert_eq!(
        certificate(&[cert, key, alt[0], ("key_alt", &other.key)]),
        told("kong.yml:3:3: certificates[0]: alternative certificate does not match key")
    );
    assert_eq!(
        certificate(&[cert, key, ("cert_alt", &other.cert), ("key_alt", &other.key)]),
        told(
            "kong.yml:3:3: certificates[0]: certificate and alternative certificate need to have different type (e.g. RSA and \
             ECDSA), the provided certificates were both of the same type"
        )
    );
    let authority = |cert: &str| load(&format!("ca_certificates:\n- cert: {cert}\n"));
    assert_eq!(
        authority(&one.cert).unwrap_err(),
        [
            "kong.yml:3:3: ca_certificates[0]: certificate does not appear to be a CA because it is missing the \"CA\" basic \
             constraint"
        ]
    );
    let trusted = authority(&pair(&PKCS_ECDSA_P256_SHA256, true).cert).unwrap();
    assert_eq!(trusted.ca_certificates[0].cert_digest.as_ref().unwrap().len(), 64);
}

#[test]
fn certificates_are_shown_for_their_names_and_read_once() {
    let (a, b) = (ecdsa(), ecdsa());
    let text = |b: &Pair| {
        format!(
            "certificates:\n- id: 11111111-1111-4111-8111-111111111111\n  cert: {}\n  key: {}\n  snis: [a.test, '*.a.test']\n\
             - id: 22222222-2222-4222-8222-222222222222\n  cert: {}\n  key: {}\n  snis: [b.test]\n",
            a.cert, a.key, b.cert, b.key
        )
    };
    let first = compiled(&text(&b), None);
    let shown = |runtime: &Runtime, name: &str| {
        let found = runtime.table.certificates.find(Some(name)).clone();
        let first = found.iter().next().cloned();
        first.map(|identity| format!("{:p}", Arc::as_ptr(identity.certified_key())))
    };
    assert!(shown(&first, "a.test").is_some());
    assert_eq!(shown(&first, "a.test"), shown(&first, "x.a.test"));
    assert_ne!(shown(&first, "a.test"), shown(&first, "b.test"));
    assert_eq!(shown(&first, "c.test"), None);

    let second = compiled(&text(&ecdsa()), Some(&first));
    assert_eq!(shown(&first, "a.test"), shown(&second, "a.test"), "what did not change was not read again");
    assert_ne!(shown(&first, "b.test"), shown(&second, "b.test"));
}

#[tokio::test]
async fn the_default_certificate_may_change_under_a_configuration() {
    let base = |pair: &Pair| Base { certificates: identity(pair).into(), ..Base::default() };
    let (handle, config) = (tokio::runtime::Handle::current(), load("routes: []\n").unwrap());
    let reach = Box::new(Seen::default());
    let (control, watched) = Control::start(Registry::default(), base(&ecdsa()), reach, handle, config, 2).unwrap();
    let shown = |worker: usize| {
        watched[worker].with(|table| {
            let found = table.certificates.find(None).iter().next().cloned().unwrap();
            format!("{:p}", Arc::as_ptr(found.certified_key()))
        })
    };
    let before = shown(0);
    assert_eq!(before, shown(1), "workers share certificates");
    control.renew(|base| base.certificates = identity(&ecdsa()).into()).unwrap();
    assert_ne!(before, shown(0));
    assert_eq!(shown(0), shown(1));
    let after = shown(0);
    control.apply(load("consumers: [{username: a}]\n").unwrap()).unwrap();
    assert_eq!(shown(0), after, "it stays with another configuration");
}

#[test]
fn a_service_knows_whom_to_trust_and_who_we_are() {
    let (own, upstreams, authority) = (ecdsa(), ecdsa(), pair(&PKCS_ECDSA_P256_SHA256, true));
    let text = format!(
        "certificates:\n\
         - {{id: 11111111-1111-4111-8111-111111111111, cert: {}, key: {}}}\n\
         - {{id: 22222222-2222-4222-8222-222222222222, cert: {}, key: {}}}\n\
         ca_certificates:\n\
         - {{id: 33333333-3333-4333-8333-333333333333, cert: {}}}\n\
         upstreams:\n\
         - {{name: pool, client_certificate: 22222222-2222-4222-8222-222222222222, targets: [{{target: 'a.test:443'}}]}}\n\
         services:\n\
         - {{name: plain, url: 'http://a.test'}}\n\
         - {{name: silent, url: 'https://a.test'}}\n\
         - {{name: strict, url: 'https://a.test', tls_verify: true, tls_verify_depth: 2, \
              ca_certificates: [33333333-3333-4333-8333-333333333333], \
              client_certificate: 11111111-1111-4111-8111-111111111111}}\n\
         - {{name: pooled, url: 'https://pool'}}\n\
         - {{name: both, url: 'https://pool', client_certificate: 11111111-1111-4111-8111-111111111111}}\n\
         routes:\n\
         - {{paths: [/1], service: plain}}\n- {{paths: [/2], service: silent}}\n- {{paths: [/3], service: strict}}\n\
         - {{paths: [/4], service: pooled}}\n- {{paths: [/5], service: both}}\n",
        own.cert, own.key, upstreams.cert, upstreams.key, authority.cert
    );
    let seen = Seen::default();
    compile(Arc::new(load(&text).unwrap()), &Registry::default(), &mut seen.clone(), &Base::default(), None).unwrap();
    let services = seen.0.lock().unwrap();
    let tls = |name: &str| services.iter().find(|s| s.name.as_deref() == Some(name)).unwrap().tls.clone();
    assert_eq!(tls("plain"), None);
    let silent = tls("silent").unwrap();
    assert_eq!((silent.verify, silent.depth, silent.authorities.len()), (None, None, 0));
    assert!(silent.identity.is_none());
    let strict = tls("strict").unwrap();
    assert_eq!((strict.verify, strict.depth), (Some(true), Some(2)));
    assert_eq!(&*strict.authorities[0], text_of(&authority.cert));
    let shown = |name: &str| tls(name).unwrap().identity.unwrap().certificate.to_string();
    assert_eq!(shown("strict"), text_of(&own.cert));
    assert_eq!(shown("pooled"), text_of(&upstreams.cert));
    assert_eq!(shown("both"), text_of(&own.cert), "the service's own comes first");
}
