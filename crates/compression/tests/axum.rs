//! The layer in a service written with axum.
#![allow(clippy::unwrap_used)]

use axum::{Json, Router, body::Body, routing::get};
use http::{Request, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use towergate_compression::{Coding, CompressionLayer};

fn app() -> Router {
    let compression = CompressionLayer::new([Coding::Gzip]);
    Router::new()
        .route("/orders", get(|| async { Json(vec!["an order"; 1000]) }))
        .route("/logo", get(|| async { ([(header::CONTENT_TYPE, "image/png")], vec![0u8; 10_000]) }))
        .layer(compression)
}

#[tokio::test]
async fn json_is_compressed_and_images_are_not() {
    for (path, coded) in [("/orders", true), ("/logo", false)] {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
        let response = app().oneshot(request).await.unwrap();
        assert_eq!(response.headers().contains_key(header::CONTENT_ENCODING), coded, "{path}");
        let length = response.into_body().collect().await.unwrap().to_bytes().len();
        assert_eq!(length < 1000, coded, "{path}: {length}");
    }
}
