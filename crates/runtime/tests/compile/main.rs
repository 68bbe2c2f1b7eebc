//! What a configuration becomes, what is carried over to the next, and what happens to its tasks.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod changes;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Request, request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};
use towergate_config::{Config, Source, parse};
use towergate_core::{
    Client, Context, CredentialKind, Env, Guard, Kept, Plan, Plugin, PluginError, Policy, Secret, Service, Slot, Task,
    Timing, Verdict, Wrap, Written,
};
use towergate_runtime::{Band, Base, CompileProblem, Control, Destinations, Registry, Runtime, compile};
use towergate_schema::Schema;

#[derive(Debug, Deserialize, Schema)]
struct Settings {
    /// Any number but 13.
    #[schema(required, default = 1)]
    number: u32,
}

fn settle(settings: &Settings) -> Result<u32, PluginError> {
    match settings.number {
        13 => Err(PluginError::new("number", "13 is unlucky; any other is fine")),
        number => Ok(number),
    }
}

/// A guard that notes its number, counts how often it was made, and has a task. It shares how often
/// it has checked with those before and after it.
struct Carried(u32, Arc<AtomicUsize>);

static MADE: AtomicUsize = AtomicUsize::new(0);
static RUNNING: AtomicUsize = AtomicUsize::new(0);

impl Plugin for Carried {
    const NAME: &'static str = "carried";
    const PRIORITY: i32 = 10;
    const CREDENTIAL_KIND: Option<CredentialKind> = Some(CredentialKind {
        name: "carried",
        collection: "hmacauth_credentials",
        found_by: "username",
        prepare: shouted,
    });
    type Config = Settings;

    fn new(settings: Settings, env: &Env) -> Result<Self, PluginError> {
        let number = settle(&settings)?;
        // Other tests make policies beside; the numbers from 100 on are counted.
        MADE.fetch_add(usize::from(number >= 100), Ordering::SeqCst);
        Ok(Self(number, env.share("checks", AtomicUsize::default)))
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "number": self.0 }))
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        struct Alive;
        impl Drop for Alive {
            fn drop(&mut self) {
                RUNNING.fetch_sub(1, Ordering::SeqCst);
            }
        }
        Some(Box::pin(async {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            let _alive = Alive;
            std::future::pending::<()>().await;
        }))
    }
}

/// What is kept with a secret: itself in capitals, and whether it came hashed.
fn shouted(written: &Written<'_>) -> Result<Secret, PluginError> {
    match written.text("secret").unwrap_or_default() {
        "quiet" => Err(PluginError::new("secret", "is too quiet; any other is fine")),
        secret => Ok(Some(Kept::new((secret.to_uppercase(), written.hashed)))),
    }
}

impl Guard for Carried {
    fn check(&self, cx: &Context, head: &mut Parts) -> Verdict {
        head.extensions.insert(self.1.fetch_add(1, Ordering::SeqCst));
        cx.correlate(self.0.into());
        Verdict::Pass
    }
}

/// A plugin of the outer band.
struct Outer;

impl Plugin for Outer {
    const NAME: &'static str = "outer";
    const PRIORITY: i32 = 5;
    const CREDENTIAL_KIND: Option<CredentialKind> = Some(CredentialKind::keys("key-auth", "keyauth_credentials"));
    type Config = Settings;

    fn new(settings: Settings, _: &Env) -> Result<Self, PluginError> {
        settle(&settings).map(|_| Self)
    }
}

impl Wrap for Outer {
    type Layer = ();

    fn layer(_: Slot<Self>) {}
}

/// Every service is reached by its own name.
struct Names;

impl Destinations for Names {
    fn next(&self) -> Box<dyn Destinations> {
        Box::new(Self)
    }

    fn destination(&mut self, service: &Service) -> Arc<Policy> {
        Arc::new(service.name.clone().unwrap_or_default())
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add_wrap::<Outer>(Band::Outer);
    registry.add_guard::<Carried>();
    registry
}

fn config(entities: &str) -> Config {
    let text = format!("_format_version: \"3.0\"\n{entities}");
    parse(vec![Source::new("kong.yml", text)], &registry()).unwrap_or_else(|report| panic!("{report}")).config
}

fn compiled(entities: &str, previous: Option<&Runtime>) -> Result<Runtime, Vec<CompileProblem>> {
    compile(Arc::new(config(entities)), &registry(), &mut Names, &Base::default(), previous)
}

const SERVED: &str = "
services:
- {name: a, url: 'http://a.test/base', retries: 2, read_timeout: 1500}
- {name: disabled, url: 'http://off.test', enabled: false}
- {name: group, host: pool}
upstreams:
- {name: pool, host_header: inner.test, targets: [{target: 'x.test:81', weight: 7}, {target: '[::1]'}]}
routes:
- {name: r1, service: a, paths: [/r1], strip_path: false}
- {name: r2, service: disabled, paths: [/r2]}
- {name: r3, service: group, paths: [/r3]}
- {name: r4, paths: [/r4]}
plugins:
- {name: carried, config: {number: 2}}
- {name: carried, route: r1, config: {number: 3}}
- {name: carried, route: r3, enabled: false, config: {number: 4}}
- {name: outer, service: a}
consumers:
- {username: alice, keyauth_credentials: [{key: k, ttl: 60}]}
";

#[test]
fn routes_get_their_services_and_plans() {
    let runtime = compiled(SERVED, None).unwrap();
    let name = |plan: &Arc<Plan>| plan.route.as_ref().unwrap().name.clone().unwrap();
    let names: Vec<_> = runtime.table.plans.iter().map(name).collect();
    assert_eq!(names, ["r1", "r3", "r4"], "the route of a disabled service does not exist");

    let r1 = &runtime.table.plans[0];
    let service = r1.service.as_ref().unwrap();
    assert_eq!((service.host.as_str(), service.port, service.path.as_deref()), ("a.test", 80, Some("/base")));
    assert_eq!((service.retries, service.read_timeout.as_millis(), service.write_timeout.as_secs()), (2, 1500, 60));
    assert_eq!(r1.destination.as_ref().unwrap().downcast_ref::<String>().unwrap(), "a");
    assert!(!r1.route.as_ref().unwrap().strip_path);

    let pool = runtime.table.plans[1].service.as_ref().unwrap().balancing.clone().unwrap();
    let targets: Vec<_> = pool.targets.iter().map(|t| (t.host.as_str(), t.port, t.weight)).collect();
    assert_eq!(targets.len(), 2);
    assert!(
        targets.contains(&("x.test", 81, 7))
            && targets.contains(&("0000:0000:0000:0000:0000:0000:0000:0001", 8000, 100)),
        "{targets:?}"
    );
    assert_eq!(pool.host_header.as_deref(), Some("inner.test"));

    assert!(runtime.table.plans[2].service.is_none() && runtime.table.plans[2].destination.is_none());
}

/// The number of the policy that a plan's guard runs with.
fn number(plan: &Plan) -> Option<String> {
    let (mut head, ()) = Request::new(()).into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), None);
    assert!(plan.plugins.guards.first()?.pick(None)?.check(&cx, &mut head).is_pass());
    cx.correlation_id().map(|id| id.to_str().unwrap().to_owned())
}

#[test]
fn the_most_specific_enabled_plugin_applies() {
    let runtime = compiled(SERVED, None).unwrap();
    let numbers: Vec<_> = runtime.table.plans.iter().map(|plan| number(plan).unwrap()).collect();
    assert_eq!(numbers, ["3", "2", "2"], "a disabled one is as if absent");
    assert_eq!(number(&runtime.table.unrouted).as_deref(), Some("2"), "a 404 sees what is for everything");
    let wraps = |plan: &Plan| plan.plugins.wraps.first().is_some_and(Option::is_some);
    assert_eq!(runtime.table.plans.iter().map(|plan| wraps(plan)).collect::<Vec<_>>(), [true, false, false]);
    assert!(!wraps(&runtime.table.unrouted));
    let bands = |plan: &Plan| (plan.plugins.bands.outer, plan.plugins.bands.inner);
    let of_plans: Vec<_> = runtime.table.plans.iter().map(|plan| bands(plan)).collect();
    assert_eq!(of_plans, [(true, false), (false, false), (false, false)], "who has nothing there goes past");
}

#[test]
fn plans_share_plugins_that_are_the_same() {
    let same = |one: &Plan, other: &Plan| Arc::ptr_eq(&one.plugins, &other.plugins);
    let table = compiled(SERVED, None).unwrap().table;
    assert!(!same(&table.plans[0], &table.plans[1]), "one of its own");
    assert!(same(&table.plans[1], &table.plans[2]) && same(&table.plans[1], &table.unrouted));
}

#[test]
fn what_policies_share_goes_on_when_they_are_configured_otherwise() {
    let checks = |plan: &Plan| {
        let (mut head, ()) = Request::new(()).into_parts();
        let cx = Context::new(Client::default(), &head, Timing::start(), None);
        assert!(plan.plugins.guards[0].pick(None).unwrap().check(&cx, &mut head).is_pass());
        head.extensions.get::<usize>().copied()
    };
    let one_gateway = registry();
    let compiled = |entities: &str, previous: Option<&Runtime>| {
        compile(Arc::new(config(entities)), &one_gateway, &mut Names, &Base::default(), previous).unwrap()
    };
    let first = compiled(SERVED, None);
    let [r1, _, r4] = first.table.plans.as_slice() else { panic!("three routes") };
    assert_eq!((checks(r1), checks(r4)), (Some(0), Some(1)), "two policies");
    let next = compiled(&SERVED.replace("number: 3", "number: 5"), Some(&first));
    drop(first);
    assert_eq!((number(&next.table.plans[0]).as_deref(), checks(&next.table.plans[0])), (Some("5"), Some(3)));
    let other = compile(Arc::new(config(SERVED)), &registry(), &mut Names, &Base::default(), None).unwrap();
    assert_eq!(checks(&other.table.plans[0]), Some(0), "a gateway of its own");
}

#[test]
fn consumers_are_found_by_their_keys() {
    let runtime = compiled(SERVED, None).unwrap();
    let directory = &runtime.table.generation.directory;
    let credential = directory.credential("key-auth", "k").unwrap();
    assert_eq!(directory.owner(credential).unwrap().username.as_deref(), Some("alice"));
    let now = std::time::SystemTime::now();
    assert!(!credential.is_expired(now) && credential.is_expired(now + std::time::Duration::from_secs(120)));
}

const PASSWORDS: &str = "
consumers:
- username: alice
  hmacauth_credentials: [{username: a, secret: loud}]
  acls: [{group: staff}, {group: night}]
";

#[test]
fn a_plugin_prepares_its_credentials_once() {
    for (transform, hashed) in [("", false), ("_transform: false", true)] {
        let runtime = compiled(&format!("{transform}{PASSWORDS}"), None).unwrap();
        let directory = &runtime.table.generation.directory;
        let credential = directory.credential("carried", "a").unwrap();
        let kept = credential.secret.as_ref().and_then(|secret| secret.downcast_ref::<(String, bool)>());
        assert_eq!(kept, Some(&("LOUD".to_owned(), hashed)));
        let groups: Vec<_> = directory.owner(credential).unwrap().acl_groups.iter().collect();
        assert_eq!(groups, ["staff", "night"]);
    }
}

#[test]
fn what_a_plugin_finds_wrong_with_a_credential_is_told_with_its_place() {
    let text = format!("_format_version: \"3.0\"{}", PASSWORDS.replace("loud", "quiet"));
    let report = parse(vec![Source::new("kong.yml", text)], &registry()).unwrap_err();
    let told: Vec<_> = report.problems().iter().map(|p| (p.at.line, p.path.as_str(), p.message.as_str())).collect();
    let path = "consumers[0].hmacauth_credentials[0].secret";
    assert_eq!(told, [(4, path, "is too quiet; any other is fine")]);
}

#[test]
fn a_plugin_in_force_tells_its_state() {
    let runtime = compiled("plugins: [{name: carried, config: {number: 7}}, {name: outer}]", None).unwrap();
    let states: Vec<_> = runtime.config.plugins.iter().map(|plugin| runtime.plugin_state(plugin.id)).collect();
    assert_eq!(states, [Some(json!({ "number": 7 })), None]);
    assert_eq!(runtime.plugin_state(uuid::Uuid::nil()), None);
}

const UNLUCKY: &str = "
plugins:
- {name: carried, config: {number: 13}}
- {name: outer, config: {number: 13}}
";

#[test]
fn what_a_plugin_finds_wrong_is_told_with_its_place() {
    let text = format!("_format_version: \"3.0\"{UNLUCKY}");
    let report = parse(vec![Source::new("kong.yml", text)], &registry()).unwrap_err();
    let told: Vec<_> = report.problems().iter().map(|p| (p.at.line, p.path.as_str(), p.message.as_str())).collect();
    let unlucky = "13 is unlucky; any other is fine";
    assert_eq!(told, [(3, "plugins[0].config.number", unlucky), (4, "plugins[1].config.number", unlucky)]);
}

#[test]
fn only_guards_change_places() {
    let ordered = |entity: &str| {
        let text = format!("plugins:\n- {{{entity}}}\n");
        compiled(&text, None)
            .map(|_| ())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(ordered("name: outer, ordering: {before: {access: [carried]}}"), Ok(()), "it does so anyway");
    assert_eq!(ordered("name: carried, ordering: {after: {access: [outer]}}"), Ok(()));
    let words = |entity: &str, side: &str, other: &str| {
        vec![format!(
            "in plugins '{entity}': ordering.{side}: '{entity}' cannot run {side} '{other}': only plugins that decide on the \
             head of a request change places"
        )]
    };
    let before = ordered("name: carried, ordering: {before: {access: [outer]}}");
    assert_eq!(before, Err(words("carried", "before", "outer")));
    let after = ordered("name: outer, ordering: {after: {access: [carried]}}");
    assert_eq!(after, Err(words("outer", "after", "carried")));
    assert_eq!(ordered("name: carried, enabled: false, ordering: {before: {access: [outer]}}"), Ok(()));
}

#[test]
fn all_problems_of_secrets_are_told_at_once() {
    let mut config = config(&UNLUCKY.replace("13", "1"));
    // As when a reference to a secret turns out to lead to 13.
    config.plugins.iter_mut().for_each(|plugin| plugin.config = serde_json::json!({ "number": 13 }));
    let compiled = compile(Arc::new(config), &registry(), &mut Names, &Base::default(), None);
    let mut problems: Vec<_> = compiled.unwrap_err().iter().map(ToString::to_string).collect();
    problems.sort();
    let text = |name: &str| format!("in plugins '{name}': config.number: 13 is unlucky; any other is fine");
    assert_eq!(problems, [text("carried"), text("outer")]);
}

/// Lets tasks run until a condition comes true, for ten seconds at most.
async fn eventually(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await.expect("the condition comes true");
}

#[tokio::test]
async fn unchanged_policies_and_their_tasks_go_on_and_others_stop() {
    let with = |number: u32, more: &str| {
        format!(
            "plugins:\n- {{name: carried, config: {{number: {number}}}}}\nroutes:\n- {{name: r, paths: [/r]}}\n{more}"
        )
    };
    // Reading a configuration makes a policy, too, to see whether it can be; what counts is applying it.
    let applying = |apply: &dyn Fn()| {
        let before = MADE.load(Ordering::SeqCst);
        apply();
        MADE.load(Ordering::SeqCst) - before
    };
    let running = |tasks| eventually(move || RUNNING.load(Ordering::SeqCst) == tasks);
    let handle = tokio::runtime::Handle::current();
    let (control, watched) =
        Control::start(registry(), Base::default(), Box::new(Names), handle, config(&with(100, "")), 2).unwrap();
    let policy = |worker: usize| watched[worker].with(|table| number(&table.plans[0]).unwrap());
    assert_eq!((policy(0), policy(1)), ("100".into(), "100".into()));
    running(1).await;

    // The same policy beside a change elsewhere: not made again, its task goes on.
    let beside = config(&with(100, "services:\n- {name: s, url: 'http://s.test'}\n"));
    assert_eq!(applying(&|| drop(control.apply(beside.clone()).unwrap())), 0);
    assert_eq!((RUNNING.load(Ordering::SeqCst), control.current().config.services.len()), (1, 1));

    // A refused configuration changes nothing.
    let mut refused = config(&with(1, ""));
    refused.plugins[0].config = serde_json::json!({ "number": 13 });
    control.apply(refused).unwrap_err();
    assert_eq!((policy(0), control.current().config.services.len()), ("100".into(), 1));

    // Configured otherwise: a new policy, whose task takes the place of the old one's.
    let otherwise = config(&with(101, ""));
    assert_eq!(applying(&|| drop(control.apply(otherwise.clone()).unwrap())), 1);
    assert_eq!((policy(0), policy(1)), ("101".into(), "101".into()));
    running(1).await;

    // Gone with the plugin; and what workers have let go of is taken apart.
    control.apply(config("routes:\n- {name: r, paths: [/r]}\n")).unwrap();
    running(0).await;
    watched.iter().for_each(|watched| watched.with(|table| assert!(table.plans[0].plugins.guards.is_empty())));
    assert_eq!(control.sweep(), 0);
}
