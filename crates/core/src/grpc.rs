//! gRPC's status codes for HTTP statuses, and its way to write messages.

use std::{borrow::Cow, fmt::Write};

use http::StatusCode;

/// The gRPC code of an HTTP status and the code's name, as Kong maps them.
pub(crate) fn status(status: StatusCode) -> (u8, &'static str) {
    match status.as_u16() {
        200..=299 => (0, "OK"),
        400 => (3, "InvalidArgument"),
        401 => (16, "Unauthenticated"),
        403 => (7, "PermissionDenied"),
        404 => (5, "NotFound"),
        409 => (6, "AlreadyExists"),
        429 => (8, "ResourceExhausted"),
        499 => (1, "Canceled"),
        501 => (12, "Unimplemented"),
        503 => (14, "Unavailable"),
        504 => (4, "DeadlineExceeded"),
        402..=498 => (3, "InvalidArgument"),
        500 | 502 | 505..=599 => (13, "Internal"),
        _ => (2, "Unknown"),
    }
}

/// A message as it stands in `grpc-message`: what is not printable ASCII is percent-encoded, and the
/// percent sign itself ("gRPC over HTTP2", Responses).
pub(crate) fn escape(message: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'%';
    if message.bytes().all(is_plain) {
        return Cow::Borrowed(message);
    }
    let mut escaped = String::with_capacity(message.len().saturating_mul(3));
    for byte in message.bytes() {
        match is_plain(byte) {
            true => escaped.push(char::from(byte)),
            false => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_printable_ascii() {
        for (message, escaped) in
            [("", ""), ("No API key found", "No API key found"), ("100 %", "100 %25"), ("s\u{fc}nd\n", "s%C3%BCnd%0A")]
        {
            assert_eq!(escape(message), escaped);
        }
    }

    #[test]
    fn maps_as_kong_documents() {
        let table = [
            (200, 0),
            (204, 0),
            (302, 2),
            (400, 3),
            (401, 16),
            (403, 7),
            (404, 5),
            (405, 3),
            (409, 6),
            (413, 3),
            (429, 8),
            (499, 1),
            (500, 13),
            (501, 12),
            (502, 13),
            (503, 14),
            (504, 4),
            (599, 13),
            (700, 2),
        ];
        for (http, grpc) in table {
            assert_eq!(status(StatusCode::from_u16(http).unwrap()).0, grpc, "{http}");
        }
    }
}
