//! What the gateway knows about one request, and the shapes its plugins take.
//!
//! A gateway concern (authentication, rate limiting, CORS, …) is written once, as a [`Guard`]: a
//! plain decision on the head of a request. From it come both uses:
//!
//! * embedded in a service of your own, as a tower layer: [`GuardLayer::new`];
//! * in the gateway, as a [`Plugin`] that configuration may name: the gateway applies the guards
//!   of the matched route's [`Plan`] with one [`GuardLayer::from_plan`].
//!
//! What is learnt about a request on its way (client, route, consumer, timings) is kept in its
//! [`Context`], so that layers outside can read on the way back what layers inside found out.
//! A guard never answers with an error: a refusal is a [`Reply`], rendered in one place in the
//! form the client asked for.
//!
//! This crate needs no runtime and no HTTP implementation.
//!
//! ```
//! use http::{Request, Response, StatusCode, request::Parts};
//! use http_body_util::Empty;
//! use towergate_core::{Context, Guard, GuardLayer, Reply, Verdict};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! /// Lets only requests with an `x-ticket` header pass.
//! struct Ticket;
//!
//! impl Guard for Ticket {
//!     fn check(&self, _: &Context, head: &mut Parts) -> Verdict {
//!         if head.headers.contains_key("x-ticket") {
//!             Verdict::Pass
//!         } else {
//!             Verdict::Refuse(Reply::error(StatusCode::FORBIDDEN, "No ticket"))
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(GuardLayer::new(Ticket))
//!     .service(service_fn(|_| async { Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new())) }));
//! let response = service.oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
//! assert_eq!(response.status(), StatusCode::FORBIDDEN);
//! # }
//! ```

mod body;
mod client;
mod context;
mod directory;
mod grpc;
mod guard;
mod identity;
mod layer;
mod negotiate;
mod plan;
mod plugin;
mod reply;
mod request_id;
mod route;
mod timing;

pub use body::{Body, BoxError, GuardBody};
pub use client::{Client, Scheme};
pub use context::{Context, Matched};
pub use directory::{Consumer, Credential, Directory, DirectoryBuilder};
pub use guard::{Change, Guard, Outcome, Verdict};
pub use identity::{Accounts, Identity};
pub use layer::{FromPlan, GuardFuture, GuardLayer, GuardService, Guards, One};
pub use negotiate::{Asker, Form};
pub use plan::{Choice, Level, Plan, Policy};
pub use plugin::{Env, Plugin, PluginError, Slot, Task, Wrap};
pub use reply::{Pages, Reply};
pub use request_id::RequestId;
pub use route::{Balancing, Protocol, Route, Service, Target};
pub use timing::Timing;
