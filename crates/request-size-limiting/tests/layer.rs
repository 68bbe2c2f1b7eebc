//! What reaches the inner service through request-size-limiting, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use towergate_core::GuardBody;
use towergate_request_size_limiting::RequestSizeLimitingLayer;

/// A body that does not say how large it is.
struct Pieces(VecDeque<&'static str>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }
}

/// Answers with the body, or with what it heard instead.
async fn echo(request: Request<GuardBody<Pieces>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => Bytes::from(error.to_string()),
    };
    Ok(Response::new(Full::from(body)))
}

async fn send(layer: RequestSizeLimitingLayer, headers: &[(&str, &str)], pieces: &[&'static str]) -> (u16, String) {
    let mut request = Request::post("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Pieces(pieces.iter().copied().collect())).unwrap();
    let response = layer.layer(service_fn(echo)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let message = serde_json::from_str::<serde_json::Value>(&body).ok();
    (status, message.and_then(|json| json["message"].as_str().map(str::to_owned)).unwrap_or(body))
}

const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");
const EXPECT: (&str, &str) = ("expect", "100-continue");

#[tokio::test]
async fn a_body_of_unknown_size_is_as_large_as_it_turns_out() {
    let too_large = "Request size limit exceeded";
    for headers in [&[][..], &[CHUNKED]] {
        let send = async |pieces| send(RequestSizeLimitingLayer::new(4), headers, pieces).await;
        assert_eq!(send(&["ab", "cd"]).await, (200, "abcd".into()));
        assert_eq!(send(&[]).await, (200, String::new()));
        assert_eq!(send(&["ab", "cde"]).await, (413, too_large.into()));
    }
    let (status, message) = send(RequestSizeLimitingLayer::new(4), &[CHUNKED, EXPECT], &["ab", "cde"]).await;
    assert_eq!((status, message.as_str()), (417, too_large));
}

#[tokio::test]
async fn a_length_that_is_too_large_is_enough() {
    for (headers, status) in [(&[("content-length", "5")][..], 413), (&[("content-length", "5"), EXPECT], 417)] {
        let (seen, message) = send(RequestSizeLimitingLayer::new(4), headers, &["not read"]).await;
        assert_eq!((seen, message.as_str()), (status, "Request size limit exceeded"));
    }
    let passed = send(RequestSizeLimitingLayer::new(4), &[("content-length", "4")], &["abcd"]).await;
    assert_eq!(passed, (200, "abcd".into()));
}

#[tokio::test]
async fn a_length_may_be_required() {
    let strict = || RequestSizeLimitingLayer::new(4).require_content_length(true);
    let refused = send(strict(), &[], &["ab"]).await;
    assert_eq!(refused, (411, "A valid Content-Length header is required".into()));
    assert_eq!(send(strict(), &[CHUNKED], &["ab"]).await, (200, "ab".into()));
    assert_eq!(send(strict(), &[("content-length", "2")], &["ab"]).await, (200, "ab".into()));
}
