//! Proxying to upstream services: pooled connections, retries, timeouts, forwarding headers.

mod activity;
mod answer;
mod connection;
mod destination;
mod error;
mod exchange;
mod forward;
pub mod hop;
mod pool;
mod proxy;
mod request_body;
mod resolve;
mod settings;
mod tries;
mod wire;

pub use destination::Destinations;
pub use error::{Error, Side};
pub use proxy::{Proxy, ProxyFuture};
pub use settings::ProxySettings;
pub use tries::{Tries, Try, TryState};
