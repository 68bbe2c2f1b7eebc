//! Proxying to upstream services: pooled connections, retries, timeouts, forwarding headers.
//!
//! [`Proxy`] is the service at the end of a gateway's stack. It takes a request that was routed
//! (its [`Context`](towergate_core::Context) stands in the extensions), picks an address of the
//! plan's service, sends the request over a kept or new connection (HTTP/2 to gRPC services, HTTP/1.1 to
//! all others), and answers with what comes back. It never fails: what goes wrong is answered as Kong answers it, in the form the
//! client accepts, and told in one line of the log.
//!
//! | What went wrong | Status | Message |
//! | --- | --- | --- |
//! | the route has no service | 503 | `no Service found with those values` |
//! | a name without address | 503 | `name resolution failed` |
//! | a name that could not be looked up | 500 | `failed the initial dns/balancer resolve for '…' with: …` |
//! | an upstream without usable target | 503 | `failure to get a peer from the ring-balancer` |
//! | no target that the request's gate lets be tried | 503 | what the gate says |
//! | connection refused or closed, no agreement on TLS, response not HTTP | 502 | `An invalid response was received from the upstream server` |
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
//! never a reason. That an upstream has closed an idle connection is no failed attempt, nor is a stream
//! that an HTTP/2 upstream says it did nothing about (`REFUSED_STREAM`, `GOAWAY`): that request is
//! sent once more whatever its method.
//! What became of the attempts is kept as [`Tries`](towergate_core::Tries) for those who ask for [`Records`](towergate_core::Records).
//!
//! A request may bring rules of its own ([`RetryRules`](towergate_core::RetryRules), the plugin `retry`):
//! answers that count as failures, other methods, pauses between attempts, a limit for each and for all
//! together, a budget, and a second attempt beside one that takes too long. Then all of the above holds
//! as far as they say nothing else. An attempt that was given up because another was faster is not among
//! the tries.
//!
//! A request may bring a [`Gate`](towergate_core::Gate) in its context (a circuit breaker per target
//! does): it is asked about each target picked, told of each attempt, and words the answer if it
//! lets none be tried. Why the gateway answered a request itself stands in the context as its
//! [`Fault`](towergate_core::Fault).
//!
//! # Targets
//!
//! Where a service's host is an upstream entity, `towergate-balancer` says which target is next and is
//! told how attempts went. [`Destinations::start`] begins what is done beside requests: asking targets
//! how they are (one request of HTTP/1.0, a connection, or the settings of HTTP/2) and looking up their
//! names. What Kong counts is counted: each failed attempt that another follows, and of the last one what
//! the client reads.
//!
//! # gRPC
//!
//! Calls stream in both directions and with trailers: nothing waits for the whole of a request, and a
//! response may begin before its request has ended. The read timeout runs from the end of the request
//! to the head of the response, and from then on between two parts of it; the write timeout while the
//! upstream gives no room to send more. A client that leaves resets the upstream's stream. Requests
//! of a worker share connections, as many at once as the upstream allows.
//!
//! # TLS
//!
//! A service that is reached over TLS says in [`Service::tls`](towergate_core::Service::tls) whom it
//! trusts and who we are to it; [`TlsSettings`] hold where it does not. The upstream must be who the
//! request's `Host` says. A connection is only used again under the same trust and for the same name.
//! What is wrong with a certificate stands in the log; the client reads 502.
//!
//! # WebSockets
//!
//! A `GET` with `Upgrade: websocket` and an [`Upgrade`](towergate_http1::Upgrade) in its extensions,
//! which is the client's side being able to switch, goes upstream with that wish. After a 101 that
//! grants it, bytes pass both ways in a task of their own until either side is done, nothing passes
//! for `read_timeout`, or the upstream takes nothing for `write_timeout`. Any other answer is passed
//! on as one, and a 101 to anything else is no answer: 502.
//!
//! # How it differs
//!
//! Against a general HTTP client it knows about being in the middle: hop-by-hop headers, bodies
//! that only pass through, `X-Forwarded-*`, whose fault an error is. Against Kong: request bodies
//! stream instead of being written to disk, so larger uploads are not repeated once a part was
//! sent. Services of `tcp`, `tls` and `udp` are answered with 502.
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
//!     tls: None,
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
mod attempts;
mod chosen;
mod client_lines;
mod connection;
mod connections;
mod counted;
mod destination;
mod destinations;
mod error;
mod exchange;
mod forward;
mod hash_key;
mod hop;
mod http2;
mod pool;
mod probe;
mod proxy;
mod request_body;
mod resolve;
mod retry;
mod settings;
mod text;
mod tls;
mod transport;
mod tunnel;
mod watch;
mod websocket;

pub use connections::{ConnectionSnapshot, ConnectionStats, Connections};
pub use destinations::Destinations;
pub use error::{Error, Side};
pub use proxy::{Proxy, ProxyFuture};
pub use settings::ProxySettings;
pub use tls::TlsSettings;
