//! Cross-origin resource sharing: which pages of other sites may read a response.
//!
//! It differs from `tower_http::cors` in speaking Kong's configuration (plugin `cors`): origins may
//! be regular expressions, a preflight gets 200 and the whole list of methods, an upstream's own
//! `Access-Control-Allow-Origin` is replaced or removed, and refusals carry the headers too, so
//! that a page can read why it was refused.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Method, Request, StatusCode};
//! use tower::ServiceExt;
//! use towergate_cors::CorsLayer;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), towergate_cors::PluginError> {
//! let cors = CorsLayer::new()
//!     .origins(["https://shop.example", r"https://.*\.shop\.example"])?
//!     .methods([Method::GET, Method::POST])
//!     .credentials(true);
//! let app: Router = Router::new().route("/", get(|| async { "orders" })).layer(cors);
//!
//! let preflight = Request::options("/")
//!     .header("origin", "https://m.shop.example")
//!     .header("access-control-request-method", "POST")
//!     .body(Body::empty())
//!     .unwrap();
//! let response = app.clone().oneshot(preflight).await.unwrap();
//! assert_eq!(response.status(), StatusCode::OK);
//! assert_eq!(response.headers()["access-control-allow-origin"], "https://m.shop.example");
//! assert_eq!(response.headers()["access-control-allow-methods"], "GET,POST");
//!
//! let request = Request::get("/").header("origin", "https://evil.example").body(Body::empty()).unwrap();
//! let response = app.oneshot(request).await.unwrap();
//! assert!(!response.headers().contains_key("access-control-allow-origin"));
//! # Ok(()) }
//! ```
//!
//! # What it produces
//!
//! **A preflight** is an `OPTIONS` request with a non-empty `Origin` and with
//! `Access-Control-Request-Method`. It is answered 200 without a body, unless `preflight_continue`
//! passes it on, whose response is then left alone:
//!
//! | header | value |
//! | --- | --- |
//! | `Access-Control-Allow-Origin` | see below; absent for an origin that is not allowed |
//! | `Access-Control-Allow-Credentials` | `true`, with `credentials` |
//! | `Access-Control-Allow-Headers` | `headers`, else what `Access-Control-Request-Headers` asks for |
//! | `Access-Control-Allow-Methods` | `methods` |
//! | `Access-Control-Max-Age` | `max_age`, if set |
//! | `Access-Control-Allow-Private-Network` | `true`, with `private_network` and if asked for |
//! | `Vary` | `Origin`, unless any origin gets the same answer |
//!
//! **Any other response** (refusals and the unmatched route's 404 too) gets the first two,
//! `Access-Control-Expose-Headers`, and one more line `Vary: Origin`.
//!
//! **The origin that is allowed**
//! * none configured, or `*` alone: `*`, or the request's own origin with `credentials`;
//! * one plain origin: that one, whoever asks;
//! * several, or a regular expression: the request's origin without a default port, if it matches.
//!   A `*` among several allows any.
//!
//! An entry with other characters than letters, digits and `.:/-` is a regular expression. It must
//! match from end to end: the whole origin if the entry holds a colon, else its host. (Kong anchors
//! the alternatives of `a|b` at one end only.) Look-around and back-references are not supported.

mod config;
mod layer;
mod origins;
mod policy;

pub use config::CorsConfig;
pub use layer::CorsLayer;
pub use policy::Cors;

// So that whoever takes this crate needs no other of ours.
#[doc(no_inline)]
pub use towergate_core::PluginError;
