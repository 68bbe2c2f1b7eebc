//! The `towergate` binary.

use std::process::ExitCode;

use towergate_gateway::Bundled;

fn main() -> ExitCode {
    towergate_gateway::run(Bundled)
}
