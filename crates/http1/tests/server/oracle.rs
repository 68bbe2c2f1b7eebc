//! hyper as the other side, and as another reader of the same bytes.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use towergate_http1::server::{Config, Connection};

use crate::{
    fuzz::{Seen, WHOLE, observe, spoilt},
    harness::*,
};

/// What hyper's server sees of these bytes, as far as it gets.
fn seen_by_hyper(bytes: &[u8]) -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noting = seen.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let seen = noting.clone();
            async move {
                let (head, body) = request.into_parts();
                let mut headers: Vec<_> =
                    head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
                headers.sort();
                let body = match head.uri.path().starts_with("/x") {
                    true => None,
                    false => body.collect().await.ok().map(|body| body.to_bytes().to_vec()),
                };
                let (method, target) = (head.method.to_string(), head.uri.to_string());
                seen.lock().unwrap().push(Seen { method, target, headers, body });
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
            }
        });
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let connection =
            hyper::server::conn::http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service);
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let _ = tokio::join!(connection, async move { client.read_to_end(&mut Vec::new()).await });
        seen.lock().unwrap().clone()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// What is taken here has no other meaning for hyper: it may refuse it, or stop earlier.
    #[test]
    fn no_request_means_anything_else_to_hyper(bytes in spoilt()) {
        let (ours, _) = observe(&bytes, usize::MAX);
        let hypers = seen_by_hyper(&bytes);
        for (ours, hypers) in ours.iter().zip(&hypers) {
            let Some(ours) = ours else { break };
            // A body that is refused here.
            if ours.body.is_none() && hypers.body.is_some() {
                break;
            }
            prop_assert_eq!(ours, hypers);
        }
    }

    #[test]
    fn hypers_client_gets_its_answers(exchanges in prop::collection::vec(exchange(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(exchange_all(exchanges));
    }
}

#[test]
fn hyper_sees_the_same_in_whole_requests() {
    let bytes = [WHOLE[0], WHOLE[1], WHOLE[2], WHOLE[3], WHOLE[5], WHOLE[6]].concat();
    let (ours, _) = observe(bytes.as_bytes(), usize::MAX);
    let ours: Vec<_> = ours.into_iter().flatten().collect();
    assert_eq!((ours.len(), ours), (6, seen_by_hyper(bytes.as_bytes())));
}

/// A request and its response.
#[derive(Debug, Clone)]
struct Exchange {
    method: &'static str,
    status: u16,
    sent: Content,
    returned: Content,
}

#[derive(Debug, Clone)]
struct Content {
    frames: Vec<usize>,
    is_length_known: bool,
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        self.frames.iter().enumerate().flat_map(|(n, size)| vec![b'a' + n as u8; *size]).collect()
    }

    fn answer(&self) -> Answer {
        if self.is_length_known {
            return text(self.bytes());
        }
        let mut bytes = Bytes::from(self.bytes());
        frames(self.frames.iter().map(|size| Ok(http_body::Frame::data(bytes.split_to(*size)))).collect())
    }
}

fn content() -> impl Strategy<Value = Content> {
    let size = prop_oneof![Just(0usize), 1usize..100, 5_000usize..20_000, 60_000usize..200_000];
    (prop::collection::vec(size, 0..4), any::<bool>())
        .prop_map(|(frames, is_length_known)| Content { frames, is_length_known })
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "M-SEARCH"]);
    let status = prop::sample::select(vec![200, 204, 304, 404, 500]);
    (method, status, content(), content()).prop_map(|(method, status, mut sent, returned)| {
        // hyper sends no body of unknown length with these.
        sent.is_length_known |= matches!(method, "GET" | "HEAD");
        Exchange { method, status, sent, returned }
    })
}

/// Sends requests one after another over one connection, and compares what arrives on both sides.
async fn exchange_all(exchanges: Vec<Exchange>) {
    let (near, far) = tokio::io::duplex(10_000);
    let mut script = exchanges.clone().into_iter();
    let service = Closure::new(move |asked: Asked| {
        let Exchange { method, status, sent, returned } = script.next().unwrap();
        async move {
            let (head, body) = asked.unwrap().into_parts();
            assert_eq!((head.method.as_str(), &head.headers["x-name"]), (method, &"some value".parse().unwrap()));
            assert_eq!(body.collect().await.unwrap().to_bytes(), sent.bytes());
            let mut answer = returned.answer();
            *answer.status_mut() = status.try_into().unwrap();
            answer.headers_mut().insert("x-back", "another".parse().unwrap());
            answer
        }
    });
    let server = tokio::spawn(Connection::new(far, service, Config::default()));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
    let client = tokio::spawn(connection);
    for Exchange { method, status, sent, returned } in exchanges {
        let (head, body) = sent.answer().into_parts();
        let mut request = Request::new(body);
        *request.method_mut() = method.parse().unwrap();
        *request.headers_mut() = HeaderMap::from_iter([("x-name".parse().unwrap(), "some value".parse().unwrap())]);
        drop(head);
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["x-back"]), (status, &"another".parse().unwrap()));
        let has_body = method != "HEAD" && status != 204 && status != 304;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, if has_body { returned.bytes() } else { Vec::new() });
    }
    drop(sender);
    server.await.unwrap().unwrap();
    let _ = client.await;
}
