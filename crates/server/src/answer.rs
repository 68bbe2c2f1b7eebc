//! A request on its way through the stack, and its response on the way back.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header, response::Parts,
};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;
use towergate_core::{Body, Context, SetHeaders};
use towergate_http1::server as http1;

use crate::{
    activity::{Activity, Flow},
    extended_connect::Handshake,
    framing, head_length,
    http2::Portions,
    request_body::Note,
    request_check::header_too_long,
    stamp::{Stamp, Written},
    worker::Worker,
};

pin_project! {
    /// The future of one request.
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct Answer<S, F> {
        #[pin]
        state: State<S, F>,
        facts: Option<Facts>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F> {
        // The stack is not ready yet. Boxed, because it nearly always is.
        Waiting { called: Option<Box<(S, Request<Body>)>> },
        Called { #[pin] future: F },
    }
}

/// What is needed to finish the response of a request.
pub(crate) struct Facts {
    pub(crate) worker: Arc<Worker>,
    pub(crate) cx: Arc<Context>,
    pub(crate) method: Method,
    /// The version of HTTP that the client speaks.
    pub(crate) version: Version,
    /// Whether the client wants to know the names of route and service.
    pub(crate) is_debug: bool,
    /// Whether the connection is to be closed after this request.
    pub(crate) is_last: bool,
    /// If the client opens a WebSocket in the way of HTTP/2: what has to be answered.
    pub(crate) handshake: Option<Handshake>,
    /// Where the request's body tells what is wrong with it; `None` without a body.
    pub(crate) note: Option<Note>,
    pub(crate) serving: Serving,
}

/// The connection serves a request for as long as this lives.
pub(crate) struct Serving {
    activity: Arc<Activity>,
    is_answered: bool,
}

impl Serving {
    /// A request has begun on this connection.
    pub(crate) fn new(activity: Arc<Activity>) -> Self {
        Self { activity, is_answered: false }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.activity.answered(self.is_answered);
        self.activity.end();
    }
}

impl<S: Service<Request<Body>> + Clone> Answer<S, S::Future> {
    /// Calls the stack, at once if it is ready.
    pub(crate) fn new(stack: &mut S, request: Request<Body>, facts: Facts) -> Self {
        // Should it not be ready, a copy of it is asked again by whoever waits for it.
        let state = match stack.poll_ready(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called { future: stack.call(request) },
            _ => State::Waiting { called: Some(Box::new((stack.clone(), request))) },
        };
        Self { state, facts: Some(facts) }
    }
}

impl<S, RB> Future for Answer<S, S::Future>
where
    S: Service<Request<Body>, Response = Response<RB>, Error = Infallible>,
    RB: HttpBody<Data = Bytes>,
{
    type Output = Response<ResponseBody<RB>>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StateProjection::Waiting { called } = this.state.as_mut().project() {
            // Polled again after it was done; a future may then do anything but panic.
            let Some(mut waiting) = called.take() else { return Poll::Pending };
            if waiting.0.poll_ready(task).is_pending() {
                *called = Some(waiting);
                return Poll::Pending;
            }
            let (mut stack, request) = *waiting;
            let future = stack.call(request);
            this.state.set(State::Called { future });
        }
        let StateProjection::Called { future } = this.state.project() else { return Poll::Pending };
        let Ok(response) = ready!(future.poll(task));
        let Some(facts) = this.facts.take() else { return Poll::Pending };
        Poll::Ready(facts.finish(response))
    }
}

impl Facts {
    /// Gives a response what every response has: framing that holds, and our headers. Over HTTP/1 our headers are put in
    /// when its head is written, unless somebody wants to see them before.
    fn finish<RB: HttpBody<Data = Bytes>>(mut self, response: Response<RB>) -> Response<ResponseBody<RB>> {
        let (mut head, body) = response.into_parts();
        let kind = match self.fault_of_body(head.status).or_else(|| self.fault_of_switch(&mut head)) {
            Some(status) => Kind::Own { bytes: self.blame(status, &mut head.status, &mut head.headers) },
            None => Kind::Stack { body },
        };
        if head.status == header_too_long() && !self.cx.is_proxied() {
            head.status = StatusCode::BAD_REQUEST;
        }
        self.serving.is_answered = true;
        let is_counted = self.cx.traffic.is_asked();
        let is_stamped = self.version >= Version::HTTP_2 || self.is_debug || self.cx.records.is_asked();
        let (portions, serving, cx) = (Portions::default(), self.serving, self.cx);
        let body = ResponseBody { kind, portions, serving, cx, is_counted, is_stamped };
        if is_stamped {
            body.cx.write_response_headers(&mut head.headers);
        }
        // A connection of HTTP/1 frames by the body itself, except that a response without one may say how long it would be.
        if is_stamped || self.method == Method::HEAD || head.status == StatusCode::NOT_MODIFIED {
            framing::settle(&mut head.headers, head.status, &self.method, &body);
        }
        if is_stamped {
            self.worker.stamp.put(&mut head.headers, head.status, head.version, &body.cx, self.is_debug);
        }
        // What comes after a body that went wrong is anybody's guess.
        let is_last = self.is_last || self.note.is_some_and(|note| note.wrong().is_some());
        // After a switch of protocols there is no next request anyway.
        if is_last && head.status != StatusCode::SWITCHING_PROTOCOLS {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        body.cx.records.keep_response(head.status, &head.headers);
        if is_counted && self.version >= Version::HTTP_2 {
            let length = body.size_hint().exact();
            let length = head_length::of_response(&head.headers, head.status, self.version, length);
            body.cx.traffic.add_head(length);
        }
        Response::from_parts(head, body)
    }

    /// The status that tells better what was wrong, if the request failed because of its body:
    /// those who read it only know that it broke.
    fn fault_of_body(&self, status: StatusCode) -> Option<StatusCode> {
        let better = self.note.as_ref()?.wrong()?.status();
        let is_vague = status == StatusCode::BAD_REQUEST || status == StatusCode::BAD_GATEWAY;
        (is_vague && better != status && !self.cx.is_proxied()).then_some(better)
    }

    /// The status to answer with if this is no answer to the opening of a WebSocket.
    fn fault_of_switch(&self, head: &mut Parts) -> Option<StatusCode> {
        let status = head.status;
        if self.handshake.as_ref()?.settle(head) {
            return None;
        }
        let (side, request_id) = ("upstream", self.cx.request_id.as_str());
        tracing::error!(side, request_id, %status, "No answer to the opening of a WebSocket");
        head.headers.clear();
        Some(StatusCode::BAD_GATEWAY)
    }

    /// Answers with this status instead; headers that plugins have set stay.
    fn blame(&self, better: StatusCode, status: &mut StatusCode, headers: &mut HeaderMap) -> Option<Bytes> {
        let reply = towergate_core::Reply::fault(better);
        let pages = self.cx.plan().map(|plan| plan.pages.clone()).unwrap_or_default();
        let (head, body) = reply.render(&self.cx.asker, &self.cx.request_id, &pages).into_parts();
        *status = head.status;
        headers.extend(head.headers);
        Some(body)
    }
}

pin_project! {
    /// A response's body; while it lasts, its connection serves a request.
    pub(crate) struct ResponseBody<RB> {
        #[pin]
        kind: Kind<RB>,
        portions: Portions,
        serving: Serving,
        cx: Arc<Context>,
        // Whether anybody wants to know how much is sent.
        is_counted: bool,
        // Whether our headers are among the response's.
        is_stamped: bool,
    }
}

impl<RB> ResponseBody<RB> {
    /// What is put into the response's head while it is written.
    pub(crate) fn own_lines<'a>(&'a self, head: &'a Parts, stamp: &'a Stamp) -> OwnLines<'a> {
        let own = (!self.is_stamped).then(|| (self.cx.take_response_headers(), stamp.written(head, &self.cx)));
        let (set, stamp) = own.unzip();
        OwnLines { set: set.unwrap_or_default(), stamp, cx: &self.cx, is_counted: self.is_counted }
    }
}

/// Headers that plugins have set, and ours, if they are to be put in now.
pub(crate) struct OwnLines<'a> {
    set: SetHeaders,
    stamp: Option<Written<'a>>,
    cx: &'a Context,
    /// Whether somebody wants to know how long the head is.
    is_counted: bool,
}

impl http1::OwnLines for OwnLines<'_> {
    fn pass(&mut self, name: &HeaderName, value: &HeaderValue) -> bool {
        !self.set.replaces(name) && self.stamp.as_mut().is_none_or(|stamp| stamp.pass(name, value))
    }

    fn add(&mut self, lines: &mut http1::Lines<'_>) {
        for (name, value) in self.set.lines() {
            value.show(self.cx, |value| lines.put_field(name, value));
        }
        if let Some(stamp) = &self.stamp {
            stamp.add(lines);
        }
    }

    fn written(&mut self, bytes: usize) {
        if self.is_counted {
            self.cx.traffic.add_head(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<RB> {
        Stack { #[pin] body: RB },
        Own { bytes: Option<Bytes> },
    }
}

impl<RB: HttpBody<Data = Bytes>> Kind<RB> {
    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, RB::Error>>> {
        match self.project() {
            KindProjection::Stack { body } => body.poll_frame(task),
            KindProjection::Own { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }
}

fn count(cx: &Context, frame: &Frame<Bytes>) {
    cx.traffic.add_sent(frame.data_ref().map_or(0, |data| data.len() as u64));
}

impl<RB: HttpBody<Data = Bytes>> HttpBody for ResponseBody<RB> {
    type Data = Bytes;
    type Error = RB::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, RB::Error>>> {
        let this = self.project();
        let activity = &this.serving.activity;
        if !activity.is_multiplexed() {
            let frame = ready!(this.kind.poll_frame(task));
            if let (true, Some(Ok(frame))) = (*this.is_counted, &frame) {
                count(this.cx, frame);
            }
            return Poll::Ready(frame);
        }
        activity.flow(Flow::Awaited);
        let frame = match this.portions.next() {
            Some(portion) => Some(Ok(portion)),
            None => ready!(this.kind.poll_frame(task)).map(|frame| frame.map(|frame| this.portions.first(frame))),
        };
        if let (true, Some(Ok(frame))) = (*this.is_counted, &frame) {
            count(this.cx, frame);
        }
        activity.flow(Flow::HandedOut);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let is_end = match &self.kind {
            Kind::Stack { body } => body.is_end_stream(),
            Kind::Own { bytes } => bytes.is_none(),
        };
        is_end && self.portions.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = match &self.kind {
            Kind::Stack { body } => body.size_hint(),
            Kind::Own { bytes } => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        };
        self.portions.add_to(&mut hint);
        hint
    }
}
