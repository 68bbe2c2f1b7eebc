//! How a response's body is framed is decided by the body, never by headers that came along.

use http::{HeaderMap, Method, StatusCode, header};
use http_body::Body;

/// Leaves no header that contradicts the body, whoever made the response.
///
/// An upstream's answer with both `Content-Length` and `Transfer-Encoding`, or with lengths that
/// differ, would otherwise be cancelled on its way out, or read in two ways. What is left is a length
/// that is true; without one the body leaves in chunks (HTTP/1) or in frames (HTTP/2).
pub(crate) fn settle(headers: &mut HeaderMap, status: StatusCode, method: &Method, body: &impl Body) {
    headers.remove(header::TRANSFER_ENCODING);
    if headers.contains_key(header::CONTENT_LENGTH) && !is_length_true(headers, status, method, body) {
        headers.remove(header::CONTENT_LENGTH);
    }
}

fn is_length_true(headers: &HeaderMap, status: StatusCode, method: &Method, body: &impl Body) -> bool {
    let mut lines = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = lines.next().map(|line| line.as_bytes()).unwrap_or_default();
    let Some(length) = number(first) else { return false };
    if lines.next().is_some() || status.is_informational() || status == StatusCode::NO_CONTENT {
        return false;
    }
    // Without a body the header says how long one would have been.
    let is_bodiless = *method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    match body.size_hint().exact() {
        Some(0) if is_bodiless => true,
        Some(exact) => exact == length,
        None => true,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full, StreamBody, combinators::BoxBody};

    use super::*;

    fn exact(length: usize) -> BoxBody<Bytes, std::convert::Infallible> {
        BoxBody::new(Full::new(Bytes::from(vec![0; length])))
    }

    fn endless() -> BoxBody<Bytes, std::convert::Infallible> {
        let frames = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, std::convert::Infallible>>();
        BoxBody::new(StreamBody::new(frames))
    }

    #[test]
    fn only_a_true_length_stays() {
        let (get, ok) = (Method::GET, StatusCode::OK);
        let table = [
            (&["5"][..], ok, &get, exact(5), true),
            (&["6"], ok, &get, exact(5), false),
            (&["0"], ok, &get, exact(0), true),
            (&["5", "5"], ok, &get, exact(5), false),
            (&["5", "6"], ok, &get, exact(5), false),
            (&["+5"], ok, &get, exact(5), false),
            (&["5"], ok, &get, endless(), true),
            (&["99999999999999999999"], ok, &get, endless(), false),
            (&["5"], ok, &Method::HEAD, exact(0), true),
            (&["6"], ok, &Method::HEAD, exact(5), false),
            (&["5"], StatusCode::NOT_MODIFIED, &get, exact(0), true),
            (&["5"], StatusCode::NO_CONTENT, &get, exact(0), false),
            (&["0"], StatusCode::NO_CONTENT, &get, exact(0), false),
        ];
        for (lines, status, method, body, stays) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::TRANSFER_ENCODING, "chunked".parse().unwrap());
            for line in lines {
                headers.append(header::CONTENT_LENGTH, line.parse().unwrap());
            }
            settle(&mut headers, status, method, &body);
            assert_eq!(headers.contains_key(header::CONTENT_LENGTH), stays, "{lines:?} {status} {method}");
            assert!(!headers.contains_key(header::TRANSFER_ENCODING));
        }
        let mut none = HeaderMap::new();
        settle(&mut none, ok, &get, &Empty::<Bytes>::new());
        assert!(none.is_empty());
    }
}
