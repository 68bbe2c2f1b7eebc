//! The bands: their order, and who sees which responses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode};
use serde::Deserialize;
use tower::{Layer, Service, ServiceExt};
use towergate_config::{Source, parse};
use towergate_core::{Body, Client, Context, Env, Plan, Plugin, PluginError, Policy, Reply, Slot, Timing, Wrap};
use towergate_gateway::{Bundled, PluginSet};
use towergate_runtime::{Band, Base, Destinations, compile};
use towergate_schema::Schema;
use towergate_upstream::{Proxy, ProxySettings};

/// Kong runs plugins of higher PRIORITY first, and of equal ones the later name.
#[test]
fn each_band_is_in_the_order_of_priority() {
    let registry = Bundled.registry();
    for band in [Band::Log, Band::Outer, Band::Guard, Band::Inner] {
        let kinds: Vec<_> = registry.kinds().iter().filter(|kind| kind.band == band).collect();
        let listed: Vec<_> = kinds.iter().map(|kind| (kind.priority, kind.name)).collect();
        let mut sorted = listed.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        assert_eq!(listed, sorted, "{band:?}: the list in src/plugins.rs is not in the order of PRIORITY");
    }
    let bands: Vec<_> = registry.kinds().iter().map(|kind| kind.band as u8).collect();
    assert!(bands.is_sorted(), "outer plugins come before guards, guards before inner ones");
}

#[derive(Debug, Deserialize, Schema)]
struct Mark {
    /// What it writes on responses.
    #[schema(required)]
    mark: String,
}

/// A wrapping plugin that writes its mark on the responses it sees.
macro_rules! marker {
    ($plugin:ident, $name:literal, $priority:literal) => {
        struct $plugin(HeaderValue);

        impl Plugin for $plugin {
            const NAME: &'static str = $name;
            const PRIORITY: i32 = $priority;
            type Config = Mark;

            fn new(config: Mark, _: &Env) -> Result<Self, PluginError> {
                config.mark.parse().map(Self).map_err(|_| PluginError::new("mark", "must be visible ASCII"))
            }
        }

        impl Wrap for $plugin {
            type Layer = Marking<Self>;

            fn layer(slot: Slot<Self>) -> Marking<Self> {
                Marking { slot, mark: |policy| policy.0.clone() }
            }
        }
    };
}

marker!(Outside, "outside", 13);
marker!(Inside, "inside", 100);

/// The layer of a marker.
struct Marking<P> {
    slot: Slot<P>,
    mark: fn(&P) -> HeaderValue,
}

/// The mark that a request's policy has, if one applies.
type MarkOf = Arc<dyn Fn(&Context) -> Option<HeaderValue> + Send + Sync>;

#[derive(Clone)]
struct Marker<S> {
    inner: S,
    mark: MarkOf,
}

impl<S, P: Send + Sync + 'static> Layer<S> for Marking<P> {
    type Service = Marker<S>;

    fn layer(&self, inner: S) -> Marker<S> {
        let (slot, mark) = (self.slot.clone(), self.mark);
        Marker { inner, mark: Arc::new(move |cx| slot.policy(cx).map(mark)) }
    }
}

impl<S, B, R> Service<Request<B>> for Marker<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mark = (self.mark)(request.extensions().get::<Arc<Context>>().unwrap());
        let response = self.inner.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            mark.into_iter().for_each(|mark| _ = response.headers_mut().append("x-mark", mark));
            Ok(response)
        })
    }
}

towergate_gateway::plugins! {
    struct Marked {
        outer: [Outside],
        guard: [towergate_auth::KeyAuth],
        inner: [Inside],
    }
}

/// No service is ever reached here.
struct Nowhere;

impl Destinations for Nowhere {
    fn next(&self) -> Box<dyn Destinations> {
        Box::new(Self)
    }

    fn destination(&mut self, _: &towergate_core::Service) -> Arc<Policy> {
        Arc::new(())
    }
}

const CONFIG: &str = "
_format_version: '3.0'
routes:
- {name: open, paths: [/open]}
- {name: closed, paths: [/closed]}
plugins:
- {name: outside, config: {mark: outside everything}}
- {name: outside, route: open, config: {mark: outside open}}
- {name: inside, config: {mark: inside}}
- {name: key-auth, route: closed}
";

/// The status and marks of the response to a request on this route; `None`: it matched none.
async fn ask(route: Option<&str>) -> (StatusCode, Vec<String>) {
    let registry = Marked.registry();
    let config = parse(vec![Source::new("kong.yml", CONFIG)], &registry).unwrap().config;
    let runtime = compile(Arc::new(config), &registry, &mut Nowhere, &Base::default(), None).unwrap();
    let named = |plan: &&Arc<Plan>| plan.route.as_ref().unwrap().name.as_deref() == route;
    let plan = runtime.table.plans.iter().find(named).unwrap_or(&runtime.table.unrouted).clone();
    let (mut head, ()) = Request::new(()).into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan));
    if route.is_none() {
        cx.refuse(Reply::error(StatusCode::NOT_FOUND, "no Route matched with those values"));
    }
    head.extensions.insert(Arc::new(cx));
    let stack = Marked.stack(Proxy::new(&ProxySettings::default()));
    let response = stack.oneshot(Request::from_parts(head, Body::Empty)).await.unwrap();
    let marks = response.headers().get_all("x-mark").iter().map(|mark| mark.to_str().unwrap().to_owned()).collect();
    (response.status(), marks)
}

#[tokio::test]
async fn what_passes_all_guards_is_seen_inside_and_outside() {
    let seen = ask(Some("open")).await;
    assert_eq!(seen, (StatusCode::SERVICE_UNAVAILABLE, vec!["inside".into(), "outside open".into()]), "no service");
}

#[tokio::test]
async fn a_refusal_is_seen_outside_only() {
    assert_eq!(ask(Some("closed")).await, (StatusCode::UNAUTHORIZED, vec!["outside everything".into()]));
}

#[tokio::test]
async fn the_unmatched_route_is_seen_by_what_is_outside_everything() {
    assert_eq!(ask(None).await, (StatusCode::NOT_FOUND, vec!["outside everything".into()]));
}
