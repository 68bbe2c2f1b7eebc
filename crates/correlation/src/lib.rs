//! A correlation id on every request: kept if the client sent one, made here if not, and on
//! request told back in the response.
//!
//! It differs from `tower_http::request_id` in three ways: the id is also known to every other
//! layer (`Context::correlation_id`), an empty header counts as none, and the id comes back on
//! refusals too. It is Kong's `correlation-id` plugin, with Kong's three generators.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{HeaderMap, HeaderName, Request};
//! use tower::ServiceExt;
//! use towergate_correlation::{CorrelationIdLayer, Generator};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let header = HeaderName::from_static("x-request-id");
//! let app: Router = Router::new()
//!     .route("/", get(|headers: HeaderMap| async move { headers["x-request-id"].to_str().unwrap().to_owned() }))
//!     .layer(CorrelationIdLayer::new().header(header).generator(Generator::Uuid).echo(true));
//!
//! let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(response.headers()["x-request-id"].len(), 36);
//! # }
//! ```
//!
//! # What it produces
//!
//! * The request header (`Kong-Request-ID` by default) for the inner service.
//! * With `echo_downstream`, the same header in every response, refusals and the unmatched route's
//!   404 included. Where the request was refused before this layer saw it, the id is made then.
//! * Never a response of its own.
//!
//! Stacked twice, the id of the layer that saw the request first is the request's correlation id,
//! and both echo that one.

mod config;
mod generator;
mod policy;

pub use config::CorrelationIdConfig;
pub use generator::Generator;
pub use policy::{CorrelationId, CorrelationIdLayer};
