//! Which service the layer calls, and what reaches it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{convert::Infallible, sync::Arc, time::Duration, time::SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneService};
use towergate_core::{Context, Guard, OtherWay, Plan, Plugin, Plugins, Service, ServiceOverride};
use towergate_traffic_split::{Canary, CanaryConfig, Choose, Key, RouteByHeader, SplitLayer, TrafficSplit};

type Inner = BoxCloneService<Request<Full<Bytes>>, String, Infallible>;

/// Answers with its name and the body it got.
fn named(name: &'static str) -> Inner {
    BoxCloneService::new(service_fn(move |request: Request<Full<Bytes>>| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok(format!("{name}: {}", String::from_utf8_lossy(&body)))
    }))
}

async fn ask<P: Choose>(policy: P, others: &[&'static str], headers: &[(&'static str, &'static str)]) -> String {
    let service = SplitLayer::new(policy, others.iter().map(|name| named(name))).layer(named("own"));
    let request = headers.iter().fold(Request::post("/"), |request, (name, value)| request.header(*name, *value));
    service.oneshot(request.body(Full::from("hello")).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_canary_takes_its_part() {
    for (percentage, expected) in [(0.0, "own: hello"), (100.0, "new: hello")] {
        assert_eq!(ask(Canary::percentage(percentage, Key::None), &["new"], &[]).await, expected);
    }
    let begun = SystemTime::now() - Duration::from_secs(60);
    assert_eq!(ask(Canary::growing(begun, Duration::from_secs(60), Key::None), &["new"], &[]).await, "new: hello");
    assert_eq!(ask(Canary::percentage(100.0, Key::None), &[], &[]).await, "own: hello", "there is no other");
}

#[tokio::test]
async fn headers_decide() {
    let is = |name: &'static str, value| [(HeaderName::from_static(name), HeaderValue::from_static(value))];
    let policy = || RouteByHeader::default().when(is("location", "us-east")).when(is("location", "us-west"));
    for (headers, expected) in [
        (&[] as &[_], "own: hello"),
        (&[("location", "us-east")], "east: hello"),
        (&[("location", "us-west")], "west: hello"),
    ] {
        assert_eq!(ask(policy(), &["east", "west"], headers).await, expected);
    }
}

#[tokio::test]
async fn weights_decide() {
    let of = |weights: [u16; 3]| TrafficSplit::weighted(weights, Key::Header(HeaderName::from_static("x-user")));
    assert_eq!(ask(of([0, 0, 1]), &["a", "b"], &[]).await, "b: hello");
    let mut seen = std::collections::BTreeSet::new();
    for user in ["u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"] {
        let first = ask(of([1, 1, 1]), &["a", "b"], &[("x-user", user)]).await;
        assert_eq!(ask(of([1, 1, 1]), &["a", "b"], &[("x-user", user)]).await, first, "{user} stays");
        seen.insert(first);
    }
    assert!(seen.len() > 1, "{seen:?}");
}

// --- with a plan, as in the gateway --------------------------------------------------------------------------------------

fn to_host() -> ServiceOverride {
    ServiceOverride::Host { host: Some("new".into()), port: None }
}

/// A context whose plan has a way to the canary, which can be used or not.
fn context(is_usable: bool) -> (Context, http::request::Parts) {
    let service = Service {
        id: uuid::Uuid::nil(),
        name: None,
        protocol: towergate_core::Protocol::Http,
        host: "new".into(),
        port: 80,
        path: None,
        retries: 0,
        connect_timeout: Duration::ZERO,
        write_timeout: Duration::ZERO,
        read_timeout: Duration::ZERO,
        tls: None,
        tags: vec![],
        balancing: None,
    };
    let way = OtherWay {
        to: to_host(),
        service: Arc::new(service),
        destination: Arc::new(()),
        is_usable: Arc::new(move || is_usable),
        path: None,
    };
    let plan = Plan::from(Plugins { overrides: vec![way], ..Plugins::default() });
    let (head, ()) = Request::get("/").body(()).unwrap().into_parts();
    let timing = towergate_core::Timing::start();
    (Context::new(towergate_core::Client::default(), &head, timing, Some(Arc::new(plan))), head)
}

#[test]
fn a_canary_of_which_nobody_is_well_may_be_passed_over() {
    for (upstream_fallback, is_usable, goes) in
        [(false, true, true), (false, false, true), (true, true, true), (true, false, false)]
    {
        let config = CanaryConfig {
            percentage: Some(100.0),
            upstream_host: Some("new".into()),
            upstream_uri: Some("/v2".into()),
            upstream_fallback,
            ..CanaryConfig::default()
        };
        let policy = Canary::new(config, &Default::default()).unwrap();
        assert_eq!(policy.overrides(), [to_host()]);
        let (cx, mut head) = context(is_usable);
        assert!(policy.check(&cx, &mut head).is_pass());
        assert_eq!((cx.overridden().is_some(), cx.upstream_path() == "/v2"), (goes, goes));
    }
}
