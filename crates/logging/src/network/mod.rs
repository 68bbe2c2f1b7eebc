//! Sending to collectors.

#[cfg(feature = "tls")]
pub(crate) mod http;
#[cfg(feature = "tls")]
pub(crate) mod tcp;
#[cfg(feature = "tls")]
mod tls;
pub(crate) mod udp;

use std::{net::SocketAddr, time::Duration};

use towergate_queue::Settings;

/// A host's addresses in the order to try them.
///
/// # Errors
/// When the name means none.
pub(crate) async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found: Vec<_> = found.map_err(|error| format!("failed to connect to {host}:{port}: {error}"))?.collect();
    if found.is_empty() {
        Err(format!("failed to connect to {host}:{port}: the name has no address"))
    } else {
        Ok(found)
    }
}

/// The queue of plugins for which Kong has no parameters: entries are sent at once, as many together
/// as there are; what cannot be sent is lost, as in Kong.
pub(crate) fn plain_queue() -> Settings {
    Settings { max_batch_size: 1000, max_coalescing_delay: Duration::ZERO, max_retry_time: None, ..Settings::default() }
}

/// A number of milliseconds as configuration writes it.
pub(crate) fn milliseconds(number: Option<f64>, default: Duration) -> Duration {
    number.and_then(|number| Duration::try_from_secs_f64(number / 1000.0).ok()).unwrap_or(default)
}
