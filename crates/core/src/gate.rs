//! Who has a say in which targets of an upstream are tried.

use std::fmt;

use http::StatusCode;

use crate::{context::Context, fault::Fault, reply::Reply};

/// Says which targets of an upstream may be tried, and is told how each attempt went.
///
/// A plugin puts one into the request's [`Context`] ([`Context::set_gate`]) before the request is
/// proxied. The proxying service asks it about each target it picks and passes over those that are
/// refused as long as another is left. A request without a gate costs nothing of this.
pub trait Gate: fmt::Debug + Send + Sync + 'static {
    /// Leave to try the target that configuration names so (`host:port`); `None` if it is not to
    /// be tried now.
    fn admit<'a>(&'a self, cx: &'a Context, target: &'a str) -> Option<Box<dyn Pass + 'a>>;

    /// The answer to a request of which no target may be tried.
    fn refusal(&self, cx: &Context) -> Reply;
}

/// Leave for one attempt at one target. Dropped without a report it is given back: the attempt was
/// given up, for example because the client went away.
pub trait Pass: Send {
    /// Tells how the attempt went.
    fn report(self: Box<Self>, attempt: Attempt);
}

/// How an attempt at a target went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The head of an answer with this status came.
    Answered(StatusCode),
    /// None came.
    Failed(Fault),
}
