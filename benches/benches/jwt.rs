//! What `jwt` costs a request: the whole layer, with the token checked each time and remembered.
//!
//! The aim: under 1 µs for a token that comes again, whatever it is signed with.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::convert::Infallible;
use std::future::{Future as _, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use criterion::{criterion_group, criterion_main};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer as _, Service};
use towergate_auth::{Algorithm, Jwt, JwtKey, JwtLayer, PublicKey};
use towergate_benches::{BATCH, CpuTime};
use towergate_core::{Consumer, Context, Directory, Guard, GuardBody, GuardLayer, Verdict};
use uuid::Uuid;

type Criterion = criterion::Criterion<CpuTime>;
type Nothing = Empty<bytes::Bytes>;

/// Answers at once.
#[derive(Clone)]
struct Inner;

impl Service<Request<GuardBody<Nothing>>> for Inner {
    type Response = Response<Nothing>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Nothing>, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<GuardBody<Nothing>>) -> Self::Future {
        ready(Ok(Response::new(Empty::new())))
    }
}

/// A token of the usual claims, signed by this.
fn token(algorithm: Algorithm, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"app"}}"#);
    let claims = r#"{"iss":"https://login.example.com/","sub":"5f3c9f5e-user","aud":"api","exp":4102444800,"iat":1700000000,"scope":"orders:read orders:write","plan":"gold"}"#;
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = BASE64URL_NOPAD.encode(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn public(algorithm: Algorithm, der: &[u8]) -> JwtKey {
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der));
    JwtKey::public(PublicKey::from_pem(algorithm, &pem).expect("a good key"))
}

/// A key and a token of it, for each kind of signature.
fn signed() -> Vec<(Algorithm, JwtKey, String)> {
    const SECRET: &str = "a-secret-of-32-bytes-or-more-0123";
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let ed = Ed25519KeyPair::generate().expect("a key");
    let hs = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let by_rsa = |message: &[u8]| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signed");
        signature
    };
    let der = |key: aws_lc_rs::encoding::PublicKeyX509Der<'static>| key.as_ref().to_vec();
    let rsa_der = der(rsa.public_key().as_der().expect("a key"));
    let ec_der = der(ec.public_key().as_der().expect("a key"));
    let ed_der = der(ed.public_key().as_der().expect("a key"));
    vec![
        (
            Algorithm::HS256,
            JwtKey::secret(Algorithm::HS256, SECRET).expect("a secret"),
            token(Algorithm::HS256, |message| hmac::sign(&hs, message).as_ref().to_vec()),
        ),
        (Algorithm::RS256, public(Algorithm::RS256, &rsa_der), token(Algorithm::RS256, by_rsa)),
        (
            Algorithm::ES256,
            public(Algorithm::ES256, &ec_der),
            token(Algorithm::ES256, |message| ec.sign(&random, message).expect("signed").as_ref().to_vec()),
        ),
        (
            Algorithm::EdDSA,
            public(Algorithm::EdDSA, &ed_der),
            token(Algorithm::EdDSA, |message| ed.sign(message).as_ref().to_vec()),
        ),
    ]
}

/// Lets everybody pass: what the layer costs without `jwt` in it.
struct Open;

impl Guard for Open {
    fn check(&self, _: &Context, _: &mut http::request::Parts) -> Verdict {
        Verdict::Pass
    }
}

/// One request through a service that never waits.
fn ask<S>(service: &mut S, request: Request<Nothing>) -> http::StatusCode
where
    S: Service<Request<Nothing>, Response = Response<GuardBody<Nothing>>, Error = Infallible>,
{
    let future = pin!(service.call(request));
    match future.poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.status(),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => http::StatusCode::ACCEPTED,
    }
}

fn jwt(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jwt");
    let mut open = GuardLayer::new(Open).layer(Inner);
    let anything = || {
        let request = Request::get("/api/v1/users").header("authorization", "Bearer x");
        request.body(Nothing::new()).expect("a request")
    };
    group.bench_function("a guard that lets everybody pass", |bencher| {
        bencher.iter_batched(anything, |request| black_box(ask(&mut open, request)), BATCH);
    });
    for (algorithm, key, token) in signed() {
        let alice = Consumer::named("alice");
        let mut accounts = Directory::builder().consumer(alice.clone());
        accounts.add_credential(Jwt::CREDENTIALS, Uuid::nil(), alice.id, "app", key.kept(), None);
        let layer = JwtLayer::new(Arc::new(accounts.build())).key_claim("kid").require_expiration();
        let request = || {
            let request = Request::get("/api/v1/users").header("authorization", format!("Bearer {token}"));
            request.body(Nothing::new()).expect("a request")
        };
        for (name, layer) in [("checked", layer.clone().cache_bytes(0)), ("remembered", layer)] {
            let mut service = layer.layer(Inner);
            assert_eq!(ask(&mut service, request()), 200);
            group.bench_function(format!("{algorithm}, {name}"), |bencher| {
                bencher.iter_batched(request, |request| black_box(ask(&mut service, request)), BATCH);
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = criterion::Criterion::default().with_measurement(CpuTime);
    targets = jwt
}
criterion_main!(benches);
