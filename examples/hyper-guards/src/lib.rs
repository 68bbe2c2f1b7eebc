//! A service on plain hyper, without a framework, that wants a key and lets each client ask so often.

use std::{convert::Infallible, io, net::SocketAddr, num::NonZeroU32, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use towergate::{auth::KeyAuth, prelude::*};
use uuid::Uuid;

const FIVE: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// Serves whoever connects: an id on every answer, five requests a minute for each address, and the key `alices-key`.
///
/// # Errors
/// The listener's.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let alice = Consumer::named("alice");
    let mut accounts = Directory::builder().consumer(alice.clone());
    accounts.add_credential(KeyAuth::CREDENTIALS, Uuid::new_v4(), alice.id, "alices-key", None, None);

    // A request meets them from the top down.
    let service = ServiceBuilder::new()
        .layer(CorrelationIdLayer::new().echo(true))
        .layer(RateLimitLayer::fixed([Quota::per_minute(FIVE)]).by(Key::client_address()))
        .layer(KeyAuthLayer::new(Arc::new(accounts.build())))
        .service(service_fn(greet));
    loop {
        let (stream, peer) = listener.accept().await?;
        // What is counted belongs to the layers, so that all connections share it.
        let service = TowerToHyperService::new(service.clone().map_request(move |request| from(peer, request)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Says whom a request is from: the limit is by the address.
fn from(peer: SocketAddr, mut request: Request<Incoming>) -> Request<Incoming> {
    request.extensions_mut().insert(peer);
    request
}

/// Only requests with a good key come here; whose it is stands in the request's context.
async fn greet<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let cx = request.extensions().get::<Arc<Context>>();
    let caller = cx.and_then(|cx| cx.consumer()).and_then(|caller| caller.username.as_deref());
    Ok(Response::new(Full::from(format!("Hello, {}", caller.unwrap_or("whoever you are")))))
}
