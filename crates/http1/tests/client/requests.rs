//! What goes out, and in how many writes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body::Frame;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use towergate_http1::{
    Spelling,
    client::{Connection, ErrorKind, Length, Request, Timeouts},
};

use crate::support::{BoxError, Noting, feed, frames, pair, upload, within};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What a request is on the wire, read until `end`, in one go where nothing else is said.
async fn wire<T: AsyncReadExt + AsyncWriteExt + Unpin>(peer: &mut T, length: usize) -> String {
    let mut bytes = vec![0; length];
    within(peer.read_exact(&mut bytes)).await.unwrap();
    within(peer.write_all(OK)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

fn sum() -> Frame<Bytes> {
    Frame::trailers(HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("7"))]))
}

#[tokio::test]
async fn a_body_is_framed_by_the_length_it_is_sent_with() {
    let unknown = |trailers| Length::Unknown { trailers };
    for (length, body, sent) in [
        (Length::None, vec![], "\r\n"),
        (Length::None, vec![data("not asked for")], "\r\n"),
        (Length::Known(0), vec![], "Content-Length: 0\r\n\r\n"),
        (Length::Known(5), vec![data("hello")], "Content-Length: 5\r\n\r\nhello"),
        (Length::Known(5), vec![data("he"), data(""), data("llo"), sum()], "Content-Length: 5\r\n\r\nhello"),
        (unknown(false), vec![], "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (
            unknown(false),
            vec![data("he"), data(""), data("llo world!"), sum()],
            "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\na\r\nllo world!\r\n0\r\n\r\n",
        ),
        (unknown(true), vec![data("he"), sum()], "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\nX-Sum: 7\r\n\r\n"),
    ] {
        let (io, mut peer) = duplex(64 * 1024);
        let request = Connection::new(io).request(&Method::PUT, &["/a?b"]);
        let exchange = request.send(length, frames(body), Timeouts::default());
        let sent = format!("PUT /a?b HTTP/1.1\r\n{sent}");
        let (response, text) = tokio::join!(within(exchange), wire(&mut peer, sent.len()));
        assert_eq!(text, sent);
        assert!(response.unwrap().into_body().reclaim().is_some());
    }
}

#[tokio::test]
async fn a_body_must_be_as_long_as_announced() {
    for (body, announced) in [("hell", 5), ("hello!", 5), ("", 1)] {
        let (io, mut peer) = duplex(64 * 1024);
        let request = Connection::new(io).request(&Method::PUT, &["/"]);
        let exchange = request.send(Length::Known(announced), frames(vec![data(body)]), Timeouts::default());
        let error = within(exchange).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{body}");
        let mut sent = String::new();
        within(peer.read_to_string(&mut sent)).await.unwrap();
        assert!(!sent.contains("hello!"), "closed before it could be taken for a whole one");
    }
}

#[tokio::test]
async fn headers_go_out_in_order_and_cannot_frame_nor_break_a_line() {
    let (io, mut peer) = duplex(64 * 1024);
    let mut request = Connection::new(io).request(&Method::GET, &["/a b\r\nX: y"]);
    let value = HeaderValue::from_static("v");
    let mut spelling = Spelling::new();
    spelling.remember(&header::ACCEPT, Bytes::from_static(b"ACCEPT"));
    request.header(&header::HOST, &value);
    request.header_spelled(&header::ACCEPT, &value, Some(&spelling));
    request.header_spelled(&header::ETAG, &value, Some(&spelling));
    request.header(&header::CONTENT_LENGTH, &value);
    request.header(&header::TRANSFER_ENCODING, &value);
    request.header_of("Content-Length", &[b"1"]);
    request.header_of("Via", &[b"1.0 a", b", ", b"1.1\r\nb\0\t\xff"]);
    let exchange = request.send(Length::None, Full::<Bytes>::default(), Timeouts::default());
    let sent = b"GET /abX:y HTTP/1.1\r\nHost: v\r\nACCEPT: v\r\nETag: v\r\nVia: 1.0 a, 1.1b\t\xff\r\n\r\n";
    let mut read = vec![0; sent.len()];
    let (response, _) = tokio::join!(within(exchange), async {
        peer.read_exact(&mut read).await.unwrap();
        peer.write_all(OK).await.unwrap();
    });
    response.unwrap();
    assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(sent));
}

/// The sizes of writes, and of how many pieces each was.
async fn writes<B>(
    vectored: bool,
    length: Length,
    body: B,
    begin: impl FnOnce(Connection<Noting<tokio::io::DuplexStream>>) -> Request<Noting<tokio::io::DuplexStream>>,
) -> (Vec<(usize, usize)>, Vec<u8>)
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let (io, mut peer) = duplex(1024 * 1024);
    let writes = std::sync::Arc::default();
    let connection = Connection::new(Noting { io, writes: std::sync::Arc::clone(&writes), vectored });
    peer.write_all(OK).await.unwrap();
    let response = within(begin(connection).send(length, body, Timeouts::default())).await.unwrap();
    drop(response);
    let mut sent = Vec::new();
    within(peer.read_to_end(&mut sent)).await.unwrap();
    (std::mem::take(&mut *writes.lock().unwrap()), sent)
}

#[tokio::test]
async fn a_head_leaves_in_one_write_with_the_body_at_hand() {
    let post = |connection: Connection<_>| connection.request(&Method::POST, &["/"]);
    let head = "POST / HTTP/1.1\r\n".len();
    let large = vec![b'x'; 100_000];
    for (length, body, sizes) in [
        (Length::None, vec![], vec![(head + 2, 1)]),
        (Length::Known(5), vec![data("he"), data("llo")], vec![(head + 21 + 5, 1)]),
        (Length::Unknown { trailers: false }, vec![data("he"), data("llo")], vec![(head + 30 + 7 + 8 + 5, 1)]),
        (Length::Known(100_000), vec![Frame::data(Bytes::from(large.clone()))], vec![(head + 26 + 100_000, 2)]),
        (
            Length::Unknown { trailers: false },
            vec![data("he"), Frame::data(Bytes::from(large.clone()))],
            vec![(head + 30 + 7 + 7 + 100_000 + 2, 3), (5, 1)],
        ),
    ] {
        let (noted, sent) = writes(true, length, frames(body), post).await;
        assert_eq!(noted, sizes, "{length:?}");
        assert_eq!(sent.len(), sizes.iter().map(|(size, _)| size).sum::<usize>());
    }
    // Whose end is known needs no second write for it.
    let body = Full::new(Bytes::from(large.clone()));
    let (noted, sent) = writes(true, Length::Unknown { trailers: false }, body, post).await;
    assert_eq!(noted, [(head + 30 + 7 + 100_000 + 7, 3)]);
    // A stream that takes one piece at a time gets the same bytes.
    let body = Full::new(Bytes::from(large));
    let (noted, same) = writes(false, Length::Unknown { trailers: false }, body, post).await;
    assert_eq!((noted.len(), same), (3, sent));
}

#[tokio::test]
async fn a_body_streams_as_it_comes_and_its_failure_is_its_own() {
    let (connection, mut peer) = pair().await;
    let (sender, body) = upload();
    let request = connection.request(&Method::POST, &["/"]);
    let exchange = tokio::spawn(within(request.send(Length::Unknown { trailers: false }, body, Timeouts::default())));
    peer.until("chunked\r\n\r\n").await;
    for part in ["one", "two"] {
        feed(&sender, part).await;
        peer.until(&format!("3\r\n{part}\r\n")).await;
    }
    within(sender.send(Err("gone".into()))).await.unwrap();
    let error = exchange.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_unsent(), error.is_heard()), (ErrorKind::RequestBody, false, false));
    assert_eq!(error.into_source().unwrap().to_string(), "gone");
    assert_eq!(peer.closed().await, "", "nothing that could be taken for the end");
}
