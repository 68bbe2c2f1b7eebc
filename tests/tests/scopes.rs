//! Which of several configurations of a plugin counts for a request.

use towergate_tests::{Answer, Gateway, Request, Upstream, proxying};

/// A gateway with this text after the document of [`proxying`]: top-level keys, unindented.
fn with(upstream: &Upstream, text: &str) -> Gateway {
    Gateway::serving(&format!("{}{text}", proxying(upstream)))
}

/// The texts of a refused document.
#[track_caller]
fn refusal(text: &str) -> String {
    let answer =
        Gateway::serving("_format_version: \"3.0\"\n").post_document(&format!("_format_version: \"3.0\"\n{text}"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["fields"].to_string()
}

const CONSUMERS: &str = r"
consumers:
- id: 6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0001
  username: alice
  custom_id: a-1
  keyauth_credentials:
  - {id: 6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0002, key: alice-key}
- id: 6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0003
  username: nobody
";

/// correlation-id with the scope's name as its header, so that the answer tells which one ran.
fn marker(scope: &str, fields: &str) -> String {
    format!("- {{name: correlation-id, {fields} config: {{header_name: X-{scope}, echo_downstream: true}}}}\n")
}

/// The scope that ran.
#[track_caller]
fn ran(answer: &Answer) -> Vec<&str> {
    ["X-RouteService", "X-Route", "X-Service", "X-Global", "X-Consumer"]
        .into_iter()
        .filter(|name| answer.headers.has(name))
        .collect()
}

#[test]
fn the_most_specific_configuration_replaces_the_others() {
    let levels = [
        ("X-RouteService", marker("RouteService", "route: everything, service: echo,")),
        ("X-Route", marker("Route", "route: everything,")),
        ("X-Service", marker("Service", "service: echo,")),
        ("X-Global", marker("Global", "")),
    ];
    let upstream = Upstream::echo();
    for first in 0..levels.len() {
        // Listed general first, so that order in the file cannot be what decides.
        let plugins: String = levels[first..].iter().rev().map(|(_, text)| text.as_str()).collect();
        let answer = with(&upstream, &format!("plugins:\n{plugins}")).get("/");
        assert_eq!(ran(&answer), [levels[first].0]);
    }
}

#[test]
fn a_disabled_specific_configuration_leaves_the_general_one() {
    let upstream = Upstream::echo();
    let plugins = marker("Global", "")
        + &marker("Service", "service: echo,")
        + &marker("Route", "route: everything, enabled: false,");
    assert_eq!(ran(&with(&upstream, &format!("plugins:\n{plugins}")).get("/")), ["X-Service"]);
    let plugins = marker("Global", "enabled: false,");
    assert!(ran(&with(&upstream, &format!("plugins:\n{plugins}")).get("/")).is_empty());
}

#[test]
fn plugins_nested_in_a_service_or_route_belong_to_it() {
    let upstream = Upstream::echo();
    let (of_route, of_service) = (marker("Route", ""), marker("Service", ""));
    let document = format!(
        "{}    plugins:\n    {of_route}  - {{name: other, paths: [/other]}}\n  plugins:\n  {of_service}",
        proxying(&upstream)
    );
    let gateway = Gateway::serving(&document);
    assert_eq!(ran(&gateway.get("/")), ["X-Route"]);
    assert_eq!(ran(&gateway.get("/other")), ["X-Service"]);
}

#[test]
fn a_plugin_before_authentication_never_sees_its_consumer() {
    let upstream = Upstream::echo();
    let plugins = marker("Global", "") + &marker("Consumer", "consumer: alice,") + "- {name: key-auth}\n";
    let gateway = with(&upstream, &format!("{CONSUMERS}plugins:\n{plugins}"));
    let answer = gateway.send(&Request::get("/").header("apikey", "alice-key"));
    assert_eq!((answer.status, ran(&answer)), (200, vec!["X-Global"]));
}

#[test]
fn a_plugin_scoped_to_a_consumer_does_not_run_for_others() {
    let upstream = Upstream::echo();
    let plugins = marker("Consumer", "consumer: alice,");
    assert!(ran(&with(&upstream, &format!("{CONSUMERS}plugins:\n{plugins}")).get("/")).is_empty());
}

#[test]
fn cors_cannot_be_scoped_to_a_consumer() {
    let texts = refusal("consumers: [{username: alice}]\nplugins: [{name: cors, consumer: alice}]\n");
    assert!(texts.contains("value must be null"), "{texts}");
    let nested = "_format_version: \"3.0\"\nconsumers: [{username: alice, plugins: [{name: cors}]}]\n";
    assert_eq!(Gateway::serving("_format_version: \"3.0\"\n").post_document(nested).status, 201);
}

#[test]
fn one_configuration_per_plugin_and_scope() {
    let texts = refusal("plugins: [{name: cors}, {name: cors}]\n");
    assert!(texts.contains("uniqueness violation") && texts.contains("already declared"), "{texts}");
}

#[test]
fn each_route_has_its_own_authentication() {
    let upstream = Upstream::echo();
    let document = format!(
        "{}    plugins: [{{name: key-auth, config: {{key_names: [x-first]}}}}]\n  - name: second\n    paths: [/second]\n    plugins: [{{name: key-auth, config: {{key_names: [x-second]}}}}]\n  - name: open\n    paths: [/open]\n{CONSUMERS}",
        proxying(&upstream)
    );
    let gateway = Gateway::serving(&document);
    for (path, header, status) in [
        ("/", "x-first", 200),
        ("/", "x-second", 401),
        ("/second", "x-second", 200),
        ("/second", "x-first", 401),
        ("/open", "x-none", 200),
    ] {
        assert_eq!(gateway.send(&Request::get(path).header(header, "alice-key")).status, status, "{path} {header}");
    }
}

/// request-termination runs after authentication, so that its words tell which of several ran.
fn words(scope: &str, fields: &str) -> String {
    format!("- {{name: request-termination, {fields} config: {{message: {scope}}}}}\n")
}

/// Alice is a member of the group `gold`, and Bob of no group.
const MEMBERS: &str = r"
consumers:
- username: alice
  keyauth_credentials: [{key: alice-key}]
- username: bob
  keyauth_credentials: [{key: bob-key}]
consumer_groups: [{name: gold}, {name: silver}]
consumer_group_consumers: [{consumer: alice, consumer_group: gold}]
";

/// Whose words a consumer gets: a configuration's, or the upstream's.
#[track_caller]
fn heard(gateway: &Gateway, key: &str) -> String {
    let answer = gateway.send(&Request::get("/").header("apikey", key));
    match answer.status {
        200 => "nothing".to_owned(),
        503 => answer.message(),
        other => panic!("{other}: {}", answer.text()),
    }
}

/// Each level replaces all below it for those it is for; for others, those below count as if it were not there.
#[test]
fn all_levels_of_precedence_with_consumers_and_their_groups() {
    let levels = [
        ("route+service+consumer", "route: everything, service: echo, consumer: alice,", false),
        ("route+service+group", "route: everything, service: echo, consumer_group: gold,", false),
        ("route+consumer", "route: everything, consumer: alice,", false),
        ("route+group", "route: everything, consumer_group: gold,", false),
        ("service+consumer", "service: echo, consumer: alice,", false),
        ("service+group", "service: echo, consumer_group: gold,", false),
        ("route+service", "route: everything, service: echo,", true),
        ("consumer", "consumer: alice,", false),
        ("group", "consumer_group: gold,", false),
        ("route", "route: everything,", true),
        ("service", "service: echo,", true),
        ("everything", "", true),
    ];
    let upstream = Upstream::echo();
    let document = |plugins: &str| format!("{}{MEMBERS}plugins:\n- {{name: key-auth}}\n{plugins}", proxying(&upstream));
    let gateway = Gateway::serving(&document(""));
    for first in 0..=levels.len() {
        let left = &levels[first..];
        let plugins: String = left.iter().rev().map(|(scope, fields, _)| words(scope, fields)).collect();
        assert_eq!(gateway.post_document(&document(&plugins)).status, 201);
        let for_alice = left.first().map_or("nothing", |level| level.0);
        let for_bob = left.iter().find(|level| level.2).map_or("nothing", |level| level.0);
        assert_eq!((heard(&gateway, "alice-key"), heard(&gateway, "bob-key")), (for_alice.into(), for_bob.into()));
    }
}

#[test]
fn a_disabled_configuration_of_a_consumer_is_as_if_it_were_not_there() {
    let upstream = Upstream::echo();
    let plugins =
        words("mine", "consumer: alice, enabled: false,") + &words("gold", "consumer_group: gold,") + &words("all", "");
    let gateway = with(&upstream, &format!("{MEMBERS}plugins:\n- {{name: key-auth}}\n{plugins}"));
    assert_eq!((heard(&gateway, "alice-key"), heard(&gateway, "bob-key")), ("gold".into(), "all".into()));
    let plugins = plugins.replace("consumer_group: gold,", "consumer_group: gold, enabled: false,");
    let gateway = with(&upstream, &format!("{MEMBERS}plugins:\n- {{name: key-auth}}\n{plugins}"));
    assert_eq!(heard(&gateway, "alice-key"), "all");
}

#[test]
fn a_plugin_may_be_for_a_consumer_only() {
    let upstream = Upstream::echo();
    let plugins = words("mine", "consumer: alice,") + &words("gold", "consumer_group: silver,");
    let gateway = with(&upstream, &format!("{MEMBERS}plugins:\n- {{name: key-auth}}\n{plugins}"));
    assert_eq!((heard(&gateway, "alice-key"), heard(&gateway, "bob-key")), ("mine".into(), "nothing".into()));
}

#[test]
fn consumers_and_groups_may_hold_their_plugins_and_members() {
    let upstream = Upstream::echo();
    let text = r#"
consumers:
- username: alice
  keyauth_credentials: [{key: alice-key}]
  groups: [{name: gold}]
  plugins: [{name: ip-restriction, config: {allow: [192.0.2.1], message: not from here, status: 503}}]
- username: bob
  keyauth_credentials: [{key: bob-key}]
  groups: [{name: gold}]
consumer_groups:
- name: gold
  plugins: [{name: request-termination, config: {message: gold}}]
plugins: [{name: key-auth}]
"#;
    let gateway = with(&upstream, text);
    assert_eq!((heard(&gateway, "alice-key"), heard(&gateway, "bob-key")), ("not from here".into(), "gold".into()));
}

#[test]
fn a_member_of_several_groups_gets_the_configuration_of_one() {
    let upstream = Upstream::echo();
    let members =
        MEMBERS.replace("consumer_group: gold}", "consumer_group: gold}, {consumer: alice, consumer_group: silver}");
    let silver = format!("{members}plugins:\n- {{name: key-auth}}\n{}", words("silver", "consumer_group: silver,"));
    assert_eq!(heard(&with(&upstream, &silver), "alice-key"), "silver");
    let both = silver + &words("gold", "consumer_group: gold,");
    assert_eq!(heard(&with(&upstream, &both), "alice-key"), "gold", "the first that was declared");
}

#[test]
fn protocols_tell_http_from_tcp_and_no_more() {
    let upstream = Upstream::echo();
    for (protocols, runs) in
        [("[http]", true), ("[https]", true), ("[grpc]", true), ("[tcp]", false), ("[tls, tcp]", false)]
    {
        let plugin = format!("- {{name: ip-restriction, protocols: {protocols}, config: {{deny: [127.0.0.1]}}}}\n");
        let answer = with(&upstream, &format!("plugins:\n{plugin}")).get("/");
        assert_eq!(answer.status == 403, runs, "{protocols}");
    }
    let texts = refusal("plugins: [{name: cors, protocols: [tcp]}]\n");
    assert!(texts.contains("expected one of: grpc, grpcs, http, https"), "{texts}");
}

#[test]
fn an_instance_name_is_unique_and_shown() {
    let texts = refusal("plugins: [{name: cors, instance_name: mine}, {name: key-auth, instance_name: mine}]\n");
    let expected = "uniqueness violation: 'plugins' entity with instance_name set to 'mine' already declared";
    assert!(texts.contains(expected), "{texts}");
    let texts = refusal("plugins: [{name: cors, instance_name: 'not mine'}]\n");
    assert!(texts.contains("invalid value 'not mine'"), "{texts}");
    let empty = "_format_version: \"3.0\"\n";
    let answer =
        Gateway::serving(empty).post_document(&format!("{empty}plugins: [{{name: cors, instance_name: mine}}]\n"));
    let plugins = answer.json()["plugins"].clone();
    let names: Vec<_> = plugins.as_object().unwrap().values().map(|plugin| plugin["instance_name"].clone()).collect();
    assert_eq!(names, ["mine"]);
}
