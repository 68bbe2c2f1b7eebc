//! That nothing reaches the inner service through redirect, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use towergate_redirect::RedirectLayer;

/// What no request should reach: its 200 is none of the statuses expected.
async fn never<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("inner")))
}

async fn send(layer: RedirectLayer, request: Request<Empty<Bytes>>) -> Response<String> {
    let (head, body) = layer.layer(service_fn(never)).oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
}

fn to(location: &str) -> RedirectLayer {
    RedirectLayer::to(location).unwrap()
}

#[tokio::test]
async fn every_method_is_redirected() {
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        let request = Request::builder().method(method).uri("/a?b").body(Empty::new()).unwrap();
        let response = send(to("https://shop.test/here"), request).await;
        assert_eq!((response.status(), response.body().as_str()), (StatusCode::MOVED_PERMANENTLY, "redirecting"));
        assert_eq!(response.headers()["location"], "https://shop.test/here");
        assert_eq!(response.headers()["content-length"], "11");
        assert!(!response.headers().contains_key("content-type"));
    }
}

#[tokio::test]
async fn the_status_may_be_another() {
    for status in [StatusCode::FOUND, StatusCode::PERMANENT_REDIRECT, StatusCode::NOT_FOUND] {
        let response = send(to("https://shop.test").status(status), Request::new(Empty::new())).await;
        assert_eq!((response.status(), response.body().as_str()), (status, "redirecting"));
    }
    let response = send(to("https://shop.test").status(StatusCode::NOT_MODIFIED), Request::new(Empty::new())).await;
    assert_eq!(response.body(), "", "a status without a body");
}

#[tokio::test]
async fn the_path_may_be_kept() {
    let request = Request::get("/a/b?c=d").body(Empty::new()).unwrap();
    let response = send(to("https://shop.test/here?x#y").keep_incoming_path(true), request).await;
    assert_eq!(response.headers()["location"], "https://shop.test/a/b?c=d#y");
}

#[tokio::test]
async fn grpc_clients_read_a_message() {
    let mut request = Request::post("/").header("content-type", "application/grpc").body(Empty::new()).unwrap();
    *request.version_mut() = Version::HTTP_2;
    let response = send(to("https://shop.test"), request).await;
    assert_eq!(response.headers()["grpc-message"], "redirecting");
    assert_eq!(response.headers()["location"], "https://shop.test");
    assert_eq!(response.body(), "");
}

#[test]
fn what_is_no_url_is_refused() {
    let error = RedirectLayer::to("shop.test").unwrap_err();
    assert_eq!(error.to_string(), "location: is no URL: it has no scheme");
}
