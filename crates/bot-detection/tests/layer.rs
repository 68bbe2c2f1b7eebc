//! What reaches the inner service through bot-detection, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use towergate_bot_detection::BotDetectionLayer;

/// Answers with the lines of the header it received.
async fn tell<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let lines: Vec<_> = request.headers().get_all("user-agent").iter().map(HeaderValue::as_bytes).collect();
    Ok(Response::new(Full::from(lines.concat())))
}

async fn send(layer: BotDetectionLayer, agents: &[&'static [u8]]) -> (u16, Vec<u8>) {
    let mut request = Request::new(Empty::<Bytes>::new());
    for agent in agents {
        request.headers_mut().append("user-agent", HeaderValue::from_bytes(agent).unwrap());
    }
    let response = layer.layer(service_fn(tell)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

fn message(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["request_id"].as_str().unwrap().len(), 32);
    body["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_passes_reaches_the_service_as_it_is() {
    let one: [&[&[u8]]; 5] = [&[], &[b"HelloWorld"], &[b""], &[b"  curl/8  "], &[b"\xff\xfe"]];
    for agents in one {
        let (status, body) = send(BotDetectionLayer::new(), agents).await;
        assert_eq!((status, body), (200, agents.concat()), "{agents:?}");
    }
    let allowing = BotDetectionLayer::new().allow(["^facebook"]).unwrap();
    assert_eq!(send(allowing, &[b"facebookexternalhit/1.1"]).await.0, 200);
}

#[tokio::test]
async fn who_does_not_reads_only_that() {
    for (agent, layer) in [
        (&b"facebookexternalhit/1.1"[..], BotDetectionLayer::new()),
        (b" Twitterbot/1.0 ", BotDetectionLayer::new()),
        (b"a HelloWorld", BotDetectionLayer::new().deny(["HelloWorld$"]).unwrap()),
    ] {
        let (status, body) = send(layer, &[agent]).await;
        assert_eq!((status, message(&body).as_str()), (403, "Forbidden"), "{agent:?}");
    }
}

#[tokio::test]
async fn two_headers_are_one_too_many() {
    for agents in [[&b"a"[..], b"b"], [b"a", b"a"]] {
        let (status, body) = send(BotDetectionLayer::new().allow(["a"]).unwrap(), &agents).await;
        assert_eq!((status, message(&body).as_str()), (400, "Only one User-Agent header allowed"));
    }
}
