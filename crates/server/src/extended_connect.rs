//! WebSockets over HTTP/2 (RFC 8441): an extended `CONNECT` is taken as the handshake it stands for.
//!
//! The rest of the gateway sees the `GET` with `Upgrade: websocket` that HTTP/1.1 has for it: it is
//! routed, guarded and sent upstream as one. The answer is translated back.

use std::io;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request, response};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use towergate_http1::{Upgrade, Upgraded};

const KEY: HeaderName = header::SEC_WEBSOCKET_KEY;
const ACCEPT: HeaderName = header::SEC_WEBSOCKET_ACCEPT;

/// A handshake that was made for a client that needs none.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// What an upstream that has understood it answers.
    accept: HeaderValue,
}

/// Takes an extended `CONNECT` for a WebSocket as a handshake; `None` if the request is no such thing.
/// That the connection is busy while the WebSocket is open is seen to by the task of its stream.
pub(crate) fn take(head: &mut request::Parts) -> Option<Handshake> {
    if head.version != Version::HTTP_2 || head.method != Method::CONNECT {
        return None;
    }
    if !head.extensions.get::<Protocol>()?.as_ref().eq_ignore_ascii_case(b"websocket") {
        return None;
    }
    let pending = head.extensions.remove::<OnUpgrade>()?;
    let (key, accept) = key_and_accept()?;
    head.extensions.remove::<Protocol>();
    head.extensions.insert(upgrade(pending));
    head.method = Method::GET;
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    head.headers.insert(KEY, key);
    Some(Handshake { accept })
}

impl Handshake {
    /// Translates the answer; says whether it is one. A switch becomes 200, without the headers that
    /// HTTP/1.1 needs for it. Any other success would be taken for an open WebSocket.
    pub(crate) fn settle(&self, head: &mut response::Parts) -> bool {
        match head.status {
            StatusCode::SWITCHING_PROTOCOLS if is_accepted(&head.headers, &self.accept) => {
                head.status = StatusCode::OK;
                for name in [header::CONNECTION, header::UPGRADE, header::CONTENT_LENGTH, ACCEPT] {
                    head.headers.remove(name);
                }
                true
            }
            status => !status.is_informational() && !status.is_success(),
        }
    }
}

fn is_accepted(headers: &HeaderMap, accept: &HeaderValue) -> bool {
    let mut lines = headers.get_all(ACCEPT).iter();
    lines.next() == Some(accept) && lines.next().is_none()
}

/// A key, which need be no secret (RFC 6455 section 10.3), and what it is answered with.
fn key_and_accept() -> Option<(HeaderValue, HeaderValue)> {
    let key = BASE64.encode(uuid::Uuid::new_v4().as_bytes());
    let accept = accept(&key);
    Some((key.try_into().ok()?, accept.try_into().ok()?))
}

/// RFC 6455 section 4.2.2.
fn accept(key: &str) -> String {
    let mut digest = Sha1::new();
    digest.update(key);
    digest.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(&digest.finalize())
}

fn upgrade(pending: OnUpgrade) -> Upgrade {
    Upgrade::new(async move {
        let stream = pending.await.map_err(io::Error::other)?;
        Ok(Upgraded::new(TokioIo::new(stream), Bytes::new()))
    })
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};

    use super::*;

    fn connect(version: Version, protocol: Option<&'static str>) -> request::Parts {
        let request = Request::connect("https://example.com/chat?x").version(version);
        let (mut head, ()) = request.header("sec-websocket-key", "the client's").body(()).unwrap().into_parts();
        head.extensions.insert(hyper::upgrade::on(Request::new(())));
        if let Some(protocol) = protocol {
            head.extensions.insert(Protocol::from_static(protocol));
        }
        head
    }

    #[test]
    fn an_extended_connect_becomes_a_handshake() {
        let mut head = connect(Version::HTTP_2, Some("websocket"));
        let handshake = take(&mut head).unwrap();
        assert_eq!((&head.method, head.uri.path()), (&Method::GET, "/chat"));
        assert_eq!(head.headers["connection"], "upgrade");
        assert_eq!(head.headers["upgrade"], "websocket");
        let key = head.headers["sec-websocket-key"].to_str().unwrap();
        assert_eq!(BASE64.decode(key.as_bytes()).unwrap().len(), 16);
        assert_eq!(handshake.accept, accept(key));
        assert!(head.extensions.get::<Upgrade>().is_some());
    }

    #[test]
    fn nothing_else_does() {
        for (version, protocol) in
            [(Version::HTTP_2, None), (Version::HTTP_2, Some("connect-udp")), (Version::HTTP_11, Some("websocket"))]
        {
            let mut head = connect(version, protocol);
            assert!(take(&mut head).is_none(), "{version:?} {protocol:?}");
            assert_eq!(head.method, Method::CONNECT);
        }
    }

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn a_key_is_accepted_as_the_rfc_says() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn only_a_switch_opens_and_no_other_success_passes() {
        let handshake = Handshake { accept: HeaderValue::from_static("yes") };
        for (status, accepts, settled) in [
            (101, &["yes"][..], Some(200)),
            (101, &["no"], None),
            (101, &["yes", "yes"], None),
            (101, &[], None),
            (200, &["yes"], None),
            (204, &[], None),
            (301, &[], Some(301)),
            (404, &["yes"], Some(404)),
            (502, &[], Some(502)),
        ] {
            let mut response = Response::builder().status(status).header("connection", "upgrade");
            response = response.header("upgrade", "websocket").header("sec-websocket-protocol", "chat");
            for line in accepts {
                response = response.header(ACCEPT, *line);
            }
            let (mut head, ()) = response.body(()).unwrap().into_parts();
            let result = handshake.settle(&mut head).then_some(head.status.as_u16());
            assert_eq!(result, settled, "{status} {accepts:?}");
            if result == Some(200) {
                assert_eq!(head.headers.keys().collect::<Vec<_>>(), ["sec-websocket-protocol"]);
            }
        }
    }
}
