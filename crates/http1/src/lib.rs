//! HTTP/1.1 over any stream, driven by the task that uses it: a server connection and a client
//! connection.

mod chunked;
pub mod client;
mod fields;
mod find;
mod head;
mod names;
pub mod server;
mod spare;
mod spelling;
mod upgrade;
mod values;

pub use spare::reuse;
pub use spelling::Spelling;
pub use upgrade::{Upgrade, Upgraded};
