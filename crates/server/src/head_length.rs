//! How many bytes a response's head takes, for those who count traffic.

use http::{HeaderMap, StatusCode, Version, header};

/// `Date: Tue, 15 Nov 1994 08:12:31 GMT` with the end of its line.
const DATE: u64 = 37;

/// How long the head of a response is as HTTP/1.1 writes it; `exact` is the length of its body if
/// that is known. What HTTP/2 makes of it is shorter, and not known here.
pub(crate) fn of_response(headers: &HeaderMap, status: StatusCode, client: Version, exact: Option<u64>) -> u64 {
    let reason = status.canonical_reason().unwrap_or_default();
    // "HTTP/1.1 200 " and the reason, the lines, an empty line.
    let mut length = 13_u64.saturating_add(size(reason.len())).saturating_add(4);
    let (mut has_date, mut is_framed) = (false, status.is_informational());
    for (name, value) in headers {
        match *name {
            header::DATE => has_date = true,
            header::CONTENT_LENGTH => is_framed = true,
            _ => {}
        }
        length = length.saturating_add(size(name.as_str().len())).saturating_add(size(value.len())).saturating_add(4);
    }
    if !has_date {
        length = length.saturating_add(DATE);
    }
    if is_framed || client == Version::HTTP_2 || status == StatusCode::NO_CONTENT {
        return length;
    }
    length.saturating_add(match exact {
        Some(exact) => size("Content-Length: \r\n".len()).saturating_add(digits(exact)),
        None => size("Transfer-Encoding: chunked\r\n".len()),
    })
}

fn size(length: usize) -> u64 {
    length.try_into().unwrap_or(u64::MAX)
}

fn digits(number: u64) -> u64 {
    u64::from(number.checked_ilog10().unwrap_or(0)).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    #[test]
    fn a_head_is_as_long_as_it_is_written() {
        let date = "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n";
        for (status, headers, exact, lines) in [
            (200, &[("x-a", "1")][..], Some(0), "X-A: 1\r\nContent-Length: 0\r\n"),
            (200, &[("content-length", "12")], Some(12), "Content-Length: 12\r\n"),
            (200, &[], Some(1000), "Content-Length: 1000\r\n"),
            (200, &[], None, "Transfer-Encoding: chunked\r\n"),
            (204, &[], Some(0), ""),
        ] {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            let (head, ()) = response.body(()).unwrap().into_parts();
            let reason = head.status.canonical_reason().unwrap();
            let written = format!("HTTP/1.1 {status} {reason}\r\n{lines}{date}\r\n");
            let length = of_response(&head.headers, head.status, Version::HTTP_11, exact);
            assert_eq!(length, written.len() as u64, "{written}");
        }
    }
}
