//! How much a connection takes.

use tokio::net::TcpStream;
use towergate_http1::server::Connection;

use crate::harness::Closure;

#[test]
fn a_connection_is_small() {
    // With its socket and what was read from it (150 bytes), which it does not keep in an allocation of their own, and with
    // where the lines of a head end (24 bytes).
    let size = std::mem::size_of::<Connection<TcpStream, Closure>>();
    assert!(size <= 456, "{size} bytes, apart from what the service's own future takes");
}
