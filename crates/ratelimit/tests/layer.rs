//! What reaches the inner service through a rate limit, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails")]

use std::{
    convert::Infallible,
    future::ready,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use towergate_core::{Client, Context, GuardBody, Timing};
use towergate_ratelimit::{
    Count, Counted, Counting, HeaderStyle, Key, PeriodLimits, Quota, RateLimitLayer, ResponseRateLimitLayer,
    ResponseRatelimitingConfig, Store, StoreError,
};

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// A request at this moment, in milliseconds since 1970, from this address.
fn request(now: u64, address: &str) -> Request<Full<Bytes>> {
    let (mut head, body) = Request::new(Full::from("body")).into_parts();
    let client = Client { address: Some(address.parse().unwrap()), ..Client::default() };
    let timing = Timing::at(std::time::Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_millis(now));
    let cx = Context::new(client, &head, timing, None);
    head.extensions.insert(Arc::new(cx));
    Request::from_parts(head, body)
}

/// How often the inner service was called.
type Calls = Arc<AtomicUsize>;

/// The layer around a service that counts its calls.
#[allow(clippy::type_complexity, reason = "nothing in it has a shorter name")]
fn limited(
    layer: RateLimitLayer,
) -> (Calls, impl Service<Request<Full<Bytes>>, Response = Response<GuardBody<Full<Bytes>>>, Error = Infallible> + Clone)
{
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let service = service_fn(move |_: Request<GuardBody<Full<Bytes>>>| {
        counted.fetch_add(1, Ordering::Relaxed);
        ready(Ok::<_, Infallible>(Response::new(Full::from("inner"))))
    });
    (calls, layer.layer(service))
}

/// The headers about limits, in alphabetical order.
fn told<B>(response: &Response<B>) -> Vec<String> {
    let lines = response.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut told: Vec<_> = lines.filter(|line| line.contains("ratelimit") || line.starts_with("retry-after")).collect();
    told.sort();
    told
}

#[tokio::test]
async fn so_many_reach_the_service_and_no_more() {
    let (calls, service) = limited(RateLimitLayer::fixed([Quota::per_minute(number(2)), Quota::per_hour(number(10))]));
    let send = |now, address| service.clone().oneshot(request(now, address));
    let first = send(1000, "192.0.2.1").await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    let expected = [
        "ratelimit-limit: 2",
        "ratelimit-remaining: 1",
        "ratelimit-reset: 59",
        "x-ratelimit-limit-hour: 10",
        "x-ratelimit-limit-minute: 2",
        "x-ratelimit-remaining-hour: 9",
        "x-ratelimit-remaining-minute: 1",
    ];
    assert_eq!(told(&first), expected);
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "inner");
    assert_eq!(send(2000, "192.0.2.1").await.unwrap().status(), StatusCode::OK);
    let refused = send(15_500, "192.0.2.1").await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"45".parse().unwrap())
    );
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("API rate limit exceeded"));
    assert_eq!(send(15_500, "192.0.2.2").await.unwrap().status(), StatusCode::OK, "another address");
    assert_eq!(send(60_000, "192.0.2.1").await.unwrap().status(), StatusCode::OK, "the next minute");
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_sliding_window_remembers_the_one_before() {
    let (_, service) = limited(RateLimitLayer::sliding([Quota::per_minute(number(10))]));
    for now in 0..10 {
        assert_eq!(service.clone().oneshot(request(now, "::1")).await.unwrap().status(), StatusCode::OK);
    }
    // At the beginning of the next minute all ten count, in its middle five.
    assert_eq!(service.clone().oneshot(request(60_000, "::1")).await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    let mut through = 0;
    for _ in 0..10 {
        let response = service.clone().oneshot(request(90_000, "::1")).await.unwrap();
        through += u32::from(response.status() == StatusCode::OK);
    }
    assert_eq!(through, 5);
}

#[tokio::test]
async fn the_headers_of_the_ietf_or_none() {
    let layer = RateLimitLayer::fixed([Quota::per_minute(ONE), Quota::per(number(5), Duration::from_secs(90))]);
    let (_, ietf) = limited(layer.clone().headers(HeaderStyle::Ietf));
    let response = ietf.clone().oneshot(request(30_000, "::1")).await.unwrap();
    assert_eq!(told(&response), ["ratelimit-policy: \"60\";q=1;w=60, \"90\";q=5;w=90", "ratelimit: \"60\";r=0;t=30"]);
    let refused = ietf.oneshot(request(30_000, "::1")).await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "30");
    // Clones of a layer count together.
    let (_, hidden) =
        limited(layer.headers(HeaderStyle::Hidden).status(StatusCode::SERVICE_UNAVAILABLE).message("later"));
    let refused = hidden.oneshot(request(30_000, "::1")).await.unwrap();
    assert_eq!((refused.status(), told(&refused)), (StatusCode::SERVICE_UNAVAILABLE, vec![]));
}

#[tokio::test]
async fn whose_requests_count_together_may_be_anything() {
    let statuses = async |layer: RateLimitLayer, apps: [&str; 4]| {
        let (_, service) = limited(layer);
        let mut statuses = Vec::new();
        for app in apps {
            let mut request = request(0, "::1");
            request.headers_mut().insert("x-app", app.parse().unwrap());
            statuses.push(service.clone().oneshot(request).await.unwrap().status().as_u16());
        }
        statuses
    };
    let layer = || RateLimitLayer::fixed([Quota::per_day(ONE)]);
    let header = HeaderName::from_static("x-app");
    assert_eq!(statuses(layer().by(Key::header(header)), ["a", "b", "a", "b"]).await, [200, 200, 429, 429]);
    assert_eq!(statuses(layer().by(Key::everybody()), ["a", "b", "c", "d"]).await, [200, 429, 429, 429]);
    let free = Key::function(|_, head| {
        let app = head.headers.get("x-app")?.to_str().ok()?;
        (app != "friend").then(|| app.to_owned())
    });
    assert_eq!(statuses(layer().by(free), ["friend", "a", "friend", "a"]).await, [200, 200, 200, 429]);
}

#[tokio::test]
async fn without_a_gateway_the_address_stands_in_the_extensions() {
    let (_, service) = limited(RateLimitLayer::fixed([Quota::per_day(ONE)]));
    let mut statuses = Vec::new();
    for address in ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.1:2"] {
        let mut request = Request::new(Full::from(""));
        request.extensions_mut().insert(address.parse::<SocketAddr>().unwrap());
        statuses.push(service.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    let mut mapped = Request::new(Full::from(""));
    mapped.extensions_mut().insert("::ffff:192.0.2.2".parse::<IpAddr>().unwrap());
    statuses.push(service.oneshot(mapped).await.unwrap().status().as_u16());
    assert_eq!(statuses, [200, 200, 429, 429]);
}

/// A store that never answers, later.
#[derive(Debug)]
struct Broken;

impl Store for Broken {
    fn count(&self, _: Count<'_>) -> Counting {
        Counting::Later(Box::pin(ready(Err(StoreError::new("broken")))))
    }
}

/// A store that lets everything through, later.
#[derive(Debug)]
struct Generous;

impl Store for Generous {
    fn count(&self, count: Count<'_>) -> Counting {
        Counting::Later(Box::pin(ready(Ok(Counted { admitted: true, cells: count.cells }))))
    }
}

#[tokio::test]
async fn another_store_may_count_and_may_fail() {
    let layer = || RateLimitLayer::fixed([Quota::per_minute(ONE)]);
    let (_, generous) = limited(layer().store(Arc::new(Generous)));
    for _ in 0..3 {
        let response = generous.clone().oneshot(request(0, "::1")).await.unwrap();
        assert_eq!(
            (response.status(), &response.headers()["ratelimit-remaining"]),
            (StatusCode::OK, &"0".parse().unwrap())
        );
    }
    let (_, tolerant) = limited(layer().store(Arc::new(Broken)));
    let response = tolerant.oneshot(request(0, "::1")).await.unwrap();
    assert_eq!((response.status(), told(&response)), (StatusCode::OK, vec![]));
    let (calls, strict) = limited(layer().store(Arc::new(Broken)).fault_tolerant(false));
    let refused = strict.oneshot(request(0, "::1")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        refused.into_body().collect().await.unwrap().to_bytes(),
        r#"{"message":"An unexpected error occurred"}"#
    );
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_inner_error_stays_what_it_is() {
    #[derive(Debug, PartialEq)]
    struct Mine;
    let inner = service_fn(|_: Request<GuardBody<Full<Bytes>>>| ready(Err::<Response<Full<Bytes>>, _>(Mine)));
    let service = RateLimitLayer::fixed([Quota::per_minute(ONE)]).layer(inner);
    assert_eq!(service.oneshot(request(0, "::1")).await.err(), Some(Mine));
}

#[cfg(feature = "token-bucket")]
#[tokio::test]
async fn a_token_bucket_lets_bursts_through() {
    let (_, service) =
        limited(RateLimitLayer::token_bucket(Quota::per_hour(number(60)).burst(number(3))).headers(HeaderStyle::Both));
    let first = service.clone().oneshot(request(0, "::1")).await.unwrap();
    let expected = [
        "ratelimit-limit: 3",
        "ratelimit-policy: \"bucket\";q=3;w=180",
        "ratelimit-remaining: 2",
        "ratelimit-reset: 60",
        "ratelimit: \"bucket\";r=2;t=60",
    ];
    assert_eq!(told(&first), expected);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(service.clone().oneshot(request(0, "::1")).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    let refused = service.oneshot(request(0, "::1")).await.unwrap();
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[tokio::test]
async fn what_responses_cost_is_limited_too() {
    let limits = [("units".to_owned(), PeriodLimits { day: Some(3.0), ..PeriodLimits::default() })].into();
    let config = ResponseRatelimitingConfig { limits, ..ResponseRatelimitingConfig::default() };
    let inner = service_fn(|request: Request<Full<Bytes>>| {
        let cost = request.headers().get("x-asked").cloned();
        let mut response = Response::new(Full::<Bytes>::from("inner"));
        cost.map(|cost| response.headers_mut().insert("x-kong-limit", cost));
        ready(Ok::<_, Infallible>(response))
    });
    let service = ResponseRateLimitLayer::new(config).unwrap().layer(inner);
    let send = async |cost: &str| {
        let mut request = request(0, "::1");
        request.headers_mut().insert("x-asked", cost.parse().unwrap());
        let response = service.clone().oneshot(request).await.unwrap();
        let left = response.headers()["x-ratelimit-remaining-units-day"].clone();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, left.to_str().unwrap().to_owned(), body.len())
    };
    assert_eq!(send("units=2").await, (200, "1".into(), 5));
    assert_eq!(send("units=2").await, (200, "0".into(), 5));
    assert_eq!(send("units=1").await, (429, "0".into(), 0));
    assert_eq!(send("other=1").await, (200, "0".into(), 5));
}
