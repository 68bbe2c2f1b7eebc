//! One timer for all the waits of a connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is kept from wait to wait. It is not stopped when a wait is over, and not moved when
/// the next one ends later: only when it rings is it set to what is then awaited. So a request
/// usually costs neither an allocation nor a change of the runtime's timers.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready when the deadline has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline || Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_the_wait_of_the_moment_is_over() {
        let mut alarm = Alarm::default();
        // Later, earlier, later again, and past: each time it is the deadline asked for that counts.
        for wait in [10, 300, 20, 600, 0, 5] {
            let started = Instant::now();
            let short = started + Duration::from_millis(1);
            let _ = tokio::time::timeout_at(short, poll_fn(|cx| alarm.poll(cx, short + Duration::from_secs(1)))).await;
            let deadline = started + Duration::from_secs(wait);
            poll_fn(|cx| alarm.poll(cx, deadline)).await;
            assert!(Instant::now() >= deadline, "{wait} too early");
            assert!(Instant::now() < deadline + Duration::from_millis(10), "{wait} too late");
        }
    }
}
