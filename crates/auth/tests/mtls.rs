//! What reaches the inner service through `mtls-auth`, and what comes back, with certificates of rcgen.
#![cfg(feature = "mtls")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use towergate_auth::{MtlsAuth, MtlsAuthConfig, MtlsLayer};
use towergate_core::{
    Client, Consumer, Context, Directory, Env, GuardBody, GuardLayer, PeerCertificate, Plugin, Timing,
};
use towergate_schema::{RecordSchema, fields};
use uuid::Uuid;

const ROOT: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const BETWEEN: Uuid = Uuid::from_u128(3);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params, KeyPair::generate().unwrap())
}

fn root(name: &str) -> Authority {
    let (params, key) = authority(name);
    CertifiedIssuer::self_signed(params, key).unwrap()
}

fn between(name: &str, root: &Authority) -> Authority {
    let (params, key) = authority(name);
    CertifiedIssuer::signed_by(params, key, root).unwrap()
}

/// A certificate of this authority, with what stands between it and a root.
fn issued(params: &CertificateParams, by: &Authority, chain: &[&Authority]) -> Arc<PeerCertificate> {
    let own = params.signed_by(&KeyPair::generate().unwrap(), by).unwrap();
    let all = std::iter::once(own.der().as_ref()).chain(chain.iter().map(|authority| authority.der().as_ref()));
    Arc::new(PeerCertificate::new(all.map(Into::into).collect()).unwrap())
}

fn accounts(authorities: &[(Uuid, &Authority)]) -> Arc<Directory> {
    let mut alice = Consumer::named("alice");
    alice.custom_id = Some("a-1".into());
    let mut accounts = Directory::builder().consumer(alice).consumer(Consumer::named("guest"));
    for (id, authority) in authorities {
        accounts.add_authority(*id, authority.der().as_ref());
    }
    Arc::new(accounts.build())
}

#[derive(Clone)]
struct Seen {
    headers: HeaderMap,
    consumer: Option<String>,
    groups: Vec<String>,
    anonymous: bool,
}

type Answer = (StatusCode, String);

fn refused(message: &str) -> Answer {
    (StatusCode::UNAUTHORIZED, json!({"message": message}).to_string())
}

const MISSING: &str = "No required TLS certificate was sent";
const FAILED: &str = "TLS certificate failed verification";

async fn send<L>(layer: L, request: Request<Full<Bytes>>) -> (Option<Seen>, Answer)
where
    L: Layer<Inner>,
    L::Service: tower::Service<Request<Full<Bytes>>, Response = Response<GuardBody<Full<Bytes>>>, Error = Infallible>,
{
    let seen = Arc::new(Mutex::new(None));
    let response = layer.layer(Inner(seen.clone())).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    assert!(!head.headers.contains_key("www-authenticate"));
    let seen = seen.lock().unwrap().take();
    (seen, (head.status, String::from_utf8(text.to_vec()).unwrap()))
}

#[derive(Clone)]
struct Inner(Arc<Mutex<Option<Seen>>>);

impl tower::Service<Request<GuardBody<Full<Bytes>>>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<GuardBody<Full<Bytes>>>) -> Self::Future {
        let cx = request.extensions().get::<Arc<Context>>().unwrap();
        *self.0.lock().unwrap() = Some(Seen {
            headers: request.headers().clone(),
            consumer: cx.consumer().and_then(|consumer| consumer.username.clone()),
            groups: cx.identity().map(|identity| identity.groups().to_vec()).unwrap_or_default(),
            anonymous: cx.identity().is_none_or(towergate_core::Identity::is_anonymous),
        });
        std::future::ready(Ok(Response::new(Full::default())))
    }
}

/// A request over a connection on which this was shown, by somebody who claims to be root.
fn over(shown: Option<&Arc<PeerCertificate>>) -> Request<Full<Bytes>> {
    let mut request = Request::get("/")
        .header("x-consumer-username", "root")
        .header("x-client-cert-dn", "CN=root")
        .header("x-client-cert-san", "root");
    if let Some(shown) = shown {
        request = request.extension(shown.clone());
    }
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn the_names_of_a_good_certificate_name_the_consumer() {
    let root = root("root");
    let layer = MtlsLayer::new(accounts(&[(ROOT, &root)]), [ROOT]);
    let with = |names: Vec<SanType>, common: &str| {
        let mut params = named(common);
        params.subject_alt_names = names;
        issued(&params, &root, &[])
    };
    let host = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let cases = [
        (with(vec![], "alice"), true),
        (with(vec![], "a-1"), true),
        (with(vec![host("alice")], "nobody"), true),
        (with(vec![host("nobody"), host("a-1")], "nobody"), true),
        (with(vec![SanType::Rfc822Name("alice".try_into().unwrap())], "x"), true),
        (with(vec![], "bob"), false),
        (with(vec![], "ALICE"), false),
        (with(vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))], "x"), false),
    ];
    for (shown, expected) in cases {
        for _ in 0..2 {
            let (seen, answer) = send(&layer, over(Some(&shown))).await;
            if expected {
                let seen = seen.unwrap();
                assert_eq!((seen.consumer.as_deref(), seen.anonymous), (Some("alice"), false));
                assert_eq!(seen.headers["x-consumer-username"], "alice");
                assert_eq!(seen.headers["x-consumer-custom-id"], "a-1");
                assert!(!seen.headers.contains_key("x-client-cert-dn"), "what the client says of it is gone");
            } else {
                assert_eq!(answer, refused(FAILED));
            }
        }
    }
    assert_eq!(send(&layer, over(None)).await.1, refused(MISSING));
}

#[tokio::test]
async fn only_authorities_that_are_trusted_here_count() {
    let (root, other) = (root("root"), self::root("root"));
    let mut for_servers = named("alice");
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let mut for_clients = named("alice");
    for_clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let itself = {
        let certificate = named("alice").self_signed(&KeyPair::generate().unwrap()).unwrap();
        Arc::new(PeerCertificate::new(vec![certificate.der().as_ref().into()]).unwrap())
    };
    let garbage = Arc::new(PeerCertificate::new(vec![Box::from(&b"garbage"[..])]).unwrap());
    let layer = MtlsLayer::new(accounts(&[(ROOT, &root), (OTHER, &other)]), [ROOT]);
    for (shown, expected) in [
        (issued(&named("alice"), &root, &[]), true),
        (issued(&for_clients, &root, &[]), true),
        (issued(&for_servers, &root, &[]), false),
        (issued(&named("alice"), &other, &[]), false),
        (itself, false),
        (garbage, false),
    ] {
        let (seen, answer) = send(&layer, over(Some(&shown))).await;
        assert_eq!(seen.is_some(), expected);
        if !expected {
            assert_eq!(answer, refused(FAILED));
        }
    }
    let nobody = MtlsLayer::new(accounts(&[]), [ROOT]);
    assert_eq!(send(&nobody, over(Some(&issued(&named("alice"), &root, &[])))).await.1, refused(FAILED));
}

#[tokio::test]
async fn a_chain_ends_in_a_root_unless_told_otherwise() {
    let root = root("root");
    let between = between("between", &root);
    let (alone, with_chain) = (issued(&named("alice"), &between, &[]), issued(&named("alice"), &between, &[&between]));
    let only_root = MtlsLayer::new(accounts(&[(ROOT, &root)]), [ROOT]);
    assert_eq!(send(&only_root, over(Some(&alone))).await.1, refused(FAILED));
    assert!(send(&only_root, over(Some(&with_chain))).await.0.is_some());
    let both = MtlsLayer::new(accounts(&[(ROOT, &root), (BETWEEN, &between)]), [ROOT, BETWEEN]);
    assert!(send(&both, over(Some(&alone))).await.0.is_some(), "what is configured may stand in between");
    let only_between = MtlsLayer::new(accounts(&[(BETWEEN, &between)]), [BETWEEN]);
    assert_eq!(send(&only_between, over(Some(&alone))).await.1, refused(FAILED));
    assert!(send(&only_between.allow_partial_chain(true), over(Some(&alone))).await.0.is_some());
}

/// A request at this time, over a connection on which this was shown, in a gateway with this directory.
async fn at(policy: &MtlsAuth, directory: &Arc<Directory>, shown: &Arc<PeerCertificate>, seconds: u64) -> StatusCode {
    let (mut head, body) = Request::get("/").body(Full::<Bytes>::default()).unwrap().into_parts();
    let client = Client { certificate: Some(shown.clone()), ..Client::default() };
    let timing = Timing::at(Instant::now(), UNIX_EPOCH + Duration::from_secs(seconds));
    let cx = Context::new(client, &head, timing, Some(Arc::default()));
    head.extensions.insert(Arc::new(cx.under(Arc::new(directory.clone().into()))));
    let inner = service_fn(|_: Request<GuardBody<Full<Bytes>>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    GuardLayer::new(policy.clone()).layer(inner).oneshot(Request::from_parts(head, body)).await.unwrap().status()
}

fn policy(more: Value) -> MtlsAuth {
    let mut config = json!({"ca_certificates": [ROOT.to_string()]});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(fields(&MtlsAuthConfig::record().complete(&mut config)), json!({}));
    MtlsAuth::new(serde_json::from_value(config).unwrap(), &Env::default()).unwrap()
}

#[tokio::test]
async fn a_remembered_certificate_ends_when_it_says_so_and_with_its_authority() {
    let (root, other) = (root("root"), self::root("root"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut params = named("alice");
    params.not_before = (UNIX_EPOCH + Duration::from_secs(now - 100)).into();
    params.not_after = (UNIX_EPOCH + Duration::from_secs(now + 100)).into();
    let shown = issued(&params, &root, &[]);
    let policy = policy(json!({}));
    let directory = accounts(&[(ROOT, &root)]);
    assert_eq!(at(&policy, &directory, &shown, now).await, StatusCode::OK);
    assert_eq!(at(&policy, &directory, &shown, now + 100).await, StatusCode::OK);
    assert_eq!(at(&policy, &directory, &shown, now + 101).await, StatusCode::UNAUTHORIZED);
    assert_eq!(at(&policy, &directory, &shown, now - 101).await, StatusCode::UNAUTHORIZED);
    assert_eq!(at(&policy, &accounts(&[(ROOT, &root)]), &shown, now).await, StatusCode::OK, "a reload without change");
    assert_eq!(at(&policy, &accounts(&[(ROOT, &other)]), &shown, now).await, StatusCode::UNAUTHORIZED);
    assert_eq!(at(&policy, &accounts(&[]), &shown, now).await, StatusCode::UNAUTHORIZED);
    assert_eq!(at(&policy, &directory, &shown, now).await, StatusCode::OK);
}

#[tokio::test]
async fn a_good_certificate_may_be_enough() {
    let root = root("root");
    let mut params = named("bob");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.subject_alt_names = vec![SanType::DnsName("bob.example.com".try_into().unwrap())];
    let shown = issued(&params, &root, &[]);
    let accounts = accounts(&[(ROOT, &root)]);
    for (by, group) in [("CN", "bob"), ("DN", "CN=bob, O=Example")] {
        let config = MtlsAuthConfig {
            ca_certificates: vec![ROOT.to_string()],
            skip_consumer_lookup: Some(true),
            authenticated_group_by: Some(by.into()),
            ..MtlsAuthConfig::default()
        };
        let layer = MtlsLayer::from_config(config, accounts.clone()).unwrap();
        let seen = send(&layer, over(Some(&shown))).await.0.unwrap();
        assert_eq!((seen.consumer, seen.anonymous, seen.groups), (None, false, vec![group.to_owned()]));
        assert_eq!(seen.headers["x-client-cert-dn"], "CN=bob, O=Example");
        assert_eq!(seen.headers["x-client-cert-san"], "bob.example.com");
        assert!(!seen.headers.contains_key("x-consumer-username"));
    }
}

#[tokio::test]
async fn others_go_on_as_default_or_anonymous() {
    let (root, other) = (root("root"), self::root("other"));
    let accounts = accounts(&[(ROOT, &root)]);
    let (good, bad) = (issued(&named("bob"), &root, &[]), issued(&named("alice"), &other, &[]));
    let layer = MtlsLayer::new(accounts.clone(), [ROOT]).default_consumer("guest");
    let seen = send(&layer, over(Some(&good))).await.0.unwrap();
    assert_eq!((seen.consumer.as_deref(), seen.anonymous), (Some("guest"), false));
    assert_eq!(send(&layer, over(Some(&bad))).await.1, refused(FAILED));
    let layer = MtlsLayer::new(accounts.clone(), [ROOT]).anonymous("guest");
    for shown in [None, Some(&bad), Some(&good)] {
        let seen = send(&layer, over(shown)).await.0.unwrap();
        assert_eq!((seen.consumer.as_deref(), seen.anonymous), (Some("guest"), true));
        assert_eq!(seen.headers["x-anonymous-consumer"], "true");
        assert!(!seen.headers.contains_key("x-client-cert-dn"));
    }
    let (status, body) = send(&MtlsLayer::new(accounts, [ROOT]).anonymous("ghost"), over(None)).await.1;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("anonymous consumer ghost is configured but doesn't exist"), "{body}");
}

#[test]
fn configurations_are_taken_or_refused() {
    let complete = |mut written: Value| {
        let problems = MtlsAuthConfig::record().complete(&mut written);
        (written, fields(&problems))
    };
    assert_eq!(complete(json!({})).1, json!({"ca_certificates": "required field missing"}));
    let id = ROOT.to_string();
    let typed: MtlsAuthConfig = serde_json::from_value(complete(json!({"ca_certificates": [id]})).0).unwrap();
    assert_eq!(typed, MtlsAuthConfig { ca_certificates: vec![id.clone()], ..MtlsAuthConfig::default() });
    assert_eq!((MtlsAuth::NAME, MtlsAuth::PRIORITY, MtlsAuth::CONSUMER_SCOPE), ("mtls-auth", 1600, false));
    let cases = [
        ("ca_certificates", json!([]), json!("length must be at least 1")),
        ("ca_certificates", json!(["x"]), json!(["expected a valid UUID"])),
        ("consumer_by", json!(["id"]), json!(["expected one of: username, custom_id"])),
        ("authenticated_group_by", json!("SAN"), json!("expected one of: CN, DN")),
        ("revocation_check_mode", json!("OFF"), json!("expected one of: SKIP, IGNORE_CA_ERROR, STRICT")),
        ("http_proxy_port", json!(65536), json!("value should be between 0 and 65535")),
        ("skip_consumer_lookup", json!("yes"), json!("expected a boolean")),
        ("unknown", json!(1), json!("unknown field")),
    ];
    for (name, value, expected) in cases {
        let mut config = json!({"ca_certificates": [id]});
        config[name] = value;
        assert_eq!(complete(config).1, json!({name: expected}), "{name}");
    }
    let strict = MtlsAuthConfig { revocation_check_mode: Some("STRICT".into()), ..typed };
    let said = MtlsAuth::new(strict, &Env::default()).unwrap_err().to_string();
    let expected = "revocation_check_mode: this version does not look whether a certificate was taken back: take SKIP or IGNORE_CA_ERROR";
    assert_eq!(said, expected);
}
