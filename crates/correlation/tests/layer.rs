//! What reaches the inner service through correlation-id, and what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode, request};
use http_body_util::{Empty, Full};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use towergate_core::{
    Choice, Client, Context, Env, Guard, GuardBody, GuardLayer, Level, Plan, Plugin, Plugins, Reply, Timing, Verdict,
};
use towergate_correlation::{CorrelationId, CorrelationIdConfig, CorrelationIdLayer, Generator};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Answers with what it received: the header's lines and the context's id.
async fn tell<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let lines: Vec<_> = request.headers().get_all(HEADER).iter().map(|value| value.to_str().unwrap()).collect();
    let cx = request.extensions().get::<Arc<Context>>().unwrap();
    assert_eq!(lines, [cx.correlation_id().unwrap().to_str().unwrap()], "the same for all");
    let received = lines.concat().parse().unwrap();
    let mut response = Response::new(Full::default());
    response.headers_mut().insert("x-received", received);
    response.headers_mut().insert(HEADER, "the service's own".parse().unwrap());
    Ok(response)
}

fn request(sent: &[&str]) -> Request<Empty<Bytes>> {
    let request = sent.iter().fold(Request::builder(), |request, value| request.header(HEADER, *value));
    request.body(Empty::new()).unwrap()
}

#[tokio::test]
async fn the_service_gets_one_id_and_the_client_the_same() {
    let layer = CorrelationIdLayer::new().header(HEADER).generator(Generator::Uuid).echo(true);
    for (sent, kept) in [(&["mine"][..], Some("mine")), (&[""], None), (&[], None), (&["", "second"], None)] {
        let response = layer.layer(service_fn(tell)).oneshot(request(sent)).await.unwrap();
        let (received, echoed) = (&response.headers()["x-received"], &response.headers()[HEADER]);
        assert_eq!(received, echoed, "{sent:?}");
        match kept {
            Some(id) => assert_eq!(received, id),
            None => assert_eq!(received.len(), 36),
        }
    }
}

#[tokio::test]
async fn without_echo_the_response_is_left_alone() {
    let layer = CorrelationIdLayer::new().header(HEADER);
    let response = layer.layer(service_fn(tell)).oneshot(request(&[])).await.unwrap();
    assert_eq!(response.headers()[HEADER], "the service's own");
    assert!(response.headers()["x-received"].to_str().unwrap().contains('#'), "uuid#counter unless told otherwise");
}

/// Refuses everything.
struct Refuse;

impl Guard for Refuse {
    fn check(&self, _: &Context, _: &mut request::Parts) -> Verdict {
        Verdict::Refuse(Reply::error(StatusCode::UNAUTHORIZED, "No"))
    }
}

#[tokio::test]
async fn refusals_inside_carry_the_id() {
    let service = ServiceBuilder::new()
        .layer(CorrelationIdLayer::new().header(HEADER).echo(true))
        .layer(GuardLayer::new(Refuse))
        .service(service_fn(tell));
    let response = service.oneshot(request(&["mine"])).await.unwrap();
    assert_eq!((response.status(), &response.headers()[HEADER]), (StatusCode::UNAUTHORIZED, &"mine".parse().unwrap()));
}

/// A request in the gateway; `refused` before any guard, as when no route matches.
async fn in_gateway(sent: &[&str], echo: bool, refused: bool) -> Response<GuardBody<Full<Bytes>>> {
    let config = CorrelationIdConfig {
        header_name: Some("X-Request-ID".into()),
        generator: Generator::Tracker,
        echo_downstream: echo,
    };
    let guard: Arc<dyn Guard> = Arc::new(CorrelationId::new(config, &Env::default()).unwrap());
    let guards = vec![Choice::new(CorrelationId::NAME, vec![Level::Everybody(guard)])];
    let (mut head, body) = request(sent).into_parts();
    let client = Client {
        local: Some("[2001:db8::1]:8000".parse().unwrap()),
        connection: 4,
        connection_requests: 2,
        ..Client::default()
    };
    let cx = Context::new(
        client,
        &head,
        Timing::start(),
        Some(Arc::new(Plan::from(Plugins { guards, ..Plugins::default() }))),
    );
    if refused {
        cx.refuse(Reply::error(StatusCode::NOT_FOUND, "no Route matched with those values"));
    }
    head.extensions.insert(Arc::new(cx));
    GuardLayer::from_plan().layer(service_fn(tell)).oneshot(Request::from_parts(head, body)).await.unwrap()
}

#[tokio::test]
async fn in_the_gateway_it_knows_the_connection() {
    let response = in_gateway(&[], true, false).await;
    let id = response.headers()[HEADER].to_str().unwrap();
    assert!(id.starts_with(&format!("2001:db8::1-8000-{}-4-2-", std::process::id())), "{id}");
}

#[tokio::test]
async fn the_unmatched_route_gets_an_id_made_for_it() {
    let response = in_gateway(&[], true, true).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.headers()[HEADER].to_str().unwrap().contains("-8000-"));
    assert!(!in_gateway(&[], false, true).await.headers().contains_key(HEADER));
    assert_eq!(in_gateway(&["mine"], true, true).await.headers()[HEADER], "mine", "what the client sent is kept");
}
