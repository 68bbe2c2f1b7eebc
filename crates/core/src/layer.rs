//! The one service that applies guards.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode, request, response};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    body::{GuardBody, Kind},
    context::Context,
    guard::{BodyLimit, Guard, Outcome, Responding, Verdict},
    limit,
    reply::Reply,
    spans::Part,
};

/// Which guards apply to a request.
pub trait Guards: Clone + Send + Sync + 'static {
    /// How many turns there are.
    fn turns(&self, cx: &Context) -> usize;
    /// The guard of this turn, as chosen by what was known of the request before it.
    fn guard<'a>(&'a self, cx: &'a Context, turn: usize) -> Option<&'a dyn Guard>;
    /// The turn of the guard that is the `nth` to see the response, from 0.
    fn response_turn(&self, _cx: &Context, nth: usize) -> usize {
        nth
    }
    /// Whether the inner service writes the headers that guards set on a request itself
    /// ([`Context::take_request_headers`]), unless somebody in between may read them.
    fn is_sender_writing(&self) -> bool {
        false
    }
    /// What the guard of this turn is called; empty if it has no name.
    fn name(&self, _cx: &Context, _turn: usize) -> &'static str {
        ""
    }
}

/// One guard for every request: a layer embedded in a service of one's own.
#[derive(Debug)]
pub struct One<G>(Arc<G>);

impl<G> Clone for One<G> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<G: Guard> Guards for One<G> {
    fn turns(&self, _: &Context) -> usize {
        1
    }

    fn guard<'a>(&'a self, _: &'a Context, _: usize) -> Option<&'a dyn Guard> {
        Some(&*self.0)
    }
}

/// The guards of the request's plan: the gateway.
#[derive(Debug, Clone, Copy, Default)]
pub struct FromPlan {
    is_sender_writing: bool,
}

impl Guards for FromPlan {
    fn turns(&self, cx: &Context) -> usize {
        cx.plan().map_or(0, |plan| plan.plugins.guards.len())
    }

    fn guard<'a>(&'a self, cx: &'a Context, turn: usize) -> Option<&'a dyn Guard> {
        cx.plan()?.plugins.guards.get(turn)?.pick_for(|| cx.consumer_before(turn))
    }

    fn response_turn(&self, cx: &Context, nth: usize) -> usize {
        let turns = cx.plan().and_then(|plan| plan.plugins.response_turns.as_deref());
        turns.and_then(|turns| turns.get(nth).copied()).unwrap_or(nth)
    }

    fn is_sender_writing(&self) -> bool {
        self.is_sender_writing
    }

    fn name(&self, cx: &Context, turn: usize) -> &'static str {
        cx.plan().and_then(|plan| plan.plugins.guards.get(turn)).map_or("", |choice| choice.name)
    }
}

/// Applies guards to the requests of a service.
///
/// A refusal is answered with its [`Reply`]; the inner service's error type is kept.
#[derive(Debug, Clone)]
pub struct GuardLayer<Q> {
    guards: Q,
}

impl<G: Guard> GuardLayer<One<G>> {
    /// Applies this guard to every request.
    pub fn new(guard: G) -> Self {
        Self { guards: One(Arc::new(guard)) }
    }
}

impl GuardLayer<FromPlan> {
    /// Applies the guards of each request's plan.
    pub fn from_plan() -> Self {
        Self { guards: FromPlan::default() }
    }

    /// Says that what sends the requests writes the headers that guards have set on them
    /// ([`Context::take_request_headers`]), and that between it and the guards there are only layers of the band `inner`.
    #[must_use]
    pub fn before_sender(mut self) -> Self {
        self.guards.is_sender_writing = true;
        self
    }
}

impl<S, Q: Clone> Layer<S> for GuardLayer<Q> {
    type Service = GuardService<S, Q>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { inner, guards: self.guards.clone() }
    }
}

/// The service of a [`GuardLayer`].
#[derive(Debug, Clone)]
pub struct GuardService<S, Q> {
    inner: S,
    guards: Q,
}

impl<S, Q, B, R> Service<Request<B>> for GuardService<S, Q>
where
    S: Service<Request<GuardBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    Q: Guards,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Send,
    R: Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = GuardFuture<S::Future, Q, R, S::Error>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let cx = Context::of(&mut head);
        let guards = self.guards.clone();
        if let Some(reply) = cx.take_refusal() {
            cx.keep_refused(head.headers);
            return GuardFuture::refused(reply, cx, guards);
        }
        let mut limit = None;
        match run(&guards, &cx, &mut head, 0, &mut limit) {
            Stop::Refused(reply) => {
                cx.write_request_headers(&mut head.headers);
                cx.keep_refused(head.headers);
                GuardFuture::refused(Box::new(reply), cx, guards)
            }
            Stop::Passed if limit::is_kept(limit.as_ref(), &body) => {
                cx.settle_request_headers(guards.is_sender_writing(), &mut head.headers);
                cx.records.keep_request(&head.headers);
                let future = self.inner.call(Request::from_parts(head, GuardBody::inner(body)));
                GuardFuture { state: State::Inner { future }, cx, guards }
            }
            stop => {
                // The instance that was made ready serves this call; a fresh clone takes its place.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                let request = Request::from_parts(head, GuardBody::inner(body));
                let future = Box::pin(finish(inner, guards.clone(), cx.clone(), request, stop, limit));
                GuardFuture { state: State::Slow { future }, cx, guards }
            }
        }
    }
}

/// Where a run through the guards came to a stop.
enum Stop {
    Passed,
    Refused(Reply),
    Waiting(usize, Pin<Box<dyn Future<Output = Outcome> + Send>>),
    Buffering(usize, usize),
}

/// Asks the guards in turn, beginning with `from`. Of several limits on the body the least counts.
fn run(
    guards: &impl Guards,
    cx: &Context,
    head: &mut request::Parts,
    from: usize,
    limit: &mut Option<BodyLimit>,
) -> Stop {
    for turn in from..guards.turns(cx) {
        cx.begin_check(turn);
        let Some(guard) = guards.guard(cx, turn) else { continue };
        cx.spans.begin(|| Part::Check(guards.name(cx, turn)));
        cx.show_request_headers(guard, &mut head.headers);
        let stop = stop(guard.check(cx, head), turn, limit);
        // What has to wait goes on until it is decided.
        if !matches!(stop, Some(Stop::Waiting(..) | Stop::Buffering(..))) {
            cx.spans.end();
        }
        if let Some(stop) = stop {
            return stop;
        }
    }
    Stop::Passed
}

/// Where a verdict makes the run stop; `None` if it goes on.
fn stop(verdict: Verdict, turn: usize, limit: &mut Option<BodyLimit>) -> Option<Stop> {
    match verdict {
        Verdict::Pass => None,
        Verdict::PassUpTo(new) => {
            limit::narrow(limit, new);
            None
        }
        Verdict::Refuse(reply) => Some(Stop::Refused(reply)),
        Verdict::Wait(future) => Some(Stop::Waiting(turn, future)),
        Verdict::Buffer(bytes) => Some(Stop::Buffering(turn, bytes)),
    }
}

/// The rest of a request's way when a guard had to wait, see the body, or limits a body whose size is
/// not known: `Err` is a refusal.
async fn finish<S, Q, B, R>(
    inner: S,
    guards: Q,
    cx: Arc<Context>,
    request: Request<GuardBody<B>>,
    mut stop: Stop,
    mut limit: Option<BodyLimit>,
) -> Result<Result<Response<R>, S::Error>, Reply>
where
    S: Service<Request<GuardBody<B>>, Response = Response<R>>,
    Q: Guards,
    B: HttpBody<Data = Bytes>,
{
    let (mut head, mut body) = request.into_parts();
    loop {
        let turn = match stop {
            Stop::Passed => {
                cx.settle_request_headers(guards.is_sender_writing(), &mut head.headers);
                cx.records.keep_request(&head.headers);
                return limit::call(inner, Request::from_parts(head, body), limit).await;
            }
            Stop::Refused(reply) => {
                cx.write_request_headers(&mut head.headers);
                cx.keep_refused(head.headers);
                return Err(reply);
            }
            Stop::Waiting(turn, future) => {
                let outcome = future.await;
                cx.spans.end();
                match outcome {
                    Outcome::Pass => {}
                    Outcome::PassWith(change) => change(&cx, &mut head),
                    Outcome::Refuse(reply) => {
                        stop = Stop::Refused(reply);
                        continue;
                    }
                }
                turn
            }
            Stop::Buffering(turn, bytes) => {
                let verdict;
                (body, verdict) = show_body(&guards, &cx, &mut head, body, turn, bytes).await?;
                let next = self::stop(verdict, turn, &mut limit);
                if !matches!(next, Some(Stop::Waiting(..) | Stop::Buffering(..))) {
                    cx.spans.end();
                }
                if let Some(next) = next {
                    stop = next;
                    continue;
                }
                turn
            }
        };
        stop = run(&guards, &cx, &mut head, turn.saturating_add(1), &mut limit);
    }
}

/// Reads up to `limit` bytes of the body and shows them to the guard of this turn.
async fn show_body<B: HttpBody<Data = Bytes>>(
    guards: &impl Guards,
    cx: &Context,
    head: &mut request::Parts,
    body: GuardBody<B>,
    turn: usize,
    limit: usize,
) -> Result<(GuardBody<B>, Verdict), Reply> {
    let guard = guards.guard(cx, turn);
    let (mut whole, rest) = gather(body, limit).await?;
    let Some(rest) = rest else {
        let verdict = guard.map_or(Verdict::Pass, |guard| guard.check_body(cx, head, Some(&mut whole)));
        return Ok((GuardBody::bytes(whole), verdict));
    };
    let verdict = guard.map_or(Verdict::Pass, |guard| guard.check_body(cx, head, None));
    Ok((GuardBody::resumed(whole, rest), verdict))
}

/// The bytes of a body up to about `limit`, and what is left of it if there is more.
async fn gather<B: HttpBody<Data = Bytes>>(
    body: GuardBody<B>,
    limit: usize,
) -> Result<(Bytes, Option<Pin<Box<B>>>), Reply> {
    let (mut read, mut rest) = match body.into_kind() {
        Kind::Bytes { bytes } => return Ok((bytes.unwrap_or_default(), None)),
        Kind::Inner { body } => (BytesMut::new(), Box::pin(body)),
        Kind::Resumed { read, rest } => (read.map_or_else(BytesMut::new, BytesMut::from), rest),
    };
    while read.len() <= limit {
        let Some(frame) = rest.frame().await else { return Ok((read.freeze(), None)) };
        if let Ok(data) = frame.map_err(|_| Reply::fault(StatusCode::BAD_REQUEST))?.into_data() {
            read.extend_from_slice(&data);
        }
    }
    Ok((read.freeze(), Some(rest)))
}

pin_project! {
    /// The future of a [`GuardService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct GuardFuture<F, Q, R, E> {
        #[pin]
        state: State<F, R, E>,
        cx: Arc<Context>,
        guards: Q,
    }
}

/// A slow way's answer: the service's, or a refusal.
type Slow<R, E> = Pin<Box<dyn Future<Output = Result<Result<Response<R>, E>, Reply>> + Send>>;

pin_project! {
    #[project = StateProjection]
    enum State<F, R, E> {
        Inner { #[pin] future: F },
        // Boxed, so that a future that goes on is not as large.
        Refused { reply: Option<Box<Reply>> },
        Slow { future: Slow<R, E> },
    }
}

impl<F, Q, R, E> GuardFuture<F, Q, R, E> {
    fn refused(reply: Box<Reply>, cx: Arc<Context>, guards: Q) -> Self {
        Self { state: State::Refused { reply: Some(reply) }, cx, guards }
    }
}

impl<F, Q, R, E> Future for GuardFuture<F, Q, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
    Q: Guards,
{
    type Output = Result<Response<GuardBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.state.project() {
            StateProjection::Inner { future } => Ok(ready!(future.poll(task))),
            StateProjection::Slow { future } => ready!(future.as_mut().poll(task)),
            StateProjection::Refused { reply } => match reply.take() {
                Some(reply) => Err(*reply),
                // Polled again after it was done; a future may then do anything but panic.
                None => return Poll::Pending,
            },
        };
        let response = match answer {
            Ok(Ok(response)) => response.map(GuardBody::inner),
            Ok(Err(error)) => return Poll::Ready(Err(error)),
            Err(reply) => {
                let mut response = this.cx.render(reply);
                this.cx.write_response_headers_beside(response.headers_mut());
                response.map(GuardBody::bytes)
            }
        };
        let (mut head, body) = response.into_parts();
        respond(this.guards, this.cx, &mut head);
        this.cx.settle_response_headers(&mut head.headers);
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

/// Shows the head of the response to all guards.
fn respond(guards: &impl Guards, cx: &Context, head: &mut response::Parts) {
    // Whoever asks when the parts of a request's way ran is told of all guards.
    let is_recorded = cx.spans.is_asked();
    for nth in 0..guards.turns(cx) {
        let turn = guards.response_turn(cx, nth);
        let Some(guard) = guards.guard(cx, turn) else { continue };
        match guard.response() {
            Responding::Never if !is_recorded => continue,
            Responding::Never | Responding::Changes => {}
            Responding::Sees => cx.write_response_headers(&mut head.headers),
        }
        cx.begin_respond(turn);
        cx.spans.begin(|| Part::Respond(guards.name(cx, turn)));
        guard.respond(cx, head);
        cx.spans.end();
    }
}
