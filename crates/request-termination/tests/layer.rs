//! What reaches the inner service through request-termination, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use towergate_core::{
    Choice, Client, Context, Entities, Env, Generation, Guard, GuardLayer, Level, Matched, Plan, Plugin, Plugins,
    Route, Timing,
};
use towergate_request_termination::{RequestTermination, RequestTerminationConfig, RequestTerminationLayer};
use uuid::Uuid;

async fn inner<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("inner")))
}

async fn send(layer: RequestTerminationLayer, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let (head, body) = layer.layer(service_fn(inner)).oneshot(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

fn get(target: &str) -> Request<Full<Bytes>> {
    Request::get(target).body(Full::default()).unwrap()
}

#[tokio::test]
async fn everything_is_answered() {
    let response = send(RequestTerminationLayer::new(), get("/")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.body(), r#"{"message":"Service unavailable"}"#);
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
}

#[tokio::test]
async fn a_body_goes_out_as_it_is() {
    let html = HeaderValue::from_static("text/html");
    let layer = RequestTerminationLayer::new().status(StatusCode::GONE).body(html, "<h1>Gone</h1>");
    let response = send(layer, get("/")).await;
    assert_eq!((response.status(), response.body().as_ref()), (StatusCode::GONE, &b"<h1>Gone</h1>"[..]));
    assert_eq!(response.headers()["content-type"], "text/html");
}

#[tokio::test]
async fn only_what_has_the_trigger_is_answered() {
    let layer = RequestTerminationLayer::new().trigger("x-debug").unwrap();
    for (request, status) in [
        (get("/"), 200),
        (get("/?x-debug"), 503),
        (Request::get("/").header("X-Debug", "").body(Full::default()).unwrap(), 503),
    ] {
        assert_eq!(send(layer.clone(), request).await.status().as_u16(), status);
    }
}

#[tokio::test]
async fn grpc_clients_read_the_message() {
    let mut request = get("/");
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let response = send(RequestTerminationLayer::new().echo(true), request).await;
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(response.headers()["grpc-message"], "Service unavailable");
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn an_echo_tells_what_arrived() {
    let request = Request::post("/a%20b?hello=there&hello=you&x")
        .header("x-a", "1")
        .header("x-a", "2")
        .header("content-type", "application/json; charset=utf-8")
        .body(Full::from(r#"{"cool":null}"#))
        .unwrap();
    let layer = RequestTerminationLayer::new().status(StatusCode::NOT_FOUND).echo(true);
    let response = send(layer, request).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let told: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(told["message"], "Not found");
    assert_eq!(told["kong"]["worker_pid"], std::process::id());
    let expected = json!({
        "scheme": "http",
        "host": "",
        "headers": {"x-a": ["1", "2"], "content-type": "application/json; charset=utf-8"},
        "query": {"hello": ["there", "you"], "x": true},
        "body": {"cool": null},
        "raw_body": r#"{"cool":null}"#,
        "method": "POST",
        "path": "/a%20b",
        "uri_captures": {"named": {}, "unnamed": []},
    });
    assert_eq!(told["request"], expected);
    assert!(told.get("matched_route").is_none(), "there are none outside the gateway");
}

#[tokio::test]
async fn a_large_body_is_not_told() {
    for (size, told) in [(8 * 1024, true), (8 * 1024 + 1, false)] {
        let request = Request::post("/").body(Full::from(vec![b'x'; size])).unwrap();
        let response = send(RequestTerminationLayer::new().echo(true), request).await;
        let json: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(json["request"].get("raw_body").is_some(), told, "{size}");
    }
}

#[derive(Debug)]
struct Known;

impl Entities for Known {
    fn route(&self, id: Uuid) -> Option<String> {
        Some(json!({"id": id, "hosts": ["a.test"]}).to_string())
    }

    fn service(&self, _: Uuid) -> Option<String> {
        None
    }
}

#[tokio::test]
async fn in_the_gateway_an_echo_tells_the_route() {
    let config = RequestTerminationConfig { echo: true, ..Default::default() };
    let guard: Arc<dyn Guard> = Arc::new(RequestTermination::new(config, &Env::default()).unwrap());
    let route = Route {
        id: Uuid::from_u128(7),
        name: None,
        protocols: [].into(),
        strip_path: true,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        https_redirect_status_code: 426,
        tags: vec![],
    };
    let guards = vec![Choice::new(RequestTermination::NAME, vec![Level::Everybody(guard)])];
    let plan = Plan { route: Some(route), ..Plugins { guards, ..Plugins::default() }.into() };
    let (mut head, body) = get("/status/200").into_parts();
    let client = Client { local: Some("192.0.2.1:8000".parse().unwrap()), ..Client::default() };
    let generation = Generation { entities: Some(Arc::new(Known)), ..Generation::default() };
    let mut cx = Context::new(client, &head, Timing::start(), Some(Arc::new(plan))).under(Arc::new(generation));
    cx.host = "a.test".into();
    let captures = [("1", "status"), ("parameter", "status")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    cx.matched = Matched { captures: captures.into(), ..Matched::default() };
    head.extensions.insert(Arc::new(cx));
    let mut service = GuardLayer::from_plan().layer(service_fn(inner));
    let response = service.call(Request::from_parts(head, body)).await.unwrap();
    let told: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(told["matched_route"], json!({"id": Uuid::from_u128(7), "hosts": ["a.test"]}));
    assert_eq!((&told["request"]["host"], &told["request"]["port"]), (&json!("a.test"), &json!(8000)));
    let captures = json!({"named": {"parameter": "status"}, "unnamed": ["status"]});
    assert_eq!(told["request"]["uri_captures"], captures);
}
