//! The layer in services of axum and of tonic, with a collector on a real socket.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod collector;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::MatchedPath,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    routing::get,
};
use collector::Collector;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{span::SpanKind, status},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::ServiceExt;
use towergate_core::Context;
use towergate_tracing::{
    ExporterError, OtlpExporter, TraceLayer,
    propagation::{Format, Propagation},
};

async fn body(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone();
    match value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => Some(number.to_string()),
        _ => None,
    }
}

async fn traceparent(headers: HeaderMap, Extension(cx): Extension<Arc<Context>>) -> String {
    let trace = cx.trace().unwrap();
    format!("{} {:016x}", headers["traceparent"].to_str().unwrap(), trace.span_id)
}

#[tokio::test]
async fn each_request_has_a_span_and_its_trace_goes_on() {
    let collector = Collector::start().await;
    let exporter = OtlpExporter::to(&collector.url)
        .service_name("shop")
        .resource_attribute("service.version", "7")
        .header(header::AUTHORIZATION, HeaderValue::from_static("Bearer token"))
        .start()
        .unwrap();
    let layer = TraceLayer::new(exporter.clone()).route(|head| head.extensions.get().map(MatchedPath::as_str));
    let app: Router = Router::new()
        .route("/orders/{id}", get(traceparent))
        .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
        .layer(layer);

    let request = Request::get("/orders/7?secret=1")
        .header("host", "shop.test")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(Body::empty())
        .unwrap();
    let (status, seen) = body(&app, request).await;
    assert_eq!(status, StatusCode::OK);
    body(&app, Request::get("/broken").body(Body::empty()).unwrap()).await;
    assert!(exporter.drain(Duration::from_secs(10)).await);

    let spans = collector.spans(2).await;
    let order = spans.iter().find(|span| span.name == "GET /orders/{id}").unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&order.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&order.parent_span_id), "b7ad6b7169203331");
    assert_eq!(order.kind, i32::from(SpanKind::Server));
    let id = hex(&order.span_id);
    assert_eq!(seen, format!("00-0af7651916cd43dd8448eb211c80319c-{id}-01 {id}"));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/orders/{id}"),
        ("http.response.status_code", "200"),
        ("url.path", "/orders/7"),
        ("server.address", "shop.test"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(text(&order.attributes, key).as_deref(), Some(value), "{key}");
    }
    assert!(order.status.is_none() && order.end_time_unix_nano >= order.start_time_unix_nano);
    let broken = spans.iter().find(|span| span.name == "GET /broken").unwrap();
    assert_eq!(broken.status.as_ref().unwrap().code, i32::from(status::StatusCode::Error));
    assert!(broken.parent_span_id.is_empty());

    let batch = collector.batches().remove(0).resource_spans.remove(0);
    let resource = batch.resource.unwrap().attributes;
    assert_eq!(text(&resource, "service.name").as_deref(), Some("shop"));
    assert_eq!(text(&resource, "service.version").as_deref(), Some("7"));
    assert!(!format!("{exporter:?}").contains("token"));
}

#[tokio::test]
async fn the_sender_decides_and_the_rate_where_it_has_not() {
    let collector = Collector::start().await;
    let exporter = OtlpExporter::to(&collector.url).start().unwrap();
    let layer = TraceLayer::new(exporter.clone())
        .sampling_rate(0.0)
        .propagation(Propagation::preserving(Format::B3).also_inject([Format::W3c]));
    let app: Router = Router::new().route("/", get(traceparent)).layer(layer);
    let with = |name: &str, value: &str| Request::get("/").header(name, value).body(Body::empty()).unwrap();
    let (_, seen) = body(&app, with("x-none", "1")).await;
    assert!(seen.contains("-00 "), "{seen}");
    let (_, seen) = body(&app, with("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1")).await;
    assert!(seen.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && seen.contains("-01 "), "{seen}");
    assert!(exporter.drain(Duration::from_secs(10)).await);
    assert_eq!(collector.spans(1).await.len(), 1);
}

/// A gRPC service: its trailers pass the layer, and each call has a span.
#[tokio::test]
async fn a_tonic_service_is_traced() {
    let collector = Collector::start().await;
    let exporter = OtlpExporter::to(&collector.url).start().unwrap();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("shop", tonic_health::ServingStatus::Serving).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = TraceLayer::new(exporter.clone()).route(|head| Some(head.uri.path()));
    let server = tonic::transport::Server::builder().layer(layer).add_service(health);
    tokio::spawn(server.serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)));

    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let mut request = tonic::Request::new(HealthCheckRequest { service: "shop".into() });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.metadata_mut().insert("traceparent", trace.parse().unwrap());
    assert_eq!(client.check(request).await.unwrap().into_inner().status(), ServingStatus::Serving);
    let unknown = client.check(HealthCheckRequest { service: "other".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    assert!(exporter.drain(Duration::from_secs(10)).await);
    let spans = collector.spans(2).await;
    assert!(spans.iter().all(|span| span.name == "POST /grpc.health.v1.Health/Check"), "{spans:?}");
    assert!(spans.iter().any(|span| span.trace_id[..2] == [0x0a, 0xf7] && span.parent_span_id[0] == 0xb7));
}

/// A client that goes away: the span says that there was no response.
#[tokio::test]
async fn a_request_that_is_given_up_has_a_span() {
    let collector = Collector::start().await;
    let exporter = OtlpExporter::to(&collector.url).start().unwrap();
    let wait = || async { std::future::pending::<()>().await };
    let app: Router = Router::new().route("/", get(wait)).layer(TraceLayer::new(exporter.clone()));
    let request = app.oneshot(Request::get("/").body(Body::empty()).unwrap());
    assert!(tokio::time::timeout(Duration::from_millis(20), request).await.is_err());
    assert!(exporter.drain(Duration::from_secs(10)).await);
    let span = collector.spans(1).await.remove(0);
    assert_eq!(text(&span.attributes, "error.type").as_deref(), Some("no_response"));
}

/// Nobody waits for a collector that is not there, and the end does not, either.
#[tokio::test]
async fn a_collector_that_is_away_harms_nobody() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    drop(listener);
    let exporter = OtlpExporter::to(url).start().unwrap();
    let app: Router = Router::new().route("/", get(|| async {})).layer(TraceLayer::new(exporter.clone()));
    for _ in 0..100 {
        assert_eq!(body(&app, Request::get("/").body(Body::empty()).unwrap()).await.0, StatusCode::OK);
    }
    assert!(exporter.drain(Duration::from_millis(300)).await, "it gives up in time");
}

#[test]
fn what_cannot_start_says_why() {
    assert_eq!(OtlpExporter::to("http://a/").start().unwrap_err(), ExporterError::NoRuntime);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let wrong = runtime.block_on(async { OtlpExporter::to("a:4317").start().unwrap_err() });
    assert!(matches!(&wrong, ExporterError::Url(why) if why.contains("expected http://host/path")), "{wrong}");
}
