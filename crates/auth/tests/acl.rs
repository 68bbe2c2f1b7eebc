//! Who may pass acl, what the inner service is told, and what an operator may write.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod service;

use std::sync::Arc;

use http::{Request, StatusCode};
use serde_json::{Value, json};
use service::{Answer, Seen, request, send};
use towergate_auth::{Acl, AclConfig, AclLayer};
use towergate_core::{Accounts, Consumer, Context, Directory, Env, Identity, Plugin};
use towergate_schema::{RecordSchema, fields};
use uuid::Uuid;

/// Whom a request is from, for the tests.
#[derive(Debug, Clone, Copy)]
enum From {
    Nobody,
    /// A consumer who has proven it, or goes on as the anonymous one.
    Consumer(&'static str, bool),
    /// Groups another system told, and a consumer found after that.
    Told(&'static [&'static str], Option<(&'static str, bool)>),
}

/// alice in staff and night and the consumer group gold, bob in gold alone, eve in none.
fn accounts() -> Accounts {
    let gold = Uuid::from_u128(1);
    let consumer = |name: &str, acl: &[&str], groups: Vec<Uuid>| {
        let mut consumer = Consumer::named(name);
        consumer.acl_groups = acl.iter().copied().collect();
        consumer.groups = groups;
        consumer
    };
    let mut directory = Directory::builder()
        .consumer(consumer("alice", &["staff", "night"], vec![gold]))
        .consumer(consumer("bob", &[], vec![gold]))
        .consumer(consumer("eve", &[], vec![]));
    directory.add_group(gold, "gold");
    for name in ["alice", "bob", "eve"] {
        directory.add_credential("key-auth", Uuid::new_v4(), Consumer::named(name).id, name, None, None);
    }
    Accounts::own(Arc::new(directory.build()))
}

async fn ask(layer: &AclLayer, from: From, headers: &[(&str, &str)]) -> (Option<Seen>, Answer) {
    let (mut head, body) = request("/", headers).into_parts();
    let (accounts, cx) = (accounts(), Context::of(&mut head));
    let identify = |(name, proven): (&str, bool)| {
        let directory = accounts.directory(&cx).unwrap();
        if proven {
            accounts.authenticate(&cx, directory.credential("key-auth", name).unwrap());
        } else {
            accounts.admit_anonymous(&cx, directory.consumer_named(name).unwrap());
        }
    };
    match from {
        From::Nobody => {}
        From::Consumer(name, proven) => identify((name, proven)),
        From::Told(groups, consumer) => {
            cx.identify(Identity::with_groups(groups.iter().map(|name| (*name).to_owned()).collect()));
            consumer.into_iter().for_each(identify);
        }
    }
    send(layer, Request::from_parts(head, body)).await
}

const PROVEN: bool = true;
const ANONYMOUS: bool = false;

/// What the upstream is told, or how the request is refused.
type Expected = Result<(Option<&'static str>, Option<&'static str>), (u16, &'static str)>;

const FORBIDDEN: Expected = Err((403, "You cannot consume this service"));
const UNAUTHORIZED: Expected = Err((401, "Unauthorized"));

fn consumer_groups(text: &'static str) -> Expected {
    Ok((Some(text), None))
}

fn told_groups(text: &'static str) -> Expected {
    Ok((None, Some(text)))
}

#[track_caller]
fn assert_is(expected: Expected, (seen, (status, headers, body)): (Option<Seen>, Answer), what: &str) {
    match expected {
        Ok((consumer, told)) => {
            let seen = seen.unwrap_or_else(|| panic!("{what}: {status}"));
            let lines = |text: Option<&'static str>| text.into_iter().collect::<Vec<_>>();
            assert_eq!(seen.lines("x-consumer-groups"), lines(consumer), "{what}");
            assert_eq!(seen.lines("x-authenticated-groups"), lines(told), "{what}");
        }
        Err((code, message)) => {
            assert!(seen.is_none(), "{what}");
            assert_eq!(status.as_u16(), code, "{what}");
            assert!(body.contains(&format!("\"message\":\"{message}\"")), "{what}: {body}");
            assert!(!headers.contains_key("www-authenticate"), "{what}");
        }
    }
}

#[tokio::test]
async fn an_allow_list_lets_its_members_pass() {
    let layer = AclLayer::allow(["staff", "admin"]);
    for (from, expected) in [
        (From::Consumer("alice", PROVEN), consumer_groups("staff, night")),
        (From::Consumer("alice", ANONYMOUS), consumer_groups("staff, night")),
        (From::Consumer("bob", PROVEN), FORBIDDEN),
        (From::Consumer("eve", PROVEN), FORBIDDEN),
        (From::Consumer("eve", ANONYMOUS), UNAUTHORIZED),
        (From::Nobody, UNAUTHORIZED),
        (From::Told(&["x", "admin"], None), told_groups("x, admin")),
        (From::Told(&["x"], None), FORBIDDEN),
        (From::Told(&[], None), UNAUTHORIZED),
        // A proven consumer counts before what was told; an anonymous one does not.
        (From::Told(&["x"], Some(("alice", PROVEN))), consumer_groups("staff, night")),
        (From::Told(&["admin"], Some(("eve", ANONYMOUS))), told_groups("admin")),
        (From::Told(&["admin"], Some(("eve", PROVEN))), FORBIDDEN),
    ] {
        assert_is(expected, ask(&layer, from, &[]).await, &format!("{from:?}"));
    }
}

#[tokio::test]
async fn a_deny_list_keeps_its_members_out() {
    let layer = AclLayer::deny(["staff", "admin"]);
    for (from, expected) in [
        (From::Consumer("alice", PROVEN), FORBIDDEN),
        (From::Consumer("alice", ANONYMOUS), FORBIDDEN),
        // Kong sends an empty header for somebody in no group.
        (From::Consumer("bob", PROVEN), consumer_groups("")),
        (From::Consumer("eve", ANONYMOUS), consumer_groups("")),
        (From::Nobody, UNAUTHORIZED),
        (From::Told(&["x", "admin"], None), FORBIDDEN),
        (From::Told(&["x"], None), told_groups("x")),
    ] {
        assert_is(expected, ask(&layer, from, &[]).await, &format!("{from:?}"));
    }
}

#[tokio::test]
async fn groups_that_were_told_may_always_count_first() {
    let layer = AclLayer::allow(["admin", "staff"]).always_use_authenticated_groups(true);
    for (from, expected) in [
        (From::Told(&["admin"], Some(("eve", PROVEN))), told_groups("admin")),
        (From::Told(&["x"], Some(("alice", PROVEN))), FORBIDDEN),
        (From::Consumer("alice", PROVEN), consumer_groups("staff, night")),
    ] {
        assert_is(expected, ask(&layer, from, &[]).await, &format!("{from:?}"));
    }
}

#[tokio::test]
async fn consumer_groups_may_count_too() {
    let layer = AclLayer::allow(["gold"]);
    assert_is(FORBIDDEN, ask(&layer, From::Consumer("bob", PROVEN), &[]).await, "not unless told");
    let layer = layer.include_consumer_groups(true);
    for (name, expected) in
        [("alice", consumer_groups("staff, night, gold")), ("bob", consumer_groups("gold")), ("eve", FORBIDDEN)]
    {
        assert_is(expected, ask(&layer, From::Consumer(name, PROVEN), &[]).await, name);
    }
    let denies = AclLayer::deny(["gold"]).include_consumer_groups(true);
    assert_is(FORBIDDEN, ask(&denies, From::Consumer("bob", PROVEN), &[]).await, "denied");
}

#[tokio::test]
async fn what_a_client_claims_of_groups_is_gone() {
    let spoofed = [
        ("x-consumer-groups", "admin"),
        ("x-consumer-groups", "root"),
        ("x_consumer_groups", "admin"),
        ("x-authenticated-groups", "admin"),
        ("X_Authenticated-Groups", "admin"),
    ];
    let alice = From::Consumer("alice", PROVEN);
    let (seen, _) = ask(&AclLayer::allow(["staff"]), alice, &spoofed).await;
    let seen = seen.unwrap();
    assert_eq!(seen.headers.len(), 1, "{:?}", seen.headers);
    assert_eq!(seen.lines("x-consumer-groups"), ["staff, night"]);
    let (seen, _) = ask(&AclLayer::allow(["staff"]).hide_groups_header(true), alice, &spoofed).await;
    assert!(seen.unwrap().headers.is_empty());
    assert_is(UNAUTHORIZED, ask(&AclLayer::allow(["admin"]), From::Nobody, &spoofed).await, "a claim is no proof");
}

#[tokio::test]
async fn long_lists_on_both_sides_are_no_burden() {
    let mut alice = Consumer::named("alice");
    alice.acl_groups = (0..10_000).map(|n| format!("own-{n}")).collect();
    let accounts = Accounts::own(Arc::new(Directory::builder().consumer(alice).build()));
    for (last, expected) in [("own-9999", StatusCode::OK), ("other", StatusCode::FORBIDDEN)] {
        for listed in [1, 10_000] {
            let listed = (0..listed).map(|n| format!("listed-{n}")).chain([last.to_owned()]);
            let layer = AclLayer::from_policy(configured(json!({"allow": listed.collect::<Vec<_>>()})))
                .hide_groups_header(true);
            let (mut head, body) = request("/", &[]).into_parts();
            let cx = Context::of(&mut head);
            accounts.admit_anonymous(&cx, accounts.directory(&cx).unwrap().consumer_named("alice").unwrap());
            assert_eq!(send(&layer, Request::from_parts(head, body)).await.1.0, expected);
        }
    }
}

fn configured(config: Value) -> Acl {
    Acl::new(serde_json::from_value(config).unwrap(), &Env::default()).unwrap()
}

// --- configuration -------------------------------------------------------------------------------------------------------

fn complete(mut written: Value) -> (Value, Value) {
    let problems = AclConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let expected = json!({
        "allow": ["a"],
        "deny": null,
        "hide_groups_header": false,
        "always_use_authenticated_groups": false,
        "include_consumer_groups": false,
    });
    assert_eq!(complete(json!({"allow": ["a"]})), (expected, json!({})));
    assert_eq!((Acl::NAME, Acl::PRIORITY), ("acl", 950));
    assert_eq!((Acl::CONSUMER_SCOPE, Acl::SERVICE_SCOPE, Acl::ROUTE_SCOPE), (false, true, true));
}

#[test]
fn every_field_is_checked_in_kongs_words() {
    for (config, expected) in [
        (json!({"allow": ["a", "b"]}), json!({})),
        (json!({"deny": ["a"], "hide_groups_header": true, "include_consumer_groups": true}), json!({})),
        (json!({"deny": ["a"], "always_use_authenticated_groups": true}), json!({})),
        (json!({"allow": "a"}), json!({"allow": "expected an array"})),
        (json!({"deny": [1]}), json!({"deny": ["expected a string"]})),
        (json!({"deny": [], "hide_groups_header": 1}), json!({"hide_groups_header": "expected a boolean"})),
        (json!({"include_consumer_groups": "yes"}), json!({"include_consumer_groups": "expected a boolean"})),
        (json!({"always_use_authenticated_groups": null}), json!({})),
        (json!({"whitelist": ["a"]}), json!({"whitelist": "unknown field"})),
    ] {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
}
