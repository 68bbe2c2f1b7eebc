//! A configuration that follows on another: what comes out is what would without the other, and what has not changed is the
//! same as before.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{prelude::*, sample::select};
use serde::Deserialize;
use serde_json::{Value, json};
use towergate_config::{Config, Edit, Kind, Named, Options};
use towergate_core::{
    Context, Env, Guard, Pages, Plan, Plugin, PluginError, Policy, Service, ServiceOverride, Verdict,
};
use towergate_runtime::{
    Base, CompileProblem, Control, Destinations, ExplainRequest, Registry, Runtime, Table, compile,
};
use towergate_schema::Schema;
use uuid::Uuid;

/// A plugin that may send requests to another service, or to an upstream.
struct Elsewhere(String);

#[derive(Debug, Deserialize, Schema)]
struct To {
    /// The name of a service (`s1`) or of an upstream (`u1`).
    #[schema(required, default = "u1")]
    to: String,
}

impl Plugin for Elsewhere {
    const NAME: &'static str = "elsewhere";
    const PRIORITY: i32 = 7;
    type Config = To;

    fn new(config: To, _: &Env) -> Result<Self, PluginError> {
        Ok(Self(config.to))
    }

    fn overrides(&self) -> Vec<ServiceOverride> {
        match self.0.strip_prefix('u') {
            Some(_) => vec![ServiceOverride::Upstream(self.0.clone())],
            None => vec![ServiceOverride::Service(self.0.clone())],
        }
    }
}

impl Guard for Elsewhere {
    fn check(&self, _: &Context, _: &mut http::request::Parts) -> Verdict {
        Verdict::Pass
    }
}

/// The way to a service is what it was asked for with.
struct Written;

impl Destinations for Written {
    fn next(&self) -> Box<dyn Destinations> {
        Box::new(Self)
    }

    fn carry_over(&mut self) -> bool {
        true
    }

    fn destination(&mut self, service: &Service) -> Arc<Policy> {
        Arc::new(format!("{service:?}"))
    }
}

fn registry() -> Registry {
    let mut registry = super::registry();
    registry.add_guard::<Elsewhere>();
    registry
}

fn compiled(
    config: &Arc<Config>,
    registry: &Registry,
    previous: Option<&Runtime>,
) -> Result<Runtime, Vec<CompileProblem>> {
    compile(config.clone(), registry, &mut Written, &Base::default(), previous)
}

fn id(kind: Kind, n: u128) -> Uuid {
    Uuid::from_u128((kind as u128) << 64 | (n + 1))
}

/// A write as the Admin API makes it: `None` deletes.
type Write = (Kind, u128, Option<Value>);

fn link(kind: Kind, n: u128) -> Value {
    json!({ "id": id(kind, n) })
}

fn maybe(kind: Kind) -> impl Strategy<Value = Value> {
    prop_oneof![2 => Just(Value::Null), 1 => (0..4_u128).prop_map(move |n| link(kind, n))]
}

fn entity() -> impl Strategy<Value = (Kind, Value)> {
    let route = (select(vec!["/a", "/a/b", "/b", "~/a/\\d+"]), select(vec![json!(null), json!(["h.test"]), json!(["*.test"])]),
        maybe(Kind::Services), any::<bool>(), select(vec![json!(["http", "https"]), json!(["tls"])]))
        .prop_map(|(path, hosts, service, strip, protocols)| {
            let route = if protocols == json!(["tls"]) {
                json!({"snis": ["h.test"], "service": service, "protocols": protocols})
            } else {
                json!({"paths": [path], "hosts": hosts, "service": service, "strip_path": strip, "protocols": protocols})
            };
            (Kind::Routes, route)
        });
    let service = (select(vec!["u0", "u1", "u2", "a.test"]), any::<bool>(), 0..4_u128, select(vec!["http", "https"]), maybe(Kind::Certificates))
        .prop_map(|(host, enabled, n, protocol, certificate)| {
            let certificate = if protocol == "https" { certificate } else { Value::Null };
            (Kind::Services, json!({"name": format!("s{n}"), "host": host, "enabled": enabled, "protocol": protocol, "client_certificate": certificate}))
        });
    let upstream = (0..4_u128, select(vec!["round-robin", "least-connections"]))
        .prop_map(|(n, algorithm)| (Kind::Upstreams, json!({"name": format!("u{n}"), "algorithm": algorithm})));
    let target = (0..4_u128, 0..4_u128).prop_map(|(upstream, n)| {
        (Kind::Targets, json!({"upstream": link(Kind::Upstreams, upstream), "target": format!("10.0.0.{n}:80")}))
    });
    let consumer = (0..4_u128).prop_map(|n| (Kind::Consumers, json!({"username": format!("c{n}")})));
    let group = (0..4_u128).prop_map(|n| (Kind::ConsumerGroups, json!({"name": format!("g{n}")})));
    let member = (0..4_u128, 0..4_u128).prop_map(|(consumer, group)| {
        (
            Kind::ConsumerGroupConsumers,
            json!({"consumer": link(Kind::Consumers, consumer), "consumer_group": link(Kind::ConsumerGroups, group)}),
        )
    });
    let key = (0..4_u128, 0..4_u128).prop_map(|(consumer, n)| {
        (Kind::KeyauthCredentials, json!({"consumer": link(Kind::Consumers, consumer), "key": format!("k{n}")}))
    });
    let sni = (0..4_u128, select(vec!["h.test", "*.test"])).prop_map(|(certificate, name)| {
        (Kind::Snis, json!({"certificate": link(Kind::Certificates, certificate), "name": name}))
    });
    let certificate = (0..2_usize).prop_map(|n| {
        let (cert, key) = &CERTIFICATES[n];
        (Kind::Certificates, json!({"cert": cert, "key": key}))
    });
    prop_oneof![4 => route, 3 => service, 1 => upstream, 1 => target, 1 => consumer, 1 => group, 1 => member, 1 => key, 1 => sni, 1 => certificate, 5 => plugin()]
}

fn plugin() -> impl Strategy<Value = (Kind, Value)> {
    let config = prop_oneof![
        2 => (0..3_u32).prop_map(|number| json!({"name": "carried", "config": {"number": number}})),
        1 => (0..3_u32).prop_map(|number| json!({"name": "carried", "config": {"number": number}, "ordering": {"before": {"access": ["elsewhere"]}}})),
        1 => (0..3_u32).prop_map(|number| json!({"name": "outer", "config": {"number": number}})),
        1 => select(vec!["u0", "u1", "s0", "s1"]).prop_map(|to| json!({"name": "elsewhere", "config": {"to": to}})),
    ];
    (config, maybe(Kind::Routes), maybe(Kind::Services), maybe(Kind::Consumers), any::<bool>()).prop_map(
        |(mut plugin, route, service, consumer, enabled)| {
            let name = plugin["name"].clone();
            plugin["route"] = route;
            plugin["service"] = service;
            plugin["consumer"] = if name == "outer" { Value::Null } else { consumer };
            plugin["enabled"] = json!(enabled);
            (Kind::Plugins, plugin)
        },
    )
}

fn write() -> impl Strategy<Value = Write> {
    (0..4_u128, entity(), 0..4_u8).prop_map(|(n, (kind, value), what)| (kind, n, (what > 0).then_some(value)))
}

static CERTIFICATES: std::sync::LazyLock<[(String, String); 2]> = std::sync::LazyLock::new(|| {
    ["one.test", "two.test"].map(|name| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    })
});

/// The configuration after a write; the same if it is refused.
fn written(config: &Config, registry: &Registry, (kind, n, value): &Write) -> Config {
    let options = Options::default();
    let mut edit = Edit::new(config.clone(), registry, &options);
    let named = Named::Id(id(*kind, *n));
    let done = match value {
        Some(value) => edit.upsert(*kind, &named, value.as_object().unwrap().clone()).map(drop),
        None => edit.delete(*kind, &named),
    };
    match done {
        Ok(()) => edit.finish().0,
        Err(_) => config.clone(),
    }
}

/// All that can be told of a plan without sending a request.
fn told(plan: &Plan) -> String {
    let plugins = &plan.plugins;
    let mut overrides: Vec<_> = plugins
        .overrides
        .iter()
        .map(|way| format!("{} {:?} {:?}", way.to, way.service, way.destination.downcast_ref::<String>()))
        .collect();
    overrides.sort();
    let destination = plan.destination.as_ref().and_then(|destination| destination.downcast_ref::<String>());
    format!(
        "{:?}\n{:?}\n{destination:?}\n{:?} {:?}\n{:?} {:?}\n{overrides:?}",
        plan.route, plan.service, plugins.guards, plugins.response_turns, plugins.wraps, plan.memos
    )
}

/// All that can be told of a table, by route.
fn table_told(table: &Table) -> BTreeMap<Option<Uuid>, String> {
    let routed = table.plans.iter().filter_map(|plan| Some((Some(plan.route.as_ref()?.id), told(plan))));
    let directory = &table.generation.directory;
    let keys: Vec<_> = (0..4)
        .map(|n| {
            directory
                .credential("key-auth", &format!("k{n}"))
                .and_then(|found| Some((found.id, directory.owner(found)?.id)))
        })
        .collect();
    let certificates: Vec<_> =
        ["h.test", "x.test"].map(|name| format!("{:?}", table.certificates.find(Some(name)))).into();
    let entities = table.generation.entities.as_ref().unwrap();
    let shown: Vec<_> =
        (0..4).map(|n| (entities.route(id(Kind::Routes, n)), entities.service(id(Kind::Services, n)))).collect();
    let rest = format!(
        "{}\n{:?}\n{keys:?}\n{certificates:?}\n{:?}\n{:?}\n{shown:?}",
        told(&table.unrouted),
        table.asked,
        table.generation.secrets,
        directory.consumers()
    );
    routed.chain([(None, rest)]).collect()
}

/// What would become of requests.
fn explained(runtime: &Runtime, registry: &Registry) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["/a", "/a/b/c", "/b", "/a/1", "/"] {
        for host in ["h.test", "x.test", "other"] {
            for consumer in [None, Some("c0"), Some("c1")] {
                let consumer = consumer.map(str::to_owned);
                let request =
                    ExplainRequest { url: format!("http://{host}{path}"), consumer, ..ExplainRequest::default() };
                let told = runtime.explain(registry, &request, |_| None);
                all.push(told.map_or_else(Value::String, |told| serde_json::to_value(told).unwrap()));
            }
        }
    }
    all
}

fn words(problems: Vec<CompileProblem>) -> Vec<String> {
    let mut words: Vec<_> = problems.iter().map(ToString::to_string).collect();
    words.sort();
    words
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_follows_on_another_is_what_would_be_without_it(writes in proptest::collection::vec(write(), 1..40)) {
        let registry = registry();
        let mut config = Arc::new(Config::empty());
        let mut current = compiled(&config, &registry, None).unwrap();
        let mut own: Vec<_> = current.table.for_workers(2).collect();
        for write in writes {
            let next = Arc::new(written(&config, &registry, &write));
            let fresh = compiled(&next, &registry, None);
            match (compiled(&next, &registry, Some(&current)), fresh) {
                (Ok(followed), Ok(fresh)) => {
                    prop_assert_eq!(table_told(&followed.table), table_told(&fresh.table), "{:?}", write);
                    prop_assert_eq!(explained(&followed, &registry), explained(&fresh, &registry), "{:?}", write);
                    for (worker, own) in own.iter_mut().enumerate() {
                        *own = followed.table.for_worker_after(worker, &current.table, own);
                        prop_assert_eq!(table_told(own), table_told(&fresh.table), "{:?}", write);
                    }
                    (config, current) = (next, followed);
                }
                (Err(followed), Err(fresh)) => prop_assert_eq!(words(followed), words(fresh)),
                (followed, fresh) => prop_assert!(false, "{:?} but {:?}", followed.err(), fresh.err()),
            }
        }
    }
}

/// A hundred services, each with a route, half of them at an upstream.
fn hundred(registry: &Registry) -> Config {
    let mut config = Config::empty();
    let mut writes = vec![
        (Kind::Upstreams, 0, json!({"name": "u0"})),
        (Kind::Upstreams, 1, json!({"name": "u1"})),
        (Kind::Consumers, 0, json!({"username": "c0"})),
    ];
    for n in 0..100 {
        writes.push((
            Kind::Services,
            n,
            json!({"name": format!("s{n}"), "host": if n < 50 { "u0" } else { "a.test" }}),
        ));
        writes.push((Kind::Routes, n, json!({"paths": [format!("/{n}")], "service": link(Kind::Services, n)})));
    }
    writes.push((Kind::Plugins, 0, json!({"name": "carried", "config": {"number": 1}})));
    for (kind, n, value) in writes {
        let next = written(&config, registry, &(kind, n, Some(value)));
        assert_eq!(next.count(kind), config.count(kind) + 1);
        config = next;
    }
    config
}

/// The routes whose plans a worker gets anew for a write, and whether it gets another router.
fn renewed(before: &Arc<Config>, registry: &Registry, write: &Write) -> (Vec<Uuid>, bool) {
    let runtime = compiled(before, registry, None).unwrap();
    let own = runtime.table.for_workers(2).nth(1).unwrap();
    let config = Arc::new(written(before, registry, write));
    assert_ne!(config, *before, "{write:?} is taken");
    let next = compiled(&config, registry, Some(&runtime)).unwrap();
    let worker = next.table.for_worker_after(1, &runtime.table, &own);
    let is_kept = |plan: &Arc<Plan>| own.plans.iter().any(|known| Arc::ptr_eq(known, plan));
    let renewed = worker.plans.iter().filter(|plan| !is_kept(plan)).filter_map(|plan| Some(plan.route.as_ref()?.id));
    (renewed.collect(), !Arc::ptr_eq(&worker.router, &own.router))
}

#[test]
fn a_plan_that_is_made_anew_shares_plugins_with_those_that_stay() {
    let registry = registry();
    let before = Arc::new(hundred(&registry));
    let write = (Kind::Routes, 7, Some(json!({"paths": ["/x"], "service": link(Kind::Services, 7)})));
    let config = Arc::new(written(&before, &registry, &write));
    let runtime = compiled(&before, &registry, None).unwrap();
    let next = compiled(&config, &registry, Some(&runtime)).unwrap();
    let common = &runtime.table.unrouted.plugins;
    assert!(next.table.plans.iter().all(|plan| Arc::ptr_eq(&plan.plugins, common)));
}

#[test]
fn plans_that_a_write_does_not_concern_stay_the_same() {
    let registry = registry();
    let before = Arc::new(hundred(&registry));
    let (service, route) = (link(Kind::Services, 7), link(Kind::Routes, 7));
    let at = |upstream| Some(json!({"upstream": link(Kind::Upstreams, upstream), "target": "10.0.0.1:80"}));
    let carried = |place: &str, of: &Value| Some(json!({"name": "carried", "config": {"number": 2}, place: of}));
    let pair = json!({"cert": CERTIFICATES[0].0, "key": CERTIFICATES[0].1});
    let key = json!({"consumer": link(Kind::Consumers, 0), "key": "k"});
    let writes = [
        // Its conditions, how it is treated, a new one, one less.
        ((Kind::Routes, 7, Some(json!({"paths": ["/x"], "service": service}))), 7..8, true),
        ((Kind::Routes, 7, Some(json!({"paths": ["/7"], "service": service, "strip_path": false}))), 7..8, false),
        ((Kind::Routes, 100, Some(json!({"paths": ["/100"], "service": service}))), 100..101, true),
        ((Kind::Routes, 99, None), 0..0, true),
        ((Kind::Services, 7, Some(json!({"name": "s7", "host": "b.test"}))), 7..8, false),
        ((Kind::Plugins, 1, carried("route", &route)), 7..8, false),
        ((Kind::Plugins, 1, carried("service", &service)), 7..8, false),
        ((Kind::Plugins, 0, carried("route", &Value::Null)), 0..100, false),
        // Of an upstream that half of the services use, and of one that nobody uses.
        ((Kind::Targets, 0, at(0)), 0..50, false),
        ((Kind::Targets, 0, at(1)), 0..0, false),
        ((Kind::Consumers, 1, Some(json!({"username": "c1"}))), 0..0, false),
        ((Kind::KeyauthCredentials, 0, Some(key)), 0..0, false),
        ((Kind::Certificates, 0, Some(pair)), 0..0, false),
    ];
    for (write, routes, is_routed_anew) in writes {
        let expected = routes.map(|n| id(Kind::Routes, n)).collect();
        assert_eq!(renewed(&before, &registry, &write), (expected, is_routed_anew), "{write:?}");
    }
}

#[tokio::test]
async fn new_pages_reach_every_plan() {
    let registry = registry();
    let before = hundred(&registry);
    let (handle, reach) = (tokio::runtime::Handle::current(), Box::new(Written));
    let (control, watched) = Control::start(registry, Base::default(), reach, handle, before, 2).unwrap();
    let pages = Arc::new(Pages { json: "{}".into(), ..Pages::default() });
    control.renew(|base| base.pages = pages.clone()).unwrap();
    for worker in &watched {
        worker.with(|table| {
            assert!(table.plans.iter().chain([&table.unrouted]).all(|plan| *plan.pages == *pages));
        });
    }
}
