//! Authentication: who a request is from, and by the groups they are in whether they may pass.
//!
//! | layer | Kong's plugin | what proves it | feature |
//! | --- | --- | --- | --- |
//! | [`KeyAuthLayer`] | `key-auth` | an API key in a header, the query or the body | – |
//! | `BasicAuthLayer` | `basic-auth` | user name and password (RFC 7617) | `basic` |
//! | `HmacAuthLayer` | `hmac-auth` | a signature over the request | `hmac` |
//! | `JwtLayer` | `jwt` | a token that a consumer signed | `jwt` |
//! | `JwksLayer` | `jwks-auth` (ours) | a token of an issuer that publishes its keys | `jwks` |
//! | `MtlsLayer` | `mtls-auth` (Enterprise) | a client certificate | `mtls` |
//! | [`AclLayer`] | `acl` | nothing of its own: lets groups pass, or not | – |
//!
//! They differ from `tower_http::validate_request` in that they find out *who* asks, not only
//! whether they may: a key belongs to a credential, the credential to a consumer, and later layers
//! and the handler read both from the request's `Context`. Looking a credential up is one hash
//! look-up, and secrets are compared in the same time wherever they differ.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Extension, Router, body::Body, routing::get};
//! use http::{HeaderName, Request, StatusCode};
//! use tower::ServiceExt;
//! use towergate_auth::{Consumer, Context, Directory, KeyAuth, KeyAuthLayer};
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
#![cfg_attr(feature = "basic", doc = include_str!("PASSWORDS.md"))]
//!
//! # What it produces
//!
//! | status | message | by | when |
//! | --- | --- | --- | --- |
//! | 401 | `No API key found in request` | key-auth | no key under any of the names, or an empty one |
//! | 401 | `Duplicate API key found` | key-auth | the same name twice in one place |
//! | 401 | `Unauthorized` | key-auth | a key nobody has, or one that has expired |
//! | 401 | `Unauthorized` | basic-auth | no user name and password, or wrong ones |
//! | 401 | `Unauthorized` | hmac-auth | neither `Authorization` nor `Proxy-Authorization` |
//! | 401 | `HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication` | hmac-auth | no date near now |
//! | 401 | `HMAC signature cannot be verified` | hmac-auth | not a signature of somebody by an accepted algorithm over all that must be signed |
//! | 401 | `HMAC signature does not match` | hmac-auth | another signature, or another body |
//! | 401 | `Unauthorized` | acl | nobody is known |
//! | 403 | `You cannot consume this service` | acl | the wrong groups |
//! | 500 | `anonymous consumer X is configured but doesn't exist` | all but acl | what it says |
//! | 503 | `Too many logins at a time, try again` | basic-auth | too many argon2 hashes wait to be verified; with `Retry-After: 1` |
//!
//! The body is in the form the client accepts (JSON unless it says otherwise) and holds the message
//! and the request's id. A 401 carries `WWW-Authenticate` (`Key`, `Basic realm="service"`, `hmac`, with
//! the realm if there is one), except that of acl.
//!
//! A request that goes on carries the identity headers, whatever the client sent under their names
//! or under the same with `_` for `-`:
//!
//! | header | proven | anonymous |
//! | --- | --- | --- |
//! | `X-Consumer-ID`, `X-Consumer-Custom-ID`, `X-Consumer-Username` | the consumer's, removed where it has none | the same of the anonymous consumer |
//! | `X-Credential-Identifier` | key-auth: the credential's id, never the key; others: the user name | removed |
//! | `X-Anonymous-Consumer` | removed | `true` |
//! | `X-Consumer-Groups`, `X-Authenticated-Groups` | removed; acl tells the groups | removed; acl tells the groups |
//!
//! # Several ways at once
//!
//! Without `anonymous` a way must succeed, even if an earlier one did: logical AND. With
//! `anonymous` it is tried only if nothing has been proven yet, and a request that fails goes on as
//! the anonymous consumer: logical OR.

mod acl;
mod anonymous;
mod arguments;
#[cfg(any(feature = "basic", feature = "hmac"))]
mod authorization;
#[cfg(feature = "basic")]
mod basic_auth;
#[cfg(feature = "jose")]
mod bearer;
mod fields;
#[cfg(feature = "hmac")]
mod hmac_auth;
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

pub use acl::{Acl, AclConfig, AclLayer};
#[cfg(feature = "basic")]
pub use basic_auth::{BasicAuth, BasicAuthConfig, BasicAuthLayer, PasswordError, hash_password};
#[cfg(feature = "hmac")]
pub use hmac_auth::{HmacAlgorithm, HmacAuth, HmacAuthConfig, HmacAuthLayer};
#[cfg(feature = "jose")]
pub use jose::{Algorithm, PublicKey, VerifiedClaims};
#[cfg(feature = "jwks")]
pub use jwks::{JwksAuth, JwksAuthConfig, JwksLayer};
#[cfg(feature = "jwt")]
pub use jwt::{Jwt, JwtConfig, JwtKey, JwtLayer};
pub use key_auth::{KeyAuth, KeyAuthConfig, KeyAuthLayer};
#[cfg(feature = "mtls")]
pub use mtls::{MtlsAuth, MtlsAuthConfig, MtlsLayer};

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::{Consumer, Context, Directory};
