//! What is answered when a route is reached by a protocol it does not accept.

use http::{HeaderName, HeaderValue, StatusCode, Version, header, request::Parts};
use towergate_core::{Client, Protocol, Reply, Route};

/// The answer to a request that came to this route by the wrong protocol; `None` if it came by
/// the right one.
///
/// The scheme is what a trusted peer says in `X-Forwarded-Proto`, else the connection's.
pub(crate) fn refusal(route: &Route, head: &Parts, client: &Client, host: &str) -> Option<Reply> {
    let accepts = |protocol| route.protocols.contains(protocol);
    if accepts(Protocol::Grpc) || accepts(Protocol::Grpcs) {
        return not_grpc(head).or_else(|| {
            let is_cleartext = !accepts(Protocol::Grpc) && !is_https(head, client);
            is_cleartext.then(grpc_wants_tls)
        });
    }
    let wants_https = accepts(Protocol::Https) && !accepts(Protocol::Http);
    (wants_https && !is_https(head, client)).then(|| use_https(route, head, client, host))
}

fn is_https(head: &Parts, client: &Client) -> bool {
    match told(head, client, "x-forwarded-proto") {
        Some(proto) => proto.as_bytes() == b"https",
        None => client.scheme == towergate_core::Scheme::Https,
    }
}

/// What a trusted peer says in this header.
fn told<'a>(head: &'a Parts, client: &Client, header: &str) -> Option<&'a HeaderValue> {
    client.trusted.then(|| head.headers.get(header)).flatten()
}

fn use_https(route: &Route, head: &Parts, client: &Client, host: &str) -> Reply {
    let status = StatusCode::from_u16(route.https_redirect_status_code).unwrap_or(StatusCode::UPGRADE_REQUIRED);
    if !status.is_redirection() {
        return Reply::error(StatusCode::UPGRADE_REQUIRED, "Please use HTTPS protocol")
            .with_header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
            .with_header(header::UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
    }
    let host = told(head, client, "x-forwarded-host").map_or(host.as_bytes(), HeaderValue::as_bytes);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    match HeaderValue::from_bytes(&[b"https://", host, path.as_bytes()].concat()) {
        Ok(location) => Reply::page(status).with_header(header::LOCATION, location),
        Err(_) => Reply::fault(StatusCode::BAD_REQUEST),
    }
}

/// What is wrong with a request to a gRPC route, apart from TLS.
fn not_grpc(head: &Parts) -> Option<Reply> {
    let content_type = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if !content_type.starts_with(b"application/grpc") {
        return Some(Reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Non-gRPC request matched gRPC route"));
    }
    (head.version != Version::HTTP_2).then(|| {
        Reply::error(StatusCode::UPGRADE_REQUIRED, "Please use HTTP2 protocol")
            .with_header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
            .with_header(header::UPGRADE, HeaderValue::from_static("HTTP/2"))
    })
}

fn grpc_wants_tls() -> Reply {
    Reply::empty(StatusCode::OK)
        .with_header(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
        .with_header(HeaderName::from_static("grpc-status"), HeaderValue::from_static("1"))
        .with_header(
            HeaderName::from_static("grpc-message"),
            HeaderValue::from_static("gRPC request matched gRPCs route"),
        )
}

#[cfg(test)]
mod tests {
    use http::Request;
    use uuid::Uuid;

    use super::*;

    fn route(protocols: &[Protocol], status: u16) -> Route {
        Route {
            id: Uuid::nil(),
            name: None,
            protocols: protocols.iter().copied().collect(),
            strip_path: true,
            preserve_host: false,
            request_buffering: true,
            response_buffering: true,
            https_redirect_status_code: status,
            tags: Vec::new(),
        }
    }

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/a%20b?q=1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn answer(route: &Route, trusted: bool, headers: &[(&str, &str)]) -> Option<(u16, Option<String>)> {
        let client = Client { trusted, ..Client::default() };
        let reply = refusal(route, &head(headers), &client, "example.com")?;
        Some((reply.status().as_u16(), reply.message().map(str::to_owned)))
    }

    #[test]
    fn cleartext_to_a_tls_only_route_is_told_to_upgrade() {
        use Protocol::{Http, Https};
        let please = Some((426, Some("Please use HTTPS protocol".to_owned())));
        let only = route(&[Https], 426);
        assert_eq!(answer(&only, false, &[]), please);
        assert_eq!(answer(&only, false, &[("x-forwarded-proto", "https")]), please, "said by just anybody");
        assert_eq!(answer(&only, true, &[("x-forwarded-proto", "https")]), None);
        assert_eq!(answer(&only, true, &[("x-forwarded-proto", "http")]), please);
        assert_eq!(answer(&route(&[Http, Https], 426), false, &[]), None);
        assert_eq!(answer(&route(&[Http], 426), true, &[("x-forwarded-proto", "https")]), None);
        for status in [301, 302, 307, 308] {
            assert_eq!(answer(&route(&[Https], status), false, &[]), Some((status, None)));
        }
    }

    #[test]
    fn a_redirect_leads_to_the_same_place_over_tls() {
        let location = |trusted| {
            let client = Client { trusted, ..Client::default() };
            let head = head(&[("x-forwarded-host", "front.example:8443")]);
            let reply = use_https(&route(&[Protocol::Https], 301), &head, &client, "example.com");
            let response = reply.render(&Default::default(), &towergate_core::RequestId::random(), &Default::default());
            response.headers()["location"].to_str().unwrap().to_owned()
        };
        assert_eq!(location(false), "https://example.com/a%20b?q=1");
        assert_eq!(location(true), "https://front.example:8443/a%20b?q=1");
    }

    #[test]
    fn a_grpc_route_takes_grpc_over_http2() {
        let cleartext = route(&[Protocol::Grpc, Protocol::Grpcs], 426);
        let grpc = [("content-type", "application/grpc+proto")];
        let upgrade = Some((426, Some("Please use HTTP2 protocol".to_owned())));
        let media = Some((415, Some("Non-gRPC request matched gRPC route".to_owned())));
        assert_eq!(answer(&cleartext, false, &grpc), upgrade);
        assert_eq!(answer(&cleartext, false, &[("content-type", "text/plain")]), media);
        assert_eq!(answer(&cleartext, false, &[]), media);
        let mut over_http2 = head(&grpc);
        over_http2.version = Version::HTTP_2;
        let client = Client::default();
        assert!(refusal(&cleartext, &over_http2, &client, "").is_none());
        let reply = refusal(&route(&[Protocol::Grpcs], 426), &over_http2, &client, "").unwrap();
        assert_eq!((reply.status().as_u16(), reply.message()), (200, None));
    }
}
