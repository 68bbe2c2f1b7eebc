//! Changes of single entities, in Kong's words.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Map, Value, json};
use support::{NOW, load, options, plugins};
use towergate_config::{Config, Edit, Kind, Named, Options, Refusal, Restore};
use uuid::Uuid;

const ROUTE: &str = "11111111-1111-4111-8111-111111111111";

fn written(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other}"),
    }
}

fn key(name: &str) -> Named {
    Named::Key(name.to_owned())
}

/// A service with a route, a consumer, and what belongs to them.
fn config() -> Config {
    let text = format!(
        "_format_version: '3.0'
services:
- name: orders
  url: http://orders:8080/v1
  routes:
  - {{id: {ROUTE}, name: orders, paths: [/orders]}}
  plugins: [{{name: cors}}]
consumers:
- username: alice
  custom_id: a
  keyauth_credentials: [{{key: k}}]
  plugins: [{{name: correlation-id, instance_name: ids}}]
upstreams:
- name: orders
  targets: [{{target: 'orders:80'}}]
"
    );
    load(&text).expect("a good configuration").config
}

fn editing<T>(change: impl FnOnce(&mut Edit<'_>) -> T) -> (T, Config) {
    let (plugins, options) = (plugins(), options());
    let mut edit = Edit::new(config(), &plugins, &options);
    let outcome = change(&mut edit);
    (outcome, edit.finish().0)
}

fn refused(change: impl FnOnce(&mut Edit<'_>) -> Result<Uuid, Refusal>) -> Value {
    let (outcome, after) = editing(change);
    assert_eq!(after, config(), "nothing changes when something is refused");
    outcome.expect_err("a refusal").body()
}

fn shown(config: &Config, kind: Kind, id: Uuid) -> Value {
    config.by_id(kind, id).expect("it is there").to_json()
}

#[test]
fn what_is_not_given_gets_its_default() {
    let (id, after) = editing(|edit| edit.insert(Kind::Services, written(json!({"host": "a.test"}))).expect("good"));
    let service = shown(&after, Kind::Services, id);
    assert_eq!(service["port"], 80);
    assert_eq!(service["protocol"], "http");
    assert_eq!(service["name"], Value::Null);
    assert_eq!((&service["created_at"], &service["updated_at"]), (&json!(NOW), &json!(NOW)));
}

#[test]
fn everything_that_is_wrong_is_told() {
    for (kind, body, message, fields) in [
        (
            Kind::Services,
            json!({}),
            "schema violation (host: required field missing)",
            json!({"host": "required field missing"}),
        ),
        (
            Kind::Services,
            json!({"path": "x", "nope": 1}),
            "3 schema violations (host: required field missing; nope: unknown field; path: should start with: /)",
            json!({"host": "required field missing", "nope": "unknown field", "path": "should start with: /"}),
        ),
        (
            Kind::Consumers,
            json!({}),
            "schema violation (at least one of these fields must be non-empty: 'custom_id', 'username')",
            json!({"@entity": ["at least one of these fields must be non-empty: 'custom_id', 'username'"]}),
        ),
        (
            Kind::Plugins,
            json!({"name": "nope"}),
            "schema violation (name: plugin 'nope' not enabled; add it to the 'plugins' configuration property)",
            json!({"name": "plugin 'nope' not enabled; add it to the 'plugins' configuration property"}),
        ),
        (
            Kind::Plugins,
            json!({"name": "key-auth", "config": {"key_names": 1}}),
            "schema violation (config.key_names: expected an array)",
            json!({"config": {"key_names": "expected an array"}}),
        ),
        (
            Kind::Plugins,
            json!({"name": "key-auth", "consumer": {"username": "alice"}}),
            "schema violation (consumer: value must be null)",
            json!({"consumer": "value must be null"}),
        ),
        (
            Kind::Routes,
            json!({"paths": ["/"], "service": "orders"}),
            "schema violation (service.id: missing primary key)",
            json!({"service": {"id": "missing primary key"}}),
        ),
    ] {
        let body = refused(|edit| edit.insert(kind, written(body)));
        assert_eq!((&body["code"], &body["name"]), (&json!(2), &json!("schema violation")), "{body}");
        assert_eq!(body["message"], message);
        assert_eq!(body["fields"], fields);
    }
}

#[test]
fn what_another_has_already_is_refused() {
    let route = json!({"id": ROUTE, "paths": ["/x"]});
    for (kind, body, code, message, fields) in [
        (
            Kind::Services,
            json!({"name": "orders", "host": "x"}),
            5,
            "UNIQUE violation detected on '{name=\"orders\"}'",
            json!({"name": "orders"}),
        ),
        (
            Kind::Consumers,
            json!({"custom_id": "a"}),
            5,
            "UNIQUE violation detected on '{custom_id=\"a\"}'",
            json!({"custom_id": "a"}),
        ),
        (Kind::Routes, route, 3, &format!("primary key violation on key '{{id=\"{ROUTE}\"}}'"), json!({"id": ROUTE})),
    ] {
        let body = refused(|edit| edit.insert(kind, written(body)));
        assert_eq!((&body["code"], &body["message"], &body["fields"]), (&json!(code), &json!(message), &fields));
    }
}

#[test]
fn a_plugin_is_once_in_each_scope() {
    let service = config().services[0].id;
    let body =
        refused(|edit| edit.insert(Kind::Plugins, written(json!({"name": "cors", "service": {"name": "orders"}}))));
    let message = format!(
        "UNIQUE violation detected on '{{consumer=null,name=\"cors\",route=null,service={{id=\"{service}\"}}}}'"
    );
    assert_eq!(body["message"], message);
    let (outcome, _) = editing(|edit| edit.insert(Kind::Plugins, written(json!({"name": "cors"}))));
    assert!(outcome.is_ok(), "global is another scope");
}

#[test]
fn references_must_lead_somewhere() {
    let nobody = "99999999-9999-4999-8999-999999999999";
    let body = refused(|edit| edit.insert(Kind::Routes, written(json!({"paths": ["/"], "service": {"id": nobody}}))));
    let message = format!("the foreign key '{{id=\"{nobody}\"}}' does not reference an existing 'services' entity.");
    assert_eq!((&body["code"], &body["message"]), (&json!(4), &json!(message)));
    assert_eq!(body["fields"], json!({"service": {"id": nobody}}));

    let body = refused(|edit| edit.insert(Kind::Routes, written(json!({"paths": ["/"], "service": {"name": "nope"}}))));
    let text = "the foreign key cannot be resolved with '{name=\"nope\"}' for an existing 'services' entity";
    assert_eq!(
        (&body["code"], &body["message"]),
        (&json!(13), &json!(format!("foreign key unresolved (service.name: {text})")))
    );
    assert_eq!(body["fields"], json!({"service": {"name": text}}));
}

#[test]
fn a_change_lies_over_what_was_there() {
    let (id, after) = editing(|edit| {
        edit.update(Kind::Services, &key("orders"), written(json!({"url": "https://new.test/v2", "retries": 1})))
            .expect("good")
    });
    let service = shown(&after, Kind::Services, id);
    assert_eq!(
        (&service["host"], &service["port"], &service["protocol"]),
        (&json!("new.test"), &json!(443), &json!("https"))
    );
    assert_eq!((&service["path"], &service["retries"], &service["name"]), (&json!("/v2"), &json!(1), &json!("orders")));
}

#[test]
fn null_takes_a_value_away_but_not_a_required_one() {
    let (id, after) =
        editing(|edit| edit.update(Kind::Services, &key("orders"), written(json!({"path": null}))).expect("good"));
    assert_eq!(shown(&after, Kind::Services, id)["path"], Value::Null);
    let body = refused(|edit| edit.update(Kind::Services, &key("orders"), written(json!({"host": null}))));
    assert_eq!(body["fields"], json!({"host": "required field missing"}));
}

#[test]
fn records_are_merged_and_lists_replaced() {
    let (_, after) = editing(|edit| {
        let change = json!({"config": {"echo_downstream": true}});
        edit.update(Kind::Plugins, &key("ids"), written(change)).expect("good");
        edit.update(Kind::Routes, &key("orders"), written(json!({"paths": ["/new"]}))).expect("good");
    });
    let plugin = after.plugins.iter().find(|plugin| plugin.name == "correlation-id").expect("there");
    assert_eq!(plugin.config["echo_downstream"], true);
    assert_eq!(plugin.config["header_name"], "Kong-Request-ID");
    assert_eq!(after.routes[0].paths.as_deref(), Some(&["/new".to_owned()][..]));
}

#[test]
fn a_put_forgets_what_it_does_not_say() {
    let created = config().services[0].created_at;
    let (id, after) =
        editing(|edit| edit.upsert(Kind::Services, &key("orders"), written(json!({"host": "h"}))).expect("good"));
    let service = shown(&after, Kind::Services, id);
    assert_eq!((&service["name"], &service["host"], &service["path"]), (&json!("orders"), &json!("h"), &Value::Null));
    assert_eq!(id, config().services[0].id, "the same service as before");
    assert_eq!(service["created_at"], created);
}

#[test]
fn a_put_makes_what_is_not_there() {
    let id = Uuid::from_u128(7);
    let (made, after) = editing(|edit| {
        edit.upsert(Kind::Services, &key("new"), written(json!({"host": "h"}))).expect("good");
        edit.upsert(Kind::Routes, &Named::Id(id), written(json!({"paths": ["/"]}))).expect("good")
    });
    assert_eq!(made, id);
    assert!(after.by_text(Kind::Services, "name", "new").is_some());
}

#[test]
fn a_change_of_nobody_is_refused() {
    let body = refused(|edit| edit.update(Kind::Services, &key("nope"), Map::new()));
    assert_eq!(
        (&body["code"], &body["message"]),
        (&json!(6), &json!("could not find the entity with '{name=\"nope\"}'"))
    );
    let id = Uuid::from_u128(7);
    let body = refused(|edit| edit.update(Kind::Services, &Named::Id(id), Map::new()));
    assert_eq!(body["message"], format!("could not find the entity with primary key '{{id=\"{id}\"}}'"));
}

#[test]
fn children_go_with_their_parent() {
    let (outcome, after) = editing(|edit| edit.delete(Kind::Consumers, &key("alice")));
    assert_eq!(outcome, Ok(()));
    assert_eq!((after.consumers.len(), after.keyauth_credentials.len()), (0, 0));
    assert!(after.plugins.iter().all(|plugin| plugin.name == "cors"));
    let (_, after) = editing(|edit| edit.delete(Kind::Upstreams, &key("orders")));
    assert!(after.targets.is_empty());
}

#[test]
fn a_service_with_routes_stays() {
    let (outcome, after) = editing(|edit| edit.delete(Kind::Services, &key("orders")));
    let body = outcome.expect_err("a refusal").body();
    assert_eq!(body["message"], "an existing 'routes' entity references this 'services' entity");
    assert_eq!((&body["code"], &body["fields"]), (&json!(4), &json!({"@referenced_by": "routes"})));
    assert_eq!(after, config());
    let (outcome, _) = editing(|edit| edit.delete(Kind::Services, &key("nope")));
    assert_eq!(outcome, Ok(()), "what is not there is as good as deleted");
}

#[test]
fn passwords_are_hashed_once() {
    let ((), after) = editing(|edit| {
        let credential = json!({"username": "a", "password": "secret", "consumer": {"username": "alice"}});
        edit.insert(Kind::BasicauthCredentials, written(credential)).expect("good");
        edit.update(Kind::BasicauthCredentials, &key("a"), written(json!({"tags": ["x"]}))).expect("good");
    });
    let (plugins, options) = (plugins(), options());
    let mut edit = Edit::new(config(), &plugins, &options);
    let credential = json!({"username": "a", "password": "secret", "consumer": {"username": "alice"}});
    edit.insert(Kind::BasicauthCredentials, written(credential)).expect("good");
    let once = edit.finish().0;
    assert_eq!(after.basicauth_credentials[0].password, once.basicauth_credentials[0].password);
    assert_ne!(&*once.basicauth_credentials[0].password, "secret");
}

#[test]
fn without_a_database_only_what_is_right_is_unsupported() {
    let (plugins, options) = (plugins(), Options::default());
    let mut edit = Edit::new(config(), &plugins, &options).read_only();
    let body = edit.insert(Kind::Services, written(json!({"host": "h"}))).expect_err("a refusal").body();
    assert_eq!(
        (&body["code"], &body["message"]),
        (&json!(12), &json!("cannot create 'services' entities when not using a database"))
    );
    let body = edit.insert(Kind::Services, Map::new()).expect_err("a refusal").body();
    assert_eq!(body["code"], 2);
    let body = edit.delete(Kind::Services, &key("orders")).expect_err("a refusal").body();
    assert_eq!(body["message"], "cannot remove 'services' entities by 'name' when not using a database");
    assert_eq!(edit.delete(Kind::Services, &key("nope")), Ok(()));
}

#[test]
fn a_plugin_must_fit_its_route() {
    let body = refused(|edit| {
        let plugin = json!({"name": "correlation-id", "route": {"name": "orders"}, "protocols": ["grpc"]});
        edit.insert(Kind::Plugins, written(plugin))
    });
    assert_eq!(body["fields"], json!({"protocols": "must match the associated route's protocols"}));
}

#[test]
fn what_is_kept_comes_back() {
    let config = config();
    let (plugins, options) = (plugins(), options());
    let mut restore = Restore::new(&plugins, &options);
    let mut again = Config::empty();
    for kind in Kind::ALL {
        for (_, entity) in config.entities(kind) {
            again.put(restore.entity(kind, entity).expect("it was good"));
        }
    }
    assert_eq!(Config { hash: config.hash.clone(), transform: config.transform, ..again }, config);
}

#[test]
fn what_others_changed_is_followed() {
    let (before, (plugins, options)) = (config(), (plugins(), options()));
    let mut edit = Edit::new(before.clone(), &plugins, &options);
    edit.insert(Kind::Services, written(json!({"name": "new", "host": "h"}))).expect("good");
    edit.update(Kind::Services, &key("orders"), written(json!({"retries": 1}))).expect("good");
    edit.delete(Kind::Consumers, &key("alice")).expect("good");
    let (after, changed) = edit.finish();
    let changes = changed.into_iter().map(|changed| (changed.kind, changed.id, changed.entity));
    let followed = before.changed(changes, &plugins).expect("good").config;
    assert_eq!(followed, after);
}

#[test]
fn what_does_not_go_together_is_not_followed() {
    let service = config().services[0].id;
    let report = config().changed([(Kind::Services, service, None)], &plugins()).expect_err("its route is left");
    assert!(report.message().contains("no such entry in 'services'"), "{}", report.message());
}
