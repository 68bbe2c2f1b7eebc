//! A band of layers that only those requests go through whose plan has something for one of them.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{context::Context, plan::Plan};

/// Which bands of wrapping layers a plan has something for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bands {
    /// A layer outside the guards: a wrapping plugin there, or somebody who is told when a request is over.
    pub outer: bool,
    /// A layer inside the guards.
    pub inner: bool,
    /// Somebody outside the guards who looks at the heads of responses.
    pub heads: bool,
}

/// Layers that only those requests go through whose plan has something for one of them: for others they are not there.
///
/// Each layer by itself leaves a request alone that it has nothing to do with, but moving requests and responses from
/// layer to layer costs more than most layers do. Of the layers together one question is asked, whose answer was found
/// when the plan was made ([`bands`](crate::Plugins::bands)). A request without a plan goes through all of them.
///
/// ```
/// use tower::ServiceBuilder;
/// use towergate_core::{BandLayer, GuardLayer, ObserveLayer};
///
/// let outside = ServiceBuilder::new().layer(ObserveLayer::from_plan());
/// let stack = ServiceBuilder::new().layer(BandLayer::outer(outside)).layer(GuardLayer::from_plan());
/// ```
#[derive(Debug, Clone)]
pub struct BandLayer<L> {
    layers: L,
    is_used: fn(&Plan) -> bool,
}

impl<L> BandLayer<L> {
    /// Layers outside the guards.
    pub fn outer(layers: L) -> Self {
        Self { layers, is_used: |plan| plan.plugins.bands.outer }
    }

    /// Layers inside the guards.
    pub fn inner(layers: L) -> Self {
        Self { layers, is_used: |plan| plan.plugins.bands.inner }
    }
}

impl<S: Clone, L: Layer<S>> Layer<S> for BandLayer<L> {
    type Service = BandService<S, L::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        BandService { through: self.layers.layer(inner.clone()), past: inner, is_used: self.is_used }
    }
}

/// The service of a [`BandLayer`].
#[derive(Debug, Clone)]
pub struct BandService<S, T> {
    past: S,
    through: T,
    is_used: fn(&Plan) -> bool,
}

impl<S, T, A, B, C> Service<Request<A>> for BandService<S, T>
where
    S: Service<Request<A>, Response = Response<B>>,
    T: Service<Request<A>, Response = Response<C>, Error = S::Error>,
{
    type Response = Response<BandBody<B, C>>;
    type Error = S::Error;
    type Future = BandFuture<S::Future, T::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        ready!(self.past.poll_ready(task))?;
        self.through.poll_ready(task)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let plan = request.extensions().get::<Arc<Context>>().and_then(|cx| cx.plan());
        if plan.is_some_and(|plan| !(self.is_used)(plan)) {
            return BandFuture { way: Way::Past { future: self.past.call(request) } };
        }
        BandFuture { way: Way::Through { future: Box::pin(self.through.call(request)) } }
    }
}

pin_project! {
    /// The future of a [`BandService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct BandFuture<F, G> {
        #[pin]
        way: Way<F, G>,
    }
}

pin_project! {
    #[project = WayProjection]
    enum Way<F, G> {
        Past { #[pin] future: F },
        // Boxed, so that those that go past are not as large.
        Through { future: Pin<Box<G>> },
    }
}

impl<F, G, B, C, E> Future for BandFuture<F, G>
where
    F: Future<Output = Result<Response<B>, E>>,
    G: Future<Output = Result<Response<C>, E>>,
{
    type Output = Result<Response<BandBody<B, C>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().way.project() {
            WayProjection::Past { future } => {
                let response = ready!(future.poll(task))?;
                Poll::Ready(Ok(response.map(|body| BandBody { kind: Kind::Past { body } })))
            }
            WayProjection::Through { future } => {
                let response = ready!(future.as_mut().poll(task))?;
                Poll::Ready(Ok(response.map(|body| BandBody { kind: Kind::Through { body: Box::pin(body) } })))
            }
        }
    }
}

pin_project! {
    /// The body of a response that came through a [`BandService`], or past it.
    #[derive(Debug)]
    pub struct BandBody<B, C> {
        #[pin]
        kind: Kind<B, C>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B, C> {
        Past { #[pin] body: B },
        Through { body: Pin<Box<C>> },
    }
}

impl<B, C> Body for BandBody<B, C>
where
    B: Body,
    C: Body<Data = B::Data, Error = B::Error>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Past { body } => body.poll_frame(task),
            KindProjection::Through { body } => body.as_mut().poll_frame(task),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Past { body } => body.is_end_stream(),
            Kind::Through { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Past { body } => body.size_hint(),
            Kind::Through { body } => body.size_hint(),
        }
    }
}
