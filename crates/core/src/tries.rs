//! What became of the attempts of one request, for logs and metrics.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

/// The attempts of one request, kept in its context if somebody wants to know:
/// [`Records::tries`](crate::Records::tries).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    // The usual single attempt takes no allocation.
    first: Option<Try>,
    more: Vec<Try>,
}

/// One attempt at reaching an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// The address connected to.
    pub ip: IpAddr,
    /// The port connected to.
    pub port: u16,
    /// When the attempt began.
    pub started_at: SystemTime,
    /// How long choosing the address took, name resolution included.
    pub balancer_latency: Duration,
    /// How it ended.
    pub state: TryState,
    /// The upstream's status, or 502 or 504 for a failed attempt.
    pub code: u16,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryState {
    /// The upstream answered.
    Answered,
    /// It did not.
    Failed,
}

impl TryState {
    /// As Kong's logs say it; they say nothing about an attempt that was answered, nor (there
    /// being no next one) about the last attempt of a request.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::Failed => Some("failed"),
        }
    }
}

impl Tries {
    /// The attempts in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Try> {
        self.first.iter().chain(&self.more)
    }

    /// How many there were.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()).saturating_add(self.more.len())
    }

    /// Whether the request never came so far.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The last one, which decided the answer.
    pub fn last(&self) -> Option<&Try> {
        self.more.last().or(self.first.as_ref())
    }

    /// Adds the next one.
    pub fn push(&mut self, attempt: Try) {
        match self.first {
            None => self.first = Some(attempt),
            Some(_) => self.more.push(attempt),
        }
    }
}
