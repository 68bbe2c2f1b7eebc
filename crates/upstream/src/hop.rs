//! Headers that belong to one connection and go no further.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// Whether the client takes trailers.
pub(crate) fn wants_trailers(headers: &HeaderMap) -> bool {
    listed(headers, header::TE).iter().any(|name| name == "trailers")
}

/// Takes what concerns only the upstream's connection out of a response. `Content-Length` stays
/// only where it is what will be sent (`framed`) or tells what would be (`HEAD`, 304).
pub(crate) fn strip_response(
    headers: &mut HeaderMap,
    method: &Method,
    status: StatusCode,
    framed: Option<u64>,
    trailers: bool,
) {
    if headers.keys().any(|name| is_of_connection(name, trailers)) {
        for name in listed(headers, header::CONNECTION) {
            if !is_protected(&name) {
                headers.remove(name);
            }
        }
        let gone: Vec<_> = headers.keys().filter(|name| is_of_connection(name, trailers)).cloned().collect();
        for name in gone {
            headers.remove(name);
        }
    }
    strip_length(headers, method, status, framed);
}

/// Whether a response's header is about the connection it came on. `Trailer` is kept for who takes
/// trailers.
fn is_of_connection(name: &HeaderName, trailers: bool) -> bool {
    match *name {
        header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::TE => true,
        header::TRAILER => !trailers,
        _ => matches!(name.as_str(), "keep-alive" | "proxy-connection"),
    }
}

fn strip_length(headers: &mut HeaderMap, method: &Method, status: StatusCode, framed: Option<u64>) {
    let mut lines = headers.get_all(header::CONTENT_LENGTH).into_iter();
    let Some(value) = lines.next() else { return };
    let length = value.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    let bodiless = *method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    match length {
        Some(length) if bodiless || framed == Some(length) && status != StatusCode::NO_CONTENT => {
            // Several equal ones are allowed; one is enough.
            if lines.next().is_some() {
                headers.insert(header::CONTENT_LENGTH, length.into());
            }
        }
        _ => drop(headers.remove(header::CONTENT_LENGTH)),
    }
}

/// Whether a response's body is coded for the transfer in a way that is not undone here: with its
/// `Transfer-Encoding` gone, the client could not undo it either.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let coded = |line: &HeaderValue| !line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    lines.next().is_some_and(coded) || lines.next().is_some()
}

/// The header names (or other tokens) in the comma-separated lines of this header.
pub(crate) fn listed(headers: &HeaderMap, name: HeaderName) -> Vec<HeaderName> {
    let lines = headers.get_all(name).into_iter();
    let tokens = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    tokens
        .map(|token| token.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .collect()
}

/// Whether no `Connection` line may take this header away: the message's framing, where it goes,
/// and what the gateway itself says about it.
pub(crate) fn is_protected(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "content-length"
            | "transfer-encoding"
            | "via"
            | "x-real-ip"
            | "x-consumer-id"
            | "x-consumer-custom-id"
            | "x-consumer-username"
            | "x-consumer-groups"
            | "x-authenticated-groups"
            | "x-credential-identifier"
            | "x-anonymous-consumer"
            | "x-kong-request-id"
    ) || name.as_str().starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        lines.iter().map(parse).collect::<Vec<(HeaderName, HeaderValue)>>().into_iter().fold(
            HeaderMap::new(),
            |mut map, (name, value)| {
                map.append(name, value);
                map
            },
        )
    }

    #[test]
    fn what_belongs_to_the_upstreams_connection_is_taken_out() {
        let mut headers = map(&[
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x-sum"),
            ("upgrade", "h2c"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ]);
        strip_response(&mut headers, &Method::GET, StatusCode::OK, None, false);
        assert_eq!(headers, map(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]));
        let mut headers = map(&[("trailer", "x-sum")]);
        strip_response(&mut headers, &Method::GET, StatusCode::OK, None, true);
        assert_eq!(headers.len(), 1, "kept for who takes trailers");
    }

    #[test]
    fn a_length_stays_only_where_it_is_true() {
        let lines = |value: &'static str| map(&[("content-length", value), ("content-length", value)]);
        for (value, method, status, framed, kept) in [
            ("5", Method::GET, 200, Some(5), true),
            ("5", Method::GET, 200, None, false),
            ("5", Method::GET, 200, Some(4), false),
            ("5", Method::HEAD, 200, Some(0), true),
            ("5", Method::GET, 304, Some(0), true),
            ("0", Method::GET, 204, Some(0), false),
            ("x", Method::HEAD, 200, Some(0), false),
        ] {
            let mut headers = lines(value);
            strip_response(&mut headers, &method, StatusCode::from_u16(status).unwrap(), framed, false);
            assert_eq!(
                headers.get_all("content-length").iter().count(),
                usize::from(kept),
                "{method} {status} {value}"
            );
        }
    }
}
