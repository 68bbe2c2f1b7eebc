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
//!                 ▼
//!   http2         on listeners flagged so: HTTP/2 by the first bytes, else HTTP/1
//!                 │
//!   hyper         reads a head: no HTTP at all ─────────────────────────► 400, 431, closed
//!                 │
//!   request_check │  host, path, framing, sizes: refused ───┐
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
//!   hyper            writes; the connection waits for its next request
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
//! | status | what | answered by | then |
//! | --- | --- | --- | --- |
//! | 400 | no HTTP/1, bad header names, differing `Content-Length`, a list of codings without `chunked` at its end | hyper, empty body | closed |
//! | 431 | more than 200 header lines or 40 KiB of head, the request line included ([`Limits`]) | hyper, empty body | closed |
//! | 431 | over HTTP/2 a header list of more than 48 KiB ([`Http2`]) | h2, empty body | stream reset |
//! | 400 | no or several `Host`, a bad host, several `Authorization`, `..` above the root, `%00`, bad escapes, `CONNECT` to a host | `request_check` | closed |
//! | 400 | a header line beyond 8 KiB (`Request header or cookie too large`) | `request_check` | closed |
//! | 405 | `TRACE`, `CONNECT` to a path | `request_check` | kept |
//! | 413 | a body longer than `client_max_body_size` | `request_check`, or while it is read | closed |
//! | 414 | a request line beyond 8 KiB | `request_check` | closed |
//! | 501 | a transfer coding other than `chunked` | `request_check`, HTML page | closed |
//! | 408 | nothing of a body for 60 s | while it is read | closed |
//! | – | a head that takes longer than 60 s, an idle connection after 75 s | the worker's look | closed |
//!
//! Where this differs from Kong: what hyper refuses has no body and is seen by no plugin; a path may
//! not contain `<`, `>` or a backquote; of two equal `Content-Length` lines hyper keeps one; hosts
//! are compared without regard to case; what `Connection` lists never takes framing or `Host` away.
//!
//! # HTTP/2
//!
//! A listener flagged `http2` speaks it beside HTTP/1: a client that begins with the preface of RFC
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
//! HTTP/1.0, HTTP/1.1 and HTTP/2 without TLS are served here.
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
//!
//! let listeners = Listeners::bind(&[Listen::on("127.0.0.1:0".parse()?)], 1)?;
//! let address = listeners.addresses()[0];
//! let router = Router::new(Vec::new()).expect("no rule can be wrong");
//! let table = Table { router: Arc::new(router), plans: Vec::new(), unrouted: Arc::new(Plan::default()) };
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
mod config;
mod connection;
mod framing;
mod hop;
mod http2;
mod listener;
mod networks;
mod origin;
mod protocol_check;
mod real_ip;
mod request_body;
mod request_check;
mod routing;
mod stamp;
mod stats;
mod stream;
mod transport;
mod worker;

pub use config::{Http2, Limits, RealIp, ServerConfig, Timeouts, Tokens};
pub use listener::{Listen, ListenError, Listeners};
pub use request_body::ClientBodyError;
pub use stats::{Snapshot, Stats};
pub use worker::{Drained, Stack, Workers};
