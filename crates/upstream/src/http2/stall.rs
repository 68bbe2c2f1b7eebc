//! A timer that runs while something is waited for.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Made when there is something to wait for, and then used again for each wait.
#[derive(Debug)]
pub(crate) struct Stall {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    runs: bool,
}

impl Stall {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: None, runs: false }
    }

    /// How long a wait may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Something has come: the next wait begins anew.
    pub(crate) fn end(&mut self) {
        self.runs = false;
    }

    /// Ready when the wait, which begins now if none has begun, has taken too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let begins = !std::mem::replace(&mut self.runs, true);
        match &mut self.timer {
            None => self.timer = Some(Box::pin(sleep(self.limit))),
            Some(timer) if begins => {
                // Limits come from configuration, where none is longer than 25 days.
                if let Some(end) = Instant::now().checked_add(self.limit) {
                    timer.as_mut().reset(end);
                }
            }
            Some(_) => {}
        }
        self.timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_the_whole_limit() {
        let begun = Instant::now();
        let mut stall = Stall::new(Duration::from_secs(10));
        for _ in 0..3 {
            let early = poll_fn(|cx| stall.poll(cx));
            assert!(tokio::time::timeout(Duration::from_secs(9), early).await.is_err());
            stall.end();
        }
        poll_fn(|cx| stall.poll(cx)).await;
        assert_eq!(begun.elapsed().as_secs(), 37);
    }
}
