//! What reaches the inner service through a guard layer, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, request, response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use towergate_core::{
    Accounts, Bands, Choice, Client, Consumer, Context, Directory, Guard, GuardBody, GuardLayer, Level, Outcome, Part,
    Plan, Plugins, Reply, Responding, Route, Timing, Verdict,
};
use uuid::Uuid;

/// Leaves its mark on requests and responses, and decides as told.
struct Mark(&'static str, fn() -> Verdict);

impl Guard for Mark {
    fn check(&self, _: &Context, head: &mut request::Parts) -> Verdict {
        head.headers.append("x-seen", HeaderValue::from_static(self.0));
        (self.1)()
    }

    fn check_body(&self, _: &Context, head: &mut request::Parts, body: Option<&mut Bytes>) -> Verdict {
        let seen = body.map_or("too large".into(), |body| String::from_utf8_lossy(body).into_owned());
        head.headers.append("x-body", seen.parse().unwrap());
        Verdict::Pass
    }

    fn respond(&self, _: &Context, head: &mut response::Parts) {
        head.headers.append("x-answered", HeaderValue::from_static(self.0));
    }
}

fn pass() -> Verdict {
    Verdict::Pass
}

fn refuse() -> Verdict {
    Verdict::Refuse(Reply::error(StatusCode::UNAUTHORIZED, "No"))
}

fn everybody(name: &'static str, guard: impl Guard) -> Choice<dyn Guard> {
    Choice::new(name, vec![Level::Everybody(Arc::new(guard))])
}

fn route() -> Route {
    Route {
        id: Uuid::nil(),
        name: None,
        protocols: [].into(),
        strip_path: true,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        https_redirect_status_code: 426,
        tags: vec![],
    }
}

fn plan(guards: Vec<Choice<dyn Guard>>) -> Plan {
    Plan { route: Some(route()), ..Plugins { guards, ..Plugins::default() }.into() }
}

/// The `x-` headers and the body that the inner service saw.
type Seen = (Vec<String>, String);

/// What the inner service saw, if it was called.
#[derive(Default, Clone)]
struct Inner(Arc<Mutex<Option<Seen>>>);

impl Inner {
    fn service(
        &self,
    ) -> impl Service<
        Request<GuardBody<Full<Bytes>>>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static {
        let seen = self.0.clone();
        service_fn(move |request: Request<GuardBody<Full<Bytes>>>| {
            let seen = seen.clone();
            async move {
                let names = request.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-"));
                let names = names.map(|(_, value)| value.to_str().unwrap().to_owned()).collect();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                *seen.lock().unwrap() = Some((names, String::from_utf8(body.to_vec()).unwrap()));
                Ok(Response::new(Full::from("inner")))
            }
        })
    }
}

async fn send(plan: Plan, refusal: Option<Reply>, body: &'static str) -> (Option<Seen>, StatusCode, Vec<String>) {
    send_under(plan, Arc::default(), refusal, body).await
}

/// The same, with these consumers and credentials.
async fn send_under(
    plan: Plan,
    directory: Arc<Directory>,
    refusal: Option<Reply>,
    body: &'static str,
) -> (Option<Seen>, StatusCode, Vec<String>) {
    let inner = Inner::default();
    let (mut head, body) = Request::new(Full::from(body)).into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(plan)));
    let cx = cx.under(Arc::new(directory.into()));
    if let Some(reply) = refusal {
        cx.refuse(reply);
    }
    head.extensions.insert(Arc::new(cx));
    let service = GuardLayer::from_plan().layer(inner.service());
    let response = service.oneshot(Request::from_parts(head, body)).await.unwrap();
    let answered = response.headers().get_all("x-answered").iter().map(|v| v.to_str().unwrap().to_owned()).collect();
    (inner.0.lock().unwrap().take(), response.status(), answered)
}

#[tokio::test]
async fn guards_run_in_order_and_see_the_response_in_the_same_order() {
    let plan = plan(vec![everybody("a", Mark("a", pass)), everybody("b", Mark("b", pass))]);
    let (inner, status, answered) = send(plan, None, "body").await;
    assert_eq!(inner, Some((vec!["a".into(), "b".into()], "body".into())));
    assert_eq!((status, answered), (StatusCode::OK, vec!["a".into(), "b".into()]));
}

#[tokio::test]
async fn guards_may_see_the_response_in_another_order_than_they_checked() {
    let guards =
        vec![everybody("b", Mark("b", pass)), everybody("a", Mark("a", pass)), everybody("c", Mark("c", pass))];
    let mut plan = plan(guards);
    Arc::make_mut(&mut plan.plugins).response_turns = Some([1, 0, 2].into());
    let (inner, _, answered) = send(plan, None, "").await;
    assert_eq!(inner.unwrap().0, ["b", "a", "c"]);
    assert_eq!(answered, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_refusal_ends_the_request_but_every_guard_sees_the_response() {
    let guards =
        vec![everybody("a", Mark("a", pass)), everybody("b", Mark("b", refuse)), everybody("c", Mark("c", pass))];
    let (inner, status, answered) = send(plan(guards), None, "").await;
    assert_eq!(inner, None);
    assert_eq!((status, answered), (StatusCode::UNAUTHORIZED, vec!["a".into(), "b".into(), "c".into()]));
}

#[tokio::test]
async fn what_was_refused_before_the_guards_is_not_checked_but_seen() {
    let (inner, status, answered) =
        send(plan(vec![everybody("a", Mark("a", pass))]), Some(Reply::error(StatusCode::NOT_FOUND, "no Route")), "")
            .await;
    assert_eq!((inner, status, answered), (None, StatusCode::NOT_FOUND, vec!["a".into()]));
}

#[tokio::test]
async fn a_guard_may_wait() {
    let waits = || {
        Verdict::wait(async {
            tokio::task::yield_now().await;
            Outcome::PassWith(Box::new(|_, head| {
                head.headers.append("x-seen", HeaderValue::from_static("after waiting"));
            }))
        })
    };
    let guards = vec![everybody("a", Mark("a", waits)), everybody("b", Mark("b", pass))];
    let (inner, status, _) = send(plan(guards), None, "body").await;
    assert_eq!(inner, Some((vec!["a".into(), "after waiting".into(), "b".into()], "body".into())));
    assert_eq!(status, StatusCode::OK);

    let refuses = || Verdict::wait(async { Outcome::Refuse(Reply::exit(StatusCode::TOO_MANY_REQUESTS, "later")) });
    let guards = vec![everybody("a", Mark("a", refuses)), everybody("b", Mark("b", pass))];
    let (inner, status, answered) = send(plan(guards), None, "").await;
    assert_eq!((inner, status, answered.len()), (None, StatusCode::TOO_MANY_REQUESTS, 2));
}

#[tokio::test]
async fn a_guard_may_see_the_body_which_reaches_the_service_whole() {
    let guards = || vec![everybody("a", Mark("a", || Verdict::Buffer(8))), everybody("b", Mark("b", pass))];
    let (inner, _, _) = send(plan(guards()), None, "12345678").await;
    assert_eq!(inner, Some((vec!["a".into(), "b".into(), "12345678".into()], "12345678".into())));
    let (inner, _, _) = send(plan(guards()), None, "123456789").await;
    assert_eq!(inner, Some((vec!["a".into(), "b".into(), "too large".into()], "123456789".into())));
}

/// Authenticates everybody as the consumer of key `k`.
struct Authenticate;

impl Guard for Authenticate {
    fn check(&self, cx: &Context, _: &mut request::Parts) -> Verdict {
        let accounts = Accounts::default();
        let credential = accounts.directory(cx).and_then(|directory| directory.credential("key-auth", "k"));
        accounts.authenticate(cx, credential.unwrap());
        Verdict::Pass
    }
}

#[tokio::test]
async fn a_consumers_policy_counts_from_the_turn_after_authentication() {
    let alice = Consumer::named("alice");
    let mut directory = Directory::builder().consumer(alice.clone());
    directory.add_credential("key-auth", Uuid::nil(), alice.id, "k", None, None);
    let overridden = |all, own| {
        let own: Arc<dyn Guard> = Arc::new(Mark(own, pass));
        let own = Level::Consumer(Arc::new(HashMap::from([(alice.id, own)])));
        Choice::new("x", vec![own, Level::Everybody(Arc::new(Mark(all, pass)) as Arc<dyn Guard>)])
    };
    let plan =
        plan(vec![overridden("a", "a of alice"), everybody("auth", Authenticate), overridden("b", "b of alice")]);
    let directory = Arc::new(directory.build());
    let (inner, _, answered) = send_under(plan, directory, None, "").await;
    assert_eq!(inner.unwrap().0, ["a", "b of alice"], "the consumer is not known before its turn");
    assert_eq!(answered, ["a", "b of alice"], "the policy that checked is the one that sees the response");
}

#[tokio::test]
async fn embedded_a_layer_needs_no_gateway() {
    struct Id;
    impl Guard for Id {
        fn check(&self, cx: &Context, _: &mut request::Parts) -> Verdict {
            cx.set_response_header(HeaderName::from_static("x-id"), HeaderValue::from_static("1"));
            Verdict::Pass
        }
    }
    let inner = Inner::default();
    let service = GuardLayer::new(Id).layer(inner.service());
    let response = service.oneshot(Request::new(Full::from("body"))).await.unwrap();
    assert_eq!(response.headers()["x-id"], "1");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "inner");
}

#[tokio::test]
async fn what_a_refusal_says_counts_more_than_what_was_said_before() {
    struct Says;
    impl Guard for Says {
        fn check(&self, cx: &Context, _: &mut request::Parts) -> Verdict {
            for name in ["x-remaining", "x-other"] {
                cx.set_response_header(HeaderName::from_static(name), HeaderValue::from_static("before"));
            }
            Verdict::Pass
        }
    }
    fn refuse() -> Verdict {
        let remaining = HeaderName::from_static("x-remaining");
        Verdict::Refuse(
            Reply::empty(StatusCode::TOO_MANY_REQUESTS).with_header(remaining, HeaderValue::from_static("refused")),
        )
    }
    let plan = plan(vec![everybody("a", Says), everybody("b", Mark("b", refuse))]);
    let (mut head, body) = Request::new(Full::from("")).into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(plan)));
    head.extensions.insert(Arc::new(cx));
    let service = GuardLayer::from_plan().layer(Inner::default().service());
    let response = service.oneshot(Request::from_parts(head, body)).await.unwrap();
    assert_eq!(response.headers()["x-remaining"], "refused");
    assert_eq!(response.headers()["x-other"], "before");
    assert_eq!(response.headers().get_all("x-remaining").iter().count(), 1);
}

#[tokio::test]
async fn when_each_guard_ran_is_recorded_for_those_who_ask() {
    let waits = || {
        Verdict::wait(async {
            tokio::task::yield_now().await;
            Outcome::Refuse(Reply::exit(StatusCode::TOO_MANY_REQUESTS, "later"))
        })
    };
    let guards = vec![everybody("a", Mark("a", pass)), everybody("b", Mark("b", waits))];
    let plan = Arc::new(plan(guards));
    for is_asked in [false, true] {
        let (mut head, body) = Request::new(Full::<Bytes>::default()).into_parts();
        let cx = Arc::new(Context::new(Client::default(), &head, Timing::start(), Some(plan.clone())));
        if is_asked {
            cx.spans.ask();
        }
        head.extensions.insert(cx.clone());
        let service = GuardLayer::from_plan().layer(Inner::default().service());
        service.oneshot(Request::from_parts(head, body)).await.unwrap();
        let spans = cx.spans.list();
        let parts: Vec<_> = spans.iter().map(|span| span.part).collect();
        let all = [Part::Check("a"), Part::Check("b"), Part::Respond("a"), Part::Respond("b")];
        assert_eq!(parts, if is_asked { all.to_vec() } else { vec![] });
        assert!(spans.iter().all(|span| span.ended.is_some()));
    }
}

#[tokio::test]
async fn the_headers_that_guards_left_are_kept_for_those_who_ask() {
    for is_asked in [false, true] {
        let (mut head, body) =
            Request::builder().header("x-a", "1").body(Full::<Bytes>::default()).unwrap().into_parts();
        let plan = Arc::new(plan(vec![everybody("a", Mark("a", pass))]));
        let cx = Arc::new(Context::new(Client::default(), &head, Timing::start(), Some(plan)));
        if is_asked {
            cx.records.ask();
        }
        head.extensions.insert(cx.clone());
        let service = GuardLayer::from_plan().layer(Inner::default().service());
        service.oneshot(Request::from_parts(head, body)).await.unwrap();
        let kept = cx.request_headers().map(|headers| headers["x-a"].clone());
        assert_eq!(kept, is_asked.then_some(HeaderValue::from_static("1")));
    }
}

/// Sets a header of the request without putting it into the map, and one of the response.
struct Sets;

impl Guard for Sets {
    fn check(&self, cx: &Context, _: &mut request::Parts) -> Verdict {
        cx.set_request_header(HeaderName::from_static("x-set"), HeaderValue::from_static("1"));
        cx.set_response_header(HeaderName::from_static("x-told"), 2);
        Verdict::Pass
    }

    fn may_read(&self, _: &HeaderName) -> bool {
        false
    }

    fn response(&self) -> Responding {
        Responding::Never
    }
}

/// Whether the map of the request's headers that the inner service saw, and that of the response's, held what was set
/// by [`Sets`], on a plan with these guards after it; what is not there has to be left for who writes it.
async fn in_maps(guards: Vec<Choice<dyn Guard>>, bands: Bands, is_recorded: bool) -> (bool, bool) {
    let guards = [everybody("sets", Sets)].into_iter().chain(guards).collect();
    let plan = Plan { route: Some(route()), ..Plugins { guards, bands, ..Plugins::default() }.into() };
    let (mut head, body) = Request::new(Full::<Bytes>::default()).into_parts();
    let mut cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(plan)));
    cx.defer_response_headers();
    if is_recorded {
        cx.records.ask();
    }
    let cx = Arc::new(cx);
    head.extensions.insert(cx.clone());
    let seen = Arc::new(Mutex::new(None));
    let (kept, left) = (seen.clone(), cx.clone());
    let inner = service_fn(move |request: Request<GuardBody<Full<Bytes>>>| {
        let is_in_map = request.headers().get("x-set").is_some_and(|value| value == "1");
        assert_eq!(left.take_request_headers().len(), usize::from(!is_in_map));
        *kept.lock().unwrap() = Some(is_in_map);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let service = GuardLayer::from_plan().before_sender().layer(inner);
    let response = service.oneshot(Request::from_parts(head, body)).await.unwrap();
    let is_told = response.headers().get("x-told").is_some_and(|value| value == "2");
    assert_eq!(cx.take_response_headers().len(), usize::from(!is_told));
    let is_in_map = seen.lock().unwrap().unwrap();
    (is_in_map, is_told)
}

#[tokio::test]
async fn what_guards_set_is_in_the_maps_where_somebody_may_look_at_it() {
    let sets = || vec![everybody("again", Sets)];
    let sees = || vec![everybody("sees", Mark("sees", pass))];
    let none = Bands::default();
    assert_eq!(in_maps(sets(), none, false).await, (false, false), "left for who writes the heads");
    assert_eq!(in_maps(sees(), none, false).await, (true, true), "a guard that may read both");
    assert_eq!(in_maps(sets(), none, true).await, (true, true), "somebody keeps the heads");
    assert_eq!(in_maps(sets(), Bands { inner: true, ..none }, false).await, (true, false), "a layer inside the guards");
    let outer = Bands { outer: true, heads: true, ..none };
    assert_eq!(in_maps(sets(), outer, false).await, (false, true), "a layer outside of them");
}

#[tokio::test]
async fn a_refused_request_is_kept_with_what_was_set_on_it() {
    let guards = vec![everybody("sets", Sets), everybody("no", Mark("no", refuse))];
    let (mut head, body) = Request::new(Full::<Bytes>::default()).into_parts();
    let mut cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(plan(guards))));
    cx.defer_response_headers();
    let cx = Arc::new(cx);
    head.extensions.insert(cx.clone());
    let service = GuardLayer::from_plan().before_sender().layer(Inner::default().service());
    let response = service.oneshot(Request::from_parts(head, body)).await.unwrap();
    assert_eq!((response.status(), &response.headers()["x-told"]), (StatusCode::UNAUTHORIZED, &HeaderValue::from(2)));
    assert_eq!(cx.refused_headers().unwrap()["x-set"], "1");
}
