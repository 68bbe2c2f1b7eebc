//! Compressed responses: gzip, brotli and zstd, as far as a client accepts them.
//!
//! The coding itself is `tower_http::compression`'s. What this layer adds are a gateway's manners,
//! because the responses are somebody else's:
//!
//! * the status is never changed (tower-http answers 406 to a client that refuses `identity`);
//! * what says that it must stay as it is does: `Cache-Control: no-transform` on either side,
//!   digests of the body (`Content-Digest`, `Repr-Digest`, `Digest`, `Content-MD5`);
//! * a strong `ETag` becomes a weak one, since the bytes are others now (RFC 9110 section 8.8.1);
//! * only media types on a list are compressed, and only bodies of a certain length.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, header};
//! use tower::ServiceExt;
//! use towergate_compression::{Coding, CompressionLayer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let compression = CompressionLayer::new([Coding::Zstd, Coding::Brotli, Coding::Gzip]).min_length(100);
//! let app: Router = Router::new().route("/", get(|| async { "words, ".repeat(100) })).layer(compression);
//!
//! let request = Request::get("/").header(header::ACCEPT_ENCODING, "gzip, br;q=0.9").body(Body::empty()).unwrap();
//! let response = app.oneshot(request).await.unwrap();
//! assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
//! assert_eq!(response.headers()[header::VARY], "accept-encoding");
//! assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
//! # }
//! ```
//!
//! # What is compressed
//!
//! A response, if all of this holds:
//!
//! | | |
//! | --- | --- |
//! | the client | speaks HTTP/1.1 or later, and its `Accept-Encoding` prefers one of the layer's codings to `identity`; of several with the same weight the layer's first is taken |
//! | the request | is no `HEAD` and no `CONNECT`, and has no `Cache-Control: no-transform` |
//! | the status | is none of 1xx, 204, 205, 206 and 304 |
//! | the body | has a media type on the list, is at least `min_length` long or of unknown length, has no `Content-Encoding` yet and is no range |
//!
//! gRPC is never compressed here, as it does so by itself, message by message. `text/event-stream`
//! is only if the list names it: each event is then flushed by itself, which compresses poorly.
//!
//! # What changes in the response
//!
//! | header | |
//! | --- | --- |
//! | `Content-Encoding` | the coding |
//! | `Content-Length`, `Accept-Ranges` | removed |
//! | `ETag` | `"x"` becomes `W/"x"` |
//! | `Vary` | has `Accept-Encoding`; also when this client's response is not compressed and another's would be |
//!
//! # What it costs
//!
//! The work is done where the body is polled, in small pieces; what was compressed so far is sent
//! whenever the inner body has nothing ready, so that nothing waits for more. While a response is
//! on its way it holds its coder: 0.4 MiB for gzip, up to 4 MiB for zstd and up to 16 MiB for
//! brotli with a large body at balanced levels; high levels take more.
//!
//! Compression and secrets do not mix: whoever can make a client send requests with text of their
//! choice, and sees the lengths of the responses, can guess what else is in them (BREACH). Leave
//! types and services out whose bodies repeat the request beside a secret.

mod accept;
mod coding;
mod layer;
mod media;
mod policy;

pub use coding::{Coding, Level};
pub use layer::{CompressionLayer, CompressionService, ResponseFuture};
pub use media::{BadMediaRange, MediaRange};
pub use tower_http::compression::CompressionBody;
