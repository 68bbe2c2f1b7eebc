//! The end of a program, as its deliveries see it.

use std::future::pending;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Whether the end has begun, and when everything must be over.
#[derive(Debug, Clone)]
pub(crate) struct Ending(watch::Receiver<Option<Instant>>);

impl Ending {
    pub(crate) fn new(end: &watch::Sender<Option<Instant>>) -> Self {
        Self(end.subscribe())
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Whether the time is up.
    pub(crate) fn is_late(&self) -> bool {
        self.0.borrow().is_some_and(|end| Instant::now() >= end)
    }

    /// Done when the end begins.
    pub(crate) async fn begun(&self) {
        self.begins().await;
    }

    /// Done when the time is up.
    pub(crate) async fn late(&self) {
        sleep_until(self.begins().await).await;
    }

    async fn begins(&self) -> Instant {
        let mut end = self.0.clone();
        let end = end.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        match end {
            Some(end) => end,
            // Nobody is left who could end it.
            None => pending().await,
        }
    }
}
