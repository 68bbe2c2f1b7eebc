//! Bodies whose size nobody knows beforehand, and a guard that limits it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context as TaskContext, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use towergate_core::{
    BodyLimit, BodyTooLarge, Choice, Client, Context, Guard, GuardBody, GuardLayer, Level, Plan, Plugins, Reply,
    Timing, Verdict,
};

/// Lets a body of so many bytes pass.
struct UpTo(u64);

impl Guard for UpTo {
    fn check(&self, _: &Context, _: &mut request::Parts) -> Verdict {
        let otherwise = Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "Too much");
        Verdict::PassUpTo(BodyLimit { bytes: self.0, otherwise })
    }
}

/// Looks at bodies of up to 100 bytes.
struct Look;

impl Guard for Look {
    fn check(&self, _: &Context, _: &mut request::Parts) -> Verdict {
        Verdict::Buffer(100)
    }
}

/// A body that comes in pieces; whether it says how long it is.
struct Pieces(VecDeque<&'static str>, bool);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.1 {
            true => SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum()),
            false => SizeHint::new(),
        }
    }
}

/// Sends a body through these guards: the status, and what the inner service had of it if it was called.
async fn send(guards: Vec<Arc<dyn Guard>>, body: Pieces) -> (u16, Option<Result<String, String>>) {
    let seen = Arc::new(Mutex::new(None));
    let sees = seen.clone();
    let inner = service_fn(move |request: Request<GuardBody<Pieces>>| {
        let sees = sees.clone();
        async move {
            let read = request.into_body().collect().await;
            let read = read.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
            *sees.lock().unwrap() = Some(read.map_err(|error| error.to_string()));
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let guards = guards.into_iter().map(|guard| Choice::new("x", vec![Level::Everybody(guard)])).collect();
    let (mut head, body) = Request::new(body).into_parts();
    let plan = Plan::from(Plugins { guards, ..Plugins::default() });
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(plan)));
    head.extensions.insert(Arc::new(cx));
    let service = GuardLayer::from_plan().layer(inner);
    let response = service.oneshot(Request::from_parts(head, body)).await.unwrap();
    (response.status().as_u16(), seen.lock().unwrap().take())
}

#[tokio::test]
async fn a_body_may_be_as_large_as_its_limit_and_is_counted_as_it_comes() {
    let too_large = || Some(Err("the body is larger than the 4 bytes allowed".into()));
    for (pieces, expected) in [
        (&["ab", "cd"][..], (200, Some(Ok("abcd".into())))),
        (&[], (200, Some(Ok(String::new())))),
        (&["ab", "cde"], (413, too_large())),
        (&["abcde"], (413, too_large())),
    ] {
        let body = Pieces(pieces.iter().copied().collect(), false);
        assert_eq!(send(vec![Arc::new(UpTo(4))], body).await, expected, "{pieces:?}");
    }
}

#[tokio::test]
async fn a_body_known_to_be_too_large_is_not_begun() {
    for (pieces, expected) in [(["ab", "cd"], (200, Some(Ok("abcd".into())))), (["ab", "cde"], (413, None))] {
        assert_eq!(send(vec![Arc::new(UpTo(4))], Pieces(pieces.into(), true)).await, expected);
    }
}

#[tokio::test]
async fn of_several_limits_the_least_counts() {
    for limits in [[4, 9], [9, 4]] {
        let guards = limits.map(|limit| Arc::new(UpTo(limit)) as Arc<dyn Guard>);
        assert_eq!(send(guards.to_vec(), Pieces(["ab", "cde"].into(), false)).await.0, 413);
    }
}

#[tokio::test]
async fn what_another_guard_gathers_counts_too() {
    for (pieces, expected) in [(["ab", "cd"], (200, Some(Ok("abcd".into())))), (["ab", "cde"], (413, None))] {
        for guards in [[Arc::new(UpTo(4)) as Arc<dyn Guard>, Arc::new(Look)], [Arc::new(Look), Arc::new(UpTo(4))]] {
            assert_eq!(send(guards.to_vec(), Pieces(pieces.into(), false)).await, expected);
        }
    }
}

#[tokio::test]
async fn after_the_response_has_begun_the_reader_learns_that_the_body_is_too_large() {
    let echo = service_fn(|request: Request<GuardBody<Pieces>>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let service = GuardLayer::new(UpTo(4)).layer(echo);
    let response = service.oneshot(Request::new(Pieces(["ab", "cde"].into(), false))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.is::<BodyTooLarge>(), "{error}");
}
