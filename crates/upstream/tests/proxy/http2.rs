//! gRPC calls over HTTP/2: what the upstream sees, what the client gets.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::{Notify, mpsc};
use tower::ServiceExt;
use towergate_core::Body;

use crate::{
    frames::{DATA, END_HEADERS, FramePeer, HEADERS, RST_STREAM, STATUS_200},
    h2_peer::{Call, H2Upstream, given_up, grpc, trailers},
    support::{Gateway, Upstream, chunk, route, text, tries, upload, within},
};

/// A call as a gRPC client makes it.
pub(crate) fn call<B>(body: B) -> Request<B> {
    Request::post("/shop.Shop/Buy")
        .version(Version::HTTP_2)
        .header("host", "client.test")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "5S")
        .body(body)
        .unwrap()
}

pub(crate) fn message(text: &'static str) -> Request<Body> {
    call(Body::from(Bytes::from_static(text.as_bytes())))
}

/// The body and the trailers of a response.
async fn whole(response: Response<Body>) -> (String, Option<HeaderMap>) {
    let collected = within(response.into_body().collect()).await.unwrap();
    let trailers = collected.trailers().cloned();
    (String::from_utf8(collected.to_bytes().to_vec()).unwrap(), trailers)
}

/// An upstream that answers every call alike and keeps the heads it got.
async fn echoing(heads: Arc<Mutex<Vec<Request<()>>>>) -> H2Upstream {
    H2Upstream::answering(move |mut call: Call| {
        let heads = heads.clone();
        async move {
            let (body, sent) = call.body().await;
            let (mut head, _) = call.request.into_parts();
            head.extensions.insert(sent);
            heads.lock().unwrap().push(Request::from_parts(head, ()));
            let response = Response::builder().header("x-made-by", "upstream").body(()).unwrap();
            let mut stream = call.respond.send_response(response, false).unwrap();
            stream.send_data(body.into(), false).unwrap();
            stream.send_trailers(trailers("0")).unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_call_reaches_the_upstream_and_comes_back_with_its_trailers() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let upstream = echoing(heads.clone()).await;
    let gateway = Gateway::to(upstream.service());
    let frames = [Ok::<_, String>(Frame::data(Bytes::from_static(b"hello"))), Ok(Frame::trailers(trailers("7")))];
    let (cx, response) = gateway.call(call(StreamBody::new(futures_util::stream::iter(frames)))).await;
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(response.headers()["x-made-by"], "upstream");
    assert_eq!(whole(response).await, ("hello".into(), Some(trailers("0"))));
    assert!(cx.is_proxied());
    assert_eq!(tries(&cx), [(upstream.address.port(), 200)]);

    let heads = heads.lock().unwrap();
    let head = &heads[0];
    assert_eq!(head.method(), "POST");
    assert_eq!(head.uri().to_string(), format!("http://{}/shop.Shop/Buy", upstream.address));
    assert_eq!(head.headers()["te"], "trailers");
    assert_eq!(head.headers()["grpc-timeout"], "5S");
    assert_eq!(head.headers()["x-real-ip"], "192.0.2.7");
    assert_eq!(head.headers()["via"], "2 kong/3.9.1");
    for name in ["connection", "host", "transfer-encoding", "content-length"] {
        assert!(!head.headers().contains_key(name), "{name}");
    }
    assert_eq!(head.extensions().get::<Option<HeaderMap>>(), Some(&Some(trailers("7"))), "the client's trailers");
}

#[tokio::test]
async fn the_authority_is_the_clients_where_the_route_preserves_it() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let upstream = echoing(heads.clone()).await;
    let route = towergate_core::Route { preserve_host: true, ..route() };
    let gateway = Gateway::new(upstream.service(), route, &Default::default());
    let (_, response) = gateway.call(message("hello")).await;
    assert_eq!(text(response).await, "hello");
    let heads = heads.lock().unwrap();
    assert_eq!(heads[0].uri().authority().unwrap(), "client.test");
    assert_eq!(heads[0].headers()["content-length"], "5", "a known length is told");
}

#[tokio::test]
async fn an_answer_without_messages_is_one_head() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        let response = Response::builder().header("grpc-status", "5").header("grpc-message", "no%20such").body(());
        call.respond.send_response(response.unwrap(), true).unwrap();
    })
    .await;
    let (_, response) = Gateway::to(upstream.service()).call(message("hello")).await;
    assert!(response.body().is_end_stream());
    assert_eq!(response.headers()["grpc-status"], "5");
    assert_eq!(response.headers()["grpc-message"], "no%20such");
}

#[tokio::test]
async fn both_sides_talk_at_once() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        let mut stream = call.head();
        while let Some(Ok(chunk)) = call.chunk().await {
            // The end may come as an empty chunk.
            if !chunk.is_empty() {
                stream.send_data([&b"re: "[..], &chunk].concat().into(), false).unwrap();
            }
        }
        stream.send_trailers(trailers("0")).unwrap();
    })
    .await;
    let gateway = Gateway::to(upstream.service());
    let (sender, body) = upload();
    // The head comes although nothing of the body was sent.
    let (_, response) = gateway.call(call(body)).await;
    let mut body = response.into_body();
    for said in ["one", "two", "three"] {
        sender.send(Ok(Bytes::from_static(said.as_bytes()))).await.unwrap();
        assert_eq!(chunk(&mut body).await.unwrap().unwrap(), format!("re: {said}"));
    }
    drop(sender);
    let last = within(body.frame()).await.unwrap().unwrap();
    assert_eq!(last.into_trailers().unwrap(), trailers("0"));
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn an_answer_may_end_before_its_request() {
    let gone = Arc::new(Notify::new());
    let goes = gone.clone();
    let upstream = H2Upstream::answering(move |mut call: Call| {
        let gone = gone.clone();
        async move {
            let response = Response::builder().header("grpc-status", "16").body(()).unwrap();
            call.respond.send_response(response, true).unwrap();
            assert!(call.chunk().await.unwrap().is_err(), "the rest interests nobody");
            gone.notify_one();
        }
    })
    .await;
    let gateway = Gateway::to(upstream.service());
    let (sender, body) = upload();
    let (_, response) = gateway.call(call(body)).await;
    assert!(response.body().is_end_stream());
    assert_eq!(response.headers()["grpc-status"], "16");
    within(goes.notified()).await;
    within(sender.closed()).await;
}

#[tokio::test]
async fn a_client_that_streams_is_not_waited_for() {
    let (seen, mut sees) = mpsc::channel(1);
    let upstream = H2Upstream::answering(move |mut call: Call| {
        let seen = seen.clone();
        async move {
            seen.send(call.chunk().await.unwrap().unwrap()).await.unwrap();
            let (rest, _) = call.body().await;
            call.answer(rest);
        }
    })
    .await;
    let (sender, body) = upload();
    let answer = Gateway::to(upstream.service()).spawn(call(body));
    sender.send(Ok(Bytes::from_static(b"first"))).await.unwrap();
    assert_eq!(within(sees.recv()).await.unwrap(), "first", "while the client may send more");
    sender.send(Ok(Bytes::from_static(b"second"))).await.unwrap();
    drop(sender);
    assert_eq!(text(within(answer).await.unwrap().1).await, "second");
}

#[tokio::test]
async fn large_messages_pass_both_ways() {
    const SIZE: usize = 4 << 20;
    let upstream = H2Upstream::answering(async |mut call: Call| {
        let (body, _) = call.body().await;
        let mut stream = call.head();
        let mut rest = Bytes::from(body);
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
            stream.send_data(rest.split_to(room.min(rest.len())), false).unwrap();
        }
        stream.send_trailers(trailers("0")).unwrap();
    })
    .await;
    let sent = Bytes::from((0..SIZE).map(|at| at as u8).collect::<Vec<_>>());
    let (_, response) = Gateway::to(upstream.service()).call(call(Body::from(sent.clone()))).await;
    assert!(within(response.into_body().collect()).await.unwrap().to_bytes() == sent);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_known_upstream() {
    let (began, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes) = (began.clone(), gone.clone());
    let upstream = H2Upstream::answering(move |mut call: Call| {
        let (began, gone) = (began.clone(), gone.clone());
        async move {
            began.notify_one();
            assert_eq!(call.given_up().await, h2::Reason::CANCEL);
            gone.notify_one();
        }
    })
    .await;
    let gateway = Gateway::to(upstream.service());
    let (_, request) = gateway.context(message("hello"));
    let mut answer = Box::pin(gateway.proxy.clone().oneshot(request));
    tokio::select! {
        _ = &mut answer => panic!("answered"),
        () = within(begins.notified()) => {}
    }
    drop(answer);
    within(goes.notified()).await;
}

#[tokio::test]
async fn a_client_that_leaves_later_is_known_upstream() {
    let gone = Arc::new(Notify::new());
    let goes = gone.clone();
    let upstream = H2Upstream::answering(move |mut call: Call| {
        let gone = gone.clone();
        async move {
            let mut stream = call.head();
            stream.send_data(Bytes::from_static(b"one"), false).unwrap();
            assert_eq!(given_up(&mut stream).await, h2::Reason::CANCEL);
            gone.notify_one();
        }
    })
    .await;
    // Whether it might still send something or not.
    let gateway = Gateway::to(upstream.service());
    let (_, response) = gateway.call(message("hello")).await;
    let mut body = response.into_body();
    assert_eq!(chunk(&mut body).await.unwrap().unwrap(), "one");
    drop(body);
    within(goes.notified()).await;

    let (_sender, body) = upload();
    let (_, response) = gateway.call(call(body)).await;
    drop(response);
    within(goes.notified()).await;
    assert_eq!(upstream.connections(), 1, "the connection has done nothing wrong");
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_the_call() {
    let gone = Arc::new(Notify::new());
    let goes = gone.clone();
    let upstream = H2Upstream::answering(move |mut call: Call| {
        let gone = gone.clone();
        async move {
            let reason = match call.number {
                1 => call.given_up().await,
                _ => given_up(&mut call.head()).await,
            };
            assert_eq!(reason, h2::Reason::CANCEL);
            gone.notify_one();
        }
    })
    .await;
    let gateway = Gateway::to(upstream.service());
    let (sender, body) = upload();
    sender.send(Err("gone".into())).await.unwrap();
    let (_, response) = gateway.call(call(body)).await;
    assert_eq!(response.status(), 400, "before the head");
    within(goes.notified()).await;

    let (sender, body) = upload();
    let (_, response) = gateway.call(call(body)).await;
    sender.send(Err("gone".into())).await.unwrap();
    within(goes.notified()).await;
    let error = chunk(&mut response.into_body()).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the client's body broke off: gone");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_no_end() {
    for reset in [0, 2, 8, 13].map(|code: u32| Some(code)).into_iter().chain([None]) {
        let upstream = Upstream::bind().await;
        let answer = Gateway::to(grpc(upstream.address)).spawn(message("hello"));
        let mut peer = FramePeer::accept(&upstream).await;
        let stream = peer.request().await;
        peer.send(HEADERS, END_HEADERS, stream, STATUS_200).await;
        peer.send(DATA, 0, stream, b"half").await;
        let mut body = within(answer).await.unwrap().1.into_body();
        assert_eq!(chunk(&mut body).await.unwrap().unwrap(), "half");
        match reset {
            Some(code) => peer.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await,
            None => drop(peer),
        }
        assert!(chunk(&mut body).await.unwrap().is_err(), "{reset:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_reset_is_a_bad_gateway_in_grpcs_words() {
    let upstream = H2Upstream::answering(async |mut call: Call| {
        call.respond.send_reset(h2::Reason::INTERNAL_ERROR);
    })
    .await;
    let (cx, response) = Gateway::to(upstream.service()).call(message("hello")).await;
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["grpc-status"], "13");
    assert_eq!(response.headers()["grpc-message"], "An invalid response was received from the upstream server");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert!(response.body().is_end_stream());
    assert_eq!(tries(&cx).len(), 1, "not asked again");
}
