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
