//! The `towergate` binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use towergate_gateway::Bundled;

/// A request makes a few dozen small allocations, all freed by the worker that made them: what
/// this allocator is made for. See docs/performance.md for what it is worth.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    towergate_gateway::run(Bundled)
}
