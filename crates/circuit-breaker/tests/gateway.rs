//! The plugin at its place in a gateway: whose circuit a request meets, and what an answer says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use tower::{Layer, ServiceExt, service_fn};
use towergate_circuit_breaker::{CircuitBreaker, CircuitBreakerConfig, FailureError, Scope};
use towergate_core::{
    Attempt, Body, Choice, Client, Context, Env, Fault, GuardBody, Level, Plan, Plugin, Plugins, Policy, Protocol,
    Route, Service, Slot, Timing, Wrap,
};
use uuid::Uuid;

fn service(name: Option<&str>) -> Arc<Service> {
    Arc::new(Service {
        id: Uuid::new_v4(),
        name: name.map(Into::into),
        protocol: Protocol::Http,
        host: "upstream.test".into(),
        port: 80,
        path: None,
        retries: 0,
        connect_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(60),
        read_timeout: Duration::from_secs(60),
        tls: None,
        tags: vec![],
        balancing: None,
    })
}

fn route() -> Route {
    Route {
        id: Uuid::new_v4(),
        name: None,
        protocols: [Protocol::Http].into(),
        strip_path: true,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        https_redirect_status_code: 426,
        tags: vec![],
    }
}

/// Opens after two failures in a row.
fn config() -> CircuitBreakerConfig {
    CircuitBreakerConfig { failure_threshold: Some(2), ..CircuitBreakerConfig::default() }
}

/// One configuration of the plugin, and plans it stands in.
struct Gateway(Arc<Policy>);

impl Gateway {
    fn new(config: CircuitBreakerConfig) -> Self {
        Self(Arc::new(CircuitBreaker::new(config, &Env::default()).unwrap()))
    }

    fn plan(&self, route: &Route, service: Option<&Arc<Service>>) -> Arc<Plan> {
        let choice = Choice::new(CircuitBreaker::NAME, vec![Level::Everybody(self.0.clone())]);
        let (route, service) = (Some(route.clone()), service.cloned());
        Arc::new(Plan { route, service, ..Plugins { wraps: vec![Some(choice)], ..Plugins::default() }.into() })
    }
}

/// How the proxying service behaves.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Upstream(u16),
    Fault(Fault),
    Cache(u16),
}
use Answer::{Cache, Upstream};

/// Sends a request on this plan to an inner service that answers so.
async fn send(plan: &Arc<Plan>, answer: Answer) -> Response<GuardBody<Body>> {
    send_through(plan, move |cx| match answer {
        Upstream(status) => {
            cx.mark_proxied();
            status
        }
        Answer::Fault(fault) => {
            cx.record_fault(fault);
            502
        }
        Cache(status) => status,
    })
    .await
}

async fn send_through(
    plan: &Arc<Plan>,
    inner: impl FnOnce(&Context) -> u16 + Clone + Send + 'static,
) -> Response<GuardBody<Body>> {
    let (mut head, ()) = Request::new(()).into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan.clone()));
    head.extensions.insert(Arc::new(cx));
    let proxy = service_fn(move |request: Request<()>| {
        let status = inner.clone()(request.extensions().get::<Arc<Context>>().unwrap());
        std::future::ready(Ok::<_, Infallible>(Response::builder().status(status).body(Body::Empty).unwrap()))
    });
    let stack = CircuitBreaker::layer(Slot::in_plan(0)).layer(proxy);
    stack.oneshot(Request::from_parts(head, ())).await.unwrap()
}

/// Whether the circuit of this plan refuses.
async fn is_open(plan: &Arc<Plan>) -> bool {
    send(plan, Cache(200)).await.headers().contains_key("x-circuit-state")
}

async fn fail(plan: &Arc<Plan>) {
    for _ in 0..2 {
        send(plan, Upstream(500)).await;
    }
}

#[tokio::test]
async fn each_service_has_a_circuit_whatever_the_route() {
    let gateway = Gateway::new(config());
    let (users, orders) = (service(Some("users")), service(None));
    let plans = [(route(), &users), (route(), &users), (route(), &orders)];
    let plans = plans.map(|(route, service)| gateway.plan(&route, Some(service)));
    fail(&plans[0]).await;
    assert_eq!([is_open(&plans[0]).await, is_open(&plans[1]).await, is_open(&plans[2]).await], [true, true, false]);
}

#[tokio::test]
async fn each_route_has_a_circuit_if_told_so() {
    let gateway = Gateway::new(CircuitBreakerConfig { scope: Scope::Route, ..config() });
    let users = service(Some("users"));
    let plans = [route(), route()].map(|route| gateway.plan(&route, Some(&users)));
    fail(&plans[0]).await;
    assert_eq!([is_open(&plans[0]).await, is_open(&plans[1]).await], [true, false]);
}

#[tokio::test]
async fn what_belongs_to_no_service_or_has_no_breaker_passes() {
    let gateway = Gateway::new(config());
    let without_service = gateway.plan(&route(), None);
    let mut without_breaker = Plan::clone(&gateway.plan(&route(), Some(&service(None))));
    Arc::make_mut(&mut without_breaker.plugins).wraps = vec![None];
    for plan in [without_service, Arc::new(without_breaker)] {
        fail(&plan).await;
        assert!(!is_open(&plan).await);
    }
}

#[tokio::test]
async fn answers_of_the_upstream_are_told_from_those_of_others() {
    let all = config();
    let only_timeouts = CircuitBreakerConfig { failure_errors: [FailureError::Timeout].into(), ..config() };
    for (config, answer, opens) in [
        (&all, Upstream(500), true),
        (&all, Upstream(504), true),
        (&all, Upstream(501), false),
        (&all, Upstream(404), false),
        (&all, Cache(500), false),
        (&all, Answer::Fault(Fault::Connect), true),
        (&all, Answer::Fault(Fault::Timeout), true),
        (&all, Answer::Fault(Fault::Response), true),
        (&all, Answer::Fault(Fault::Client), false),
        (&all, Answer::Fault(Fault::Gateway), false),
        (&only_timeouts, Answer::Fault(Fault::Connect), false),
        (&only_timeouts, Answer::Fault(Fault::Timeout), true),
    ] {
        let plan = Gateway::new(config.clone()).plan(&route(), Some(&service(None)));
        send(&plan, answer).await;
        send(&plan, answer).await;
        assert_eq!(is_open(&plan).await, opens, "{answer:?}");
    }
}

#[tokio::test]
async fn what_came_from_a_cache_neither_breaks_a_row_nor_closes_a_circuit() {
    let config = CircuitBreakerConfig { reset_timeout: 0.001, ..config() };
    let plan = Gateway::new(config).plan(&route(), Some(&service(None)));
    for answer in [Upstream(500), Cache(200), Upstream(500)] {
        send(&plan, answer).await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    for answer in [Cache(200), Cache(200), Upstream(200)] {
        assert_eq!(send(&plan, answer).await.headers()["x-circuit-state"], "HALF_OPEN", "{answer:?}");
    }
    assert!(!is_open(&plan).await);
}

#[tokio::test]
async fn grpc_clients_read_the_refusal_in_headers() {
    let plan = Gateway::new(config()).plan(&route(), Some(&service(None)));
    fail(&plan).await;
    let (mut head, ()) = Request::new(()).into_parts();
    head.version = Version::HTTP_2;
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan));
    head.extensions.insert(Arc::new(cx));
    let proxy = service_fn(|_: Request<()>| std::future::ready(Ok::<_, Infallible>(Response::new(Body::Empty))));
    let stack = CircuitBreaker::layer(Slot::in_plan(0)).layer(proxy);
    let response = stack.oneshot(Request::from_parts(head, ())).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(response.headers()["grpc-message"], "Service temporarily unavailable");
    assert_eq!(response.headers()["x-circuit-state"], "OPEN");
}

#[tokio::test]
async fn each_target_of_a_service_has_a_circuit_if_told_so() {
    let gateway = Gateway::new(CircuitBreakerConfig { scope: Scope::Target, ..config() });
    let (users, orders) = (service(None), service(None));
    let plans = [&users, &orders].map(|service| gateway.plan(&route(), Some(service)));
    let tried = Arc::new(Mutex::new(Vec::new()));
    let attempt = |target: &'static str, attempt| {
        let tried = tried.clone();
        move |cx: &Context| {
            let gate = cx.gate().unwrap();
            match gate.admit(cx, target) {
                Some(pass) => {
                    tried.lock().unwrap().push(target);
                    pass.report(attempt);
                    200
                }
                None => cx.render(gate.refusal(cx)).status().as_u16(),
            }
        }
    };
    let failure = Attempt::Answered(StatusCode::INTERNAL_SERVER_ERROR);
    let mut statuses = Vec::new();
    for (plan, target) in [(0, "a:1"), (0, "a:1"), (0, "a:1"), (0, "b:1"), (1, "a:1")] {
        statuses.push(send_through(&plans[plan], attempt(target, failure)).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 503, 200, 200]);
    assert_eq!(*tried.lock().unwrap(), ["a:1", "a:1", "b:1", "a:1"]);
}

#[tokio::test]
async fn an_attempt_at_a_target_that_is_given_up_gives_its_place_back() {
    let config = CircuitBreakerConfig { scope: Scope::Target, reset_timeout: 0.001, ..config() };
    let plan = Gateway::new(config).plan(&route(), Some(&service(None)));
    for _ in 0..2 {
        send_through(&plan, |cx| {
            cx.gate().unwrap().admit(cx, "a:1").unwrap().report(Attempt::Failed(Fault::Connect));
            200
        })
        .await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    for _ in 0..3 {
        send_through(&plan, |cx| {
            let trial = cx.gate().unwrap().admit(cx, "a:1");
            assert!(trial.is_some());
            assert!(cx.gate().unwrap().admit(cx, "a:1").is_none(), "one at a time");
            let refusal = cx.render(cx.gate().unwrap().refusal(cx));
            assert_eq!(refusal.headers()["x-circuit-state"], "HALF_OPEN");
            200
        })
        .await;
    }
}
