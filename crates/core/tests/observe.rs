//! Observers: who is told of which requests, and what.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use towergate_core::{
    BandLayer, Bands, Choice, Client, Consumer, Context, Ended, Level, Observe, ObserveLayer, Plan, Plugins, Timing,
};

/// What it was told, in a line each.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observe for Told {
    fn observe(&self, cx: &Context, ended: &Ended) {
        let kept = cx.records.response().map(|(status, headers)| format!("{status} {}", headers.len()));
        let line = format!(
            "{} {} {} received {} sent {} body {} kept {kept:?}",
            ended.method, ended.uri, ended.status, ended.received, ended.sent, ended.body_sent
        );
        self.0.lock().unwrap().push(line);
    }
}

/// Answers after marking what a server would have counted.
async fn answer(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let cx = request.extensions().get::<Arc<Context>>().unwrap().clone();
    let response = Response::builder().status(201).header("x-a", "b").body(Full::new(Bytes::from_static(b"four")));
    let response = response.unwrap();
    cx.records.keep_response(StatusCode::ACCEPTED, response.headers());
    cx.traffic.add_head(100);
    cx.traffic.add_sent(4);
    Ok(response)
}

fn request() -> Request<Full<Bytes>> {
    Request::post("/a?b").header("x", "y").body(Full::new(Bytes::from_static(b"three"))).unwrap()
}

fn on_plan(plan: Plan) -> Request<Full<Bytes>> {
    let mut request = request();
    let (head, ()) = Request::new(()).into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(plan)));
    request.extensions_mut().insert(Arc::new(cx));
    request
}

#[tokio::test]
async fn an_embedded_layer_counts_itself() {
    let told = Told::default();
    let inner = service_fn(|_| async {
        let response = Response::builder().status(201).header("x-a", "b").body(Full::new(Bytes::from_static(b"four")));
        Ok::<_, Infallible>(response.unwrap())
    });
    let response = ObserveLayer::new(told.clone()).layer(inner).oneshot(request()).await.unwrap();
    assert!(told.lines().is_empty(), "it is not over yet");
    response.into_body().collect().await.unwrap();
    // "POST /a?b HTTP/1.1", "x: y", an empty line, "three"; "HTTP/1.1 201 Created", "x-a: b", an empty line, "four".
    let expected = "POST /a?b 201 received 33 sent 36 body 4 kept Some(\"201 Created 1\")";
    assert_eq!(told.lines(), [expected]);
}

#[tokio::test]
async fn observers_of_the_plan_read_what_the_server_counted_and_sent() {
    let (everybody, alices) = (Told::default(), Told::default());
    let alice = Consumer::named("alice");
    let own = Level::Consumer(Arc::new([(alice.id, Arc::new(alices.clone()) as Arc<dyn Observe>)].into()));
    let observers = vec![Choice::new("a", vec![own, Level::Everybody(Arc::new(everybody.clone()))])];
    let plan = Plugins { observers, ..Plugins::default() };
    let response = ObserveLayer::from_plan().layer(service_fn(answer)).oneshot(on_plan(plan.into())).await.unwrap();
    drop(response);
    let expected = "POST /a?b 202 received 33 sent 104 body 4 kept Some(\"202 Accepted 1\")";
    assert_eq!((everybody.lines(), alices.lines().len()), (vec![expected.to_owned()], 0));
}

#[tokio::test]
async fn nobody_is_asked_for_a_plan_without_observers() {
    let request = on_plan(Plan::default());
    let cx = request.extensions().get::<Arc<Context>>().unwrap().clone();
    ObserveLayer::from_plan().layer(service_fn(answer)).oneshot(request).await.unwrap();
    assert!(!cx.records.is_asked() && !cx.traffic.is_asked());
}

#[tokio::test]
async fn a_client_that_goes_away_is_told_of_too() {
    let told = Told::default();
    let inner = service_fn(|_| pending::<Result<Response<Full<Bytes>>, Infallible>>());
    let call = ObserveLayer::new(told.clone()).layer(inner).call(request());
    drop(call);
    assert_eq!(told.lines(), ["POST /a?b 499 received 33 sent 0 body 0 kept None"]);
}

#[tokio::test]
async fn layers_of_a_band_are_there_for_those_whose_plan_has_one_of_them() {
    let told = Told::default();
    let mut outer = BandLayer::outer(ObserveLayer::in_gateway(Arc::new(told.clone()))).layer(service_fn(answer));
    let mut inner = BandLayer::inner(ObserveLayer::in_gateway(Arc::new(told.clone()))).layer(service_fn(answer));
    let bands =
        |outer, inner| on_plan(Plugins { bands: Bands { outer, inner, heads: true }, ..Plugins::default() }.into());
    for (request, through_outer, through_inner) in
        [(bands(false, false), 0, 0), (bands(true, false), 1, 0), (bands(false, true), 0, 1), (bands(true, true), 1, 1)]
    {
        let (head, _) = request.into_parts();
        for (service, through) in [(&mut outer, through_outer), (&mut inner, through_inner)] {
            let body = Full::new(Bytes::from_static(b"three"));
            let response = service.ready().await.unwrap().call(Request::from_parts(head.clone(), body)).await.unwrap();
            assert_eq!((response.status().as_u16(), response.body().size_hint().exact()), (201, Some(4)));
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "four");
            assert_eq!(std::mem::take(&mut *told.0.lock().unwrap()).len(), through);
        }
    }
}
