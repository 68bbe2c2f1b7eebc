//! Whether a body is the one that was sent off.

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq;

use crate::authorization;

const DIGEST: HeaderName = HeaderName::from_static("digest");

/// Whether a body has the `Digest` (RFC 3230, by SHA-256) that its request tells. Without any only an
/// empty body is right. `None` is a body too large to be looked at, which is not.
pub(super) fn is_right(headers: &HeaderMap, body: Option<&[u8]>) -> bool {
    let Some(body) = body else { return false };
    let mut lines = headers.get_all(DIGEST).iter();
    match (lines.next(), lines.next()) {
        (None, _) => body.is_empty(),
        (Some(line), None) => {
            told(line.as_bytes()).is_some_and(|told| digest(&SHA256, body).as_ref().ct_eq(&told).into())
        }
        (Some(_), Some(_)) => false,
    }
}

fn told(line: &[u8]) -> Option<Vec<u8>> {
    const SHA_256: &[u8] = b"SHA-256=";
    let (name, value) = line.split_at_checked(SHA_256.len())?;
    name.eq_ignore_ascii_case(SHA_256).then(|| authorization::decode_base64(value)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    // printf %s hello | openssl dgst -sha256 -binary | base64
    const HELLO: &str = "SHA-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    const EMPTY: &str = "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn a_digest_must_be_that_of_the_body() {
        let cases: [(&[&str], Option<&str>, bool); 12] = [
            (&[HELLO], Some("hello"), true),
            (&["sha-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="], Some("hello"), true),
            (&[HELLO], Some("Hello"), false),
            (&[HELLO], Some(""), false),
            (&[EMPTY], Some(""), true),
            (&[], Some(""), true),
            (&[], Some("hello"), false),
            (&[HELLO, HELLO], Some("hello"), false),
            (&[HELLO], None, false),
            (&["MD5=XUFAKrxLKna5cZ2REBfFkg=="], Some("hello"), false),
            (&["SHA-256=!!"], Some("hello"), false),
            (&["SHA"], Some("hello"), false),
        ];
        for (lines, body, right) in cases {
            let headers: HeaderMap = lines.iter().map(|line| (DIGEST, line.parse().unwrap())).collect();
            assert_eq!(is_right(&headers, body.map(str::as_bytes)), right, "{lines:?} {body:?}");
        }
    }
}
