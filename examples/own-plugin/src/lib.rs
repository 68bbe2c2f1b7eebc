//! The plugin `maintenance`, as a crate would have it.

mod maintenance;

pub use maintenance::{Maintenance, MaintenanceConfig};
