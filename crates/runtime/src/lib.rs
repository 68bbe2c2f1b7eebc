//! Configuration compiled to plans, carried over and swapped atomically under running traffic.

mod table;
mod watch;

pub use table::Table;
pub use watch::{Publisher, Watched};
