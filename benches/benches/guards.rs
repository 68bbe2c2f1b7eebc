//! What each guard adds to a request: its check, and its look at the response. In CPU time of the thread, so that
//! what else the machine does counts less.
//!
//! The aim: less than a microsecond each, with one entry or with a million.
#![allow(
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::cell::Cell;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use criterion::{Throughput, criterion_group, criterion_main};
use http::{Request, Response, request, response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use towergate_auth::KeyAuth;
use towergate_benches::{BATCH, CpuTime};
use towergate_bot_detection::BotDetection;
use towergate_core::{Client, Consumer, Context, Directory, Env, Generation, Guard, Plugin, Timing, Verdict};
use towergate_correlation::CorrelationId;
use towergate_cors::Cors;
use towergate_ip_restriction::{Addresses, IpRestriction};
use towergate_redirect::Redirect;
use towergate_request_size_limiting::RequestSizeLimiting;
use towergate_request_termination::RequestTermination;
use uuid::Uuid;

type Criterion = criterion::Criterion<CpuTime>;

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";

/// A guard of this configuration.
fn guard<P>(config: Value) -> Box<dyn Guard>
where
    P: Plugin + Guard,
    P::Config: DeserializeOwned,
{
    let config = serde_json::from_value(config).expect("a configuration");
    Box::new(P::new(config, &Env::default()).expect("a policy"))
}

/// A browser's request with more headers.
fn browser(method: &str, target: &str, more: &[(&str, &str)]) -> request::Parts {
    let usual = [
        ("host", "api.example.com"),
        ("user-agent", CHROME),
        ("accept", "application/json"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("accept-encoding", "gzip, deflate, br"),
        ("referer", "https://shop.example/cart"),
        ("cookie", "session=3f9a; theme=dark"),
        ("sec-fetch-mode", "cors"),
    ];
    let request = usual
        .iter()
        .chain(more)
        .fold(Request::builder().method(method).uri(target), |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("a request").into_parts().0
}

/// Everything a guard is given.
type Given = (Context, request::Parts, response::Parts);

fn given(head: request::Parts, address: IpAddr, known: &Arc<Generation>) -> Given {
    let client = Client { address: Some(address), ..Client::default() };
    let cx = Context::new(client, &head, Timing::start(), None).under(known.clone());
    let response = Response::builder().header("content-type", "application/json").body(()).expect("a response");
    (cx, head, response.into_parts().0)
}

/// Measures the check and the look at the response; what they are given is made and dropped aside.
fn measure(c: &mut Criterion, name: &str, guard: &dyn Guard, passes: bool, mut make: impl FnMut() -> Given) {
    let (cx, mut head, _) = make();
    let verdict = guard.check(&cx, &mut head);
    assert_eq!(passes, matches!(verdict, Verdict::Pass | Verdict::PassUpTo(_)), "{name}: {verdict:?}");
    c.bench_function(name, |bencher| {
        bencher.iter_batched(
            &mut make,
            |(cx, mut head, mut response)| {
                let verdict = black_box(guard.check(&cx, &mut head));
                guard.respond(&cx, &mut response);
                (cx, head, response, verdict)
            },
            BATCH,
        );
    });
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The same request each time, from here.
fn ask(c: &mut Criterion, name: &str, guard: &dyn Guard, passes: bool, head: &request::Parts) {
    let nobody = Arc::default();
    measure(c, name, guard, passes, || given(head.clone(), HERE, &nobody));
}

/// What is measured beside the guards.
struct Nothing;

impl Guard for Nothing {
    fn check(&self, _: &Context, _: &mut request::Parts) -> Verdict {
        Verdict::Pass
    }
}

fn small_ones(c: &mut Criterion) {
    let get = browser("GET", "/orders/7?full=1", &[("origin", "https://shop.example")]);
    ask(c, "nothing (to be taken off the others)", &Nothing, true, &get);
    let correlation = |generator| guard::<CorrelationId>(json!({"generator": generator, "echo_downstream": true}));
    ask(c, "correlation-id/uuid#counter", &*correlation("uuid#counter"), true, &get);
    ask(c, "correlation-id/uuid", &*correlation("uuid"), true, &get);
    ask(c, "correlation-id/tracker", &*correlation("tracker"), true, &get);
    ask(c, "cors/one origin", &*guard::<Cors>(json!({"origins": ["https://shop.example"]})), true, &get);
    let listed = json!({"origins": ["https://a.example", r"https://.*\.b\.example", "https://shop.example"], "credentials": true});
    ask(c, "cors/three origins", &*guard::<Cors>(listed.clone()), true, &get);
    let asking = [("origin", "https://shop.example"), ("access-control-request-method", "PUT")];
    ask(c, "cors/preflight", &*guard::<Cors>(listed), false, &browser("OPTIONS", "/orders/7", &asking));

    let post = |line| browser("POST", "/orders", &[line]);
    let limit = guard::<RequestSizeLimiting>(json!({}));
    ask(c, "request-size-limiting/content-length", &*limit, true, &post(("content-length", "512")));
    ask(c, "request-size-limiting/chunked", &*limit, true, &post(("transfer-encoding", "chunked")));
    ask(c, "request-size-limiting/too large", &*limit, false, &post(("content-length", "134217729")));

    ask(
        c,
        "request-termination/message",
        &*guard::<RequestTermination>(json!({"message": "Back at noon"})),
        false,
        &get,
    );
    ask(c, "request-termination/no trigger", &*guard::<RequestTermination>(json!({"trigger": "X-Debug"})), true, &get);
    ask(c, "redirect/as it is", &*guard::<Redirect>(redirect(false)), false, &get);
    ask(c, "redirect/path kept", &*guard::<Redirect>(redirect(true)), false, &get);
}

fn redirect(keep_incoming_path: bool) -> Value {
    json!({"status_code": 308, "location": "https://new.example/x", "keep_incoming_path": keep_incoming_path})
}

fn bots(c: &mut Criterion) {
    let agent = |agent| {
        let mut head = browser("GET", "/", &[]);
        head.headers.insert("user-agent", http::HeaderValue::from_static(agent));
        head
    };
    let kongs = guard::<BotDetection>(json!({}));
    ask(c, "bot-detection/kong's list, browser", &*kongs, true, &agent(CHROME));
    ask(c, "bot-detection/kong's list, curl", &*kongs, true, &agent("curl/8.5.0"));
    ask(
        c,
        "bot-detection/kong's list, bot",
        &*kongs,
        false,
        &agent("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    );
    let patterns =
        |first: &str| (0..100).map(|n| format!("^{first}[a-z]+{n}/\\d+\\.|{first}-client-{n}\\b")).collect::<Vec<_>>();
    let many = guard::<BotDetection>(json!({"allow": patterns("good"), "deny": patterns("bad")}));
    ask(c, "bot-detection/100 allowed, 100 denied, browser", &*many, true, &agent(CHROME));
    ask(c, "bot-detection/100 allowed, 100 denied, allowed", &*many, true, &agent("goodapp99/1.2 (linux)"));
}

/// Numbers that look random and are the same each time.
fn scattered(n: u64) -> u64 {
    // Knuth's multiplicative hash.
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A million ranges of IPv4, and as many of IPv6.
fn ranges(count: u64) -> (Vec<String>, Vec<String>) {
    let v4 = (0..count).map(|n| format!("{}/28", Ipv4Addr::from((scattered(n) >> 32) as u32)));
    let v6 = (0..count).map(|n| format!("{}/56", Ipv6Addr::from(u128::from(scattered(n)) << 64)));
    (v4.collect(), v6.collect())
}

fn addresses(c: &mut Criterion) {
    let get = browser("GET", "/", &[]);
    let nobody = Arc::default();
    for (count, label) in [(1, "1 range"), (1_000_000, "1,000,000 ranges")] {
        let (v4, v6) = ranges(count);
        let denies = guard::<IpRestriction>(json!({"deny": v4}));
        // Addresses outside and inside, all over the list: nothing stays in the caches.
        let next = Cell::new(0);
        let anywhere = || {
            next.set(next.get() + 1);
            IpAddr::V4(Ipv4Addr::from((scattered(next.get() + (1 << 40)) >> 32) as u32 | 0xf000_0000))
        };
        let outside = guard::<IpRestriction>(json!({"deny": ["10.0.0.0/8"], "allow": ["0.0.0.0/0"]}));
        if count == 1 {
            ask(c, "ip-restriction/allow and deny of 1", &*outside, true, &get);
        }
        c.bench_function(&format!("ip-restriction/{label}, v4, random address"), |bencher| {
            bencher.iter_batched(
                || given(get.clone(), anywhere(), &nobody),
                |(cx, mut head, response)| (black_box(denies.check(&cx, &mut head)), cx, head, response),
                BATCH,
            );
        });
        let set = Addresses::parse(&v6).expect("ranges");
        c.bench_function(&format!("ip-restriction/{label}, v6, random address, look-up alone"), |bencher| {
            bencher.iter_batched(
                || {
                    next.set(next.get() + 1);
                    IpAddr::V6(Ipv6Addr::from(u128::from(scattered(next.get())) << 64))
                },
                |address| black_box(set.contains(address)),
                BATCH,
            );
        });
    }
    let mut group = c.benchmark_group("ip-restriction/reading");
    let (v4, v6) = ranges(1_000_000);
    group.sample_size(10).throughput(Throughput::Elements(1_000_000));
    group.bench_function("1,000,000 ranges, v4", |bencher| bencher.iter(|| Addresses::parse(black_box(&v4))));
    group.bench_function("1,000,000 ranges, v6", |bencher| bencher.iter(|| Addresses::parse(black_box(&v6))));
    group.finish();
}

/// A key as a control plane makes them: 32 characters.
fn key(n: u64) -> String {
    format!("{:016x}{:016x}", scattered(n), scattered(n ^ 0x5555))
}

fn keys(c: &mut Criterion) {
    for (count, label) in [(1, "1 key"), (1_000_000, "1,000,000 keys")] {
        let alice = Consumer::named("alice");
        let mut accounts = Directory::builder().consumer(alice.clone());
        for n in 0..count {
            let id = Uuid::from_u128(u128::from(n) + 1);
            accounts.add_credential(KeyAuth::CREDENTIALS, id, alice.id, &key(n), None, None);
        }
        let known = Arc::new(Arc::new(accounts.build()).into());
        let key_auth = guard::<KeyAuth>(json!({}));
        let next = Cell::new(0);
        measure(c, &format!("key-auth/{label}, any of them"), &*key_auth, true, || {
            next.set(next.get() + 1);
            given(browser("GET", "/orders/7", &[("apikey", &key(scattered(next.get()) % count))]), HERE, &known)
        });
        measure(c, &format!("key-auth/{label}, none of them"), &*key_auth, false, || {
            next.set(next.get() + 1);
            given(browser("GET", "/orders/7", &[("apikey", &key(next.get() + (1 << 50)))]), HERE, &known)
        });
    }
}

criterion_group! {
    name = benches;
    config = criterion::Criterion::default().with_measurement(CpuTime);
    targets = small_ones, bots, addresses, keys
}
criterion_main!(benches);
