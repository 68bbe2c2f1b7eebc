//! The layer `MtlsLayer` in a service written with axum, whose server tells what the client has shown.
#![cfg(feature = "mtls")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use axum::{Extension, Router, body::Body, middleware::map_request, routing::get};
use http::{Request, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tower::ServiceExt;
use towergate_auth::MtlsLayer;
use towergate_core::{Consumer, Context, Directory, PeerCertificate};
use uuid::Uuid;

const AUTHORITY: Uuid = Uuid::from_u128(1);

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a server that terminates TLS does with each request of a connection.
async fn told(shown: Option<Arc<PeerCertificate>>, mut request: Request<Body>) -> Request<Body> {
    if let Some(shown) = shown {
        request.extensions_mut().insert(shown);
    }
    request
}

fn app(trusted: &CertifiedIssuer<'static, KeyPair>, shown: Option<Arc<PeerCertificate>>) -> Router {
    let mut accounts = Directory::builder().consumer(Consumer::named("alice"));
    accounts.add_authority(AUTHORITY, trusted.der().as_ref());
    let whoami = |Extension(cx): Extension<Arc<Context>>| async move {
        cx.consumer().and_then(|consumer| consumer.username.clone()).unwrap_or_default()
    };
    Router::new()
        .route("/", get(whoami))
        .layer(MtlsLayer::new(Arc::new(accounts.build()), [AUTHORITY]))
        .layer(map_request(move |request: Request<Body>| told(shown.clone(), request)))
}

async fn ask(app: Router) -> (StatusCode, String) {
    let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// What a client shows whose certificate for `alice` this authority has signed.
fn shown(by: &CertifiedIssuer<'static, KeyPair>) -> Option<Arc<PeerCertificate>> {
    let params = CertificateParams::new(vec!["alice".to_owned()]).unwrap();
    let own = params.signed_by(&KeyPair::generate().unwrap(), by).unwrap();
    PeerCertificate::new(vec![own.der().as_ref().into()]).map(Arc::new)
}

#[tokio::test]
async fn a_handler_knows_who_the_certificate_is_of() {
    let trusted = authority();
    assert_eq!(ask(app(&trusted, shown(&trusted))).await, (StatusCode::OK, "alice".to_owned()));
}

#[tokio::test]
async fn who_shows_none_or_a_stranger_s_is_refused() {
    let trusted = authority();
    for (shown, message) in
        [(None, "No required TLS certificate was sent"), (shown(&authority()), "TLS certificate failed verification")]
    {
        let (status, body) = ask(app(&trusted, shown)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(body.contains(message), "{body}");
    }
}
