//! What an `hmac` authorization says.

use http::{HeaderMap, HeaderName};

use crate::authorization;

/// The parameters of a signature, none of them empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters<'a> {
    pub(super) username: &'a str,
    pub(super) algorithm: &'a str,
    /// What is signed: names separated by single spaces.
    pub(super) headers: &'a str,
    /// In Base64.
    pub(super) signature: &'a str,
}

impl<'a> Parameters<'a> {
    /// Those in this header: `hmac username="…", algorithm="…", headers="…", signature="…"`, in
    /// this order and no other, as in Kong.
    pub(super) fn of(headers: &'a HeaderMap, header: &HeaderName) -> Option<Self> {
        let mut rest = std::str::from_utf8(authorization::after_scheme(headers, header, "hmac")?).ok()?;
        let username = take(&mut rest, "username")?;
        let mut next = |name| {
            rest = rest.strip_prefix(',')?.trim_start();
            take(&mut rest, name)
        };
        let (algorithm, headers) = (next("algorithm")?, next("headers")?);
        Some(Self { username, algorithm, headers, signature: next("signature")? })
    }
}

/// Takes `name="value"` off the beginning.
fn take<'a>(rest: &mut &'a str, name: &str) -> Option<&'a str> {
    let (value, after) = rest.strip_prefix(name)?.strip_prefix("=\"")?.split_once('"')?;
    *rest = after;
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use proptest::prelude::*;

    use super::*;

    fn headers(line: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, line.parse().unwrap())])
    }

    #[test]
    fn four_parameters_in_their_order() {
        let expected = Parameters { username: "bob", algorithm: "hmac-sha1", headers: "date a", signature: "eA==" };
        for line in [
            r#"hmac username="bob", algorithm="hmac-sha1", headers="date a", signature="eA==""#,
            r#"Hmac   username="bob",algorithm="hmac-sha1",headers="date a",signature="eA==""#,
            r#"HMAC username="bob",  algorithm="hmac-sha1",   headers="date a", signature="eA==", more"#,
            // A quote before it, as one of Kong's own tests sends it.
            r#""hmac username="bob",algorithm="hmac-sha1",headers="date a",signature="eA=="""#,
        ] {
            assert_eq!(Parameters::of(&headers(line), &AUTHORIZATION), Some(expected), "{line}");
        }
        for line in [
            "",
            "asd",
            "hmac",
            "hmac username",
            "hmac :dXNlcm5hbWU6cGFzc3dvcmQ=",
            "hmac username=,algorithm,headers,dXNlcm5hbWU6cGFzc3dvcmQ=",
            r#"hmac username="", algorithm="hmac-sha1", headers="date", signature="eA==""#,
            r#"hmac username="bob", algorithm="hmac-sha1", headers="", signature="eA==""#,
            r#"hmac username="bob", algorithm="hmac-sha1", headers="date", signature="""#,
            r#"hmac username="bob", algorithm="hmac-sha1", headers="date""#,
            r#"hmac username="bob" algorithm="hmac-sha1", headers="date", signature="eA==""#,
            r#"hmac algorithm="hmac-sha1", username="bob", headers="date", signature="eA==""#,
            r#"hmac username="bob", algorithm="hmac-sha1", wrong="date", signature="eA==""#,
            r#"hmac username="bob", algorithm="hmac-sha1", headers="date", signature="eA=="#,
        ] {
            assert_eq!(Parameters::of(&headers(line), &AUTHORIZATION), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(line in r#"[hmac userlgoit=",\\ -~]{0,80}"#) {
            let _ = Parameters::of(&headers(&line), &AUTHORIZATION);
        }
    }
}
