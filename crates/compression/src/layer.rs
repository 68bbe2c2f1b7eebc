//! The layer for a service.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_http::compression::{Compression, CompressionBody, Predicate};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    Coding, Level, MediaRange,
    policy::{Policy, Wish},
};

/// Compresses responses: the layer. What it does, and to which, is on the [crate's page](crate).
#[derive(Debug, Clone)]
pub struct CompressionLayer {
    policy: Policy,
}

impl CompressionLayer {
    /// With these codings, the most preferred first; common text types, from 1024 bytes on, at balanced levels.
    pub fn new(codings: impl IntoIterator<Item = Coding>) -> Self {
        let policy = Policy {
            codings: codings.into_iter().collect(),
            level: Level::default(),
            min_length: 1024,
            types: MediaRange::defaults(),
        };
        Self { policy }
    }

    /// How much work to put into smaller bodies. Default [`Level::Balanced`].
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.policy.level = level;
        self
    }

    /// Bodies that are known to be shorter, in bytes, are left alone. Default 1024: less seldom saves a packet.
    #[must_use]
    pub fn min_length(mut self, bytes: u64) -> Self {
        self.policy.min_length = bytes;
        self
    }

    /// The media types that are compressed, instead of [`MediaRange::defaults`].
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = MediaRange>) -> Self {
        self.policy.types = types.into_iter().collect();
        self
    }
}

impl<S> Layer<S> for CompressionLayer {
    type Service = CompressionService<S>;

    /// Services share nothing with each other, so that one per thread costs the others nothing; clones of one do.
    fn layer(&self, inner: S) -> CompressionService<S> {
        CompressionService { inner, policy: Arc::new(self.policy.clone()) }
    }
}

/// A service whose responses are compressed; see [`CompressionLayer`].
#[derive(Debug, Clone)]
pub struct CompressionService<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, A, B> Service<Request<A>> for CompressionService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<CompressionBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let wish = self.policy.wish(&request);
        ResponseFuture { stage: Stage::Waiting { inner: self.inner.call(request), wish, policy: self.policy.clone() } }
    }
}

pin_project! {
    /// What [`CompressionService`] answers.
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        stage: Stage<F, B>,
    }
}

pin_project! {
    #[project = StageProjection]
    #[derive(Debug)]
    enum Stage<F, B> {
        // For the inner service's response.
        Waiting { #[pin] inner: F, wish: Wish, policy: Arc<Policy> },
        // For nothing: tower-http answers at once.
        Coding { #[pin] coding: CodingFuture<B> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<CompressionBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project().stage.project() {
                StageProjection::Waiting { inner, wish, policy } => {
                    let (mut head, body) = ready!(inner.poll(cx))?.into_parts();
                    let coding = policy.decide(*wish, &mut head, body.size_hint().exact());
                    code(Response::from_parts(head, body), coding, policy.level)
                }
                StageProjection::Coding { coding } => {
                    return coding.poll(cx).map(|Ok(response)| Ok(response));
                }
            };
            self.as_mut().project().stage.set(Stage::Coding { coding: next });
        }
    }
}

type CodingFuture<B> = tower_http::compression::ResponseFuture<Ready<Result<Response<B>, Infallible>>, Decided>;

/// Gives a response a body in a coding, or one that passes through. tower-http makes such bodies only as a service, so it
/// gets the response as the body of a request whose answer is that response.
fn code<B: Body>(response: Response<B>, coding: Option<Coding>, level: Level) -> CodingFuture<B> {
    let mut request = Request::new(response);
    if let Some(coding) = coding {
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    let is_coded = Decided(coding.is_some());
    Compression::new(Given).quality(level.into()).compress_when(is_coded).call(request)
}

/// Answers with the response that came as the request's body.
#[derive(Debug, Clone, Copy)]
struct Given;

impl<B> Service<Request<Response<B>>> for Given {
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Response<B>>) -> Self::Future {
        ready(Ok(request.into_body()))
    }
}

/// Whether to compress was decided before.
#[derive(Debug, Clone, Copy)]
struct Decided(bool);

impl Predicate for Decided {
    fn should_compress<B: Body>(&self, _: &Response<B>) -> bool {
        self.0
    }
}
