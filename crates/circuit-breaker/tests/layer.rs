//! What reaches the inner service through a circuit breaker, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use towergate_circuit_breaker::{CircuitBreakerBuilder, CircuitBreakerLayer, CircuitBreakerService};
use towergate_core::GuardBody;

fn tokios_clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Opens after two failures in a row, for ten seconds of tokio's clock.
fn layer() -> CircuitBreakerBuilder {
    CircuitBreakerLayer::builder()
        .clock(tokios_clock)
        .failure_threshold(NonZeroU32::new(2))
        .reset_timeout(Duration::from_secs(10))
}

/// What the inner service does with a call.
#[derive(Debug, Clone)]
enum Does {
    Answers(u16),
    Takes(Duration, u16),
    Fails(&'static str),
    Hangs,
}
use Does::{Answers, Fails, Hangs, Takes};

/// An inner service that does what it is told and counts its calls.
#[derive(Debug, Clone, Default)]
struct Inner {
    does: Arc<Mutex<Option<Does>>>,
    calls: Arc<AtomicUsize>,
}

impl Inner {
    fn will(&self, does: Does) {
        *self.does.lock().unwrap() = Some(does);
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

type InnerFuture = std::pin::Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Refusal>> + Send>>;

/// The inner service's own error, which is neither boxed nor cloned nor even an `Error`.
#[derive(Debug, PartialEq, Eq)]
struct Refusal(&'static str);

impl Service<Request<Full<Bytes>>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Refusal;
    type Future = InnerFuture;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Refusal>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> InnerFuture {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let does = self.does.lock().unwrap().clone().unwrap_or(Answers(200));
        Box::pin(async move {
            let status = match does {
                Answers(status) => status,
                Takes(time, status) => {
                    tokio::time::sleep(time).await;
                    status
                }
                Fails(why) => return Err(Refusal(why)),
                Hangs => std::future::pending().await,
            };
            let response = Response::builder().status(status).header("x-inner", "here");
            Ok(response.body(request.into_body()).unwrap())
        })
    }
}

fn request() -> Request<Full<Bytes>> {
    Request::new(Full::from("what was sent"))
}

type Answered = Result<Response<GuardBody<Full<Bytes>>>, Refusal>;

async fn call(service: &CircuitBreakerService<Inner>) -> Answered {
    service.clone().oneshot(request()).await
}

async fn status(service: &CircuitBreakerService<Inner>) -> u16 {
    call(service).await.unwrap().status().as_u16()
}

/// A service that has failed until its circuit opened.
async fn opened(layer: CircuitBreakerBuilder) -> (Inner, CircuitBreakerService<Inner>) {
    let inner = Inner::default();
    let service = layer.build().layer(inner.clone());
    inner.will(Answers(500));
    assert_eq!((status(&service).await, status(&service).await), (500, 500));
    assert_eq!((status(&service).await, inner.calls()), (503, 2));
    (inner, service)
}

#[tokio::test(start_paused = true)]
async fn what_goes_through_goes_through_unchanged() {
    let inner = Inner::default();
    let service = layer().build().layer(inner.clone());
    for expected in [200, 404, 500] {
        inner.will(Answers(expected));
        let response = call(&service).await.unwrap();
        let names: Vec<_> = response.headers().keys().map(|name| name.as_str().to_owned()).collect();
        assert_eq!((response.status().as_u16(), names), (expected, vec!["x-inner".to_owned()]));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "what was sent");
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_answers_in_the_guides_words_and_touches_nothing() {
    let (inner, service) = opened(layer()).await;
    tokio::time::advance(Duration::from_millis(8_500)).await;
    let response = call(&service).await.unwrap();
    assert_eq!((response.status(), inner.calls()), (StatusCode::SERVICE_UNAVAILABLE, 2));
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json; charset=utf-8");
    assert_eq!((header("retry-after"), header("x-circuit-state")), ("2".into(), "OPEN".into()));
    let body = r#"{"message":"Service temporarily unavailable","circuit_state":"OPEN"}"#;
    assert_eq!(header("content-length"), body.len().to_string());
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
}

#[tokio::test(start_paused = true)]
async fn a_trial_call_that_succeeds_closes_it() {
    let (inner, service) = opened(layer()).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    inner.will(Answers(200));
    let trial = call(&service).await.unwrap();
    assert_eq!((trial.status(), &trial.headers()["x-circuit-state"]), (StatusCode::OK, &"HALF_OPEN".parse().unwrap()));
    let next = call(&service).await.unwrap();
    assert_eq!((next.status(), next.headers().contains_key("x-circuit-state")), (StatusCode::OK, false));
}

#[tokio::test(start_paused = true)]
async fn a_trial_call_that_fails_opens_it_again() {
    let (inner, service) = opened(layer()).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!((status(&service).await, inner.calls()), (500, 3));
    assert_eq!((status(&service).await, inner.calls()), (503, 3));
}

#[tokio::test(start_paused = true)]
async fn a_trial_call_that_is_given_up_gives_its_place_back() {
    let (inner, service) = opened(layer()).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    inner.will(Hangs);
    for calls in 3..6 {
        let mut trial = Box::pin(call(&service));
        tokio::select! {
            biased;
            _ = &mut trial => unreachable!("it hangs"),
            refused = call(&service) => {
                let refused = refused.unwrap();
                assert_eq!((refused.status().as_u16(), &refused.headers()["x-circuit-state"]), (503, &"HALF_OPEN".parse().unwrap()));
                assert_eq!((&refused.headers()["retry-after"], inner.calls()), (&"1".parse().unwrap(), calls));
            }
        }
        drop(trial);
    }
    inner.will(Answers(200));
    assert_eq!((status(&service).await, status(&service).await), (200, 200));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_polled_gives_its_place_back() {
    let (inner, mut service) = opened(layer()).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    drop(service.ready().await.unwrap().call(request()));
    inner.will(Answers(200));
    assert_eq!((status(&service).await, status(&service).await), (200, 200));
}

#[tokio::test(start_paused = true)]
async fn errors_count_and_keep_their_type() {
    let inner = Inner::default();
    let service = layer().build().layer(inner.clone());
    inner.will(Fails("no route to host"));
    for _ in 0..2 {
        assert_eq!(call(&service).await.unwrap_err(), Refusal("no route to host"));
    }
    assert_eq!((status(&service).await, inner.calls()), (503, 2));
}

#[tokio::test(start_paused = true)]
async fn which_errors_are_failures_can_be_chosen() {
    let inner = Inner::default();
    let judge = |error: &Refusal| error.0 != "not your turn";
    let service = layer().failure_errors(judge).build().layer(inner.clone());
    for does in [Fails("no route to host"), Fails("not your turn"), Fails("not your turn"), Fails("no route to host")] {
        inner.will(does);
        assert!(service.clone().oneshot(request()).await.is_err());
    }
    assert_eq!((service.clone().oneshot(request()).await.unwrap().status().as_u16(), inner.calls()), (503, 4));
}

#[tokio::test(start_paused = true)]
async fn slow_calls_count_even_if_nobody_waits_for_their_end() {
    let limit = Duration::from_secs(2);
    let inner = Inner::default();
    let service = layer().slow_call_duration(limit).build().layer(inner.clone());
    inner.will(Takes(limit, 200));
    assert_eq!([status(&service).await, status(&service).await, status(&service).await], [200; 3], "just in time");
    inner.will(Takes(limit + Duration::from_millis(1), 200));
    assert_eq!(status(&service).await, 200);
    inner.will(Hangs);
    assert!(tokio::time::timeout(Duration::from_secs(3), call(&service)).await.is_err());
    assert_eq!((status(&service).await, inner.calls()), (503, 5));
}

#[tokio::test(start_paused = true)]
async fn which_statuses_are_failures_can_be_chosen() {
    let inner = Inner::default();
    let service = layer().failure_statuses([StatusCode::TOO_MANY_REQUESTS]).build().layer(inner.clone());
    inner.will(Answers(500));
    assert_eq!([status(&service).await, status(&service).await, status(&service).await], [500; 3]);
    inner.will(Answers(429));
    assert_eq!([status(&service).await, status(&service).await, status(&service).await], [429, 429, 503]);
}

#[tokio::test(start_paused = true)]
async fn headers_can_be_hidden() {
    let (inner, service) = opened(layer().hide_client_headers(true)).await;
    let refused = call(&service).await.unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;
    inner.will(Answers(200));
    let trial = call(&service).await.unwrap();
    for response in [refused, trial] {
        let told = ["retry-after", "x-circuit-state"].map(|name| response.headers().contains_key(name));
        assert_eq!(told, [false, false]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_has_one_circuit_and_each_layer_its_own() {
    let inner = Inner::default();
    let shared = layer().build();
    let services =
        [shared.layer(inner.clone()), shared.clone().layer(inner.clone()), layer().build().layer(inner.clone())];
    inner.will(Answers(500));
    assert_eq!([status(&services[0]).await, status(&services[1]).await], [500, 500]);
    assert_eq!([status(&services[0]).await, status(&services[1]).await, status(&services[2]).await], [503, 503, 500]);
}

#[tokio::test(start_paused = true)]
async fn of_many_calls_at_once_only_so_many_are_trials() {
    let (inner, service) = opened(layer().half_open_max_requests(NonZeroU32::new(3).unwrap())).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    inner.will(Takes(Duration::from_secs(1), 200));
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { status(&service).await })
        })
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap());
    }
    let answered = |status: u16| statuses.iter().filter(|seen| **seen == status).count();
    assert_eq!((answered(200), answered(503), inner.calls()), (3, 61, 5));
}
