//! Failover: which services a request meets, what is answered, and who is left alone.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};
use towergate_lb::{Balance, BalanceError, Pick, RoundRobin};

const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();

type Client = BoxCloneSyncService<u32, u32, &'static str>;

/// A service that is up or down, and counts who asks.
#[derive(Clone, Default)]
struct Sample {
    down: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Sample {
    fn service(&self) -> Client {
        let this = self.clone();
        BoxCloneSyncService::new(service_fn(move |number| {
            this.asked.fetch_add(1, Relaxed);
            let down = this.down.load(Relaxed);
            async move { if down { Err("down") } else { Ok(number) } }
        }))
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Relaxed)
    }
}

fn three() -> ([Sample; 3], Balance<Client, RoundRobin>) {
    let samples = [Sample::default(), Sample::default(), Sample::default()];
    let services: Vec<_> = samples.iter().map(Sample::service).collect();
    (samples, Balance::new(services, RoundRobin::new([1, 1, 1])))
}

#[tokio::test]
async fn the_next_answers_when_one_fails_which_is_then_left_alone() {
    let (samples, balance) = three();
    samples[1].down.store(true, Relaxed);
    let client = balance.failover().eject_after(TWO, Duration::from_secs(3600));
    for number in 0..30 {
        assert_eq!(client.clone().oneshot(number).await, Ok(number));
    }
    assert_eq!(samples[1].asked(), 2, "after two failures in a row it is out of rotation");
    assert_eq!(samples[0].asked() + samples[2].asked(), 30);
}

#[tokio::test]
async fn a_request_meets_nobody_twice_and_the_last_failure_is_the_answer() {
    let (samples, balance) = three();
    samples.iter().for_each(|sample| sample.down.store(true, Relaxed));
    let client = balance.failover();
    assert_eq!(client.clone().oneshot(1).await, Err(BalanceError::Service("down")));
    assert_eq!(samples.each_ref().map(Sample::asked), [1, 1, 1]);
    let once = client.attempts(0);
    assert_eq!(once.oneshot(1).await, Err(BalanceError::Service("down")));
    assert_eq!(samples.iter().map(Sample::asked).sum::<usize>(), 1, "0 counts as 1");
}

#[tokio::test]
async fn with_nobody_in_rotation_all_are_asked_again() {
    let (samples, balance) = three();
    samples.iter().for_each(|sample| sample.down.store(true, Relaxed));
    let client = balance.failover().eject_after(NonZeroU32::MIN, Duration::from_secs(3600));
    assert!(client.clone().oneshot(1).await.is_err());
    samples.iter().for_each(|sample| sample.down.store(false, Relaxed));
    assert_eq!(client.oneshot(2).await, Ok(2));
}

#[tokio::test]
async fn a_service_comes_back_when_its_time_is_over() {
    let (samples, balance) = three();
    let balance_of = balance.picker().clone();
    (1..3).for_each(|place| balance_of.set_available(place, false));
    samples[0].down.store(true, Relaxed);
    // A pause of nothing is over at the next request.
    let client = balance.failover().attempts(1).eject_after(NonZeroU32::MIN, Duration::ZERO);
    assert!(client.clone().oneshot(1).await.is_err());
    samples[0].down.store(false, Relaxed);
    assert_eq!(client.oneshot(2).await, Ok(2));
}

#[tokio::test]
async fn what_counts_as_a_failure_can_be_said() {
    let (samples, balance) = three();
    let odd = |answer: &Result<u32, &'static str>| answer.as_ref().is_ok_and(|number| number % 2 == 1);
    let client = balance.failover().attempts(2).failed_if(odd);
    assert_eq!(client.clone().oneshot(2).await, Ok(2));
    assert_eq!(samples.iter().map(Sample::asked).sum::<usize>(), 1);
    assert_eq!(client.oneshot(3).await, Ok(3), "the last attempt is the answer, failure or not");
    assert_eq!(samples.iter().map(Sample::asked).sum::<usize>(), 2);
}

#[tokio::test]
async fn without_services_there_is_no_answer() {
    let services: Vec<Client> = Vec::new();
    let client = Balance::new(services, RoundRobin::new([])).failover();
    assert_eq!(client.oneshot(1).await, Err(BalanceError::NoneAvailable));
}
