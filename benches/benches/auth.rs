//! What finding out who a request is from costs, with one credential and with a million.
//!
//! The aim: less than a microsecond each, whatever the number of credentials; signatures may cost what
//! their hash does.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that cannot go on fails, and prints; criterion's macros document nothing"
)]

use std::cell::Cell;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::task;
use std::time::{Duration, Instant, UNIX_EPOCH};

use aws_lc_rs::hmac;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use data_encoding::BASE64;
use http::{Request, request::Parts};
use towergate_auth::hash_password;
use towergate_auth::{Acl, AclConfig, BasicAuth, BasicAuthConfig, HmacAuth, HmacAuthConfig, KeyAuth, KeyAuthConfig};
use towergate_benches::cpu_time;
use towergate_core::{
    Accounts, Client, Consumer, Context, CredentialKind, Directory, Env, Generation, Guard, Plugin, Secret, Timing,
    Verdict, Written,
};
use uuid::Uuid;

const COUNTS: [u128; 2] = [1, 1_000_000];
const CONSUMERS: u128 = 1000;

/// So many credentials of one kind, and what is found with them.
fn accounts(kind: &'static str, count: u128, secret: impl Fn(Uuid) -> Secret) -> Arc<Generation> {
    let mut directory = Directory::builder();
    for n in 0..count.min(CONSUMERS) {
        let mut consumer = Consumer::named(format!("consumer-{n}"));
        consumer.id = Uuid::from_u128(n);
        consumer.acl_groups = (0..3).map(|group| format!("group-{group}")).collect();
        directory.add_consumer(consumer);
    }
    for n in 0..count {
        let consumer = Uuid::from_u128(n % CONSUMERS);
        directory.add_credential(kind, Uuid::from_u128(n), consumer, &format!("{n:032}"), secret(consumer), None);
    }
    Arc::new(Arc::new(directory.build()).into())
}

/// When all requests come.
const NOW: u64 = 784_111_777;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A request with this header beside some that every client sends.
fn request(known: &Arc<Generation>, header: (&str, String)) -> (Context, Parts) {
    let request = Request::get("/api/v1/orders?page=2").header("host", "shop.example").header("date", DATE);
    let request = request.header("accept", "application/json").header("user-agent", "bench").header(header.0, header.1);
    let (head, ()) = request.body(()).expect("a request").into_parts();
    let timing = Timing::at(Instant::now(), UNIX_EPOCH + Duration::from_secs(NOW));
    (Context::new(Client::default(), &head, timing, None).under(known.clone()), head)
}

/// Requests are made beforehand, so many at a time: few enough for the processor's caches, where a request is that was just
/// read, and enough that reading the clock costs nothing.
const BATCH: usize = 32;

/// Checks requests of credentials spread over all of them, so that no cache makes many look few.
fn check(
    criterion: &mut Criterion,
    name: &str,
    count: u128,
    guard: &impl Guard,
    request: impl Fn(u128) -> (Context, Parts),
) {
    let next = Cell::new(0);
    let mut group = criterion.benchmark_group("auth");
    group.bench_function(BenchmarkId::new(name, count), |bencher| {
        let prepare = || {
            next.set((next.get() + 7_919 * 101) % count);
            request(next.get())
        };
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            let mut left = usize::try_from(iterations).unwrap_or(usize::MAX);
            while left > 0 {
                let mut requests: Vec<_> = (0..left.min(BATCH)).map(|_| prepare()).collect();
                let start = cpu_time();
                for (cx, head) in &mut requests {
                    assert!(guard.check(black_box(cx), black_box(head)).is_pass());
                }
                spent += cpu_time().saturating_sub(start);
                left -= requests.len();
            }
            spent
        });
    });
    group.finish();
}

fn key_auth(criterion: &mut Criterion) {
    let guard = KeyAuth::new(KeyAuthConfig::default(), &Env::default()).expect("valid");
    for count in COUNTS {
        let before = resident();
        let known = accounts(KeyAuth::CREDENTIALS, count, |_| None);
        println!("a directory of {count} keys of 32 characters: {} MiB", (resident() - before) >> 20);
        check(criterion, "key_auth", count, &guard, |n| request(&known, ("apikey", format!("{n:032}"))));
    }
}

/// A secret as a file makes it.
fn written(kind: Option<CredentialKind>, consumer: Uuid, name: &str, value: &'static str) -> Secret {
    let field = |field: &str| (field == name).then_some(value);
    let written = Written { id: Uuid::nil(), consumer, hashed: false, field: &field };
    (kind.expect("it looks up credentials").prepare)(&written).expect("valid")
}

fn login(name: u128) -> (&'static str, String) {
    ("authorization", format!("Basic {}", BASE64.encode(format!("{name:032}:open sesame").as_bytes())))
}

fn basic_auth(criterion: &mut Criterion) {
    let guard = BasicAuth::new(BasicAuthConfig::default(), &Env::default()).expect("valid");
    for count in COUNTS {
        let salted = |consumer| written(BasicAuth::CREDENTIAL_KIND, consumer, "password", "open sesame");
        let salted = accounts(BasicAuth::CREDENTIALS, count, salted);
        check(criterion, "basic_auth_sha1", count, &guard, |n| request(&salted, login(n)));
    }
    // All with one hash, so that one verification is enough for all of them.
    let secret = BasicAuth::secret(&hash_password("open sesame").expect("a hash")).expect("valid");
    for count in COUNTS {
        let hashed = accounts(BasicAuth::CREDENTIALS, count, |_| secret.clone());
        let (cx, mut head) = request(&hashed, login(0));
        if let Verdict::Wait(mut future) = guard.check(&cx, &mut head) {
            // Without a runtime it is verified where it is polled.
            let start = cpu_time();
            let done = future.as_mut().poll(&mut task::Context::from_waker(task::Waker::noop()));
            assert!(done.is_ready());
            println!("verifying an argon2id hash: {:?}", cpu_time().saturating_sub(start));
        }
        check(criterion, "basic_auth_argon2_verified", count, &guard, |n| request(&hashed, login(n)));
    }
}

fn hmac_auth(criterion: &mut Criterion) {
    let guard = HmacAuth::new(HmacAuthConfig::default(), &Env::default()).expect("valid");
    let text = format!("date: {DATE}\nGET /api/v1/orders?page=2 HTTP/1.1");
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"open sesame");
    let signature = BASE64.encode(hmac::sign(&key, text.as_bytes()).as_ref());
    let line = |n: u128| {
        format!(
            r#"hmac username="{n:032}", algorithm="hmac-sha256", headers="date request-line", signature="{signature}""#
        )
    };
    for count in COUNTS {
        let known = accounts(HmacAuth::CREDENTIALS, count, |_| HmacAuth::secret(*b"open sesame"));
        check(criterion, "hmac_auth_sha256", count, &guard, |n| request(&known, ("authorization", line(n))));
    }
}

/// The consumer is known; what counts is how many groups are listed.
fn acl(criterion: &mut Criterion) {
    let known = accounts(KeyAuth::CREDENTIALS, CONSUMERS, |_| None);
    let accounts = Accounts::default();
    for count in COUNTS {
        let listed = (1..count).map(|n| format!("other-{n}")).chain(["group-2".into()]).collect();
        let config = AclConfig { allow: Some(listed), ..AclConfig::default() };
        let guard = Acl::new(config, &Env::default()).expect("valid");
        check(criterion, "acl", count, &guard, |n| {
            let (cx, head) = request(&known, ("apikey", String::new()));
            let key = format!("{:032}", n % CONSUMERS);
            accounts.authenticate(&cx, known.directory.credential(KeyAuth::CREDENTIALS, &key).expect("a key"));
            (cx, head)
        });
    }
}

/// The memory this process has in use, in bytes; 0 where it is not told.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) << 10
}

criterion_group!(benches, key_auth, basic_auth, hmac_auth, acl);
criterion_main!(benches);
