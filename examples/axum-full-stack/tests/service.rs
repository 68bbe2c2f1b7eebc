//! The example does what its README says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use axum::{Router, body::Body};
use example_axum_full_stack::{accounts, app};
use http::{Request, Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::ServiceExt;

fn service() -> Router {
    app(accounts()).unwrap()
}

async fn send(method: &str, uri: &str, headers: &[(&str, &str)]) -> Response<String> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = service().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 65_536).await.unwrap();
    Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn each_customer_sees_their_own() {
    for (key, name) in [("alices-key", "alice"), ("bobs-key", "bob")] {
        let response = send("GET", "/orders", &[("x-api-key", key)]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.body(), &format!(r#"{{"customer":"{name}","orders":[1,2]}}"#));
        assert_eq!(response.headers()["x-request-id"].len(), 36);
        assert_eq!(response.headers()["x-ratelimit-remaining-minute"], "59");
    }
    assert_eq!(send("GET", "/orders/2", &[("x-api-key", "bobs-key")]).await.body(), r#"{"customer":"bob","id":2}"#);
    assert_eq!(send("GET", "/orders/3", &[("x-api-key", "bobs-key")]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refusal_carries_the_id_and_may_be_read_by_the_shops_pages() {
    let headers = [("origin", "https://m.shop.example"), ("x-request-id", "mine")];
    let response = send("GET", "/orders", &headers).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], "Key");
    assert_eq!(response.headers()["x-request-id"], "mine");
    assert_eq!(response.headers()["access-control-allow-origin"], "https://m.shop.example");
    assert_eq!(response.headers()["access-control-expose-headers"], "x-request-id");
    assert!(response.body().contains("No API key found in request"));
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let headers = [("origin", "https://shop.example"), ("access-control-request-method", "GET")];
    let response = send("OPTIONS", "/orders", &headers).await;
    assert_eq!((response.status(), response.body().as_str()), (StatusCode::OK, ""));
    assert_eq!(response.headers()["access-control-allow-origin"], "https://shop.example");
    assert_eq!(response.headers()["access-control-allow-headers"], "x-api-key,content-type");
    let response = send("OPTIONS", "/orders", &[("origin", "https://evil.example"), headers[1]]).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn the_service_answers_over_a_real_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, service()).await });
    let talk = async {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = "GET /orders HTTP/1.1\r\nHost: x\r\nX-API-Key: alices-key\r\nConnection: close\r\n\r\n";
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(Duration::from_secs(10), talk).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nx-request-id: "), "{answer}");
    assert!(!answer.contains("towergate-"), "nothing of our own shows: {answer}");
    assert!(answer.ends_with(r#"{"customer":"alice","orders":[1,2]}"#), "{answer}");
    server.abort();
}

/// Sends to one and the same service.
async fn to(app: &Router, method: &str, uri: &str, body: Body) -> Response<String> {
    let request = Request::builder().method(method).uri(uri).header("x-api-key", "alices-key");
    let request = request.header("content-type", "application/json").body(body).unwrap();
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 65_536).await.unwrap();
    Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn an_order_may_only_be_so_large() {
    let app = service();
    let order = to(&app, "POST", "/orders", Body::from(r#"{"item":7}"#)).await;
    assert_eq!(order.status(), StatusCode::CREATED);
    assert_eq!(order.body(), r#"{"customer":"alice","order":{"item":7}}"#);
    let large = to(&app, "POST", "/orders", Body::from(vec![b' '; 10_001])).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_keeps_failing_is_not_asked_for_a_while() {
    let app = service();
    for _ in 0..5 {
        let failed = to(&app, "POST", "/orders/2/invoice", Body::empty()).await;
        assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
    }
    let refused = to(&app, "POST", "/orders/1/invoice", Body::empty()).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["x-circuit-state"], "OPEN");
    assert_eq!(to(&app, "GET", "/orders", Body::empty()).await.status(), StatusCode::OK, "others are not concerned");
}

#[tokio::test]
async fn everything_is_counted_by_route() {
    let app = service();
    to(&app, "GET", "/orders/1", Body::empty()).await;
    to(&app, "GET", "/orders/2", Body::empty()).await;
    let page = to(&app, "GET", "/metrics", Body::empty()).await;
    let line = "http_requests_total{route=\"/orders/{id}\",method=\"GET\",status=\"2xx\"} 2\n";
    assert!(page.body().contains(line), "{}", page.body());
}
