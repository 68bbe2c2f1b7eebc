//! The layer around a service: what reaches the client.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::decompression::Decompression;
use towergate_compression::{Coding, CompressionLayer, Level};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Text that compresses well, and is long enough for the default.
fn text() -> String {
    "the quick brown fox jumps over the lazy dog. ".repeat(200)
}

fn all() -> CompressionLayer {
    CompressionLayer::new([Coding::Zstd, Coding::Brotli, Coding::Gzip])
}

/// A response with these headers and this body.
fn response(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    for (name, value) in headers {
        response.headers_mut().append(name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
    }
    response
}

fn request(accept: &str) -> Request<()> {
    Request::builder().header(header::ACCEPT_ENCODING, accept).body(()).unwrap()
}

/// What the layer makes of a response, with the body as it goes over the wire.
async fn through(layer: &CompressionLayer, request: Request<()>, given: Response<Full<Bytes>>) -> Response<Bytes> {
    let service = service_fn(move |_: Request<()>| std::future::ready(Ok::<_, Infallible>(given.clone())));
    let (head, body) = layer.layer(service).oneshot(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

/// The body of a response without its coding, as tower-http's client side reads it.
async fn decoded(response: Response<Bytes>) -> Bytes {
    let given = response.map(Full::new);
    let service = service_fn(move |_: Request<Full<Bytes>>| std::future::ready(Ok::<_, Infallible>(given.clone())));
    let plain = Decompression::new(service).oneshot(Request::new(Full::default())).await.unwrap();
    assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    plain.into_body().collect().await.unwrap().to_bytes()
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

const PLAIN: &[(&str, &str)] = &[("content-type", "text/plain")];

#[tokio::test]
async fn each_coding_is_decoded_to_what_was_sent() {
    for coding in Coding::ALL {
        for level in [Level::Fastest, Level::Balanced, Level::Best, Level::Exact(0), Level::Exact(5), Level::Exact(255)]
        {
            let layer = all().level(level);
            let answer = through(&layer, request(coding.name()), response(PLAIN, text())).await;
            assert_eq!(value(answer.headers(), "content-encoding"), Some(coding.name()));
            assert!(level == Level::Exact(0) || answer.body().len() < text().len() / 10, "{coding:?} {level:?}");
            assert_eq!(decoded(answer).await, text(), "{coding:?} {level:?}");
        }
    }
}

#[tokio::test]
async fn the_headers_say_what_the_body_has_become() {
    let given = [
        ("content-type", "text/plain"),
        ("content-length", "9000"),
        ("accept-ranges", "bytes"),
        ("etag", "\"abc\""),
        ("x-other", "kept"),
    ];
    let answer = through(&all(), request("gzip"), response(&given, text())).await;
    let headers = answer.headers();
    for (name, expected) in [
        ("content-encoding", Some("gzip")),
        ("content-length", None),
        ("accept-ranges", None),
        ("etag", Some("W/\"abc\"")),
        ("vary", Some("accept-encoding")),
        ("content-type", Some("text/plain")),
        ("x-other", Some("kept")),
    ] {
        assert_eq!(value(headers, name), expected, "{name}");
    }
}

#[tokio::test]
async fn a_weak_tag_stays_as_it_is() {
    for tag in ["W/\"abc\"", "unquoted"] {
        let given = [PLAIN[0], ("etag", tag)];
        let answer = through(&all(), request("gzip"), response(&given, text())).await;
        assert_eq!(value(answer.headers(), "etag"), Some(tag));
    }
}

#[tokio::test]
async fn vary_is_added_to_what_is_there_and_not_twice() {
    for (given, expected) in [
        (&["Origin"][..], &["Origin", "accept-encoding"][..]),
        (&["Accept-Encoding"], &["Accept-Encoding"]),
        (&["Origin, ACCEPT-ENCODING"], &["Origin, ACCEPT-ENCODING"]),
        (&["X-Accept-Encoding-Hint"], &["X-Accept-Encoding-Hint", "accept-encoding"]),
    ] {
        // Also for the client that gets no coding: its response must not be given to the others.
        for accept in ["identity", "gzip"] {
            let lines = given.iter().map(|line| ("vary", *line));
            let headers: Vec<_> = [PLAIN[0]].into_iter().chain(lines).collect();
            let answer = through(&all(), request(accept), response(&headers, text())).await;
            let lines: Vec<_> = answer.headers().get_all("vary").iter().map(|line| line.to_str().unwrap()).collect();
            assert_eq!(lines, expected, "{given:?} {accept}");
        }
    }
}

/// Nothing is changed, and it is not said that it could.
#[track_caller]
fn assert_untouched(answer: &Response<Bytes>, given: &Response<Full<Bytes>>, what: &str) {
    assert_eq!((answer.status(), answer.headers()), (given.status(), given.headers()), "{what}");
    assert_eq!(answer.body().len() as u64, given.body().size_hint().exact().unwrap(), "{what}");
}

#[tokio::test]
async fn what_is_not_to_be_compressed_stays_as_it_is() {
    for headers in [
        &[][..],
        &[("content-type", "image/png")],
        &[("content-type", "application/octet-stream")],
        &[("content-type", "text/event-stream")],
        &[("content-type", "application/grpc")],
        &[("content-type", "application/grpc-web+json")],
        &[("content-type", "text/plain"), ("content-encoding", "br")],
        &[("content-type", "text/plain"), ("content-encoding", "identity")],
        &[("content-type", "text/plain"), ("content-range", "bytes 0-9/100")],
        &[("content-type", "text/plain"), ("cache-control", "public, No-Transform")],
        &[("content-type", "text/plain"), ("cache-control", "public"), ("cache-control", "no-transform")],
        &[("content-type", "text/plain"), ("content-digest", "sha-256=:x:")],
        &[("content-type", "text/plain"), ("repr-digest", "sha-256=:x:")],
        &[("content-type", "text/plain"), ("digest", "sha-256=x")],
        &[("content-type", "text/plain"), ("content-md5", "x")],
    ] {
        let given = response(&[headers, &[("etag", "\"abc\"")]].concat(), text());
        let answer = through(&all(), request("gzip"), given.clone()).await;
        assert_untouched(&answer, &given, &format!("{headers:?}"));
    }
}

#[tokio::test]
async fn statuses_without_a_whole_body_stay_as_they_are() {
    for status in [100, 101, 103, 204, 205, 206, 304] {
        let mut given = response(PLAIN, text());
        *given.status_mut() = StatusCode::from_u16(status).unwrap();
        let answer = through(&all(), request("gzip"), given.clone()).await;
        assert_untouched(&answer, &given, &status.to_string());
    }
    for status in [200, 201, 301, 400, 404, 500, 503] {
        let mut given = response(PLAIN, text());
        *given.status_mut() = StatusCode::from_u16(status).unwrap();
        let answer = through(&all(), request("gzip"), given).await;
        assert_eq!((answer.status().as_u16(), value(answer.headers(), "content-encoding")), (status, Some("gzip")));
    }
}

#[tokio::test]
async fn a_request_may_ask_for_the_body_as_it_is() {
    let mut asked = request("gzip");
    asked.headers_mut().insert("cache-control", "no-transform".parse().unwrap());
    let given = response(PLAIN, text());
    assert_untouched(&through(&all(), asked, given.clone()).await, &given, "no-transform");
}

/// The response to HEAD says what GET's would have said, as far as that is known without the body.
#[tokio::test]
async fn head_and_http_1_0_get_no_coding() {
    let mut head = request("gzip");
    *head.method_mut() = Method::HEAD;
    let mut old = request("gzip");
    *old.version_mut() = Version::HTTP_10;
    for asked in [head, old] {
        let given = response(&[PLAIN[0], ("content-length", "9000"), ("etag", "\"abc\"")], text());
        let answer = through(&all(), asked, given).await;
        let headers = answer.headers();
        assert_eq!((value(headers, "content-encoding"), value(headers, "content-length")), (None, Some("9000")));
        assert_eq!((value(headers, "vary"), value(headers, "etag")), (Some("accept-encoding"), Some("\"abc\"")));
    }
}

/// Whatever a client refuses, the status is the service's.
#[tokio::test]
async fn a_client_that_refuses_everything_gets_the_body_as_it_is() {
    for accept in ["identity;q=0", "*;q=0", "deflate, identity;q=0", "gzip;q=0", "nonsense"] {
        let answer = through(&all(), request(accept), response(PLAIN, text())).await;
        assert_eq!((answer.status(), value(answer.headers(), "content-encoding")), (StatusCode::OK, None), "{accept}");
        assert_eq!(answer.body(), text().as_bytes(), "{accept}");
    }
}

#[tokio::test]
async fn short_bodies_stay_as_they_are() {
    for (length, min_length, coded) in
        [(1023, None, false), (1024, None, true), (9, Some(10), false), (0, Some(0), true)]
    {
        let layer = min_length.map_or_else(all, |bytes| all().min_length(bytes));
        let answer = through(&layer, request("gzip"), response(PLAIN, vec![b'a'; length])).await;
        assert_eq!(answer.headers().contains_key("content-encoding"), coded, "{length}");
        assert_eq!(answer.headers().contains_key("vary"), coded, "{length}");
        assert_eq!(decoded(answer).await.len(), length);
    }
}

#[tokio::test]
async fn the_types_are_those_that_were_given() {
    let layer = all().types(["image/*".parse().unwrap()]);
    for (content_type, coded) in [("image/bmp", true), ("text/plain", false)] {
        let given = response(&[("content-type", content_type)], text());
        let answer = through(&layer, request("gzip"), given).await;
        assert_eq!(answer.headers().contains_key("content-encoding"), coded, "{content_type}");
    }
}

// --- bodies that come as they like --------------------------------------------------------------------------------------------

/// A body of frames, an error, or a wait that never ends.
#[derive(Default)]
struct Script(VecDeque<Step>);

enum Step {
    Data(&'static str),
    Trailers,
    Pending,
    Fail,
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.0.front() {
            Some(Step::Pending) => return Poll::Pending,
            None => return Poll::Ready(None),
            _ => {}
        }
        Poll::Ready(self.0.pop_front().map(|step| match step {
            Step::Data(text) => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
            Step::Trailers => {
                Ok(Frame::trailers(HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())])))
            }
            _ => Err("the upstream broke".into()),
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

async fn scripted(
    coding: Coding,
    steps: impl IntoIterator<Item = Step>,
) -> Response<impl Body<Data = Bytes, Error = BoxError> + Unpin> {
    let mut script = Some(Script(steps.into_iter().collect()));
    let mut service = all().layer(service_fn(move |_: Request<()>| {
        let mut response = Response::new(script.take().unwrap());
        response.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        std::future::ready(Ok::<_, Infallible>(response))
    }));
    service.call(request(coding.name())).await.unwrap().map(Box::pin)
}

/// What has come so far, up to the end or to where nothing is ready.
fn ready_bytes(body: &mut (impl Body<Data = Bytes, Error = BoxError> + Unpin)) -> (Vec<u8>, Option<BoxError>) {
    let mut bytes = Vec::new();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    while let Poll::Ready(Some(frame)) = Pin::new(&mut *body).poll_frame(&mut cx) {
        match frame {
            Ok(frame) => bytes.extend_from_slice(frame.data_ref().unwrap()),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

/// As much as can be decoded of a coded body that is not complete.
fn beginning(coding: Coding, bytes: &[u8]) -> String {
    use std::io::Read;
    let mut reader: Box<dyn Read + '_> = match coding {
        Coding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
        Coding::Brotli => Box::new(brotli::Decompressor::new(bytes, 4096)),
        Coding::Zstd => Box::new(zstd::Decoder::new(bytes).unwrap()),
    };
    let (mut text, mut piece) = (Vec::new(), [0; 64]);
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        text.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn what_has_come_is_sent_while_the_rest_is_awaited() {
    for coding in Coding::ALL {
        let steps = [Step::Data("first, "), Step::Data("second"), Step::Pending];
        let mut body = scripted(coding, steps).await.into_body();
        let (bytes, error) = ready_bytes(&mut body);
        assert!(error.is_none());
        assert_eq!(beginning(coding, &bytes), "first, second", "{coding:?}");
    }
}

/// A body that breaks must not end as if it were whole.
#[tokio::test]
async fn an_error_inside_the_body_is_passed_on() {
    for coding in Coding::ALL {
        for steps in [vec![Step::Fail], vec![Step::Data("first"), Step::Fail]] {
            let result = scripted(coding, steps).await.into_body().collect().await;
            assert_eq!(result.unwrap_err().to_string(), "the upstream broke", "{coding:?}");
        }
    }
}

#[tokio::test]
async fn trailers_come_after_the_coded_body() {
    for coding in Coding::ALL {
        let body = scripted(coding, [Step::Data("text"), Step::Trailers]).await.into_body();
        let all = body.collect().await.unwrap();
        assert_eq!(all.trailers().unwrap()["x-sum"], "1");
        assert_eq!(beginning(coding, &all.to_bytes()), "text");
    }
}

#[tokio::test]
async fn an_empty_body_of_unknown_length_is_a_coded_empty_body() {
    for coding in Coding::ALL {
        let bytes = scripted(coding, []).await.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(beginning(coding, &bytes), "");
    }
}
