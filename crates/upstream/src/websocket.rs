//! A client's wish to go on with a WebSocket: which wishes are passed on, and which answers grant
//! them.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use towergate_http1::Upgrade;

use crate::{hop, request_body::Length};

/// What is asked for, and the only thing that is.
pub(crate) const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Takes the wish to switch protocols from a request, if it is one to be passed on.
///
/// As in Kong that is `websocket` alone. With `h2c` the client and the upstream would go on with
/// requests that nobody here sees. A request that has a body or is no `GET` opens no WebSocket
/// (RFC 6455 section 4.1); it goes upstream as what else it is.
pub(crate) fn wish(head: &mut Parts, length: Length) -> Option<Upgrade> {
    let wish = head.extensions.remove::<Upgrade>()?;
    let is_bare = head.method == Method::GET && length == Length::Known(0);
    (is_bare && names_websocket(&head.headers)).then_some(wish)
}

/// Whether an answer opens what was asked for.
pub(crate) fn is_granted(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS && names_websocket(headers)
}

/// Makes the upstream's answer the client's: what concerns the upstream's connection goes, and the
/// client is told that its own is switched as well.
pub(crate) fn pass_on(headers: &mut HeaderMap, trailers: bool) {
    let upgrade = headers.get(header::UPGRADE).cloned().unwrap_or(WEBSOCKET);
    hop::strip_response(headers, &Method::GET, StatusCode::SWITCHING_PROTOCOLS, None, trailers);
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, upgrade);
}

fn names_websocket(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::UPGRADE).iter();
    let is_named = |line: &HeaderValue| line.as_bytes().trim_ascii().eq_ignore_ascii_case(WEBSOCKET.as_bytes());
    lines.next().is_some_and(is_named) && lines.next().is_none()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;
    use towergate_http1::Upgraded;

    use super::*;

    fn head(method: Method, upgrades: &[&str]) -> Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method;
        for line in upgrades {
            head.headers.append(header::UPGRADE, line.parse().unwrap());
        }
        head.extensions.insert(Upgrade::new(async { Ok(Upgraded::new(tokio::io::empty(), Bytes::new())) }));
        head
    }

    #[test]
    fn a_websocket_is_the_only_wish_passed_on() {
        let none = Length::Known(0);
        for (upgrades, method, length, is_wish) in [
            (&["websocket"][..], Method::GET, none, true),
            (&["WebSocket"], Method::GET, none, true),
            (&[], Method::GET, none, false),
            (&["h2c"], Method::GET, none, false),
            (&["websocket, h2c"], Method::GET, none, false),
            (&["websocket", "h2c"], Method::GET, none, false),
            (&["websocket", "websocket"], Method::GET, none, false),
            (&["websocket"], Method::POST, none, false),
            (&["websocket"], Method::HEAD, none, false),
            (&["websocket"], Method::GET, Length::Known(1), false),
            (&["websocket"], Method::GET, Length::Unknown, false),
        ] {
            let mut head = head(method.clone(), upgrades);
            assert_eq!(wish(&mut head, length).is_some(), is_wish, "{method} {upgrades:?} {length:?}");
            assert!(head.extensions.get::<Upgrade>().is_none(), "nobody else may take it");
        }
        let mut unable = head(Method::GET, &["websocket"]);
        unable.extensions.clear();
        assert!(wish(&mut unable, none).is_none(), "the client's side cannot switch");
    }

    #[test]
    fn only_a_switch_to_it_is_an_answer() {
        for (status, upgrades, is_grant) in [
            (101, &["websocket"][..], true),
            (101, &["WebSocket"], true),
            (101, &[], false),
            (101, &["h2c"], false),
            (101, &["websocket", "h2c"], false),
            (200, &["websocket"], false),
            (426, &["websocket"], false),
        ] {
            let headers = head(Method::GET, upgrades).headers;
            assert_eq!(is_granted(StatusCode::from_u16(status).unwrap(), &headers), is_grant, "{status} {upgrades:?}");
        }
    }

    #[test]
    fn the_answer_is_about_the_clients_connection() {
        let mut headers = head(Method::GET, &["WebSocket"]).headers;
        for (name, value) in [
            ("connection", "Upgrade, X-Hop"),
            ("x-hop", "1"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "timeout=5"),
            ("sec-websocket-accept", "x"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        pass_on(&mut headers, false);
        let mut lines: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        lines.sort_unstable();
        assert_eq!(lines, [("connection", "upgrade"), ("sec-websocket-accept", "x"), ("upgrade", "WebSocket")]);
    }
}
