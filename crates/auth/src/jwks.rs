//! Tokens of an issuer that publishes its keys: the plugin `jwks-auth`.
//!
//! An issuer (Keycloak, Auth0, Entra ID, …) signs tokens and publishes the public keys at a URL as
//! a JWK Set (RFC 7517). They are fetched in the background, again after a while, and at once when a
//! token names a key that is not known, though not more often than the cool-down says. While the
//! issuer cannot be reached, the keys known last go on to count. Issuer, audience and end of a token
//! are always checked, and only the algorithms allowed are taken (RFC 8725).
//!
//! It differs from [`Jwt`](crate::Jwt), where each consumer has a key of its own: here one issuer
//! vouches for everybody, and who somebody is stands in a claim. Kong has no such plugin outside its
//! Enterprise edition.
//!
//! ```no_run
//! use axum::{Extension, Router, routing::get};
//! use towergate_auth::{JwksLayer, VerifiedClaims};
//!
//! async fn whoami(Extension(claims): Extension<VerifiedClaims>) -> String {
//!     claims.text("sub").unwrap_or_default().to_owned()
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = JwksLayer::new("https://login.example.com/jwks.json", "https://login.example.com/", "my-api")?;
//! // Without this the keys are fetched when the first token comes.
//! tokio::spawn(layer.keep_fresh());
//! let app: Router = Router::new().route("/", get(whoami)).layer(layer);
//! # let _ = app; Ok(()) }
//! ```
//!
//! # What it answers
//!
//! Compact JSON, `{"message":"…"}`, whatever the client accepts; each 401 with
//! `WWW-Authenticate: Bearer`, `Bearer realm="…"`, and for every token that was shown
//! ` error="invalid_token"` after that:
//!
//! | status | message | when |
//! | --- | --- | --- |
//! | 401 | `Unauthorized` | no token; without `error` |
//! | 401 | `Multiple tokens provided`, `Unrecognizable token`, `Bad token; …` | as in `jwt` |
//! | 401 | `Invalid algorithm` | not one of those allowed |
//! | 401 | `Invalid issuer`, `Invalid audience` | not one of those named |
//! | 401 | `Invalid expiration`, `Token expired`, `Token not valid yet` | its times; it must have an end |
//! | 401 | `No key found for the token` | the issuer does not publish the key it names |
//! | 401 | `Invalid signature` | what it says |
//! | 403 | `No consumer found for the token` | it is good, and nobody's; no challenge |
//! | 503 | `Token keys are not available` | the issuer's keys have never been fetched yet |

mod config;
mod issuer;
mod key_set;
mod keys;
mod layer;
mod policy;
mod refusal;
mod verify;

pub use config::JwksAuthConfig;
pub use layer::JwksLayer;
pub use policy::JwksAuth;
