//! The text that a signature is made of.

use http::{HeaderName, Version, header, request::Parts};

/// The longest text that is signed, in bytes. A request is shorter; but it could name a long header
/// a thousand times.
const MAX_BYTES: usize = 128 * 1024;

/// The text is too long to be an honest one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Gives the signed text, piece by piece: a line for each name, `name: value`, or `name:` for a
/// header that is not there. `request-line` and `@request-target` are what a request has in their place.
pub(super) fn text(head: &Parts, names: &str, mut piece: impl FnMut(&[u8])) -> Result<(), TooLong> {
    let mut left = MAX_BYTES;
    let mut piece = |bytes: &[u8]| {
        left = left.checked_sub(bytes.len()).ok_or(TooLong)?;
        piece(bytes);
        Ok(())
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    for (index, name) in names.split(' ').enumerate() {
        if index > 0 {
            piece(b"\n")?;
        }
        match name {
            "request-line" => {
                let version = version(head.version).as_bytes();
                for part in [head.method.as_str().as_bytes(), b" ", target.as_bytes(), b" HTTP/", version] {
                    piece(part)?;
                }
            }
            "@request-target" => {
                let method = head.method.as_str().to_ascii_lowercase();
                for part in [name, ": ", &method, " ", target] {
                    piece(part.as_bytes())?;
                }
            }
            name => field(head, name, &mut piece)?,
        }
    }
    Ok(())
}

/// A header's line. Of several lines of one name all values count, lest one that was added later went
/// unnoticed.
fn field(head: &Parts, name: &str, piece: &mut impl FnMut(&[u8]) -> Result<(), TooLong>) -> Result<(), TooLong> {
    piece(name.as_bytes())?;
    piece(b":")?;
    let Ok(parsed) = HeaderName::try_from(name) else { return Ok(()) };
    let mut separator: &[u8] = b" ";
    for value in head.headers.get_all(&parsed) {
        piece(separator)?;
        piece(value.as_bytes())?;
        separator = b", ";
    }
    // In HTTP/2 the host may stand in the target only.
    match head.uri.authority().filter(|_| parsed == header::HOST && !head.headers.contains_key(header::HOST)) {
        Some(authority) => {
            piece(b" ")?;
            piece(authority.as_str().as_bytes())
        }
        None => Ok(()),
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        Version::HTTP_3 => "3.0",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Request};

    use super::*;

    fn of(head: &Parts, names: &str) -> Result<String, TooLong> {
        let mut text = Vec::new();
        super::text(head, names, |piece| text.extend_from_slice(piece))?;
        Ok(String::from_utf8(text).unwrap())
    }

    fn head(method: Method, uri: &str, version: Version) -> Parts {
        let request = Request::builder().method(method).uri(uri).version(version);
        let request = request.header("Host", "a.test").header("X-A", "1").header("X-Two", "a").header("X-Two", "b");
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn lines_are_kongs() {
        let head = head(Method::POST, "/p%20q?a=%41&b", Version::HTTP_11);
        for (names, expected) in [
            ("x-a", "x-a: 1"),
            ("X-A host", "X-A: 1\nhost: a.test"),
            ("x-none x-a", "x-none:\nx-a: 1"),
            ("request-line", "POST /p%20q?a=%41&b HTTP/1.1"),
            ("@request-target", "@request-target: post /p%20q?a=%41&b"),
            (
                "x-a @request-target request-line",
                "x-a: 1\n@request-target: post /p%20q?a=%41&b\nPOST /p%20q?a=%41&b HTTP/1.1",
            ),
            ("x-two", "x-two: a, b"),
            ("x-a  x-a", "x-a: 1\n:\nx-a: 1"),
            ("no\u{e4}me", "no\u{e4}me:"),
        ] {
            assert_eq!(of(&head, names).as_deref(), Ok(expected), "{names}");
        }
    }

    #[test]
    fn the_request_line_names_the_version_the_client_speaks() {
        for (version, expected) in [
            (Version::HTTP_10, "GET / HTTP/1.0"),
            (Version::HTTP_11, "GET / HTTP/1.1"),
            (Version::HTTP_2, "GET / HTTP/2.0"),
        ] {
            assert_eq!(of(&head(Method::GET, "/", version), "request-line").as_deref(), Ok(expected));
        }
    }

    #[test]
    fn the_host_may_stand_in_the_target() {
        let (mut head, ()) =
            Request::get("http://b.test:8080/p").version(Version::HTTP_2).body(()).unwrap().into_parts();
        assert_eq!(of(&head, "host").as_deref(), Ok("host: b.test:8080"));
        head.headers.insert("host", "c.test".parse().unwrap());
        assert_eq!(of(&head, "host").as_deref(), Ok("host: c.test"));
    }

    #[test]
    fn a_text_does_not_grow_with_what_is_named_again_and_again() {
        let mut head = head(Method::GET, "/", Version::HTTP_11);
        head.headers.insert("x-long", "x".repeat(8000).parse().unwrap());
        assert!(of(&head, "x-long x-long").is_ok());
        assert_eq!(of(&head, &"x-long ".repeat(1000)), Err(TooLong));
    }
}
