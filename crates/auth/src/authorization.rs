//! What stands in `Authorization` and `Proxy-Authorization`.

use std::sync::LazyLock;

use data_encoding::{BASE64_NOPAD, Encoding};
use http::{HeaderMap, HeaderName, header};

/// Where a proof may stand, in the order in which it is looked for.
pub(crate) static HEADERS: [HeaderName; 2] = [header::PROXY_AUTHORIZATION, header::AUTHORIZATION];

/// What follows a scheme in this header. Kong looks for it anywhere in the text; so do we, but in
/// any letter case (RFC 9110 section 11.1). Several lines prove nothing: the upstream might read another.
pub(crate) fn after_scheme<'a>(headers: &'a HeaderMap, name: &HeaderName, scheme: &str) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let line = line.as_bytes();
    let is_scheme = |window: &[u8]| window.eq_ignore_ascii_case(scheme.as_bytes());
    let at = line.windows(scheme.len()).position(is_scheme)?;
    line.get(at.saturating_add(scheme.len())..).map(<[u8]>::trim_ascii)
}

/// The bytes behind Base64, with or without `=` at its end, as nginx reads it.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    /// nginx does not ask what the bits mean that are left over.
    static LENIENT: LazyLock<Option<Encoding>> = LazyLock::new(|| {
        let mut specification = BASE64_NOPAD.specification();
        specification.check_trailing_bits = false;
        specification.encoding().ok()
    });
    let text = [&b"=="[..], b"="].iter().find_map(|padding| text.strip_suffix(*padding)).unwrap_or(text);
    LENIENT.as_ref()?.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (header::AUTHORIZATION, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn a_scheme_is_found_in_any_case() {
        let cases: [(&[&str], Option<&str>); 9] = [
            (&["Basic YQ=="], Some("YQ==")),
            (&["basic   YQ=="], Some("YQ==")),
            (&["BASIC YQ=="], Some("YQ==")),
            (&["BasicYQ=="], Some("YQ==")),
            (&["Basic"], Some("")),
            (&["Bearer YQ=="], None),
            (&["Bas"], None),
            (&[""], None),
            (&["Basic YQ==", "Basic YQ=="], None),
        ];
        for (lines, expected) in cases {
            let headers = headers(lines);
            assert_eq!(
                after_scheme(&headers, &header::AUTHORIZATION, "basic"),
                expected.map(str::as_bytes),
                "{lines:?}"
            );
            assert!(after_scheme(&headers, &header::PROXY_AUTHORIZATION, "basic").is_none());
        }
    }

    #[test]
    fn base64_is_read_as_nginx_reads_it() {
        for text in ["Ym9iOmtvbmc=", "Ym9iOmtvbmc", "Ym9iOmtvbmd="] {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), Some(&b"bob:kong"[..]), "{text}");
        }
        assert_eq!(decode_base64(b"").as_deref(), Some(&b""[..]));
        for text in ["Ym9iOmtvbmc===", "Ym9i Omtv", "Y", "Ym9iO", "!!!!", "Ym9iOmtvbmc=x", "Ym_-"] {
            assert!(decode_base64(text.as_bytes()).is_none(), "{text}");
        }
    }
}
