//! What each attribute of a rule matches, and what is told of rules that cannot be used.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use http::HeaderMap;
use towergate_router::{Address, Protocols, Request, Router, Rule, Scheme};

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| (*one).to_owned()).collect()
}

fn matches(rule: Rule, change: impl FnOnce(&mut Request<'_>)) -> bool {
    let headers = HeaderMap::new();
    let mut request = Request {
        method: "GET",
        scheme: Scheme::Http,
        host: "example.com",
        port: 80,
        path: "/",
        headers: &headers,
        sni: None,
        source: None,
        destination: None,
    };
    change(&mut request);
    Router::new(vec![rule]).unwrap().find(&request).is_some()
}

#[test]
fn methods() {
    let rule = || Rule { methods: texts(&["GET", "M-SEARCH"]), ..Rule::default() };
    assert!(matches(rule(), |_| {}));
    assert!(matches(rule(), |request| request.method = "M-SEARCH"));
    assert!(!matches(rule(), |request| request.method = "POST"));
    assert!(!matches(rule(), |request| request.method = "get"), "methods have a letter case");
}

#[test]
fn hosts_in_any_case_and_with_a_dot_at_the_end() {
    let rule = || Rule { hosts: texts(&["Example.com:80", "*.example.org"]), ..Rule::default() };
    for (host, port, expected) in [
        ("example.com", 80, true),
        ("EXAMPLE.com", 80, true),
        ("example.com.", 80, true),
        ("example.com", 81, false),
        ("a.B.example.org", 81, true),
        ("example.org", 81, false),
        ("", 80, false),
    ] {
        assert_eq!(matches(rule(), |request| (request.host, request.port) = (host, port)), expected, "{host}:{port}");
    }
}

#[test]
fn paths_are_prefixes_of_bytes_and_regexes_from_the_start() {
    for (path, request, expected) in [
        ("/foo", "/foo", true),
        ("/foo", "/foobar", true),
        ("/foo", "/fo", false),
        ("/foo", "/FOO", false),
        ("/foo/", "/foo", false),
        ("~/foo/\\d+", "/foo/12/x", true),
        ("~/foo/\\d+$", "/foo/12/x", false),
        ("~/foo", "/x/foo", false),
        ("~/a|/foo", "/x/foo", false),
        ("~/FOO", "/foo", false),
    ] {
        let rule = Rule { paths: texts(&[path]), ..Rule::default() };
        assert_eq!(matches(rule, |sent| sent.path = request), expected, "{path} {request}");
    }
}

#[test]
fn what_was_matched_and_captured() {
    let rule = Rule { paths: texts(&["/plain", "~/(?<kind>[a-z]+)/(\\d+)", "~/x"]), ..Rule::default() };
    let router = Router::new(vec![rule, Rule { hosts: texts(&["only.host"]), ..Rule::default() }]).unwrap();
    let headers = HeaderMap::new();
    let find = |host, path| {
        router
            .find(&Request {
                method: "GET",
                scheme: Scheme::Http,
                host,
                port: 80,
                path,
                headers: &headers,
                sni: None,
                source: None,
                destination: None,
            })
            .unwrap()
    };
    let plain = find("a", "/plain/x");
    assert_eq!((plain.rule, plain.prefix, plain.captures), (0, Some(6), None));
    let regex = find("a", "/cats/42/tail");
    assert_eq!((regex.rule, regex.prefix), (0, Some(8)));
    let captures = regex.captures.unwrap();
    assert_eq!((captures.at(1), captures.at(2), captures.name("kind")), (Some("cats"), Some("42"), Some("cats")));
    assert_eq!(find("a", "/x").captures, None, "this regex has no groups");
    assert_eq!(find("only.host", "/none").prefix, None, "no path condition");
}

#[test]
fn server_names_are_asked_only_of_tls() {
    let rule = || Rule { snis: texts(&["Example.com.", "*.example.org"]), ..Rule::default() };
    for (sni, expected) in [
        (None, true),
        (Some("example.com"), true),
        (Some("EXAMPLE.com."), true),
        (Some("a.example.org"), true),
        (Some("other"), false),
        (Some(""), false),
    ] {
        assert_eq!(matches(rule(), |request| request.sni = sni), expected, "{sni:?}");
    }
}

#[test]
fn both_ends() {
    let address = |ip: &str, port| Address { ip: Some(ip.parse().unwrap()), port };
    let rule = || Rule {
        protocols: Protocols::TCP,
        sources: vec![address("192.0.2.0/24", None)],
        destinations: vec![address("203.0.113.1", Some(22)), Address { ip: None, port: Some(23) }],
        ..Rule::default()
    };
    for (source, destination, expected) in [
        (Some("192.0.2.9:1"), Some("203.0.113.1:22"), true),
        (Some("192.0.2.9:1"), Some("203.0.113.2:23"), true),
        (Some("192.0.2.9:1"), Some("203.0.113.2:22"), false),
        (Some("192.0.3.9:1"), Some("203.0.113.1:22"), false),
        (None, Some("203.0.113.1:22"), false),
        (Some("192.0.2.9:1"), None, false),
    ] {
        let set = |request: &mut Request<'_>| {
            request.scheme = Scheme::Tcp;
            request.source = source.map(|text| text.parse().unwrap());
            request.destination = destination.map(|text| text.parse().unwrap());
        };
        assert_eq!(matches(rule(), set), expected, "{source:?} {destination:?}");
    }
}

#[test]
fn which_protocols_meet() {
    let http_and_grpc = [Scheme::Http, Scheme::Https, Scheme::Grpc, Scheme::Grpcs];
    for (protocols, schemes) in [
        (Protocols::HTTP, &http_and_grpc[..]),
        (Protocols::HTTPS, &http_and_grpc),
        (Protocols::GRPC, &http_and_grpc),
        (Protocols::TCP, &[Scheme::Tcp, Scheme::Tls]),
        (Protocols::TLS, &[Scheme::Tls]),
        (Protocols::TLS_PASSTHROUGH, &[Scheme::Tls]),
        (Protocols::UDP, &[Scheme::Udp]),
    ] {
        for scheme in [http_and_grpc.as_slice(), &[Scheme::Tcp, Scheme::Tls, Scheme::Udp]].concat() {
            let rule = Rule { protocols, ..Rule::default() };
            let expected = schemes.contains(&scheme);
            assert_eq!(matches(rule, |request| request.scheme = scheme), expected, "{protocols:?} {scheme:?}");
        }
    }
}

#[test]
fn all_problems_of_all_rules_at_once() {
    let bad = Rule {
        protocols: Protocols::NONE,
        methods: texts(&["get", "G T"]),
        hosts: texts(&["good.example", "a.*.b"]),
        paths: texts(&["/ok", "~(", "/a/../b"]),
        headers: vec![("Host".to_owned(), texts(&["a"]))],
        snis: texts(&["a:1"]),
        sources: vec![Address::default()],
        ..Rule::default()
    };
    let stream = Rule { protocols: Protocols::TCP | Protocols::HTTP, methods: texts(&["GET"]), ..Rule::default() };
    let errors = Router::new(vec![Rule::default(), bad, stream]).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| (error.rule, error.field.as_str())).collect();
    let expected = [
        (1, "protocols"),
        (1, "methods[0]"),
        (1, "methods[1]"),
        (1, "sources[0]"),
        (1, "hosts[1]"),
        (1, "headers.Host"),
        (1, "snis[0]"),
        (1, "paths[1]"),
        (1, "paths[2]"),
        (2, "protocols"),
        (2, "methods"),
    ];
    assert_eq!(places, expected);
    let said = errors.iter().find(|error| error.field == "methods[0]").unwrap().to_string();
    assert_eq!(said, "rule 1: methods[0]: 'get' would never match, methods are upper case: write GET");
}

#[test]
fn a_router_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Router>();
}
