//! `ordering`: what is kept of it, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::json;
use support::load;
use towergate_config::Kind;

fn document(plugin: &str) -> String {
    format!(
        "_format_version: '3.0'\nconsumers: [{{username: alice}}]\nconsumer_groups: [{{name: gold}}]\nplugins:\n- {plugin}\n"
    )
}

/// The paths and texts of a refusal.
#[track_caller]
fn refused(plugin: &str) -> Vec<(String, String)> {
    let report = load(&document(plugin)).unwrap_err();
    report.problems().iter().map(|problem| (problem.path.to_string(), problem.message.clone())).collect()
}

#[test]
fn it_is_kept_and_shown_only_where_it_is_given() {
    let written = "{name: correlation-id, ordering: {before: {access: [cors]}, after: {access: [key-auth]}}}";
    let config = load(&document(written)).unwrap().config;
    let ordering = config.plugins[0].ordering.clone().unwrap();
    assert_eq!((ordering.before(), ordering.after()), (&["cors".to_owned()][..], &["key-auth".to_owned()][..]));
    let shown = config.entities(Kind::Plugins).next().unwrap().1;
    assert_eq!(shown["ordering"], json!({"before": {"access": ["cors"]}, "after": {"access": ["key-auth"]}}));
    let again = load(&config.to_yaml()).unwrap().config;
    assert_eq!(again.plugins[0].ordering, config.plugins[0].ordering);

    for nothing in ["{name: correlation-id}", "{name: correlation-id, ordering: null}"] {
        let config = load(&document(nothing)).unwrap().config;
        assert_eq!(config.plugins[0].ordering, None);
        assert!(config.entities(Kind::Plugins).next().unwrap().1.get("ordering").is_none());
    }
}

#[test]
fn names_must_be_of_other_plugins() {
    let told = refused(
        "{name: correlation-id, ordering: {before: {access: [cors, nobody]}, after: {access: [correlation-id]}}}",
    );
    let expected = [
        ("plugins[0].ordering.before.access[1]", "there is no plugin 'nobody'"),
        ("plugins[0].ordering.after.access[0]", "'correlation-id' cannot run after itself"),
    ];
    assert_eq!(told, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
}

#[test]
fn only_the_access_phase_has_an_order() {
    let told = refused("{name: correlation-id, ordering: {before: {log: [cors]}}}");
    assert_eq!(told, [("plugins[0].ordering.before.log".to_owned(), "unknown field".to_owned())]);
    let told = refused("{name: correlation-id, ordering: {before: {access: cors}}}");
    assert_eq!(told, [("plugins[0].ordering.before.access".to_owned(), "expected an array".to_owned())]);
}

#[test]
fn what_is_for_a_consumer_cannot_be_ordered() {
    for scope in ["consumer: alice", "consumer_group: gold"] {
        let told = refused(&format!("{{name: correlation-id, {scope}, ordering: {{before: {{access: [cors]}}}}}}"));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, "plugins[0].ordering");
        let words = "a plugin for a consumer or a group of consumers cannot be ordered";
        assert!(told[0].1.starts_with(words), "{}", told[0].1);
    }
    let nested = "_format_version: '3.0'\nconsumers:\n- username: alice\n  plugins:\n  - {name: correlation-id, ordering: {after: {access: [cors]}}}\n";
    assert!(load(nested).is_err());
}
