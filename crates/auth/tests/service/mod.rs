//! The inner service of the layers' tests: keeps what it received, answers 200.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use towergate_core::{Context, GuardBody};
use uuid::Uuid;

pub(crate) const IDENTITY: [&str; 5] =
    ["x-consumer-id", "x-consumer-custom-id", "x-consumer-username", "x-credential-identifier", "x-anonymous-consumer"];

/// What the inner service received.
pub(crate) struct Seen {
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) consumer: Option<String>,
    pub(crate) credential: Option<Uuid>,
}

impl Seen {
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|line| line.to_str().unwrap()).collect()
    }

    pub(crate) fn identity(&self) -> [Vec<&str>; 5] {
        IDENTITY.map(|name| self.lines(name))
    }
}

pub(crate) type Answer = (StatusCode, HeaderMap, String);

/// Names and values of headers.
pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

pub(crate) async fn send<L>(layer: &L, request: Request<Full<Bytes>>) -> (Option<Seen>, Answer)
where
    L: Layer<Inner>,
    L::Service: Service<Request<Full<Bytes>>, Response = Response<GuardBody<Full<Bytes>>>, Error = Infallible>,
{
    let seen = Arc::new(Mutex::new(None));
    let response = layer.layer(Inner(seen.clone())).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = seen.lock().unwrap().take();
    (seen, (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap()))
}

/// The inner service: keeps what it received, answers 200.
#[derive(Clone)]
pub(crate) struct Inner(Arc<Mutex<Option<Seen>>>);

impl Service<Request<GuardBody<Full<Bytes>>>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<GuardBody<Full<Bytes>>>) -> Self::Future {
        let seen = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let cx = head.extensions.get::<Arc<Context>>().unwrap();
            let found = Seen {
                uri: head.uri.to_string(),
                consumer: cx.consumer().and_then(|consumer| consumer.username.clone()),
                credential: cx.credential().map(|credential| credential.id),
                body: body.collect().await.unwrap().to_bytes(),
                headers: head.headers,
            };
            *seen.lock().unwrap() = Some(found);
            Ok(Response::new(Full::default()))
        })
    }
}

pub(crate) fn request(uri: &str, headers: Headers<'_>) -> Request<Full<Bytes>> {
    with_body(uri, headers, "")
}

pub(crate) fn with_body(uri: &str, headers: Headers<'_>, body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body.to_owned())).unwrap()
}
