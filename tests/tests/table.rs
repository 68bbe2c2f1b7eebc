//! Routing through real sockets: which route answers, and which path its upstream sees.

use towergate_tests::{Gateway, Request, Upstream, proxying};

/// A gateway with these routes, each to the same upstream but with a service path that names it: `/one`, `/two`, …
fn routing(upstream: &Upstream, routes: &[(&str, &str)]) -> Gateway {
    let services: String = routes
        .iter()
        .map(|(name, fields)| {
            format!("- {{name: {name}, url: '{}/{name}', routes: [{{name: {name}, {fields}}}]}}\n", upstream.url())
        })
        .collect();
    Gateway::serving(&format!("_format_version: \"3.0\"\nservices:\n{services}"))
}

/// The name of the route that answered: the first segment of the path at the upstream.
#[track_caller]
fn chosen(gateway: &Gateway, upstream: &Upstream, request: &Request) -> String {
    assert_eq!(gateway.send(request).status, 200, "{request:?}");
    upstream.last().path.split(['/', '?']).nth(1).unwrap_or_default().to_owned()
}

#[test]
fn the_upstream_path_is_service_path_and_what_strip_path_leaves() {
    // service path, route path, request path, kept, stripped
    let rows = [
        ("/", "/", "/", "/", "/"),
        ("/", "/", "/r/", "/r/", "/r/"),
        ("/", "/rt", "/rt", "/rt", "/"),
        ("/", "/rt", "/rt/", "/rt/", "/"),
        ("/", "/rt", "/rtx", "/rtx", "/x"),
        ("/", "/rt", "/rt/x", "/rt/x", "/x"),
        ("/", "/rt/", "/rt/", "/rt/", "/"),
        ("/", "/rt/", "/rt/x", "/rt/x", "/x"),
        ("/srv", "/", "/", "/srv", "/srv"),
        ("/srv", "/", "/r", "/srv/r", "/srv/r"),
        ("/srv", "/rt", "/rt", "/srv/rt", "/srv"),
        ("/srv", "/rt", "/rt/", "/srv/rt/", "/srv/"),
        ("/srv", "/rt", "/rtx", "/srv/rtx", "/srv/x"),
        ("/srv", "/rt/", "/rt/x", "/srv/rt/x", "/srv/x"),
        ("/srv/", "/", "/", "/srv/", "/srv/"),
        ("/srv/", "/", "/r", "/srv/r", "/srv/r"),
        ("/srv/", "/rt", "/rt", "/srv/rt", "/srv"),
        ("/srv/", "/rt", "/rt/", "/srv/rt/", "/srv/"),
        ("/srv/", "/rt/", "/rt/", "/srv/rt/", "/srv/"),
        ("/srv/", "/rt/", "/rt/x", "/srv/rt/x", "/srv/x"),
    ];
    let upstream = Upstream::echo();
    let services: String = rows
        .iter()
        .enumerate()
        .map(|(n, (service, route, ..))| {
            format!(
                "- {{name: s{n}, url: '{}{service}', routes: [{{name: keep{n}, hosts: [keep{n}.test], paths: ['{route}'], strip_path: false}}, {{name: strip{n}, hosts: [strip{n}.test], paths: ['{route}']}}]}}\n",
                upstream.url()
            )
        })
        .collect();
    let gateway = Gateway::serving(&format!("_format_version: \"3.0\"\nservices:\n{services}"));
    for (n, (service, route, request, kept, stripped)) in rows.into_iter().enumerate() {
        for (host, expected) in [(format!("keep{n}.test"), kept), (format!("strip{n}.test"), stripped)] {
            assert_eq!(gateway.send(&Request::get(request).header("Host", &host)).status, 200);
            assert_eq!(upstream.last().path, expected, "service {service} route {route} request {request} {host}");
        }
    }
}

#[test]
fn the_upstream_path_is_normalised() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for (request, expected) in [
        ("/a//b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/./b/.", "/a/b/"),
        ("/%7euser", "/~user"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%20b", "/a%20b"),
        ("/%61", "/a"),
        ("/gr%c3%b6%c3%9fe", "/gr%C3%B6%C3%9Fe"),
        ("/a;b=c,d", "/a;b=c,d"),
    ] {
        assert_eq!(gateway.get(request).status, 200, "{request}");
        assert_eq!(upstream.last().path, expected, "{request}");
    }
}

#[test]
fn the_query_is_left_as_it_is() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for target in ["/x?a=%41&b=%2f&a=2", "/x?", "/x?a//b/../c", "/x??", "/x?q=%zz"] {
        gateway.get(target);
        assert_eq!(upstream.last().path, target);
    }
}

#[test]
fn a_rule_cannot_be_dodged_by_spelling_its_path_otherwise() {
    let upstream = Upstream::echo();
    let gateway = routing(&upstream, &[("open", "paths: [/]"), ("secret", "paths: [/c/secret]")]);
    for path in [
        "/c/secret",
        "/c//secret",
        "/c/./secret",
        "/c/x/../secret",
        "/%63/secret",
        "/c/%73ecret",
        "/c/%2e/secret",
        "//c/secret",
        "/c/x/%2E%2e/secret",
    ] {
        assert_eq!(chosen(&gateway, &upstream, &Request::get(path)), "secret", "{path}");
    }
}

#[test]
fn hosts_match_in_any_case_with_or_without_a_port() {
    let upstream = Upstream::echo();
    let gateway = routing(&upstream, &[("shop", "hosts: [shop.example.com]")]);
    for (host, status) in [
        ("shop.example.com", 200),
        ("SHOP.Example.COM", 200),
        ("shop.example.com:8000", 200),
        ("shop.example.org", 404),
        ("x.shop.example.com", 404),
    ] {
        assert_eq!(gateway.send(&Request::get("/").header("Host", host)).status, status, "{host}");
    }
}

#[test]
fn wildcard_hosts_match_any_depth_but_not_the_name_itself() {
    let upstream = Upstream::echo();
    let gateway = routing(&upstream, &[("left", "hosts: ['*.example.com']"), ("right", "hosts: ['shop.*']")]);
    for (host, name) in
        [("a.example.com", "left"), ("a.b.example.com", "left"), ("shop.org", "right"), ("shop.co.uk", "right")]
    {
        assert_eq!(chosen(&gateway, &upstream, &Request::get("/").header("Host", host)), name, "{host}");
    }
    assert_eq!(gateway.send(&Request::get("/").header("Host", "example.com")).status, 404);
}

#[test]
fn more_attributes_win_over_longer_paths() {
    let upstream = Upstream::echo();
    let routes = [
        ("long", "paths: [/api/v1/users]"),
        ("method", "paths: [/api], methods: [GET]"),
        ("host", "paths: [/api], methods: [GET], hosts: [shop.test]"),
    ];
    let gateway = routing(&upstream, &routes);
    let get = Request::get("/api/v1/users");
    assert_eq!(chosen(&gateway, &upstream, &get.clone().header("Host", "shop.test")), "host");
    assert_eq!(chosen(&gateway, &upstream, &get), "method");
    assert_eq!(chosen(&gateway, &upstream, &Request::post("/api/v1/users", "")), "long");
}

#[test]
fn among_paths_a_regex_wins_then_its_priority_then_the_longest_prefix() {
    let upstream = Upstream::echo();
    let routes = [
        ("short", "paths: [/a]"),
        ("long", "paths: [/a/b/c]"),
        ("regex", r"paths: ['~/a/\d+']"),
        ("urgent", r"paths: ['~/a/\d+/x'], regex_priority: 10"),
    ];
    let gateway = routing(&upstream, &routes);
    for (path, name) in [
        ("/a/7", "regex"),
        ("/a/7/x", "urgent"),
        ("/a/b/c/d", "long"),
        ("/a/b", "short"),
        ("/a/x", "short"),
        ("/a/7x", "regex"),
    ] {
        assert_eq!(chosen(&gateway, &upstream, &Request::get(path)), name, "{path}");
    }
}

#[test]
fn a_regex_is_anchored_at_its_start_and_stripped_as_matched() {
    let upstream = Upstream::echo();
    let gateway = routing(&upstream, &[("regex", r"paths: ['~/v\d+']")]);
    assert_eq!(chosen(&gateway, &upstream, &Request::get("/v12/users")), "regex");
    assert_eq!(upstream.last().path, "/regex/users");
    assert_eq!(upstream.last().header("X-Forwarded-Prefix"), Some("/v12"));
    assert_eq!(gateway.get("/x/v12").status, 404);
}

#[test]
fn headers_match_by_any_of_their_values_in_any_case() {
    let upstream = Upstream::echo();
    let routes = [
        ("plain", "paths: [/]"),
        ("beta", "paths: [/], headers: {x-stage: [beta, gamma]}"),
        ("regex", "paths: [/], headers: {x-tenant: ['~*^t-[0-9]+$']}"),
    ];
    let gateway = routing(&upstream, &routes);
    for (name, value, expected) in [
        ("X-Stage", "beta", "beta"),
        ("x-stage", "GAMMA", "beta"),
        ("X-Stage", "alpha", "plain"),
        ("X-Tenant", "T-42", "regex"),
        ("X-Tenant", "t-x", "plain"),
    ] {
        assert_eq!(chosen(&gateway, &upstream, &Request::get("/").header(name, value)), expected, "{name}: {value}");
    }
}

#[test]
fn a_plain_host_wins_over_a_wildcard() {
    let upstream = Upstream::echo();
    let gateway = routing(&upstream, &[("wild", "hosts: ['*.example.com']"), ("plain", "hosts: [shop.example.com]")]);
    for (host, name) in [("shop.example.com", "plain"), ("other.example.com", "wild")] {
        assert_eq!(chosen(&gateway, &upstream, &Request::get("/").header("Host", host)), name, "{host}");
    }
}

#[test]
fn the_debug_header_names_route_and_service_when_allowed() {
    let upstream = Upstream::echo();
    let names = ["Kong-Route-Id", "Kong-Route-Name", "Kong-Service-Id", "Kong-Service-Name"];
    let request = Request::get("/").header("Kong-Debug", "1");
    let answer = Gateway::with(&proxying(&upstream)).setting("allow_debug_header", "on").start().send(&request);
    assert_eq!(
        (answer.header("Kong-Route-Name"), answer.header("Kong-Service-Name")),
        (Some("everything"), Some("echo"))
    );
    assert!(names.iter().all(|name| answer.headers.has(name)), "{:?}", answer.headers);
    let answer = Gateway::serving(&proxying(&upstream)).send(&request);
    assert!(names.iter().all(|name| !answer.headers.has(name)), "{:?}", answer.headers);
}
