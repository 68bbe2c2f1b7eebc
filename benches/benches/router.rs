//! What finding a route costs, for tables of different sizes and kinds.
//!
//! Every table is asked for rules spread over all of it, so that no cache makes the large ones look
//! small. The aim: 10,000 rules cost at most three times as much as 10.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_router::{Request, Router, Rule, Scheme, path, split_host};
use uuid::Uuid;

/// A kind of table: its n-th rule, and a request for it.
struct Table {
    name: &'static str,
    sizes: &'static [usize],
    rule: fn(usize) -> Rule,
    wanted: fn(usize) -> Wanted,
}

#[derive(Default)]
struct Wanted {
    host: String,
    path: String,
    headers: HeaderMap,
}

const TABLES: &[Table] = &[
    Table {
        name: "prefix",
        sizes: &[10, 1_000, 10_000],
        rule: |n| Rule { paths: vec![format!("/api/v1/r{n}")], ..Rule::default() },
        wanted: |n| Wanted { host: "example.com".into(), path: format!("/api/v1/r{n}/items"), ..Wanted::default() },
    },
    Table {
        name: "host_and_prefix",
        sizes: &[10, 1_000, 10_000],
        rule: |n| Rule { hosts: vec![format!("h{n}.example.com")], paths: vec!["/x".into()], ..Rule::default() },
        wanted: |n| Wanted { host: format!("h{n}.example.com"), path: "/x/items".into(), ..Wanted::default() },
    },
    Table {
        name: "wildcard_host",
        sizes: &[10, 10_000],
        rule: |n| Rule { hosts: vec![format!("*.h{n}.example.com")], ..Rule::default() },
        wanted: |n| Wanted { host: format!("www.h{n}.example.com"), path: "/items".into(), ..Wanted::default() },
    },
    Table {
        name: "regex_same_start",
        sizes: &[10, 1_000],
        rule: |n| Rule { paths: vec![format!("~/api/(?<id>\\d+)/r{n}/(?<item>[^/]+)$")], ..Rule::default() },
        wanted: |n| Wanted { host: "example.com".into(), path: format!("/api/4711/r{n}/shoes"), ..Wanted::default() },
    },
    Table {
        name: "regex_own_start",
        sizes: &[10, 1_000],
        rule: |n| Rule { paths: vec![format!("~/api/r{n}/\\d+$")], ..Rule::default() },
        wanted: |n| Wanted { host: "example.com".into(), path: format!("/api/r{n}/4711"), ..Wanted::default() },
    },
    Table {
        name: "header",
        sizes: &[10, 10_000],
        rule: |n| Rule {
            paths: vec!["/".into()],
            headers: vec![("X-Tenant".into(), vec![format!("t{n}")])],
            ..Rule::default()
        },
        wanted: |n| {
            let tenant = HeaderValue::from_str(&format!("t{n}")).expect("letters and digits");
            let headers = HeaderMap::from_iter([(HeaderName::from_static("x-tenant"), tenant)]);
            Wanted { host: "example.com".into(), path: "/items".into(), headers }
        },
    },
];

fn id(n: usize) -> Uuid {
    Uuid::from_u128((n as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

fn rules(table: &Table, size: usize) -> Vec<Rule> {
    (0..size).map(|n| Rule { id: id(n), ..(table.rule)(n) }).collect()
}

fn request(wanted: &Wanted) -> Request<'_> {
    Request {
        method: "GET",
        scheme: Scheme::Https,
        host: &wanted.host,
        port: 443,
        path: &wanted.path,
        headers: &wanted.headers,
        sni: Some(&wanted.host),
        source: None,
        destination: None,
    }
}

fn find(criterion: &mut Criterion) {
    for table in TABLES {
        let mut group = criterion.benchmark_group(format!("find/{}", table.name));
        for &size in table.sizes {
            let router = Router::new(rules(table, size)).expect("the rules are valid");
            let spread = (0..size).step_by(size.div_ceil(256));
            let wanted: Vec<_> = spread.map(|n| (n, (table.wanted)(n))).collect();
            for (n, wanted) in &wanted {
                assert_eq!(router.find(&request(wanted)).map(|found| found.rule), Some(*n), "{} {n}", table.name);
            }
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                let mut next = wanted.iter().cycle();
                bencher.iter(|| next.next().and_then(|(_, wanted)| router.find(black_box(&request(wanted)))));
            });
        }
        group.finish();
    }
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10);
    for table in TABLES {
        let size = table.sizes.last().copied().unwrap_or_default();
        let rules = rules(table, size);
        group.bench_function(BenchmarkId::new(table.name, size), |bencher| {
            bencher.iter(|| Router::new(black_box(rules.clone())));
        });
    }
    group.finish();
}

fn spelling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("path");
    for (name, raw) in
        [("plain", "/api/v1/orders/4711/items"), ("disguised", "/api//v1/%6frders/../orders/4711/it%65ms")]
    {
        group.bench_function(BenchmarkId::new("normalize", name), |bencher| {
            bencher.iter(|| path::normalize(black_box(raw)).map(|path| path.len()))
        });
    }
    group.bench_function("split_host", |bencher| {
        bencher.iter(|| split_host(black_box("shop.example.com:8443")).map(|(name, _)| name.len()))
    });
    group.finish();
}

criterion_group!(benches, find, build, spelling);
criterion_main!(benches);
