//! What reading a large configuration costs: how long `towergate check` and a reload take.
//!
//! The aim: 10,000 routes of 1,000 services are read and compiled in less than a second, and where 10,000 run, one write is
//! compiled in less than 15 ms.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use towergate_config::{Config, Edit, Kind, Loaded, Named, Options, Source, parse};
use towergate_core::{Policy, Service};
use towergate_gateway::{Bundled, PluginSet as _};
use towergate_runtime::{Base, Destinations, Registry, Runtime, compile};

/// Reaches nothing: resolving names and opening connections are not what is measured.
struct Nowhere;

impl Destinations for Nowhere {
    fn next(&self) -> Box<dyn Destinations> {
        Box::new(Self)
    }

    fn carry_over(&mut self) -> bool {
        true
    }

    fn destination(&mut self, _: &Service) -> Arc<Policy> {
        Arc::new(())
    }
}

/// `count` services in YAML, each with what `more` writes below it.
fn services(count: usize, more: impl Fn(&mut String, usize)) -> String {
    let mut text = "_format_version: \"3.0\"\nservices:\n".to_owned();
    for n in 0..count {
        let _ = writeln!(text, "- name: service-{n}\n  url: http://service-{n}.internal:8080/v1");
        more(&mut text, n);
    }
    text
}

/// Ten routes under a service, and key-auth on one of them.
fn ten_routes(text: &mut String, service: usize) {
    text.push_str("  routes:\n");
    for n in 0..10 {
        let path = format!("/s{service}/r{n}");
        let _ = writeln!(text, "  - name: route-{service}-{n}\n    paths: [{path}]\n    methods: [GET, POST]");
    }
    text.push_str("    plugins:\n    - name: key-auth\n");
}

/// `count` keys of a hundred consumers, in JSON as a control plane sends it.
fn keys(count: usize) -> String {
    let mut text = "{\"_format_version\": \"3.0\", \"consumers\": [".to_owned();
    for n in 0..100 {
        let _ = write!(text, "{}{{\"username\": \"consumer-{n}\"}}", comma(n));
    }
    text.push_str("], \"keyauth_credentials\": [");
    for n in 0..count {
        let consumer = n % 100;
        let _ = write!(text, "{}{{\"key\": \"key-{n:032}\", \"consumer\": \"consumer-{consumer}\"}}", comma(n));
    }
    text.push_str("]}");
    text
}

/// `count` ranges of addresses on one list, in JSON.
fn ranges(count: usize) -> String {
    let mut text =
        "{\"_format_version\": \"3.0\", \"plugins\": [{\"name\": \"ip-restriction\", \"config\": {\"deny\": ["
            .to_owned();
    for n in 0..count {
        let [_, a, b, c] = u32::try_from(n << 4).unwrap_or_default().to_be_bytes();
        let _ = write!(text, "{}\"10.{a}.{b}.{c}/28\"", comma(n));
    }
    text.push_str("]}}]}");
    text
}

fn comma(n: usize) -> &'static str {
    if n > 0 { "," } else { "" }
}

fn read(name: &str, text: &str, registry: &Registry) -> Loaded {
    parse(vec![Source::new(name, text)], registry).expect("the text is valid")
}

fn read_and_compile(text: &str, registry: &Registry, base: &Base) -> Runtime {
    let config = Arc::new(read("kong.yml", text, registry).config);
    compile(config, registry, &mut Nowhere, base, None).expect("it compiles")
}

fn load(criterion: &mut Criterion) {
    let registry = Bundled.registry();
    let base = Base::default();
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);

    let text = services(20_000, |_, _| {});
    assert_eq!(read("kong.yml", &text, &registry).config.services.len(), 20_000);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse/20000_services", |bencher| {
        bencher.iter(|| read("kong.yml", black_box(&text), &registry));
    });

    let text = services(1_000, ten_routes);
    assert_eq!(read_and_compile(&text, &registry, &base).table.plans.len(), 10_000);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse_and_compile/10000_routes_1000_services", |bencher| {
        bencher.iter(|| read_and_compile(black_box(&text), &registry, &base));
    });

    let text = keys(100_000);
    assert_eq!(read("kong.json", &text, &registry).config.keyauth_credentials.len(), 100_000);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse/100000_keys", |bencher| {
        bencher.iter(|| read("kong.json", black_box(&text), &registry));
    });

    let text = ranges(1_000_000);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse_and_compile/1000000_ranges", |bencher| {
        bencher.iter(|| read_and_compile(black_box(&text), &registry, &base));
    });
    group.finish();
}

/// A route of its own under each of `count` services.
fn one_route(text: &mut String, service: usize) {
    let _ = writeln!(text, "  routes: [{{name: route-{service}, paths: [/r{service}]}}]");
}

/// What a write to an entity costs where there are 10,000 services and routes: from the configuration before to what two
/// workers run.
fn change(criterion: &mut Criterion) {
    let (registry, base) = (Bundled.registry(), Base::default());
    let before = Arc::new(read("kong.yml", &services(10_000, one_route), &registry).config);
    let runtime = compile(before.clone(), &registry, &mut Nowhere, &base, None).expect("it compiles");
    let workers: Vec<_> = runtime.table.for_workers(2).collect();
    let route = before.routes.get(5_000).expect("a route").id;
    let service = before.services.get(5_000).expect("a service").id;
    let writes: [(&str, Kind, Value); 5] = [
        ("path_of_a_route", Kind::Routes, json!({"id": route, "paths": ["/other"]})),
        ("tag_of_a_route", Kind::Routes, json!({"id": route, "paths": ["/r5000"], "tags": ["t"]})),
        ("service", Kind::Services, json!({"id": service, "name": "service-5000", "host": "other"})),
        ("plugin_of_a_route", Kind::Plugins, json!({"name": "cors", "route": {"id": route}})),
        ("consumer", Kind::Consumers, json!({"username": "alice"})),
    ];
    let mut group = criterion.benchmark_group("change");
    group.sample_size(20);
    for (what, kind, fields) in writes {
        let options = Options::default();
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                let mut edit = Edit::new(Config::clone(&before), &registry, &options);
                let fields = fields.as_object().cloned().expect("fields");
                let id = fields.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()).unwrap_or_default();
                edit.upsert(kind, &Named::Id(id), fields).expect("valid");
                let config = Arc::new(edit.finish().0);
                let next = compile(config, &registry, &mut Nowhere, &base, Some(&runtime)).expect("it compiles");
                let workers = workers.iter().enumerate();
                let table = |(worker, own)| next.table.for_worker_after(worker, &runtime.table, own);
                let tables: Vec<_> = workers.map(table).collect();
                (next, tables)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, load, change);
criterion_main!(benches);
