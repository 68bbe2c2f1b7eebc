//! rate-limiting as a whole: counted by one node.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use towergate_tests::{Answer, Gateway, Request, Upstream, proxying};

/// A gateway with `rate-limiting` of this configuration for everything.
fn limited(upstream: &Upstream, config: &str) -> Gateway {
    Gateway::serving(&format!("{}plugins: [{{name: rate-limiting, config: {{{config}}}}}]\n", proxying(upstream)))
}

/// The headers about limits, by name in lower case, as text.
fn told(answer: &Answer) -> Vec<(String, String)> {
    let about = |name: &str| name.contains("ratelimit") || name == "retry-after";
    let mut told: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| about(name))
        .collect();
    told.sort();
    told
}

/// How many seconds are left of this day, in UTC.
fn rest_of_day() -> u64 {
    86_400 - SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() % 86_400
}

/// Waits for the next day if this one is nearly over, so that a test does not lie across midnight.
fn within_one_day() {
    if rest_of_day() < 30 {
        thread::sleep(Duration::from_secs(31));
    }
}

#[test]
fn each_answer_tells_what_is_left_and_the_last_one_when_to_come_again() {
    within_one_day();
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "day: 3");
    for remaining in ["2", "1", "0"] {
        let answer = gateway.get("/");
        assert_eq!(answer.status, 200);
        let reset: u64 = answer.header("RateLimit-Reset").expect("told").parse().expect("seconds");
        assert!((rest_of_day()..=rest_of_day() + 10).contains(&reset), "{reset}");
        let expected = [
            ("ratelimit-limit", "3"),
            ("ratelimit-remaining", remaining),
            ("ratelimit-reset", &reset.to_string()),
            ("x-ratelimit-limit-day", "3"),
            ("x-ratelimit-remaining-day", remaining),
        ];
        assert_eq!(told(&answer), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let refused = gateway.get("/");
    assert_eq!((refused.status, refused.message().as_str()), (429, "API rate limit exceeded"));
    assert_eq!(refused.header("Content-Type"), Some("application/json; charset=utf-8"));
    assert!(refused.json()["request_id"].is_string(), "{}", refused.text());
    let reset = refused.header("RateLimit-Reset").expect("told");
    let expected = [
        ("ratelimit-limit", "3"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", reset),
        ("retry-after", reset),
        ("x-ratelimit-limit-day", "3"),
        ("x-ratelimit-remaining-day", "0"),
    ];
    assert_eq!(told(&refused), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(upstream.count(), 3, "what is refused does not reach the upstream");
}

#[test]
fn of_several_limits_each_is_told_and_the_least_counts() {
    within_one_day();
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "day: 2, month: 5, year: 5");
    gateway.get("/");
    let second = gateway.get("/");
    assert_eq!(
        ["X-RateLimit-Remaining-Day", "X-RateLimit-Remaining-Month", "X-RateLimit-Remaining-Year"]
            .map(|name| second.header(name)),
        [Some("0"), Some("3"), Some("3")]
    );
    assert_eq!(second.header("RateLimit-Limit"), Some("2"));
    for _ in 0..3 {
        let refused = gateway.get("/");
        assert_eq!(refused.status, 429);
        assert_eq!(
            ["X-RateLimit-Remaining-Day", "X-RateLimit-Remaining-Month", "X-RateLimit-Remaining-Year"]
                .map(|name| refused.header(name)),
            [Some("0"), Some("3"), Some("3")],
            "what the day refuses is not counted in the month"
        );
        assert_eq!((refused.header("RateLimit-Limit"), refused.header("RateLimit-Remaining")), (Some("2"), Some("0")));
    }
}

#[test]
fn hidden_headers_hide_when_to_come_again_too() {
    within_one_day();
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "day: 1, hide_client_headers: true");
    for status in [200, 429] {
        let answer = gateway.get("/");
        assert_eq!(answer.status, status);
        assert_eq!(told(&answer), []);
    }
}

#[test]
fn a_refusal_may_have_another_status_and_message() {
    within_one_day();
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "day: 1, error_code: 404, error_message: Fake Not Found");
    gateway.get("/");
    let refused = gateway.get("/");
    assert_eq!((refused.status, refused.message().as_str()), (404, "Fake Not Found"));
    let html = gateway.send(&Request::get("/").header("Accept", "text/html"));
    assert!(html.text().contains("<p>Fake Not Found.</p>"), "{}", html.text());
}

/// Statuses of requests, one after the other.
fn statuses<'a>(gateway: &Gateway, requests: impl IntoIterator<Item = &'a Request>) -> Vec<u16> {
    requests.into_iter().map(|request| gateway.send(request).status).collect()
}

#[test]
fn a_header_a_path_a_service_or_the_address_may_be_what_counts() {
    within_one_day();
    let upstream = Upstream::echo();
    let of = |app: &str| Request::get("/").header("X-App", app);
    let by_header = limited(&upstream, "day: 1, limit_by: header, header_name: X-App");
    let none = Request::get("/");
    assert_eq!(
        statuses(&by_header, [&of("a"), &of("b"), &of("a"), &none, &of("b"), &none]),
        [200, 200, 429, 200, 429, 429]
    );

    let by_path = limited(&upstream, "day: 1, limit_by: path, path: /a");
    let to = Request::get;
    assert_eq!(
        statuses(&by_path, [&to("/a"), &to("/a?b=c"), &to("/b"), &to("/c"), &to("/x/../a")]),
        [200, 429, 200, 429, 429],
        "other paths count by address"
    );

    for by in ["service", "ip", "credential", "consumer"] {
        let gateway = limited(&upstream, &format!("day: 1, limit_by: {by}"));
        assert_eq!(statuses(&gateway, [&of("a"), &of("b")]), [200, 429], "{by}");
    }
}

#[test]
fn the_address_is_what_a_trusted_peer_says() {
    within_one_day();
    let upstream = Upstream::echo();
    let document =
        format!("{}plugins: [{{name: rate-limiting, config: {{day: 1, limit_by: ip}}}}]\n", proxying(&upstream));
    let gateway = Gateway::with(&document)
        .setting("trusted_ips", "127.0.0.1")
        .setting("real_ip_header", "X-Forwarded-For")
        .start();
    let from = |address: &str| Request::get("/").header("X-Forwarded-For", address);
    assert_eq!(statuses(&gateway, [&from("192.0.2.1"), &from("192.0.2.2"), &from("192.0.2.1")]), [200, 200, 429]);
}

const KEYS: &str = r"
consumers:
- username: alice
  keyauth_credentials: [{key: alice-1}, {key: alice-2}]
- username: bob
  keyauth_credentials: [{key: bob-1}]
";

#[test]
fn consumers_count_by_themselves_whatever_their_credential() {
    within_one_day();
    let upstream = Upstream::echo();
    let with = |limit_by: &str| {
        let plugins = format!(
            "plugins: [{{name: key-auth}}, {{name: rate-limiting, config: {{day: 1, limit_by: {limit_by}}}}}]\n"
        );
        Gateway::serving(&format!("{}{plugins}{KEYS}", proxying(&upstream)))
    };
    let by = |key: &str| Request::get("/").header("apikey", key);
    let gateway = with("consumer");
    assert_eq!(statuses(&gateway, [&by("alice-1"), &by("alice-2"), &by("bob-1")]), [200, 429, 200]);
    let gateway = with("credential");
    assert_eq!(statuses(&gateway, [&by("alice-1"), &by("alice-2"), &by("alice-1")]), [200, 200, 429]);
}

#[test]
fn who_is_not_known_is_refused_before_anything_is_counted() {
    within_one_day();
    let upstream = Upstream::echo();
    let plugins = "plugins: [{name: key-auth}, {name: rate-limiting, config: {day: 1, limit_by: ip}}]\n";
    let gateway = Gateway::serving(&format!("{}{plugins}{KEYS}", proxying(&upstream)));
    let refused = gateway.get("/");
    assert_eq!((refused.status, told(&refused)), (401, vec![]));
    let by = |key: &str| Request::get("/").header("apikey", key);
    assert_eq!(statuses(&gateway, [&by("alice-1"), &by("alice-1")]), [200, 429]);
}

#[test]
fn a_consumers_own_limit_takes_the_place_of_the_general_one() {
    within_one_day();
    let upstream = Upstream::echo();
    let plugins = r"plugins:
- name: key-auth
- {name: rate-limiting, config: {day: 1}}
- {name: rate-limiting, consumer: alice, config: {day: 3}}
";
    let gateway = Gateway::serving(&format!("{}{plugins}{KEYS}", proxying(&upstream)));
    let by = |key: &str| Request::get("/").header("apikey", key);
    let alice = by("alice-1");
    assert_eq!(statuses(&gateway, [&alice, &alice, &alice, &alice]), [200, 200, 200, 429]);
    assert_eq!(statuses(&gateway, [&by("bob-1"), &by("bob-1")]), [200, 429]);
}

#[test]
fn a_plugin_has_one_counter_for_all_routes_it_applies_to() {
    within_one_day();
    let upstream = Upstream::echo();
    let services = |plugin: &str| {
        format!(
            r#"_format_version: "3.0"
services:
- name: one
  url: {url}
  retries: 0
  routes: [{{name: a, paths: [/a], strip_path: false}}, {{name: b, paths: [/b], strip_path: false}}]
- name: two
  url: {url}
  retries: 0
  routes: [{{name: c, paths: [/c], strip_path: false}}]
plugins:
{plugin}
"#,
            url = upstream.url()
        )
    };
    let to = Request::get;
    let requests = [to("/a"), to("/b"), to("/c")];
    let global = Gateway::serving(&services("- {name: rate-limiting, config: {day: 2}}"));
    assert_eq!(statuses(&global, &requests), [200, 200, 429]);
    let of_service = Gateway::serving(&services("- {name: rate-limiting, service: one, config: {day: 1}}"));
    assert_eq!(statuses(&of_service, &requests), [200, 429, 200]);
    let each = services(
        "- {name: rate-limiting, route: a, config: {day: 1}}\n- {name: rate-limiting, route: b, config: {day: 1}}",
    );
    let of_routes = Gateway::serving(&each);
    assert_eq!(statuses(&of_routes, requests.iter().chain(&requests)), [200, 200, 200, 429, 429, 200]);
}

#[test]
fn a_request_that_no_route_takes_is_not_counted() {
    within_one_day();
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace(r#"["/"]"#, "[/known]");
    let gateway = Gateway::serving(&format!("{document}plugins: [{{name: rate-limiting, config: {{day: 1}}}}]\n"));
    for _ in 0..3 {
        let answer = gateway.get("/unknown");
        assert_eq!((answer.status, told(&answer)), (404, vec![]));
    }
    assert_eq!(gateway.get("/known").status, 200);
}

#[test]
fn counting_goes_on_when_the_limit_is_changed() {
    within_one_day();
    let upstream = Upstream::echo();
    let with =
        |config: &str| format!("{}plugins: [{{name: rate-limiting, config: {{{config}}}}}]\n", proxying(&upstream));
    let gateway = Gateway::serving(&with("day: 2"));
    assert_eq!([gateway.get("/").status, gateway.get("/").status, gateway.get("/").status], [200, 200, 429]);
    gateway.reload(&with("day: 3, error_message: Slow down"));
    assert_eq!(gateway.get("/").header("X-RateLimit-Remaining-Day"), Some("0"));
    let refused = gateway.get("/");
    assert_eq!((refused.status, refused.message().as_str()), (429, "Slow down"));
}

/// How many of `requests` requests by each of `clients` clients at the same time are let through.
fn admitted(gateways: &[&Gateway], clients: usize, requests: usize) -> usize {
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..clients {
            let (gateway, admitted) = (gateways[client % gateways.len()], &admitted);
            scope.spawn(move || {
                let mut connection = gateway.connect();
                for _ in 0..requests {
                    let status = connection.request(&Request::get("/")).status;
                    assert!(status == 200 || status == 429, "{status}");
                    admitted.fetch_add(usize::from(status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn not_one_more_than_the_limit_gets_through_whoever_comes_at_the_same_time() {
    within_one_day();
    let upstream = Upstream::echo();
    let document =
        format!("{}plugins: [{{name: rate-limiting, config: {{day: 50, month: 60}}}}]\n", proxying(&upstream));
    let gateway = Gateway::with(&document).setting("nginx_worker_processes", "4").start();
    assert_eq!(admitted(&[&gateway], 24, 10), 50);
    assert_eq!(upstream.count(), 50);
}

#[test]
fn cluster_and_decreasing_limits_are_refused_with_their_reason() {
    let gateway = Gateway::serving("_format_version: \"3.0\"\n");
    let refusal = |config: &str| {
        let document = format!("_format_version: \"3.0\"\nplugins: [{{name: rate-limiting, config: {{{config}}}}}]\n");
        let answer = gateway.post_document(&document);
        assert_eq!(answer.status, 400, "{}", answer.text());
        answer.json()["fields"].to_string()
    };
    let cluster = refusal("minute: 1, policy: cluster");
    assert!(cluster.contains("expected one of: local, redis") && cluster.contains("database"), "{cluster}");
    let decreasing = refusal("minute: 10, hour: 5");
    assert!(
        decreasing.contains("The limit for hour(5.0) cannot be lower than the limit for minute(10.0)"),
        "{decreasing}"
    );
    let none = refusal("policy: local");
    assert!(none.contains("at least one of these fields must be non-empty: 'config.second'"), "{none}");
}
