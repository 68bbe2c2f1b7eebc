//! Tokens that consumers sign: Kong's plugin `jwt`.
//!
//! A token names its key (`iss`, or another claim); the key belongs to a credential, the credential to
//! a consumer. What was found good is remembered, so that a token that comes again costs two hash
//! look-ups instead of a signature check; its times are looked at each time, and it counts only for
//! as long as its credential is the one it was checked with.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Extension, Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//! use towergate_auth::{Algorithm, Jwt, JwtKey, JwtLayer, VerifiedClaims};
//! use towergate_core::{Consumer, Directory};
//! use uuid::Uuid;
//!
//! async fn plan(Extension(claims): Extension<VerifiedClaims>) -> String {
//!     claims.text("plan").unwrap_or("free").to_owned()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let alice = Consumer::named("alice");
//! let mut accounts = Directory::builder().consumer(alice.clone());
//! let key = JwtKey::secret(Algorithm::HS256, "a-secret-of-32-bytes-or-more-0123").unwrap();
//! accounts.add_credential(Jwt::CREDENTIALS, Uuid::new_v4(), alice.id, "alices-app", key.kept(), None);
//!
//! let app: Router = Router::new()
//!     .route("/", get(plan))
//!     .layer(JwtLayer::new(Arc::new(accounts.build())).require_expiration());
//!
//! // {"iss":"alices-app","plan":"gold","exp":4102444800}, signed with HS256 and that secret
//! let token = "eyJhbGciOiJIUzI1NiJ9.\
//!     eyJpc3MiOiJhbGljZXMtYXBwIiwicGxhbiI6ImdvbGQiLCJleHAiOjQxMDI0NDQ4MDB9.\
//!     V3eLZpCyBYit-071Im1bdLD_3F2cXz2CKxzMmf2j314";
//! let request = Request::get("/").header("authorization", format!("Bearer {token}"));
//! let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
//! assert_eq!(axum::body::to_bytes(response.into_body(), 1024).await.unwrap(), "gold");
//!
//! let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(response.headers()["www-authenticate"], "Bearer");
//! # }
//! ```
//!
//! # What it answers
//!
//! 401 in compact JSON, whatever the client accepts, with `WWW-Authenticate: Bearer`,
//! `Bearer realm="…"`, and for every token that was shown ` error="invalid_token"` after that:
//!
//! | body | when |
//! | --- | --- |
//! | `{"message":"Unauthorized"}` | no token; without `error` |
//! | `{"message":"Multiple tokens provided"}` | several that differ |
//! | `{"message":"Unrecognizable token"}` | a query argument without a text |
//! | `{"message":"Bad token; invalid JSON"}`, `… invalid alg`, `… invalid claims`, `… invalid signature`, `… invalid crit`, `… too large` | it cannot be read |
//! | `{"message":"No mandatory 'iss' in claims"}`, `Invalid 'iss' in claims` | it does not name its key, or not by a text |
//! | `{"message":"No credentials found for given 'iss'"}` | nobody has this key |
//! | `{"message":"Invalid algorithm"}` | not the credential's |
//! | `{"message":"Invalid key/secret"}` | the credential has no key for its algorithm |
//! | `{"message":"Invalid signature"}` | what it says |
//! | `{"exp":"token expired"}`, `{"nbf":"token not valid yet"}`, `… must be a number` | its times |
//! | `{"exp":"exceeds maximum allowed expiration"}` | it is valid for too long |

mod config;
mod key;
mod layer;
mod policy;
mod refusal;

pub use config::JwtConfig;
pub use key::JwtKey;
pub use layer::JwtLayer;
pub use policy::Jwt;
