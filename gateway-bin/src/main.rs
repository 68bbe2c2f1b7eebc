//! The `towergate` binary.
fn main() {}
