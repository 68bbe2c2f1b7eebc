//! The entry of the fuzz target `server`: whatever bytes a client sends, in whatever pieces.
#![allow(unreachable_pub, reason = "shared with the fuzz target")]

use std::{
    future::{Future, ready},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context as Task, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use towergate_http1::server::{Body, Config, Connection, Malformed, Service};

/// What a service saw of a request; nothing if it was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    /// Nothing if it was not read, or was none.
    pub body: Option<Vec<u8>>,
}

/// Requests are seen alike however their bytes come, and each has one response.
///
/// # Panics
/// When there is a fault in this crate, which is what fuzzing is for.
pub fn run(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let step = usize::from(first & 0x3f) + 1;
    let (whole, answers) = observe(bytes, usize::MAX);
    assert_eq!(count_responses(&answers), whole.len(), "{:?}", String::from_utf8_lossy(&answers));
    let (pieces, _) = observe(bytes, step);
    for (whole, piece) in whole.iter().zip(&pieces) {
        assert_eq!(whole, piece);
    }
    // A client that waits for `100 Continue` in vain is not heard any more, one that does not wait is.
    let is_waiting =
        |seen: &Option<Seen>| seen.as_ref().is_some_and(|seen| seen.headers.iter().any(|(name, _)| name == "expect"));
    let shorter = if whole.len() < pieces.len() { &whole } else { &pieces };
    assert!(whole.len() == pieces.len() || shorter.last().is_some_and(is_waiting), "{whole:?} {pieces:?}");
}

/// What the service sees of these bytes, which come in pieces of `step`, and what comes back.
pub fn observe(bytes: &[u8], step: usize) -> (Vec<Option<Seen>>, Vec<u8>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let output = Arc::new(Mutex::new(Vec::new()));
    let script = Script { left: bytes.to_vec(), step, output: output.clone() };
    // For the timer of a connection that waits for its client to stop sending.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    {
        let mut connection = pin!(Connection::new(script, Watch(seen.clone()), Config::default()));
        let mut task = Task::from_waker(Waker::noop());
        // Nothing a script does is ever pending, but a task may not go on for ever.
        let polls = (0..bytes.len() + 1000).find(|_| connection.as_mut().poll(&mut task).is_ready());
        assert!(polls.is_some(), "the connection does not end");
    }
    let (seen, output) = (seen.lock().unwrap().clone(), output.lock().unwrap().clone());
    (seen, output)
}

/// How many whole responses there are, and nothing after them.
fn count_responses(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        if let Some(rest) = bytes.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
            bytes = rest;
            continue;
        }
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Response::new(&mut headers);
        let end = head.parse(bytes).unwrap().unwrap();
        let text = |name| head.headers.iter().find(|header| header.name == name).map(|header| header.value);
        let is_head = text("X-Head").is_some();
        let length: usize = std::str::from_utf8(text("Content-Length").unwrap()).unwrap().parse().unwrap();
        bytes = &bytes[end + if is_head { 0 } else { length }..];
        count += 1;
    }
    count
}

/// Notes what it sees. Bodies of requests to `/x…` are not read.
struct Watch(Arc<Mutex<Vec<Option<Seen>>>>);

impl Service for Watch {
    type Body = Full<Bytes>;
    type Future = Pin<Box<dyn Future<Output = Response<Full<Bytes>>>>>;

    fn call(&mut self, request: Result<Request<Body>, Malformed>) -> Self::Future {
        let seen = self.0.clone();
        let request = match request {
            Ok(request) => request,
            Err(malformed) => {
                seen.lock().unwrap().push(None);
                return Box::pin(ready(answer("no request".to_owned(), &malformed.head().method)));
            }
        };
        let (head, body) = request.into_parts();
        let mut headers: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        headers.sort();
        let (method, target) = (head.method.to_string(), head.uri.to_string());
        Box::pin(async move {
            let body = match head.uri.path().starts_with("/x") {
                true => None,
                false => body.collect().await.ok().map(|body| body.to_bytes().to_vec()),
            };
            let response = answer(format!("{} bytes", body.as_ref().map_or(0, Vec::len)), &head.method);
            seen.lock().unwrap().push(Some(Seen { method, target, headers, body }));
            response
        })
    }
}

fn answer(text: String, method: &Method) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    if *method == Method::HEAD {
        response.headers_mut().insert("x-head", HeaderValue::from_static("1"));
    }
    response
}

/// A client that sends what it has in pieces and takes everything.
struct Script {
    left: Vec<u8>,
    step: usize,
    output: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = self.step.min(self.left.len()).min(buffer.remaining());
        buffer.put_slice(&self.left[..count]);
        self.left.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = self.step.min(bytes.len());
        self.output.lock().unwrap().extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
