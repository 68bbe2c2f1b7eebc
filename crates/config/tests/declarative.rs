//! Configurations that load, and what becomes of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::{Value, json};
use support::{NOW, load, load_all, options, plugins};
use towergate_config::entities::{Algorithm, HashOn, Protocol};
use towergate_config::{Config, Kind, parse_value_with, parse_with, read};
use uuid::Uuid;

fn config(text: &str) -> Config {
    load(text).map_err(|report| report.to_string()).unwrap().config
}

fn warnings(text: &str) -> Vec<String> {
    load(text).map_err(|report| report.to_string()).unwrap().warnings.iter().map(ToString::to_string).collect()
}

const GUIDE: &str = include_str!("data/guide.yml");

#[test]
fn the_guides_own_file_loads() {
    let config = config(GUIDE);
    assert_eq!((config.services.len(), config.routes.len(), config.targets.len(), config.plugins.len()), (3, 3, 2, 2));
    let service = &config.services[0];
    assert_eq!((service.host.as_str(), service.port, service.path.as_deref()), ("user-service", 3000, None));
    assert_eq!((service.retries, service.connect_timeout, service.read_timeout), (Some(3), Some(5000), Some(60000)));
    assert_eq!(service.tags.as_deref(), Some(&["internal".to_owned(), "users".to_owned()][..]));
    let route = &config.routes[0];
    assert_eq!((route.service, route.strip_path, route.preserve_host), (Some(service.id), false, true));
    // What the guide leaves out is true by default: the prefix of the other two is stripped.
    assert!(config.routes[1].strip_path && !config.routes[1].preserve_host);
    assert_eq!(config.routes[1].protocols, [Protocol::Http, Protocol::Https]);
    let active = &config.upstreams[0].healthchecks.active;
    assert_eq!((active.healthy.interval, active.healthy.successes), (Some(5.0), Some(2)));
    assert_eq!((active.unhealthy.http_failures, active.unhealthy.tcp_failures), (Some(3), Some(0)));
    assert_eq!((active.http_path.as_deref(), active.timeout), (Some("/health/live"), Some(3.0)));
    assert_eq!(config.targets[0].upstream, config.upstreams[0].id);
    assert_eq!(config.plugins[0].config["header_name"], "X-Correlation-ID");
    assert_eq!(config.hash.len(), 32);
}

/// F1, F7 and F13: what is in the guide's file and cannot work.
#[test]
fn what_cannot_work_in_the_guides_file_is_told() {
    let preflight = |line, route| {
        format!(
            "kong.yml:{line}:7: routes[{route}].methods: cors applies to this route, but it does not take OPTIONS: a \
             browser's preflight request gets 404; add OPTIONS to `methods`"
        )
    };
    assert_eq!(
        warnings(GUIDE),
        [
            "kong.yml:65:11: upstreams[0].name: upstream 'user-service-upstream' is referenced by no service: its targets get \
             no requests; did you mean `host: user-service-upstream` in service 'user-service'?"
                .to_owned(),
            "kong.yml:73:11: upstreams[0].healthchecks.active.unhealthy: a target that refuses connections or hangs is never \
             found unhealthy: set `tcp_failures` and `timeouts` above 0 (0, the default, is off)"
                .to_owned(),
            preflight(36, 0),
            preflight(49, 1),
            preflight(59, 2),
        ]
    );
}

/// F6: what prometheus' plugin measures, and an alert on it that always fires.
#[test]
fn an_alert_that_always_fires_is_told() {
    let text = "_format_version: '3.0'\nplugins:\n- name: prometheus\n  enabled: false\n  config: {upstream_health_metrics: true}\n";
    let told = warnings(text);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("kong.yml:3:9: plugins[0].name: plugin 'prometheus' accepted"), "{told:?}");
    assert_eq!(
        told[1],
        "kong.yml:5:37: plugins[0].config.upstream_health_metrics: an alert on `kong_upstream_target_health == 0` always \
         fires, because a target has a series for each state; right is \
         `kong_upstream_target_health{state=~\"unhealthy|dns_error\"} == 1`"
    );
}

/// F2, F3 and F4: the plugins the guide shows later name routes that are not there.
#[test]
fn the_guides_further_plugins_are_refused_as_kong_refuses_them() {
    let more =
        "  - {name: key-auth, route: partner-api}\n  - {name: rate-limiting-advanced, config: {limit: [1000]}}\n";
    let report = load(&format!("{GUIDE}{more}")).unwrap_err();
    let told: Vec<_> = report.problems().iter().map(|p| (p.path.as_str(), p.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("plugins[2].route", "invalid reference 'route: partner-api' (no such entry in 'routes')"),
            (
                "plugins[3].name",
                "plugin 'rate-limiting-advanced' not enabled; add it to the 'plugins' configuration property"
            ),
        ]
    );
}

/// The ids are those a specification of Kong's own writes down.
#[test]
fn generated_ids_are_kongs() {
    let config = config(
        "_format_version: '1.1'\nservices:\n- name: my-service\n  url: https://example.com\n  routes:\n  - {name: my-route, paths: [/]}\n\
         consumers:\n- username: my-user\n  keyauth_credentials: [{key: my-key}]\n",
    );
    assert_eq!(config.services[0].id.to_string(), "0855b320-0dd2-547d-891d-601e9b38647f");
    assert_eq!(config.routes[0].id.to_string(), "481a9539-f49c-51b6-b2e2-fe99ee68866c");
    assert_eq!(config.consumers[0].id.to_string(), "4b1b701d-de2b-5588-9aa2-3b97061d9f52");
    assert_eq!(config.keyauth_credentials[0].id.to_string(), "487ab43c-b2c9-51ec-8da5-367586ea2b61");
}

/// Where the id is made from several fields, computed here once more by Kong's rule.
#[test]
fn ids_of_plugins_and_targets_come_from_their_scope() {
    let made = |kind: &str, key: &str| {
        let entities = Uuid::parse_str("fd02801f-0957-4a15-a55a-c8d9606f30b5").unwrap();
        Uuid::new_v5(&Uuid::new_v5(&entities, kind.as_bytes()), key.as_bytes())
    };
    let config = config(
        "_format_version: '3.0'\nservices:\n- {name: s, host: u, plugins: [{name: cors}]}\nplugins:\n- name: cors\n\
         - {name: key-auth, service: s}\nupstreams:\n- {name: u, targets: [{target: 'a:1'}]}\ntargets:\n- {target: b, upstream: u}\n",
    );
    let (service, upstream) = (config.services[0].id, config.upstreams[0].id);
    let ids: Vec<_> = config.plugins.iter().map(|plugin| plugin.id).collect();
    assert_eq!(
        ids,
        [
            made("plugins", &format!("plugins:*:cors::{service}:")),
            made("plugins", "plugins:*:cors:::"),
            made("plugins", "plugins:*:key-auth::s:"),
        ]
    );
    let ids: Vec<_> = config.targets.iter().map(|target| target.id).collect();
    assert_eq!(ids, [made("targets", &format!("targets:*:{upstream}:a:1")), made("targets", "targets:*:u:b")]);
}

/// What Kong draws lots for stays the same here as long as it says the same.
#[test]
fn entities_without_names_keep_their_ids_across_loads() {
    let text = "_format_version: '3.0'\nroutes:\n- paths: [/a]\n- paths: [/a]\n- paths: [/b]\n";
    let ids = |config: &Config| config.routes.iter().map(|route| route.id).collect::<Vec<_>>();
    let first = ids(&config(text));
    assert_eq!(first, ids(&config(text)));
    assert!(first[0] != first[1] && first[1] != first[2]);
    let with_another_before = text.replace("routes:\n", "routes:\n- paths: [/0]\n");
    assert_eq!(first, ids(&config(&with_another_before))[1..]);
}

#[test]
fn nested_and_flat_are_the_same_configuration() {
    let nested = "_format_version: '3.0'
services:
- name: s
  host: u
  routes:
  - name: r
    paths: [/a]
    plugins: [{name: correlation-id}]
consumers:
- username: c
  keyauth_credentials: [{key: k, ttl: 60}]
  acls: [{group: g}]
  groups: [{name: gold}]
consumer_groups: [{name: gold}]
upstreams:
- name: u
  targets: [{target: 'a:1'}]
";
    let all = config(nested);
    let (route, consumer, upstream) = (all.routes[0].id, all.consumers[0].id, all.upstreams[0].id);
    // Kong makes ids of plugins and targets from references as they are written.
    let flat = format!(
        "_format_version: '3.0'
services: [{{name: s, host: u}}]
routes: [{{name: r, paths: [/a], service: s}}]
plugins: [{{name: correlation-id, route: {route}}}]
consumers: [{{username: c}}]
keyauth_credentials: [{{key: k, consumer: c, ttl: 60}}]
acls: [{{group: g, consumer: {{id: {consumer}}}}}]
consumer_groups: [{{name: gold}}]
consumer_group_consumers: [{{consumer: {consumer}, consumer_group: gold}}]
upstreams: [{{name: u}}]
targets: [{{target: 'a:1', upstream: {upstream}}}]
"
    );
    assert_eq!(Config { hash: String::new(), ..all }, Config { hash: String::new(), ..config(&flat) });
}

#[test]
fn a_plugin_of_a_group_stands_beside_one_for_everything() {
    let nested = config(
        "_format_version: '3.0'
plugins: [{name: correlation-id}]
consumer_groups:
- {name: gold, plugins: [{name: correlation-id}]}
- {name: silver, plugins: [{name: correlation-id}]}
",
    );
    let plugins: Vec<_> = nested.plugins.iter().collect();
    let [everything, gold, silver] = plugins.as_slice() else { panic!("three plugins") };
    let groups = [everything, gold, silver].map(|plugin| plugin.consumer_group);
    assert_eq!(groups, [None, Some(nested.consumer_groups[0].id), Some(nested.consumer_groups[1].id)]);
    let flat = config(&format!(
        "_format_version: '3.0'
plugins: [{{name: correlation-id, consumer_group: {}}}]
consumer_groups: [{{name: gold}}]
",
        nested.consumer_groups[0].id
    ));
    assert_eq!(flat.plugins[0].id, gold.id);
}

#[test]
fn passwords_become_the_hashes_that_kong_keeps() {
    const ARGON2: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHApl8ArZWb2GRPPc";
    // printf %s kong4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002 | sha1sum
    const KONGS: &str = "15d2c41f8d2dbff2b6abbc7d3fe3db6b8eb0a883";
    let document = |transform: &str, password: &str| {
        format!(
            "_format_version: '3.0'
{transform}consumers:
- id: 4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002
  username: bob
  basicauth_credentials: [{{username: bob, password: '{password}'}}, {{username: new, password: '{ARGON2}'}}]
"
        )
    };
    let plain = config(&document("", "kong"));
    let kept =
        |config: &Config| config.basicauth_credentials.iter().map(|one| one.password.clone()).collect::<Vec<_>>();
    assert_eq!(kept(&plain), [KONGS.into(), ARGON2.into()]);
    let text = plain.to_yaml();
    assert!(text.contains("_transform: false") && !text.contains("password: kong"), "{text}");
    assert_eq!(Config { hash: plain.hash.clone(), ..config(&text) }, plain, "read again, and not hashed twice");
    assert_eq!(kept(&config(&document("_transform: false\n", KONGS))), kept(&plain));
}

#[test]
fn several_files_and_a_directory_are_the_same_as_one() {
    let one = "_format_version: '3.0'\nservices:\n- {name: s, host: h}\nroutes:\n- {name: r, paths: [/], service: s}\n";
    let files = [
        ("routes.json", r#"{"routes": [{"name": "r", "paths": ["/"], "service": "s"}]}"#),
        ("services.yml", "_format_version: '3.0'\nservices:\n- {name: s, host: h}\n"),
        ("empty.yaml", "# nothing yet\n"),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let single = Config { hash: String::new(), ..config(one) };
    let merged = load_all(&files).unwrap().config;
    assert_eq!(single, Config { hash: String::new(), ..merged });
    let from_directory = parse_with(read(directory.path()).unwrap(), &plugins(), &options()).unwrap().config;
    assert_eq!(single, Config { hash: String::new(), ..from_directory });
}

#[test]
fn the_hash_is_the_md5_of_the_text() {
    // printf '_format_version: "3.0"\n' | md5sum
    assert_eq!(config("_format_version: \"3.0\"\n").hash, "33371dd163ecae6602a88ff671d6ac9a");
    assert_eq!(Config::empty().hash, "00000000000000000000000000000000");
}

#[test]
fn a_nested_plugin_may_have_a_scope_a_plain_one_may_not() {
    let config = config("_format_version: '3.0'\nconsumers:\n- {username: c, plugins: [{name: key-auth}]}\n");
    assert_eq!(config.plugins[0].consumer, Some(config.consumers[0].id));
}

#[test]
fn a_nested_entity_that_names_its_parent_is_accepted() {
    let config = config(
        "_format_version: '3.0'\nservices:\n- {name: s, host: h, routes: [{name: r, paths: [/], service: s}]}\n",
    );
    assert_eq!(config.routes[0].service, Some(config.services[0].id));
}

#[test]
fn paths_of_old_files_become_regexes() {
    let text = "_format_version: '2.1'\nservices:\n- {name: s, host: h, routes: [{name: r, paths: [/a, '/b/\\d+']}]}\n";
    assert_eq!(config(text).routes[0].paths.as_deref().unwrap(), ["/a", "~/b/\\d+"]);
}

#[test]
fn snis_of_a_certificate_become_entities() {
    let text = "_format_version: '3.0'
certificates:
- cert: |
    -----BEGIN CERTIFICATE-----
    x
    -----END CERTIFICATE-----
  key: '{vault://env/secret}'
  snis: [a.com, {name: '*.b.com'}]
";
    let config = config(text);
    let snis: Vec<_> = config.snis.iter().map(|sni| (sni.name.as_str(), sni.certificate)).collect();
    let id = config.certificates[0].id;
    assert_eq!(snis, [("a.com", id), ("*.b.com", id)]);
}

#[test]
fn upstreams_follow_from_what_is_set() {
    for (lines, algorithm, hash_on) in [
        ("algorithm: least-connections, hash_on: ip", Algorithm::LeastConnections, HashOn::None),
        ("hash_on: ip", Algorithm::ConsistentHashing, HashOn::Ip),
        ("hash_on: none, algorithm: consistent-hashing", Algorithm::RoundRobin, HashOn::None),
        ("hash_on: null", Algorithm::RoundRobin, HashOn::None),
        ("algorithm: consistent-hashing", Algorithm::ConsistentHashing, HashOn::None),
    ] {
        let config = config(&format!("_format_version: '3.0'\nupstreams: [{{name: u, {lines}}}]"));
        let upstream = &config.upstreams[0];
        assert_eq!((upstream.algorithm, upstream.hash_on), (Some(algorithm), Some(hash_on)), "{lines}");
    }
    let config = config(
        "_format_version: '3.0'\nupstreams: [{name: u, targets: [{target: a}, {target: '[::1]:80'}, {target: 010.0.0.1}]}]",
    );
    let targets: Vec<_> = config.targets.iter().map(|target| target.target.as_str()).collect();
    assert_eq!(targets, ["a:8000", "[0000:0000:0000:0000:0000:0000:0000:0001]:80", "10.0.0.1:8000"]);
}

#[test]
fn grpc_routes_do_not_strip_their_path_by_default() {
    assert!(!config("_format_version: '3.0'\nroutes: [{protocols: [grpc], hosts: [h]}]").routes[0].strip_path);
}

#[test]
fn secrets_are_resolved_but_only_references_are_shown() {
    let config = config(
        "_format_version: '3.0'\nplugins: [{name: limiter, config: {redis: {host: h, password: '{vault://env/secret}'}}}]",
    );
    let plugin = &config.plugins[0];
    assert_eq!(plugin.config["redis"]["password"], "{vault://env/secret}");
    assert_eq!(plugin.effective_config()["redis"]["password"], "s3cret");
    assert!(!config.to_yaml().contains("s3cret") && !config.entities_json().to_string().contains("s3cret"));
    // Not referenceable: the text itself is the value.
    let literal = "_format_version: '3.0'\nplugins: [{name: limiter, config: {redis: {host: '{vault://env/secret}'}}}]";
    assert_eq!(self::config(literal).plugins[0].effective_config()["redis"]["host"], "{vault://env/secret}");
}

#[test]
fn a_plugin_of_a_later_version_is_accepted_when_disabled() {
    let text = "_format_version: '3.0'\nplugins: [{name: jwt, enabled: false, config: {key_claim_name: kid}}]";
    let loaded = load(text).unwrap();
    assert!(!loaded.config.plugins[0].enabled);
    assert_eq!(
        loaded.warnings[0].to_string(),
        "kong.yml:2:18: plugins[0].name: plugin 'jwt' accepted because it is disabled; this version does not build it yet"
    );
}

#[test]
fn what_does_nothing_yet_is_told_once_for_all() {
    let text = "_format_version: '3.0'
services:
- {name: a, url: 'https://a', tls_verify: true}
- {name: b, protocol: grpcs, host: b}
- {name: c, protocol: tcp, host: c}
key_sets: [{name: k}]
filter_chains: [{name: x}]
sessions: []
";
    assert_eq!(
        warnings(text),
        [
            "kong.yml:7:1: filter_chains: accepted, but this version does nothing with it",
            "kong.yml:6:12: key_sets[0]: accepted, but does nothing yet: keys come with a later version",
            "kong.yml:5:23: services[2].protocol: accepted, but does nothing yet: TCP and UDP come with a later version",
        ]
    );
}

#[test]
fn other_lints() {
    let text = "_format_version: '3.0'
services:
- {name: out, host: u, enabled: false, routes: [{name: a, paths: [/a]}], plugins: [{name: correlation-id}]}
routes:
- {name: b, paths: [/b]}
upstreams:
- {name: u}
";
    assert_eq!(
        warnings(text),
        [
            "kong.yml:7:10: upstreams[0].name: upstream 'u' has no targets: requests to it are answered with 503",
            "kong.yml:3:49: services[0].routes[0]: the service 'out' is disabled, so this route does not exist",
            "kong.yml:5:3: routes[0]: this route has no service and no plugin that answers: requests get 503 'no Service \
             found with those values'; name a service, or add a plugin such as request-termination",
            "kong.yml:3:84: services[0].plugins[0].service: plugin 'correlation-id' is scoped to a disabled service and never runs",
        ]
    );
}

#[test]
fn the_answer_to_a_post_is_kongs() {
    let report = load(
        "_format_version: '3.0'\nservices:\n- {name: a, host: h}\n- {name: b, tags: [t], retries: -1, routes: [{name: r, paths: [x]}]}\n",
    );
    let body = report.unwrap_err().body(true);
    assert_eq!(body["code"], 14);
    assert_eq!(body["name"], "invalid declarative configuration");
    assert_eq!(
        body["message"],
        "declarative config is invalid: {services={[2]={host=\"required field missing\",retries=\"value should be between 0 and \
         32767\",routes={{paths={\"should start with: / (fixed path) or ~/ (regex path)\"}}}}}}"
    );
    let between = "value should be between 0 and 32767";
    let path = "should start with: / (fixed path) or ~/ (regex path)";
    assert_eq!(
        body["fields"],
        json!({"services": [null, {"host": "required field missing", "retries": between, "routes": [{"paths": [path]}]}]})
    );
    let service = "services";
    let id = Uuid::new_v5(
        &Uuid::new_v5(&Uuid::parse_str("fd02801f-0957-4a15-a55a-c8d9606f30b5").unwrap(), service.as_bytes()),
        b"b",
    );
    assert_eq!(
        body["flattened_errors"],
        json!([
            {
                "entity_type": "service", "entity_name": "b", "entity_tags": ["t"],
                "entity": {"name": "b", "tags": ["t"], "retries": -1},
                "errors": [
                    {"type": "field", "field": "host", "message": "required field missing"},
                    {"type": "field", "field": "retries", "message": between},
                ],
            },
            {
                "entity_type": "route", "entity_name": "r",
                "entity": {"name": "r", "paths": ["x"], "service": {"id": id}},
                "errors": [{"type": "field", "field": "paths.1", "message": path}],
            },
        ])
    );
}

/// References are reported by the name of the entity, not by its position.
#[test]
fn the_answer_to_a_post_with_a_dangling_reference_is_kongs() {
    let report = load("_format_version: '3.0'\nroutes: [{name: r, paths: [/], service: nope}]").unwrap_err();
    let text = "invalid reference 'service: nope' (no such entry in 'services')";
    assert_eq!(report.fields(), &json!({"routes": {"r": [text]}}));
    assert_eq!(report.message(), format!("declarative config is invalid: {{routes={{r={{\"{text}\"}}}}}}"));
    let report = load("_format_version: '3.0'\nservices: [{name: a, host: h}, {name: a, host: h}]").unwrap_err();
    let text = "uniqueness violation: 'services' entity with name set to 'a' already declared";
    assert_eq!(report.fields(), &json!({"services": [null, text]}));
    let report = load("just text").unwrap_err();
    assert_eq!(report.fields(), &json!({"error": "failed parsing declarative configuration: expected an object"}));
}

#[test]
fn json_that_was_parsed_elsewhere_loads_the_same() {
    let value = json!({"_format_version": "3.0", "services": [{"name": "s", "host": "h"}]});
    let loaded = parse_value_with(&value, &plugins(), &options()).unwrap();
    assert_eq!(
        loaded.config.services[0].id,
        config("_format_version: '3.0'\nservices: [{name: s, host: h}]").services[0].id
    );
    let report =
        parse_value_with(&json!({"_format_version": "3.0", "services": [{"name": "s"}]}), &plugins(), &options())
            .unwrap_err();
    assert_eq!(report.problems()[0].to_string(), "services[0].host: required field missing");
    assert!(parse_value_with(&json!([]), &plugins(), &options()).is_err());
}

#[test]
fn what_is_written_out_loads_as_the_same_entities() {
    let first = config(GUIDE);
    let again = config(&first.to_yaml());
    assert_eq!(Config { hash: String::new(), ..first.clone() }, Config { hash: String::new(), ..again });
    let document = first.to_declarative();
    assert_eq!(document["routes"][0]["service"], json!(first.services[0].id));
    let all = first.entities_json();
    let service = &all["services"][first.services[0].id.to_string()];
    assert_eq!(
        (&service["name"], &service["tls_verify"], &service["created_at"]),
        (&json!("user-service"), &Value::Null, &json!(NOW))
    );
    assert_eq!(all["routes"][first.routes[0].id.to_string()]["service"], json!({"id": first.services[0].id}));
    assert_eq!(first.count(Kind::Consumers), 3);
}

#[test]
fn remarks_and_what_other_tools_write_are_tolerated() {
    let text = "_format_version: '3.0'\n_comment: hello\n_ignore: [x]\n_info: {select_tags: [a]}\n_workspace: default\n\
                services: [{name: s, host: h, _comment: c, _ignore: []}]\nroutes:\n";
    assert_eq!(config(text).services.len(), 1);
}

/// A million keys must fit into memory.
#[test]
fn a_key_is_small() {
    assert!(size_of::<towergate_config::entities::KeyauthCredential>() <= 112);
}
