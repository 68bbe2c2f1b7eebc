//! What benches have in common: a route and its service, a request as clients send them, the time a service takes for it, and
//! what several of them measure by.
#![allow(clippy::expect_used, reason = "a bench that cannot go on fails")]

mod measurement;
mod plans;
mod times;

pub use measurement::{BATCH, CpuTime};
pub use plans::{request, routed};
pub use times::{cpu_time, times};

use mimalloc::MiMalloc;

/// The gateway's own, so that a bench pays for its allocations what the gateway pays.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
