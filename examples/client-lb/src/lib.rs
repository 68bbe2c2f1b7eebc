//! An HTTP client in front of several addresses.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error},
    rt::TokioExecutor,
};
use tower::{Service, ServiceExt, timeout::Timeout};
use towergate::{lb::BalanceError, prelude::*};

const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();

/// What goes wrong on the way to an address: connecting and talking, or taking too long.
pub type SendError = tower::BoxError;

/// The addresses take turns. One that fails (no connection, no answer within two seconds, a status of
/// 500 or more) is passed over for the next, and after three failures in a row for ten seconds.
pub fn client(
    addresses: &[SocketAddr],
) -> impl Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = BalanceError<SendError>, Future: Send>
+ Clone
+ Send
+ 'static {
    let services: Vec<_> = addresses.iter().map(|address| Timeout::new(to(*address), Duration::from_secs(2))).collect();
    let turns = RoundRobin::new(addresses.iter().map(|_| 1));
    Balance::new(services, turns).failover().eject_after(THREE, Duration::from_secs(10)).failed_if(
        |answer: &Result<Response<Incoming>, SendError>| {
            answer.as_ref().map_or(true, |response| response.status().is_server_error())
        },
    )
}

/// The client of one address. Any tower service does here, such as reqwest's client.
fn to(
    address: SocketAddr,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Incoming>, Error = Error, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    client.map_request(move |mut request: Request<Full<Bytes>>| {
        *request.uri_mut() = at(address, request.uri());
        request
    })
}

/// The same path and query at this address.
fn at(address: SocketAddr, uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = address.to_string().parse().ok();
    parts.path_and_query.get_or_insert_with(|| http::uri::PathAndQuery::from_static("/"));
    Uri::from_parts(parts).unwrap_or_default()
}
