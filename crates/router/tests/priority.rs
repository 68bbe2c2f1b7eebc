//! Which of several matching rules wins.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use http::{HeaderMap, HeaderValue};
use towergate_router::{Address, Protocols, Request, Router, Rule, Scheme};
use uuid::Uuid;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| (*one).to_owned()).collect()
}

fn rule(paths: &[&str]) -> Rule {
    Rule { paths: texts(paths), ..Rule::default() }
}

/// The winner for a request that all rules of these tests match.
fn winner(rules: Vec<Rule>) -> usize {
    let headers = ["x-a", "x-b", "x-c"]
        .into_iter()
        .map(|name| (http::HeaderName::from_static(name), HeaderValue::from_static("1")));
    let headers = headers.collect::<HeaderMap>();
    let request = Request {
        method: "GET",
        scheme: Scheme::Https,
        host: "a.example.com",
        port: 443,
        path: "/orders/7/items",
        headers: &headers,
        sni: Some("a.example.com"),
        source: Some("192.0.2.1:5000".parse().unwrap()),
        destination: Some("203.0.113.1:443".parse().unwrap()),
    };
    Router::new(rules).unwrap().find(&request).unwrap().rule
}

/// The first wins, whichever is listed first and whichever has the greater id.
#[track_caller]
fn beats(first: &Rule, second: &Rule) {
    let (low, high) = (Uuid::from_u128(1), Uuid::from_u128(u128::MAX));
    let with = |rule: &Rule, id| Rule { id, ..rule.clone() };
    assert_eq!(winner(vec![with(first, low), with(second, high)]), 0, "{first:?} before {second:?}");
    assert_eq!(winner(vec![with(second, high), with(first, low)]), 1, "{first:?} before {second:?}");
}

#[test]
fn the_order_of_rules() {
    let header = |name: &str| (name.to_owned(), texts(&["1"]));
    let hosts = |hosts: &[&str]| Rule { hosts: texts(hosts), ..Rule::default() };
    let regex = |regex_priority| Rule { regex_priority, ..rule(&["~/orders"]) };

    // More kinds of attributes, whatever they are, and however long the other's path is.
    let methods = Rule { methods: texts(&["GET"]), ..rule(&["/"]) };
    beats(&methods, &rule(&["/orders/7/items"]));
    beats(&Rule { snis: texts(&["*.example.com"]), ..methods.clone() }, &Rule { ..methods.clone() });
    beats(
        &Rule { hosts: texts(&["*.example.com"]), ..methods.clone() },
        &Rule { paths: texts(&["/orders/7"]), ..hosts(&["a.example.com"]) },
    );
    beats(&rule(&["/"]), &Rule::default());

    // Plain hosts before wildcards; one wildcard makes the whole rule a wildcard.
    beats(&hosts(&["a.example.com"]), &hosts(&["*.example.com"]));
    beats(&hosts(&["a.example.com"]), &hosts(&["a.example.com", "*.example.com"]));
    beats(
        &Rule { paths: texts(&["/"]), ..hosts(&["a.example.com"]) },
        &Rule { paths: texts(&["/orders/7"]), ..hosts(&["a.example.*"]) },
    );
    // Being a plain host counts for more than any number of headers, if the kinds are as many.
    beats(&hosts(&["a.example.com"]), &Rule { headers: vec![header("x-a"), header("x-b")], ..Rule::default() });

    // More headers; before path kind and length.
    let headers = |names: &[&str], paths: &[&str]| Rule {
        headers: names.iter().map(|name| header(name)).collect(),
        ..rule(paths)
    };
    beats(&headers(&["x-a", "x-b"], &["/"]), &headers(&["x-c"], &["/orders/7"]));
    beats(&headers(&["x-a", "x-b"], &["/"]), &headers(&["x-c"], &["~/orders/7"]));

    // A regex before any prefix; then its priority; then nothing but the id.
    beats(&rule(&["~/"]), &rule(&["/orders/7/items"]));
    beats(&regex(2), &regex(1));
    beats(&regex(1), &Rule { regex_priority: 0, ..rule(&["~/orders/\\d+/items"]) });
    beats(&regex(0), &regex(-1));
    beats(&regex(-1), &regex(-2));
    beats(&regex(-2), &rule(&["/orders/7/items"]));

    // The longer prefix, without regard to regex_priority.
    beats(&rule(&["/orders/7"]), &rule(&["/orders"]));
    beats(&rule(&["/orders/7"]), &Rule { regex_priority: 9, ..rule(&["/orders"]) });
}

#[test]
fn a_rule_counts_with_the_path_that_matched() {
    // As one rule the first would win by its longest path, which the request does not have.
    beats(&rule(&["/orders/7"]), &rule(&["/orders", "/something/much/longer"]));
    beats(&rule(&["~/none", "/orders/7/"]), &rule(&["/orders/7"]));
    beats(&rule(&["/orders/7"]), &rule(&["~/none", "/orders"]));
    beats(&rule(&["~/orders", "/x"]), &rule(&["/orders/7"]));
}

#[test]
fn a_tie_goes_to_the_greater_id() {
    let with = |id: u128, paths: &[&str]| Rule { id: Uuid::from_u128(id), ..rule(paths) };
    assert_eq!(winner(vec![with(1, &["/orders"]), with(3, &["/orders"]), with(2, &["/orders"])]), 1);
    assert_eq!(winner(vec![with(3, &["~/orders"]), with(1, &["~/orders/7"])]), 0);
    assert_eq!(winner(vec![with(7, &["/orders"]), with(7, &["/orders"])]), 0, "even then it is certain who wins");
    // Rules with several lengths of paths have ids made of their own for each length.
    let (plain, split) = (Uuid::from_u128(1 << 120), Uuid::nil());
    let part = Uuid::new_v5(&uuid::uuid!("7f145bf9-0dce-4f91-98eb-debbce4b9f6b"), format!("{split}#2").as_bytes());
    assert!(part > plain && split < plain);
    let rules = vec![Rule { id: plain, ..rule(&["/orders"]) }, Rule { id: split, ..rule(&["/x", "/orders"]) }];
    assert_eq!(winner(rules), 1);
}

#[test]
fn streams() {
    let source = |ip: &str, port| Address { ip: Some(ip.parse().unwrap()), port };
    let stream = |snis: &[&str], sources: &[Address], destinations: &[Address]| Rule {
        protocols: Protocols::TLS,
        snis: texts(snis),
        sources: sources.into(),
        destinations: destinations.into(),
        ..Rule::default()
    };
    let wins = |first: &Rule, second: &Rule| {
        for order in [[first, second], [second, first]] {
            let ids = [
                Uuid::from_u128(if order[0] == first { 1 } else { 2 }),
                Uuid::from_u128(if order[1] == first { 1 } else { 2 }),
            ];
            let rules = order.iter().zip(ids).map(|(rule, id)| Rule { id, ..(*rule).clone() }).collect::<Vec<_>>();
            let headers = HeaderMap::new();
            let request = Request {
                method: "",
                scheme: Scheme::Tls,
                host: "",
                port: 0,
                path: "",
                headers: &headers,
                sni: Some("a.example"),
                source: Some("192.0.2.1:5".parse().unwrap()),
                destination: Some("203.0.113.1:9".parse().unwrap()),
            };
            let found = Router::new(rules).unwrap().find(&request).unwrap().rule;
            assert_eq!(order[found], first);
        }
    };
    let (one, net, port) =
        (source("192.0.2.1", None), source("192.0.2.0/24", None), Address { ip: None, port: Some(5) });
    let here = Address { ip: None, port: Some(9) };
    wins(&stream(&["a.example"], &[], &[]), &stream(&[], &[one], &[]));
    wins(&stream(&[], &[net], &[here]), &stream(&["a.example"], &[], &[]));
    wins(&stream(&[], &[one], &[]), &stream(&[], &[port], &[]));
    wins(&stream(&[], &[port], &[]), &stream(&[], &[net], &[]));
    wins(&stream(&[], &[net], &[]), &stream(&[], &[], &[here]));
}

#[test]
fn explaining() {
    let rules = vec![
        Rule { methods: texts(&["POST"]), hosts: texts(&["b.example"]), ..rule(&["/orders"]) },
        rule(&["/"]),
        rule(&["~/none", "/orders"]),
    ];
    let headers = HeaderMap::new();
    let request = Request {
        method: "GET",
        scheme: Scheme::Http,
        host: "a.example",
        port: 80,
        path: "/orders",
        headers: &headers,
        sni: None,
        source: None,
        destination: None,
    };
    let told = Router::new(rules).unwrap().explain(&request);
    let told: Vec<_> = told.iter().map(|one| (one.rule, one.number, one.obstacles.as_slice())).collect();
    let expected = [
        (0, 3 << 61 | 1 << 60 | 7, &["methods", "hosts"][..]),
        (2, 1 << 61 | 1 << 51, &["paths"]),
        (2, 1 << 61 | 7, &[]),
        (1, 1 << 61 | 1, &[]),
    ];
    assert_eq!(told, expected);
}
