//! What benches of what is done with a request have in common: a route and its service, a request as clients send them, and
//! the time a service takes for it.
#![allow(clippy::expect_used, reason = "a bench that cannot go on fails")]

mod plans;
mod times;

pub use plans::{request, routed};
pub use times::{cpu_time, times};
