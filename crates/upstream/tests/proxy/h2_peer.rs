//! Upstreams that speak HTTP/2, each request answered by what the test says.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpListener;
use towergate_core::{Protocol, Service};

use crate::support::{service, within};

/// A request as the upstream got it and the way to answer it.
pub(crate) struct Call {
    /// Its number on this upstream, from 1.
    pub(crate) number: usize,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: server::SendResponse<Bytes>,
}

/// An upstream on a loopback port.
pub(crate) struct H2Upstream {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl H2Upstream {
    /// Answers each request by `handler`, in a task of its own.
    pub(crate) async fn answering<F, R>(handler: F) -> Self
    where
        F: Fn(Call) -> R + Clone + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self::set_up(server::Builder::new(), handler).await
    }

    /// The same with settings.
    pub(crate) async fn set_up<F, R>(builder: server::Builder, handler: F) -> Self
    where
        F: Fn(Call) -> R + Clone + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = Self { address, connections: Arc::default(), closed: Arc::default() };
        let (connections, closed) = (upstream.connections.clone(), upstream.closed.clone());
        let numbers = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (builder, handler, numbers) = (builder.clone(), handler.clone(), numbers.clone());
                let closed = closed.clone();
                tokio::spawn(async move {
                    if let Ok(mut connection) = builder.handshake(stream).await {
                        while let Some(Ok((request, respond))) = connection.accept().await {
                            let number = numbers.fetch_add(1, Ordering::SeqCst) + 1;
                            tokio::spawn(handler(Call { number, request, respond }));
                        }
                    }
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        upstream
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many of them have ended.
    pub(crate) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }

    pub(crate) fn service(&self) -> Service {
        grpc(self.address)
    }
}

/// A gRPC service at this address.
pub(crate) fn grpc(address: SocketAddr) -> Service {
    Service { protocol: Protocol::Grpc, ..service(address) }
}

impl Call {
    /// The next part of the request's body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let body = self.request.body_mut();
        let chunk = within(body.data()).await;
        if let Some(Ok(chunk)) = &chunk {
            body.flow_control().release_capacity(chunk.len()).unwrap();
        }
        chunk
    }

    /// The whole body and the trailers.
    pub(crate) async fn body(&mut self) -> (Vec<u8>, Option<HeaderMap>) {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await {
            all.extend_from_slice(&chunk.unwrap());
        }
        (all, within(self.request.body_mut().trailers()).await.unwrap())
    }

    /// Begins a gRPC response.
    pub(crate) fn head(&mut self) -> SendStream<Bytes> {
        let response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        self.respond.send_response(response, false).unwrap()
    }

    /// Answers with this message and a good status.
    pub(crate) fn answer(&mut self, message: impl Into<Bytes>) {
        let mut stream = self.head();
        stream.send_data(message.into(), false).unwrap();
        stream.send_trailers(trailers("0")).unwrap();
    }

    /// Waits until the other side gives the request up, without an answer; why.
    pub(crate) async fn given_up(&mut self) -> h2::Reason {
        within(std::future::poll_fn(|cx| self.respond.poll_reset(cx))).await.unwrap()
    }
}

/// Waits until the other side gives the response up; why.
pub(crate) async fn given_up(stream: &mut SendStream<Bytes>) -> h2::Reason {
    within(std::future::poll_fn(|cx| stream.poll_reset(cx))).await.unwrap()
}

pub(crate) fn trailers(status: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(status))])
}
