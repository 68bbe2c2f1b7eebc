//! What a rate limit adds to a request, counted in memory: with one key and with a million.
//!
//! The aim: less than a microsecond each.
#![allow(
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderName, HeaderValue, Request, request::Parts};
use towergate_core::{Client, Context, Env, Guard, Plugin, Timing};
use towergate_ratelimit::{
    Count, Counting, Identifier, Local, Period, Quota, RateLimiting, RateLimitingConfig, Store, TokenBucket, Window,
    WindowType,
};
use uuid::Uuid;

const NOW: u64 = 1_700_000_000_000;
const KEYS: [u128; 2] = [1, 1_000_000];

/// Keys in an order that no cache foresees.
struct Keys {
    count: u128,
    next: u128,
}

impl Keys {
    fn of(count: u128) -> Self {
        Self { count, next: 0 }
    }

    fn next(&mut self) -> Identifier<'static> {
        self.next = (self.next + 382_693) % self.count;
        Identifier::Id(Uuid::from_u128(self.next))
    }
}

fn counted(local: &Local, windows: &[Window], key: Identifier<'static>) -> bool {
    match local.count(Count::new(key, windows, NOW)) {
        Counting::Done(counted) => counted.expect("memory answers").admitted,
        Counting::Later(_) => panic!("memory does not wait"),
    }
}

/// Checking and counting alone.
fn store(c: &mut Criterion) {
    let minute = Window::calendar(Period::Minute, 1e12);
    let sliding = |seconds| Window::every(Duration::from_secs(seconds), WindowType::Sliding, 1e12);
    let cases = [("minute", vec![minute]), ("two sliding", vec![sliding(10), sliding(3600)])];
    let mut group = c.benchmark_group("ratelimit/store");
    for (name, windows) in cases {
        for count in KEYS {
            let (local, mut keys) = (Local::new(), Keys::of(count));
            (0..count).for_each(|_| _ = counted(&local, &windows, keys.next()));
            group.bench_function(BenchmarkId::new(name, count), |b| b.iter(|| counted(&local, &windows, keys.next())));
        }
    }
    group.finish();
}

/// A request by this address, as the plugin sees it.
fn request(address: u32) -> (Context, Parts) {
    let (mut head, ()) = Request::new(()).into_parts();
    head.headers.insert(HeaderName::from_static("x-app"), HeaderValue::from(address));
    let client = Client { address: Some(std::net::Ipv4Addr::from_bits(address).into()), ..Client::default() };
    let timing = Timing::at(std::time::Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_millis(NOW));
    (Context::new(client, &head, timing, None), head)
}

/// The whole plugin: whose request it is, checking, counting, and the headers of the response.
fn plugin(c: &mut Criterion) {
    let mut group = c.benchmark_group("ratelimit/plugin");
    for limit_by in ["ip", "header"] {
        for count in KEYS {
            let config = RateLimitingConfig {
                minute: Some(1e12),
                limit_by: Some(limit_by.to_owned()),
                header_name: Some("x-app".to_owned()),
                ..RateLimitingConfig::default()
            };
            let policy = RateLimiting::new(config, &Env::default()).expect("a good configuration");
            let count = count as u32;
            (0..count).for_each(|address| {
                let (cx, mut head) = request(address);
                assert!(policy.check(&cx, &mut head).is_pass());
            });
            let mut address = 0;
            group.bench_function(BenchmarkId::new(limit_by, count), |b| {
                b.iter_batched(
                    || {
                        address = (address + 382_693) % count;
                        request(address)
                    },
                    |(cx, mut head)| {
                        black_box(policy.check(&cx, &mut head));
                        (cx, head)
                    },
                    criterion::BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

/// A token bucket for each key.
fn token_bucket(c: &mut Criterion) {
    let mut group = c.benchmark_group("ratelimit/token bucket");
    for count in KEYS {
        let bucket = TokenBucket::new(Quota::per_second(NonZeroU32::MAX));
        let mut keys = Keys::of(count);
        (0..count).for_each(|_| _ = bucket.draw(&keys.next()));
        group.bench_function(BenchmarkId::from_parameter(count), |b| b.iter(|| bucket.draw(&keys.next())));
    }
    group.finish();
}

criterion_group!(benches, store, plugin, token_bucket);
criterion_main!(benches);
