//! Who sent a request, as axum knows it.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use axum::extract::ConnectInfo;
use http::{Request, request::Parts};
use ipnet::IpNet;
use tower_layer::Layer;
use tower_service::Service;
use towergate_core::{Client, Context, Timing};

use crate::forwarded;

/// Tells the layers inside who the client is: the peer of the connection
/// (`into_make_service_with_connect_info::<SocketAddr>()`), or whom a trusted proxy names.
///
/// Without it the layers of a service know no address: limits by client then count everybody
/// together, and rules on addresses apply to nobody's.
#[derive(Debug, Clone, Default)]
pub struct ClientLayer {
    trusted: Arc<[IpNet]>,
}

impl ClientLayer {
    /// The client is the peer of the connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Believes these proxies, and only them, what their `X-Forwarded-For` says.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        self.trusted = proxies.into_iter().collect();
        self
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> ClientService<S> {
        ClientService { inner, trusted: self.trusted.clone() }
    }
}

/// The service of a [`ClientLayer`].
#[derive(Debug, Clone)]
pub struct ClientService<S> {
    inner: S,
    trusted: Arc<[IpNet]>,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for ClientService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (mut head, body) = request.into_parts();
        // A context that is there already knows more: it is the gateway's, or of a layer like this one.
        if head.extensions.get::<Arc<Context>>().is_none() {
            let cx = Context::new(client(&head, &self.trusted), &head, Timing::start(), None);
            head.extensions.insert(Arc::new(cx));
        }
        self.inner.call(Request::from_parts(head, body))
    }
}

fn client(head: &Parts, trusted: &[IpNet]) -> Client {
    let Some(ConnectInfo(peer)) = head.extensions.get::<ConnectInfo<SocketAddr>>().copied() else {
        return Client::default();
    };
    let mut client = Client { trusted: forwarded::is_trusted(peer.ip(), trusted), ..Client::direct(peer) };
    if client.trusted
        && let Some(address) = forwarded::client(&head.headers, trusted)
    {
        (client.address, client.port) = (Some(address), None);
    }
    client
}
