//! A consumer with a key, and requests through the layer.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use towergate_auth::{Algorithm, Jwt, JwtConfig, JwtKey, VerifiedClaims};
use towergate_core::{Client, Consumer, Context, Directory, Env, Guard, GuardBody, GuardLayer, Plugin, Timing};
use uuid::Uuid;

use crate::tokens::Signer;

pub(crate) const SECRET: &str = "a-secret-of-sixty-four-bytes-which-is-enough-for-all-of-the-three";
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn alice() -> Consumer {
    let mut alice = Consumer::named("alice");
    alice.custom_id = Some("A-1".into());
    alice
}

/// Alice with this key under the name `app`, and `guest` without any.
pub(crate) fn accounts(key: JwtKey) -> Arc<Directory> {
    let mut accounts = Directory::builder().consumer(alice()).consumer(Consumer::named("guest"));
    assert!(accounts.add_credential(Jwt::CREDENTIALS, Uuid::from_u128(7), alice().id, "app", key.kept(), None));
    Arc::new(accounts.build())
}

pub(crate) fn hs256() -> (Signer, Arc<Directory>) {
    let signer = Signer::new(Algorithm::HS256);
    let accounts = accounts(signer.key(Algorithm::HS256));
    (signer, accounts)
}

/// What the inner service received.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
    pub(crate) consumer: Option<String>,
    pub(crate) claims: Option<VerifiedClaims>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<String>,
    pub(crate) body: String,
}

pub(crate) fn refused(body: &str) -> Answer {
    Answer {
        status: StatusCode::UNAUTHORIZED,
        challenge: Some(r#"Bearer error="invalid_token""#.into()),
        body: body.into(),
    }
}

pub(crate) fn message(text: &str) -> Answer {
    refused(&json!({"message": text}).to_string())
}

/// Sends a request through the layer.
pub(crate) async fn send<G: Guard>(
    layer: GuardLayer<towergate_core::One<G>>,
    request: Request<Full<Bytes>>,
) -> (Option<Seen>, Answer) {
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let inner = service_fn(move |request: Request<GuardBody<Full<Bytes>>>| {
        let cx = request.extensions().get::<Arc<Context>>().unwrap();
        *keep.lock().unwrap() = Some(Seen {
            headers: request.headers().clone(),
            consumer: cx.consumer().and_then(|consumer| consumer.username.clone()),
            claims: request.extensions().get().cloned(),
        });
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let answer = Answer {
        status: head.status,
        challenge: head.headers.get(header::WWW_AUTHENTICATE).map(text),
        body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
    };
    let seen = seen.lock().unwrap().take();
    (seen, answer)
}

/// Sends a request at [`NOW`] through a layer of the policy.
pub(crate) async fn ask(
    policy: &Jwt,
    accounts: &Arc<Directory>,
    mut request: Request<Full<Bytes>>,
) -> (Option<Seen>, Answer) {
    let (mut head, body) = request.into_parts();
    let timing = Timing::at(Instant::now(), UNIX_EPOCH + Duration::from_secs(NOW));
    let cx = Context::new(Client::default(), &head, timing, Some(Arc::default()));
    head.extensions.insert(Arc::new(cx.under(Arc::new(accounts.clone().into()))));
    request = Request::from_parts(head, body);
    send(GuardLayer::new(policy.clone()), request).await
}

pub(crate) fn with(token: &str) -> Request<Full<Bytes>> {
    Request::get("/").header("authorization", format!("Bearer {token}")).body(Full::default()).unwrap()
}

pub(crate) fn policy(config: JwtConfig) -> Jwt {
    Jwt::new(config, &Env::default()).unwrap()
}

pub(crate) fn strict() -> JwtConfig {
    JwtConfig { claims_to_verify: Some(vec!["exp".into(), "nbf".into()]), ..JwtConfig::default() }
}
