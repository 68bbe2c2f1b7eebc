//! The list of plugins: the one place where they meet.

use std::{convert::Infallible, future::Future};

use http::{Request, Response};
use http_body::Body as HttpBody;
use tower::Service;
use towergate_core::{Body, BoxError};
use towergate_runtime::Registry;
use towergate_upstream::Proxy;

/// A set of plugins: what configuration may name, and the stack that runs it. Both are made by
/// [`plugins!`](crate::plugins) from one list, so that they cannot disagree.
pub trait PluginSet: Send + Sync + 'static {
    /// What configuration may name.
    fn registry(&self) -> Registry;

    /// The stack around the proxying service, outermost band first.
    fn stack(&self, proxy: Proxy) -> impl Stack;
}

/// A complete stack, as a worker runs it.
pub trait Stack:
    Service<
        Request<Body>,
        Response = Response<Self::ResponseBody>,
        Error = Infallible,
        Future: Future<Output = Result<Response<Self::ResponseBody>, Infallible>> + Send + 'static,
    > + Clone
    + Send
    + 'static
{
    /// The body of its responses.
    type ResponseBody: HttpBody<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> Stack for S
where
    S: Service<
            Request<Body>,
            Response = Response<B>,
            Error = Infallible,
            Future: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: HttpBody<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type ResponseBody = B;
}

/// Declares a set of plugins by listing their types, each band in the order in which it runs.
///
/// * `outer` sees every response, refusals and the unmatched route's 404 included;
/// * `guard` decides on the request's head, in PRIORITY order, until one refuses;
/// * `inner` sees only what all guards let through.
///
/// Adding a plugin is its crate, its dependency line, and its name here.
#[macro_export]
macro_rules! plugins {
    (
        $(#[$doc:meta])*
        $vis:vis struct $set:ident {
            outer: [$($outer:ty),* $(,)?],
            guard: [$($guard:ty),* $(,)?],
            inner: [$($inner:ty),* $(,)?] $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        $vis struct $set;

        impl $crate::PluginSet for $set {
            fn registry(&self) -> $crate::macros::Registry {
                #[allow(unused_mut)]
                let mut registry = $crate::macros::Registry::default();
                $(registry.add_wrap::<$outer>($crate::macros::Band::Outer);)*
                $(registry.add_guard::<$guard>();)*
                $(registry.add_wrap::<$inner>($crate::macros::Band::Inner);)*
                registry
            }

            fn stack(&self, proxy: $crate::macros::Proxy) -> impl $crate::Stack {
                // Slots are counted in the order of the registry's wrapping plugins.
                #[allow(unused_mut, unused_variables)]
                let mut slots = 0usize..;
                let stack = $crate::macros::ServiceBuilder::new();
                $(let stack = stack.layer(
                    <$outer as $crate::macros::Wrap>::layer($crate::macros::Slot::in_plan(slots.next().unwrap_or(0))),
                );)*
                let stack = stack.layer($crate::macros::GuardLayer::from_plan());
                $(let stack = stack.layer(
                    <$inner as $crate::macros::Wrap>::layer($crate::macros::Slot::in_plan(slots.next().unwrap_or(0))),
                );)*
                stack.service(proxy)
            }
        }
    };
}

plugins! {
    /// The plugins of the `towergate` binary.
    pub struct Bundled {
        outer: [],
        guard: [
            towergate_correlation::CorrelationId,
            towergate_cors::Cors,
            towergate_auth::KeyAuth,
        ],
        inner: [],
    }
}
