//! The tower service: what reaches the services inside, and what comes back.

use std::{
    convert::Infallible,
    future::pending,
    task::{Context, Poll},
    time::Instant,
};

use tower::{Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use towergate_lb::{
    Balance, BalanceError, ConsistentHash, LeastConnections, PeakEwma, Pick, RoundRobin, Sticky, TwoChoices, hash,
};

type Named = BoxCloneSyncService<u32, &'static str, Infallible>;

fn named(name: &'static str) -> Named {
    BoxCloneSyncService::new(service_fn(move |_| async move { Ok(name) }))
}

#[tokio::test]
async fn every_algorithm_is_a_service() {
    let pickers: [Box<dyn Pick>; 5] = [
        Box::new(RoundRobin::new([1, 1])),
        Box::new(LeastConnections::new([1, 1])),
        Box::new(PeakEwma::new([1, 1], Instant::now())),
        Box::new(TwoChoices::new([1, 1])),
        Box::new(ConsistentHash::new(1_000, 2, [("a", 1), ("b", 1)])),
    ];
    for picker in pickers {
        let balance = Balance::new(vec![named("a"), named("b")], picker).hashed(|user: &u32| hash(&user.to_le_bytes()));
        let mut seen = Vec::new();
        for user in 0..100 {
            seen.push(balance.clone().oneshot(user).await.unwrap());
        }
        assert!(seen.contains(&"a") && seen.contains(&"b"), "{balance:?}: {seen:?}");
        balance.picker().set_available(0, false);
        assert_eq!(balance.clone().oneshot(1).await, Ok("b"), "{balance:?}");
        balance.picker().set_available(1, false);
        assert_eq!(balance.clone().oneshot(1).await, Err(BalanceError::NoneAvailable), "{balance:?}");
    }
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_future_is_gone() {
    let stuck = BoxCloneSyncService::new(service_fn(|_: u32| pending::<Result<&'static str, Infallible>>()));
    let mut balance = Balance::new(vec![stuck, named("free")], LeastConnections::new([2, 1]));
    let held = balance.call(1);
    // Now both would have as much for their weight; a second one decides.
    balance.picker().begin(0);
    assert_eq!(balance.call(2).await, Ok("free"));
    balance.picker().end(0);
    drop(held);
    assert_eq!(balance.picker().pick(0, &[]), Some(0));
}

/// Ready only when asked a second time.
#[derive(Clone, Default)]
struct Slow {
    asked: bool,
}

impl Service<()> for Slow {
    type Response = ();
    type Error = Infallible;
    type Future = std::future::Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if std::mem::replace(&mut self.asked, true) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(self.asked, "called before it was ready");
        std::future::ready(Ok(()))
    }
}

#[tokio::test]
async fn the_chosen_service_is_waited_for() {
    let balance = Balance::new(vec![Slow::default()], RoundRobin::new([1]));
    assert_eq!(balance.oneshot(()).await, Ok(()));
}

#[test]
fn a_sticky_client_stays() {
    let sticky = Sticky::new(RoundRobin::new([1, 1, 1]), ["a", "b", "c"]);
    let first = sticky.pick(None, &[], |_| true).unwrap();
    assert!((0..9).all(|_| sticky.pick(first.token, &[], |_| true).unwrap().place == first.place));
}
