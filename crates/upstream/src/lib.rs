//! Proxying to upstream services: pooled connections, retries, timeouts, forwarding headers.
//!
//! [`Proxy`] is the service at the end of a gateway's stack. It takes a request that was routed
//! (its [`Context`](towergate_core::Context) stands in the extensions), picks an address of the
//! plan's service, sends the request over a kept or new HTTP/1.1 connection, and answers with what
//! comes back. It never fails: what goes wrong is answered as Kong answers it, in the form the
//! client accepts, and told in one line of the log.
//!
//! | What went wrong | Status | Message |
//! | --- | --- | --- |
//! | the route has no service | 503 | `no Service found with those values` |
//! | a name without address | 503 | `name resolution failed` |
//! | an upstream without usable target | 503 | `failure to get a peer from the ring-balancer` |
//! | connection refused or closed, response not HTTP | 502 | `An invalid response was received from the upstream server` |
//! | connecting, writing or reading took too long | 504 | `The upstream server is timing out` |
//! | the client's body broke off | 400 | `Bad request` |
//!
//! A response that breaks off after its head ends in an error of the body, never in a clean end.
//!
//! # Attempts
//!
//! A failed attempt is repeated up to `retries` times, at another target while one is left. A
//! connection that cannot be made is tried again whatever the method; after something was sent,
//! only methods other than `POST`, `LOCK` and `PATCH` are, if no response was begun and the body
//! can be sent again (the first 64 KiB are kept when the route buffers requests). Statuses are
//! never a reason. That an upstream has closed an idle connection is no failed attempt.
//! What became of the attempts is kept for logs and metrics as [`Tries`].
//!
//! # How it differs
//!
//! Against a general HTTP client it knows about being in the middle: hop-by-hop headers, bodies
//! that only pass through, `X-Forwarded-*`, whose fault an error is. Against Kong: request bodies
//! stream instead of being written to disk, so larger uploads are not repeated once a part was
//! sent. Only `http` upstreams are served now; others are answered with 502.
//!
//! # Example
//!
//! Outside a gateway it is a tower service in front of one upstream:
//!
//! ```
//! use std::time::Duration;
//! use http::Request;
//! use http_body_util::{BodyExt, Empty};
//! use towergate_core::{Protocol, Service};
//! use towergate_upstream::{Proxy, ProxySettings};
//! use tower::ServiceExt;
//! # use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpListener};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let port = listener.local_addr()?.port();
//! # tokio::spawn(async move {
//! #     let (mut stream, _) = listener.accept().await.unwrap();
//! #     stream.read(&mut [0; 4096]).await.unwrap();
//! #     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
//! # });
//! let service = Service {
//!     id: uuid::Uuid::new_v4(),
//!     name: Some("greetings".into()),
//!     protocol: Protocol::Http,
//!     host: "localhost".into(),
//!     port,
//!     path: None,
//!     retries: 5,
//!     connect_timeout: Duration::from_secs(60),
//!     write_timeout: Duration::from_secs(60),
//!     read_timeout: Duration::from_secs(60),
//!     tags: vec![],
//!     balancing: None,
//! };
//! let proxy = Proxy::to(service, &ProxySettings::default());
//! let response = proxy.oneshot(Request::new(Empty::<bytes::Bytes>::new())).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! # Ok(())
//! # }
//! ```

mod answer;
mod connection;
mod destination;
mod error;
mod exchange;
mod forward;
mod hop;
mod pool;
mod proxy;
mod request_body;
mod resolve;
mod settings;
mod text;
mod transport;
mod tries;

pub use destination::Destinations;
pub use error::{Error, Side};
pub use proxy::{Proxy, ProxyFuture};
pub use settings::ProxySettings;
pub use tries::{Tries, Try, TryState};
