//! Listeners, workers and connections: from an accepted socket to the gateway's stack and back.
//!
//! The stack itself (guards, plugins, the proxying service) is any tower service; this crate finds
//! out what a request is about before the stack sees it, and finishes what the stack answers.
//!
//! # A request's life
//!
//! ```text
//!            one listening socket per worker and address (SO_REUSEPORT)
//!                 │
//!   accept ───────┤  a task per connection, a worker per thread
//!                 │
//!   proxy_protocol│  whose connection it is, on listeners flagged so ───► closed
//!                 │
//!   tls           │  on listeners with TLS: the handshake ► none in time, none at all ─► closed
//!                 ▼
//!   http1         reads a head: no HTTP at all, too large ──┐
//!                 │                                          │ 400, 414, 431, 501, 505
//!   request_check │  host, path, framing, sizes: refused ───┤
//!                 │                                          │
//!   real_ip       │  who the client is                       │
//!                 │                                          │
//!   routing       │  newest table → route ► no route ────────┤ 404
//!                 │                        ► wrong protocol ─┤ 426, 415, redirect
//!   hop           │  what `Connection` lists is taken off    │
//!                 ▼                                          ▼
//!   Context       with the route's plan                      with the plan for no route
//!                 │                                          │ (global plugins see the answer)
//!                 └──────────────► stack ◄───────────────────┘
//!                                    │
//!   framing          no header contradicts the body
//!   stamp            Server, Via, X-Kong-…, Kong-Route-…
//!                                    │
//!                                    ▼
//!   http1            writes; the connection waits for its next request
//! ```
//!
//! # Workers
//!
//! Each worker is one thread with a runtime, sockets, a stack and a copy of the table of its own: on
//! a request's way nothing is locked or counted that another worker touches. [`Workers::drain`] is
//! how they end: requests that have begun are finished.
//!
//! Time is kept without timers. A connection notes what it does by plain stores; the worker looks at
//! all of them once per second and ends those that have done the same for too long ([`Timeouts`]).
//!
//! # What is refused, and by whom
//!
//! | status | what | found by | then |
//! | --- | --- | --- | --- |
//! | 400 | no HTTP/1, bad header lines, several `Content-Length` or one beside a transfer coding, a coding in HTTP/1.0 | `towergate-http1` | closed |
//! | 400 | a header line beyond 8 KiB, a head beyond 40 KiB (`Request header or cookie too large`, [`Limits`]) | `towergate-http1` | closed |
//! | 414 | a request line beyond 8 KiB | `towergate-http1` | closed |
//! | 431 | more than 200 header lines | `towergate-http1` | closed |
//! | 501 | a transfer coding other than `chunked`, HTML page | `towergate-http1` | closed |
//! | 505 | a version of HTTP that is not 1, HTML page | `towergate-http1` | closed |
//! | 431 | over HTTP/2 a header list of more than 48 KiB ([`Http2`]) | h2, empty body | stream reset |
//! | 400 | no or several `Host`, a bad host, several `Authorization`, `..` above the root, `%00`, bad escapes, `CONNECT` to a host | `request_check` | closed |
//! | 400 | HTTP in cleartext on a listener with TLS, HTML page | `tls` | closed |
//! | 405 | `TRACE`, `CONNECT` to a path | `request_check` | kept |
//! | 413 | a body longer than `client_max_body_size` | `request_check`, or while it is read | closed |
//! | 408 | nothing of a body for 60 s | while it is read | closed |
//! | – | no or a broken PROXY protocol header on a listener flagged so, logged | `proxy_protocol` | closed |
//! | – | a PROXY protocol header, a handshake or a head that takes longer than 60 s, an idle connection after 75 s | the worker's look | closed |
//!
//! All of them are answered in the same words as Kong's, and global plugins see them. Where this
//! differs from Kong: header lines that are none are refused, where nginx drops some of them; HTTP/0.9
//! is not spoken; a path may not contain `<`, `>` or a backquote; hosts are compared without regard to
//! case; what `Connection` lists never takes framing or `Host` away.
//!
//! # HTTP/2
//!
//! A listener flagged `http2` speaks it beside HTTP/1, in cleartext and over TLS: a client that begins with the preface of RFC
//! 9113 section 3.4 means HTTP/2. Requests are checked, routed and answered as over HTTP/1, with
//! these differences:
//!
//! * `:authority` and `Host` may not differ (400); one of them must be there.
//! * Headers about one connection (`Connection`, `Transfer-Encoding`, `Upgrade`, `TE` other than
//!   `trailers`, …) make a request malformed: its stream is reset, as for anything else that RFC 9113
//!   calls malformed. Responses have none.
//! * A refused request ends its stream, not the connection. Bodies that are too long or too slow are
//!   answered as over HTTP/1 and end with `RST_STREAM` and `NO_ERROR`.
//! * A connection whose last request has come, that is idle for too long or that is drained gets
//!   `GOAWAY`; what has begun is finished. A client that does not leave is not waited for.
//! * [`Timeouts::header`] and [`Timeouts::keep_alive`] are the connection's, [`Timeouts::body`] and
//!   [`Timeouts::send`] a request's: one that never opens its window is given up alone (`CANCEL`).
//!
//! What a client may do to us is limited by [`Http2`]; who exceeds a limit gets `GOAWAY` with
//! `ENHANCE_YOUR_CALM`. The windows are small on purpose (64 KiB for a stream, 1 MiB for a
//! connection): they are what a client can make us hold while an upstream does not read.
//!
//! # TLS
//!
//! Handshakes are done by the worker
//! that accepted the connection, and take the certificates of its newest table.
//!
//! # Example
//!
//! ```
//! use std::{convert::Infallible, io::{Read, Write}, net::TcpStream, sync::Arc, time::Duration};
//!
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::{ServiceBuilder, service_fn};
//! use towergate_core::{Body, GuardBody, GuardLayer, Plan};
//! use towergate_router::Router;
//! use towergate_runtime::{Publisher, Table};
//! use towergate_server::{Listen, Listeners, ServerConfig, Workers};
//! use towergate_tls::Asked;
//!
//! let listeners = Listeners::bind(&[Listen::on("127.0.0.1:0".parse()?)], 1)?;
//! let address = listeners.addresses()[0];
//! let router = Router::new(Vec::new()).expect("no rule can be wrong");
//! let (unrouted, certificates) = (Arc::new(Plan::default()), Arc::default());
//! let table = Table { router: Arc::new(router), plans: Vec::new(), unrouted, certificates, asked: Asked::Nobody };
//! let (_publisher, watched) = Publisher::new([table]);
//! let workers = Workers::start(ServerConfig::default(), listeners, watched, |_worker| {
//!     let upstream = service_fn(|_: Request<GuardBody<Body>>| async {
//!         Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
//!     });
//!     ServiceBuilder::new().layer(GuardLayer::from_plan()).service(upstream)
//! })?;
//!
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 404 Not Found"));
//! assert!(answer.contains("no Route matched with those values"));
//! assert_eq!(workers.drain(Duration::from_secs(10)).cut_off, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod activity;
mod answer;
mod capacity;
mod config;
mod connection;
mod extended_connect;
mod framing;
mod head_length;
mod hop;
mod http2;
mod listener;
mod networks;
mod origin;
mod protocol_check;
mod proxy_protocol;
mod real_ip;
mod request_body;
mod request_check;
mod routing;
mod stamp;
mod stats;
mod stream;
mod tls;
mod transport;
mod worker;

pub use config::{Http2, Limits, RealIp, RealIpSource, ServerConfig, Timeouts, Tokens};
pub use listener::{Keepalive, Listen, ListenError, Listeners};
pub use request_body::ClientBodyError;
pub use stats::{Snapshot, Stats};
pub use worker::{Drained, Orders, Stack, Workers};
