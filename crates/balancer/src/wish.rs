//! What is wanted of the next pick.

use std::{net::SocketAddr, time::Instant};

/// What is wanted of the next pick.
///
/// ```
/// use std::time::Instant;
/// use towergate_balancer::Wish;
///
/// let wish = Wish { hash: 7, ..Wish::at(Instant::now()) };
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// What requests are kept together by, where the algorithm hashes.
    pub hash: u32,
    /// What a client has brought of its earlier target, where sessions are sticky.
    pub token: Option<&'a str>,
    /// None of these addresses as long as another is left.
    pub tried: &'a [SocketAddr],
    /// None of these targets, by their places in the configuration.
    pub barred: &'a [usize],
    /// The time.
    pub now: Instant,
}

impl Wish<'_> {
    /// Anything, now.
    #[must_use]
    pub fn at(now: Instant) -> Self {
        Self { hash: 0, token: None, tried: &[], barred: &[], now }
    }
}
