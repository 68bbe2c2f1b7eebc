//! The service at the end of the stack: sends a request upstream and brings the response back.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;
use towergate_core::{Body, BoxError, Context, Service as Target, SetHeaders};
use towergate_dns::Client;
use towergate_http1::reuse;

use crate::{
    destination::Destination,
    destinations::Destinations,
    error::{Error, Kind, Side},
    exchange::Exchange,
    forward::{Forwarding, Wishes},
    http2,
    pool::Pool,
    request_body::RequestBody,
    resolve::Resolver,
    settings::ProxySettings,
    websocket,
};

/// Sends each request to the service of its plan and answers with what comes back.
///
/// It never fails: what goes wrong is answered with 400, 502, 503 or 504 and told in one line of
/// the log. Clones share one pool of connections and one memory of names; a gateway has one
/// `Proxy` per worker thread.
///
/// The request's [`Context`] is expected in its extensions, with a plan that holds a service and
/// the destination [`Destinations`] made for it. Without a plan, all requests go to the one
/// service given to [`Proxy::to`].
#[derive(Clone)]
pub struct Proxy {
    worker: Arc<Worker>,
}

/// What the requests of one worker share.
pub(crate) struct Worker {
    pub(crate) forwarding: Forwarding,
    pub(crate) pool: Arc<Pool>,
    pub(crate) http2: Arc<http2::Pool>,
    pub(crate) resolver: Arc<Resolver>,
    /// Where requests without a plan go.
    fixed: Option<(Target, Arc<Destination>)>,
}

impl Proxy {
    /// A proxy to the services of the requests' plans.
    pub fn new(settings: &ProxySettings) -> Self {
        Self::resolving(settings, Client::default())
    }

    /// The same, with names looked up by this client.
    pub fn resolving(settings: &ProxySettings, names: Client) -> Self {
        Self::with(settings, names, None)
    }

    /// A proxy that also takes requests without a plan, all to this one service: a tower service
    /// for use outside the gateway.
    pub fn to(service: Target, settings: &ProxySettings) -> Self {
        let destination = Destinations::new().make(&service);
        Self::with(settings, Client::default(), Some((service, destination)))
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    fn with(settings: &ProxySettings, names: Client, fixed: Option<(Target, Arc<Destination>)>) -> Self {
        let worker = Worker {
            forwarding: Forwarding::new(settings),
            pool: Arc::new(Pool::new(settings)),
            http2: Arc::new(http2::Pool::new(settings)),
            resolver: Arc::new(Resolver::new(names)),
            fixed,
        };
        Self { worker: Arc::new(worker) }
    }
}

impl<B> Service<Request<B>> for Proxy
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ProxyFuture;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ProxyFuture {
        let worker = self.worker.clone();
        let (mut head, body) = request.into_parts();
        // Taken, not shared: behind the proxy nobody looks for it in the extensions.
        let cx = head.extensions.remove::<Arc<Context>>().unwrap_or_else(|| Context::of(&mut head));
        let buffering = cx.route().is_none_or(|route| route.request_buffering);
        let mut body = RequestBody::new(body, buffering);
        let answer = async move {
            let answered = worker.forward(&cx, &mut head, &mut body).await;
            let response = answered.unwrap_or_else(|error| explain(&cx, &error));
            reuse(head.headers, head.extensions);
            response
        };
        ProxyFuture { answer: Box::pin(answer) }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

/// The future of a [`Proxy`]. Dropping it gives the request up and closes its connection.
pub struct ProxyFuture {
    answer: Pin<Box<dyn Future<Output = Response<Body>> + Send>>,
}

impl Future for ProxyFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ProxyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyFuture").finish_non_exhaustive()
    }
}

impl Worker {
    #[allow(clippy::manual_async_fn, reason = "an async fn has room for its arguments twice")]
    fn forward(
        &self,
        cx: &Context,
        head: &mut Parts,
        body: &mut RequestBody,
    ) -> impl Future<Output = Result<Response<Body>, Error>> {
        async move {
            let (service, destination) = self.way(cx)?;
            // A call that streams waits for answers to what it has sent.
            if !destination.is_http2() {
                body.gather().await?;
            }
            // Who looks at headers sees those that guards have set, too; usually they are written while the request is sent.
            let set = match destination.is_http2() || destination.reads_headers() {
                true => {
                    cx.write_request_headers(&mut head.headers);
                    SetHeaders::default()
                }
                false => cx.take_request_headers(),
            };
            let wishes = Wishes::of(&head.headers);
            let wish = if wishes.upgrade { websocket::wish(head, body.length()) } else { None };
            let mut exchange = Exchange::new(self, cx, service, head, set, wishes, body);
            exchange.wish = wish;
            exchange.run(destination).await
        }
    }

    /// The service of this request and the way there.
    fn way<'a>(&'a self, cx: &'a Context) -> Result<(&'a Target, &'a Destination), Error> {
        let Some(plan) = cx.plan() else {
            let (service, destination) = self.fixed.as_ref().ok_or_else(|| Error::new(Kind::NoService))?;
            return Ok((service, destination));
        };
        if let Some(other) = cx.overridden() {
            let destination = other.destination.downcast_ref().ok_or_else(|| Error::new(Kind::NoDestination))?;
            return Ok((&other.service, destination));
        }
        let service = plan.service.as_deref().ok_or_else(|| Error::new(Kind::NoService))?;
        let destination = plan.destination.as_deref().and_then(|made| made.downcast_ref());
        Ok((service, destination.ok_or_else(|| Error::new(Kind::NoDestination))?))
    }
}

/// Records and logs a failure for the operator and words it for the client.
fn explain(cx: &Context, error: &Error) -> Response<Body> {
    cx.record_fault(error.fault());
    let service = cx.service().map(|service| service.name.as_deref().unwrap_or(&service.host));
    let (upstream, side, request_id) = (service.unwrap_or("-"), error.side().as_str(), cx.request_id.as_str());
    match error.side() {
        // Whoever has closed the gate has said so, once.
        _ if error.is_barred() => tracing::debug!(upstream, side, request_id, cause = %error, "Request not proxied"),
        // What was asked for, as often as there are too many requests.
        _ if error.is_full() => tracing::info!(upstream, side, request_id, cause = %error, "Request not proxied"),
        Side::Client => tracing::info!(upstream, side, request_id, cause = %error, "Request not proxied"),
        _ => tracing::error!(upstream, side, request_id, cause = %error, "Request not proxied"),
    }
    let refusal = cx.gate().filter(|_| error.is_barred()).map(|gate| gate.refusal(cx));
    let reply = refusal.unwrap_or_else(|| error.reply());
    cx.render(reply).map(Body::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_fits_where_tower_services_are_wanted() {
        fn fits<S: Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static>(_: &S)
        where
            S::Future: Send + 'static,
        {
        }
        fits(&Proxy::new(&ProxySettings::default()));
    }

    #[test]
    fn the_future_of_a_request_is_no_larger_than_is_quickly_allocated() {
        let future = Proxy::new(&ProxySettings::default()).call(Request::new(Body::Empty));
        assert!(size_of_val(&*future.answer) <= 1024, "{}", size_of_val(&*future.answer));
    }
}
