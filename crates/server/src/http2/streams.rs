//! The tasks of an HTTP/2 connection's requests.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use crate::activity::{Activity, Flow};

/// Starts the tasks of a connection's requests, in the worker that has the connection.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    activity: Arc<Activity>,
    patience: Duration,
}

impl Streams {
    /// Of this connection. A request is given up if its client takes nothing of the response for so
    /// long.
    pub(crate) fn new(activity: Arc<Activity>, patience: Duration) -> Self {
        Self { activity, patience }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, future: F) {
        tokio::spawn(Patient::new(future, self.activity.clone(), self.patience));
    }
}

pin_project! {
    /// A request's future, given up when its client lets it wait.
    ///
    /// A client that never opens its window leaves nothing to be written, so no write ever stalls;
    /// but the response's body is not asked for more after it has handed out something.
    struct Patient<F> {
        #[pin]
        future: F,
        activity: Held,
        patience: Duration,
        pause: Option<Pause>,
    }
}

impl<F> Patient<F> {
    fn new(future: F, activity: Arc<Activity>, patience: Duration) -> Self {
        Self { future, activity: Held::new(activity), patience, pause: None }
    }
}

/// A connection that is busy for as long as this lives: also while a tunnel goes through one of its
/// streams, after the response is over.
struct Held(Arc<Activity>);

impl Held {
    fn new(activity: Arc<Activity>) -> Self {
        activity.hold();
        Self(activity)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A pause of the client's.
struct Pause {
    end: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Pause {
    fn until(end: Instant) -> Self {
        Self { end, timer: Box::pin(tokio::time::sleep_until(end)) }
    }

    /// Waits for the end, which may have been put off since the timer was set.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.end {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.end);
        }
    }
}

impl<F: Future<Output = ()>> Future for Patient<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.activity.0.flow(Flow::Untouched);
        if this.future.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match this.activity.0.last_flow() {
            Flow::Untouched => {}
            Flow::Awaited => *this.pause = None,
            Flow::HandedOut => {
                let Some(end) = Instant::now().checked_add(*this.patience) else { return Poll::Pending };
                match this.pause {
                    Some(pause) => pause.end = end,
                    None => *this.pause = Some(Pause::until(end)),
                }
            }
        }
        this.pause.as_mut().map_or(Poll::Pending, |pause| pause.poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Mutex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A request of which each look at it does the next of these; it ends after the last.
    fn request(activity: &Arc<Activity>, steps: Vec<(u64, Option<Flow>)>) -> Patient<impl Future<Output = ()>> {
        let (state, steps) = (activity.clone(), Mutex::new(steps.into_iter()));
        let sleep = Mutex::new(Box::pin(tokio::time::sleep(Duration::ZERO)));
        let future = poll_fn(move |cx| {
            let mut sleep = sleep.lock().unwrap();
            ready!(sleep.as_mut().poll(cx));
            let Some((seconds, flow)) = steps.lock().unwrap().next() else { return Poll::Ready(()) };
            flow.into_iter().for_each(|flow| state.flow(flow));
            sleep.as_mut().reset(Instant::now() + Duration::from_secs(seconds));
            sleep.as_mut().poll(cx)
        });
        Patient::new(future, activity.clone(), PATIENCE)
    }

    async fn lasts(steps: &[(u64, Option<Flow>)]) -> u64 {
        let start = Instant::now();
        request(&Arc::default(), steps.to_vec()).await;
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_given_up_when_its_client_takes_nothing() {
        assert_eq!(lasts(&[(1, Some(Flow::HandedOut)), (1000, None)]).await, 60);
        assert_eq!(lasts(&[(50, Some(Flow::HandedOut)), (50, Some(Flow::HandedOut)), (1000, None)]).await, 110);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_upstream_is_not_the_clients_fault() {
        assert_eq!(lasts(&[(1000, None)]).await, 1000);
        assert_eq!(lasts(&[(50, Some(Flow::HandedOut)), (1000, Some(Flow::Awaited))]).await, 1050);
    }
}
