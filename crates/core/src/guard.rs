//! A decision on the head of a request.

use std::{fmt, future::Future, pin::Pin};

use bytes::Bytes;
use http::{HeaderName, request, response};

use crate::{context::Context, reply::Reply, secrets::Secrets};

/// A decision on the head of a request, and a look at the head of its response.
///
/// Guards of one route run in Kong's PRIORITY order until one refuses; then [`respond`](Self::respond)
/// runs for *all* of them, in the same order, whoever made the response.
pub trait Guard: Send + Sync + 'static {
    /// Whether the request may go on. May change its headers and target.
    fn check(&self, cx: &Context, head: &mut request::Parts) -> Verdict;

    /// Called instead of going on after [`Verdict::Buffer`], with the whole body, or `None` if it
    /// was larger than the limit. May replace it.
    fn check_body(&self, _cx: &Context, _head: &mut request::Parts, _body: Option<&mut Bytes>) -> Verdict {
        Verdict::Pass
    }

    /// Sees the head of the response, refusals and the unmatched route's 404 included. `check` has
    /// not run before if the request was refused by an earlier guard or matched no route: ask
    /// [`Context::has_checked`].
    fn respond(&self, _cx: &Context, _head: &mut response::Parts) {}

    /// Whether it may read or change this header of a request, or says who the request is from. What it does not read
    /// need not be put into the map of headers before its turn, if another guard has
    /// [set](Context::change_request_headers) it.
    fn may_read(&self, _name: &HeaderName) -> bool {
        true
    }

    /// What [`respond`](Self::respond) does: whoever says less than it may do costs less.
    fn response(&self) -> Responding {
        Responding::Sees
    }

    /// Adds where it looks for what proves who a client is, beside `Authorization`: so that no log shows it.
    fn secrets(&self, _secrets: &mut Secrets) {}
}

/// What a guard does with responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Responding {
    /// Nothing: it is not shown them.
    Never,
    /// It only changes headers, by way of the [context](Context::change_response_headers), and looks at none that other
    /// guards have set.
    Changes,
    /// It looks at the head as all before it have left it.
    Sees,
}

/// What a guard decided.
pub enum Verdict {
    /// The request goes on.
    Pass,
    /// The request goes on, but its body must not turn out to be larger than this.
    PassUpTo(BodyLimit),
    /// It is answered so instead.
    Refuse(Reply),
    /// Decided when this future is done (a store must be asked).
    Wait(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    /// The guard must see the body first, if it is not larger than so many bytes.
    Buffer(usize),
}

/// How large a request's body may turn out to be when nobody knows beforehand: its bytes are counted
/// as they go by, and none is kept.
///
/// If the limit is passed before there is a response, the client gets [`otherwise`](Self::otherwise),
/// and the inner service's future is dropped. In any case whoever reads the body gets
/// [`BodyTooLarge`](crate::BodyTooLarge), so that it never takes a part for the whole.
#[derive(Debug, Clone)]
pub struct BodyLimit {
    /// The most it may have.
    pub bytes: u64,
    /// The answer if it has more.
    pub otherwise: Reply,
}

/// Something to be done to a request.
pub type Change = Box<dyn FnOnce(&Context, &mut request::Parts) + Send>;

/// What a guard decided after waiting.
pub enum Outcome {
    /// The request goes on.
    Pass,
    /// The request goes on, after this was done to it.
    PassWith(Change),
    /// It is answered so instead.
    Refuse(Reply),
}

impl Verdict {
    /// Decides when `future` is done.
    pub fn wait(future: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self::Wait(Box::pin(future))
    }

    /// Whether the request goes on at once, whatever its body.
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Pass)
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::PassUpTo(limit) => f.debug_tuple("PassUpTo").field(limit).finish(),
            Self::Refuse(reply) => f.debug_tuple("Refuse").field(reply).finish(),
            Self::Wait(_) => f.write_str("Wait"),
            Self::Buffer(limit) => f.debug_tuple("Buffer").field(limit).finish(),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::PassWith(_) => f.write_str("PassWith"),
            Self::Refuse(reply) => f.debug_tuple("Refuse").field(reply).finish(),
        }
    }
}
