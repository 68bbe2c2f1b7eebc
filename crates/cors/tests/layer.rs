//! What reaches the inner service through cors, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, Method, Request, Response, StatusCode, request};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use towergate_core::{
    Choice, Client, Context, Env, Guard, GuardBody, GuardLayer, Level, Plan, Plugin, Plugins, Reply, Timing, Verdict,
};
use towergate_cors::{Cors, CorsConfig};

type Bytes = bytes::Bytes;

/// Names and values of headers.
type Headers<'a> = &'a [(&'a str, &'a str)];

const LISTED: &[&str] = &["https://a.test", r"https://.*\.b\.test"];

fn config(change: impl FnOnce(&mut CorsConfig)) -> CorsConfig {
    let mut config = CorsConfig::default();
    change(&mut config);
    config
}

fn origins(origins: &[&str]) -> Option<Vec<String>> {
    Some(origins.iter().map(|origin| (*origin).to_owned()).collect())
}

/// Refuses everything, as a guard of lower priority.
struct Refuse;

impl Guard for Refuse {
    fn check(&self, _: &Context, _: &mut request::Parts) -> Verdict {
        Verdict::Refuse(Reply::error(StatusCode::UNAUTHORIZED, "No"))
    }
}

/// How a request ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// The upstream answers with these headers.
    Upstream(&'static [(&'static str, &'static str)]),
    /// A later guard refuses.
    Refused,
    /// It matched no route, so that no guard checks it.
    Unrouted,
}

/// Sends a request through the gateway's layer: was it proxied, and what came back?
async fn send(config: CorsConfig, method: Method, headers: Headers<'_>, end: End) -> (bool, Response<String>) {
    let everybody = |guard: Arc<dyn Guard>| Choice::new("x", vec![Level::Everybody(guard)]);
    let mut guards = vec![everybody(Arc::new(Cors::new(config, &Env::default()).unwrap()))];
    if end == End::Refused {
        guards.push(everybody(Arc::new(Refuse)));
    }
    let mut request = Request::builder().method(method);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut head, body) = request.body(Empty::<Bytes>::new()).unwrap().into_parts();
    let plan = Arc::new(Plan::from(Plugins { guards, ..Plugins::default() }));
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan));
    if end == End::Unrouted {
        cx.refuse(Reply::error(StatusCode::NOT_FOUND, "no Route matched with those values"));
    }
    head.extensions.insert(Arc::new(cx));

    let proxied = Arc::new(AtomicBool::new(false));
    let called = proxied.clone();
    let upstream = service_fn(move |_: Request<GuardBody<Empty<Bytes>>>| {
        called.store(true, Ordering::Relaxed);
        let mut response = Response::new(Full::<Bytes>::from("upstream"));
        if let End::Upstream(headers) = end {
            for (name, value) in headers {
                response.headers_mut().append(*name, value.parse().unwrap());
            }
        }
        async { Ok::<_, Infallible>(response) }
    });
    let service = GuardLayer::from_plan().layer(upstream);
    let response = service.oneshot(Request::from_parts(head, body)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let response = Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap());
    (proxied.load(Ordering::Relaxed), response)
}

/// `name: value` of each header, in the order of the names.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines
}

async fn preflight(config: CorsConfig, more: Headers<'_>, origin: &str) -> Vec<String> {
    let headers = [&[("origin", origin), ("access-control-request-method", "PUT")], more].concat();
    let (proxied, response) = send(config, Method::OPTIONS, &headers, End::Upstream(&[])).await;
    assert!(!proxied);
    assert_eq!((response.status(), response.body().as_str()), (StatusCode::OK, ""));
    lines(response.headers())
}

/// Everything about who may read that came back for a simple request.
async fn simple(config: CorsConfig, headers: Headers<'_>, end: End) -> Vec<String> {
    let (_, response) = send(config, Method::GET, headers, end).await;
    let mut lines = lines(response.headers());
    lines.retain(|line| !line.starts_with("content-"));
    lines
}

const ALL_METHODS: &str = "access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";

#[tokio::test]
async fn a_preflight_is_answered_with_exactly_these_headers() {
    let seen = preflight(config(|_| {}), &[], "https://x.test").await;
    assert_eq!(seen, [ALL_METHODS, "access-control-allow-origin: *", "content-length: 0"]);

    let full = config(|c| {
        c.origins = origins(&["https://a.test"]);
        c.methods = Some(vec!["GET".into(), "PUT".into()]);
        c.headers = Some(["origin", "type", "accepts"].map(Into::into).to_vec());
        c.exposed_headers = Some(vec!["x-auth-token".into()]);
        c.max_age = Some(23.0);
        c.credentials = true;
        c.private_network = true;
    });
    let asked = [("access-control-request-headers", "X-Mine"), ("access-control-request-private-network", "true")];
    let seen = preflight(full, &asked, "https://x.test").await;
    let expected = [
        "access-control-allow-credentials: true",
        "access-control-allow-headers: origin,type,accepts",
        "access-control-allow-methods: GET,PUT",
        "access-control-allow-origin: https://a.test",
        "access-control-allow-private-network: true",
        "access-control-max-age: 23",
        "content-length: 0",
        "vary: Origin",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_preflight_echoes_what_it_asks_for() {
    let asked = [("access-control-request-headers", "X-A, x-b"), ("access-control-request-private-network", "true")];
    let seen = preflight(config(|_| {}), &asked, "https://x.test").await;
    assert_eq!(seen[0], "access-control-allow-headers: X-A, x-b");
    assert_eq!(seen.len(), 4, "no private network unless it is allowed");

    let credentials = preflight(config(|c| c.credentials = true), &[], "https://x.test:443").await;
    let expected = [
        "access-control-allow-credentials: true",
        ALL_METHODS,
        "access-control-allow-origin: https://x.test:443",
        "content-length: 0",
        "vary: Origin",
    ];
    assert_eq!(credentials, expected);
}

#[tokio::test]
async fn a_preflight_from_elsewhere_is_only_not_told_its_origin() {
    let listed = || config(|c| (c.origins, c.credentials) = (origins(LISTED), true));
    let expected = ["access-control-allow-credentials: true", ALL_METHODS, "content-length: 0", "vary: Origin"];
    assert_eq!(preflight(listed(), &[], "https://evil.test").await, expected);
    let allowed = preflight(listed(), &[], "https://x.b.test:443").await;
    assert_eq!(allowed[2], "access-control-allow-origin: https://x.b.test");
}

#[tokio::test]
async fn options_without_origin_or_method_is_no_preflight() {
    let method = ("access-control-request-method", "PUT");
    for headers in [&[("origin", "https://a.test")][..], &[method], &[("origin", ""), method], &[]] {
        let (proxied, response) = send(config(|_| {}), Method::OPTIONS, headers, End::Upstream(&[])).await;
        assert!(proxied, "{headers:?}");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }
}

#[tokio::test]
async fn a_preflight_may_be_left_to_the_upstream() {
    let headers = [("origin", "https://a.test"), ("access-control-request-method", "PUT")];
    for origins in [None, origins(LISTED)] {
        let passed_on = || config(|c| (c.origins, c.preflight_continue) = (origins.clone(), true));
        let own = End::Upstream(&[("access-control-allow-origin", "https://own.test")]);
        let (proxied, response) = send(passed_on(), Method::OPTIONS, &headers, own).await;
        assert!(proxied);
        assert_eq!(lines(response.headers()), ["access-control-allow-origin: https://own.test"]);
        let (_, refused) = send(passed_on(), Method::OPTIONS, &headers, End::Refused).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(!refused.headers().keys().any(|name| name.as_str().starts_with("access-control")));
        let (_, simple) = send(passed_on(), Method::GET, &headers[..1], End::Upstream(&[])).await;
        assert!(simple.headers().contains_key("access-control-allow-origin"), "only preflights are left alone");
    }
}

#[tokio::test]
async fn responses_tell_who_may_read_them() {
    let (a, other) = (("origin", "https://a.test:443"), ("origin", "https://other.test"));
    let vary = "vary: Origin";
    let credentials = "access-control-allow-credentials: true";
    let cases: [(_, Headers<'_>, &[&str]); 12] = [
        (config(|_| {}), &[], &["access-control-allow-origin: *"]),
        (config(|_| {}), &[a], &["access-control-allow-origin: *"]),
        (config(|c| c.origins = origins(&["*"])), &[a], &["access-control-allow-origin: *"]),
        (
            config(|c| c.exposed_headers = Some(vec!["x-a".into(), "x-b".into()])),
            &[],
            &["access-control-allow-origin: *", "access-control-expose-headers: x-a,x-b"],
        ),
        (config(|c| c.credentials = true), &[], &["access-control-allow-origin: *"]),
        (
            config(|c| c.credentials = true),
            &[a],
            &[credentials, "access-control-allow-origin: https://a.test:443", vary],
        ),
        (config(|c| c.origins = origins(&["foo.test"])), &[], &["access-control-allow-origin: foo.test", vary]),
        (config(|c| c.origins = origins(LISTED)), &[a], &["access-control-allow-origin: https://a.test", vary]),
        (config(|c| c.origins = origins(LISTED)), &[other], &[vary]),
        (config(|c| c.origins = origins(LISTED)), &[], &[vary]),
        (config(|c| c.allow_origin_absent = false), &[], &[]),
        (config(|c| c.allow_origin_absent = false), &[a], &["access-control-allow-origin: *"]),
    ];
    for (config, headers, expected) in cases {
        assert_eq!(simple(config.clone(), headers, End::Upstream(&[])).await, expected, "{config:?} {headers:?}");
        assert_eq!(simple(config, headers, End::Refused).await, expected, "a refusal tells it too");
    }
}

#[tokio::test]
async fn an_upstreams_own_word_is_replaced_or_removed() {
    let own = End::Upstream(&[("access-control-allow-origin", "https://own.test"), ("vary", "Accept-Encoding")]);
    let listed = || config(|c| c.origins = origins(LISTED));
    let allowed = simple(listed(), &[("origin", "https://a.test")], own).await;
    assert_eq!(allowed, ["access-control-allow-origin: https://a.test", "vary: Accept-Encoding", "vary: Origin"]);
    let other = simple(listed(), &[("origin", "https://other.test")], own).await;
    assert_eq!(other, ["vary: Accept-Encoding", "vary: Origin"]);
    let absent = simple(config(|c| c.allow_origin_absent = false), &[], own).await;
    assert_eq!(absent, ["access-control-allow-origin: https://own.test", "vary: Accept-Encoding"]);
}

#[tokio::test]
async fn the_unmatched_route_tells_it_too() {
    let cases: [(_, &[&str]); 3] = [
        (config(|_| {}), &["access-control-allow-origin: *"]),
        (
            config(|c| c.origins = origins(&["https://a.test"])),
            &["access-control-allow-origin: https://a.test", "vary: Origin"],
        ),
        (config(|c| c.origins = origins(LISTED)), &["vary: Origin"]),
    ];
    for (config, expected) in cases {
        assert_eq!(simple(config, &[("origin", "https://other.test")], End::Unrouted).await, expected);
    }
    let listed = simple(config(|c| c.origins = origins(LISTED)), &[("origin", "https://a.test")], End::Unrouted).await;
    assert_eq!(listed, ["access-control-allow-origin: https://a.test", "vary: Origin"]);
}

#[tokio::test]
async fn a_preflight_that_matches_no_route_is_told_the_origin_only() {
    let preflight: Headers<'_> = &[("origin", "https://a.test"), ("access-control-request-method", "GET")];
    let (_, response) = send(config(|_| {}), Method::OPTIONS, preflight, End::Unrouted).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND, "no guard answers without a route");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert!(!response.headers().contains_key("access-control-allow-methods"));
}
