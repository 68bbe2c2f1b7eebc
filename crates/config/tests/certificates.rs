//! What somebody who can read certificates finds out about them, told with its place.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use towergate_config::{
    Catalog, Environment, Kind, Loaded, Options, PluginLookup, Report, Source, entities::Certificate, parse_with,
};

/// Reads certificates that are plain words.
struct Reader;

impl Catalog for Reader {
    fn plugin(&self, _: &str) -> PluginLookup<'_> {
        PluginLookup::Unknown
    }

    fn check_certificate(&self, certificate: &Certificate) -> Vec<(Option<&'static str>, String)> {
        match (certificate.cert.contains("good"), certificate.key.contains("good")) {
            (true, true) => vec![],
            (false, false) => vec![(None, "certificate does not match key".into())],
            (false, true) => vec![(Some("cert"), "invalid certificate: bad".into())],
            (true, false) => vec![(Some("key"), "invalid key: bad".into())],
        }
    }

    fn digest_authority(&self, certificate: &str) -> Result<Option<String>, String> {
        let inside = certificate.lines().nth(1).unwrap_or_default();
        if inside == "old" { Err("certificate expired".into()) } else { Ok(Some(format!("digest of {inside}"))) }
    }
}

fn load(text: &str) -> Result<Loaded, Report> {
    let environment = Environment::from_iter([("KEY", pem("PRIVATE KEY", "good")), ("BAD", pem("PRIVATE KEY", "x"))]);
    let options = Options { environment, ..Options::default() };
    parse_with(vec![Source::new("kong.yml", format!("_format_version: '3.0'\n{text}"))], &Reader, &options)
}

fn problems(text: &str) -> Vec<String> {
    load(text).unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn pem(label: &str, inside: &str) -> String {
    format!("-----BEGIN {label}-----\n{inside}\n-----END {label}-----\n")
}

fn quoted(label: &str, inside: &str) -> String {
    format!("{:?}", pem(label, inside))
}

fn certificate(cert: &str, key: &str) -> String {
    let (cert, key) = (quoted("CERTIFICATE", cert), quoted("PRIVATE KEY", key));
    format!("certificates:\n- cert: {cert}\n  key: {key}\n")
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_where_it_stands() {
    assert!(load(&certificate("good", "good")).is_ok());
    for (cert, key, expected) in [
        ("bad", "good", "kong.yml:3:9: certificates[0].cert: invalid certificate: bad"),
        ("good", "bad", "kong.yml:4:8: certificates[0].key: invalid key: bad"),
        ("bad", "bad", "kong.yml:3:3: certificates[0]: certificate does not match key"),
    ] {
        assert_eq!(problems(&certificate(cert, key)), [expected]);
    }
    // Kong's place for what is wrong between fields.
    let report = load(&certificate("bad", "bad")).unwrap_err();
    assert_eq!(report.fields()["certificates"][0]["@entity"][0], "certificate does not match key");
}

#[test]
fn a_key_kept_elsewhere_is_looked_at_and_not_shown() {
    let with_key = |key: &str| {
        format!("certificates:\n- cert: {}\n  key: '{{vault://env/{key}}}'\n", quoted("CERTIFICATE", "good"))
    };
    let config = load(&with_key("key")).unwrap().config;
    let certificate = &config.certificates[0];
    assert_eq!(certificate.key, "{vault://env/key}");
    assert_eq!(certificate.effective().key, pem("PRIVATE KEY", "good"));
    let shown = config.entities(Kind::Certificates).next().unwrap().1;
    assert_eq!(shown["key"], "{vault://env/key}");
    assert!(shown.get("revealed").is_none());
    assert_eq!(problems(&with_key("bad")), ["kong.yml:4:8: certificates[0].key: invalid key: bad"]);
    assert_eq!(
        problems(&with_key("none")),
        [
            "kong.yml:4:8: certificates[0].key: could not resolve '{vault://env/none}': the environment variable NONE is not set"
        ]
    );
}

#[test]
fn an_authority_gets_its_digest() {
    let authority = |inside: &str| format!("- cert: {}\n  cert_digest: mine\n", quoted("CERTIFICATE", inside));
    let one = format!("ca_certificates:\n{}", authority("one"));
    let digest = load(&one).unwrap().config.ca_certificates[0].cert_digest.clone();
    assert_eq!(digest.as_deref(), Some("digest of one"), "Kong takes its own");
    let old = format!("ca_certificates:\n{}", authority("old"));
    assert_eq!(problems(&old), ["kong.yml:3:3: ca_certificates[0]: certificate expired"]);
}

/// A service that trusts nobody it could name would answer nothing but 502.
#[test]
fn authorities_that_are_not_there_are_told() {
    const ID: &str = "11111111-1111-4111-8111-111111111111";
    let service = format!("services:\n- {{name: s, url: 'https://a', tls_verify: true, ca_certificates: [{ID}]}}\n");
    assert_eq!(
        problems(&service),
        [format!(
            "kong.yml:3:67: services[0].ca_certificates[0]: invalid reference 'ca_certificates: {ID}' (no such entry in 'ca_certificates')"
        )]
    );
    let there = format!("{service}ca_certificates:\n- id: {ID}\n  cert: {}\n", quoted("CERTIFICATE", "one"));
    assert!(load(&there).is_ok());
}
