//! Ports that no other test of this machine takes.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which the kernel takes ports of outgoing connections, so that no connection grabs one.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A free port of 127.0.0.1, ours until dropped.
///
/// The reservation is a listener on the *same port of 127.0.0.2*: other test processes see it and look further, while the
/// gateway (or nobody) can listen on 127.0.0.1.
#[derive(Debug)]
pub struct Port {
    number: u16,
    reservation: Option<TcpListener>,
}

impl Port {
    /// Finds and reserves a port.
    pub fn free() -> Self {
        (0..COUNT).find_map(|_| Self::reserve(candidate())).expect("no free port on 127.0.0.1")
    }

    /// Gives the reservation up, for a listener on *all* addresses; until it listens, another test might take the port.
    pub fn unreserved(mut self) -> Self {
        self.reservation = None;
        self
    }

    /// The port number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// 127.0.0.1 with this port. Connections are refused as long as nobody listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    fn reserve(number: u16) -> Option<Self> {
        let reservation = match TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), number)) {
            Ok(listener) => Some(listener),
            // Systems with one loopback address only: go without the reservation.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => None,
            Err(_) => return None,
        };
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, reservation })
    }
}

/// Walks the range from a place that differs between processes.
fn candidate() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let step = NEXT.fetch_add(1, Ordering::Relaxed);
    let start = process::id().wrapping_mul(2_654_435_761);
    u16::try_from(FIRST + start.wrapping_add(step) % COUNT).expect("the range lies below 65536")
}
