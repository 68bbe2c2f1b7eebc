//! Authentication: who a request is from.
//!
//! [`KeyAuth`]: API keys as Kong's plugin `key-auth` knows them. Beside it, each behind a cargo feature
//! of its name: `Jwt` (`jwt`), tokens that consumers sign; `JwksAuth` (`jwks`), tokens of an issuer that
//! publishes its keys; `MtlsAuth` (`mtls`), client certificates. They share the identity headers and the
//! rule of `anonymous` (below).
//!
//! It differs from `tower_http::validate_request` in that it finds out *who* asks, not only
//! whether they may: a key belongs to a credential, the credential to a consumer, and later layers
//! and the handler read both from the request's `Context`. Looking a key up is one hash look-up,
//! and the last comparison takes the same time wherever the keys differ.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Extension, Router, body::Body, routing::get};
//! use http::{HeaderName, Request, StatusCode};
//! use tower::ServiceExt;
//! use towergate_auth::{KeyAuth, KeyAuthLayer};
//! use towergate_core::{Consumer, Context, Directory};
//! use uuid::Uuid;
//!
//! async fn whoami(Extension(cx): Extension<Arc<Context>>) -> String {
//!     cx.consumer().and_then(|consumer| consumer.username.clone()).unwrap_or_default()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let alice = Consumer::named("alice");
//! let mut accounts = Directory::builder().consumer(alice.clone());
//! accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::new_v4(), alice.id, "alices-key", None, None);
//!
//! let key_auth = KeyAuthLayer::new(Arc::new(accounts.build()))
//!     .names([HeaderName::from_static("x-api-key")])
//!     .hide_credentials(true);
//! let app: Router = Router::new().route("/", get(whoami)).layer(key_auth);
//!
//! let request = Request::get("/").header("x-api-key", "alices-key").body(Body::empty()).unwrap();
//! let response = app.clone().oneshot(request).await.unwrap();
//! let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
//! assert_eq!(body, "alice");
//!
//! let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(response.headers()["www-authenticate"], "Key");
//! # }
//! ```
//!
//! # What it produces
//!
//! | status | message | when |
//! | --- | --- | --- |
//! | 401 | `No API key found in request` | no key under any of the names, or an empty one |
//! | 401 | `Duplicate API key found` | the same name twice in one place |
//! | 401 | `Unauthorized` | a key nobody has, or one that has expired |
//! | 500 | `anonymous consumer X is configured but doesn't exist` | what it says |
//!
//! The body is in the form the client accepts (JSON unless it says otherwise) and holds the message
//! and the request's id. Each 401 carries `WWW-Authenticate: Key`, or `Key realm="…"`.
//!
//! A request that goes on carries the identity headers, whatever the client sent under their names:
//!
//! | header | proven | anonymous |
//! | --- | --- | --- |
//! | `X-Consumer-ID`, `X-Consumer-Custom-ID`, `X-Consumer-Username` | the consumer's, removed where it has none | the same of the anonymous consumer |
//! | `X-Credential-Identifier` | the credential's id, never the key | removed |
//! | `X-Anonymous-Consumer` | removed | `true` |
//!
//! # Several ways at once
//!
//! Without `anonymous` a way must succeed, even if an earlier one did: logical AND. With
//! `anonymous` it is tried only if nothing has been proven yet, and a request that fails goes on as
//! the anonymous consumer: logical OR.

mod anonymous;
mod arguments;
#[cfg(feature = "jose")]
mod bearer;
mod fields;
mod identity;
#[cfg(feature = "jose")]
mod jose;
#[cfg(feature = "jwks")]
mod jwks;
#[cfg(feature = "jwt")]
mod jwt;
mod key_auth;
#[cfg(feature = "mtls")]
mod mtls;
mod multipart;
#[cfg(any(feature = "jose", feature = "mtls"))]
mod per_worker;
#[cfg(feature = "jwks")]
mod published;
mod value;

#[cfg(feature = "jose")]
pub use jose::{Algorithm, PublicKey, VerifiedClaims};
#[cfg(feature = "jwks")]
pub use jwks::{JwksAuth, JwksAuthConfig, JwksLayer};
#[cfg(feature = "jwt")]
pub use jwt::{Jwt, JwtConfig, JwtKey, JwtLayer};
pub use key_auth::{KeyAuth, KeyAuthConfig, KeyAuthLayer};
#[cfg(feature = "mtls")]
pub use mtls::{MtlsAuth, MtlsAuthConfig, MtlsLayer};
