//! The user name and password that a request brings.

use std::fmt;

use http::{HeaderMap, HeaderName};

use crate::authorization;

/// A user name and a password, not yet looked at: as they came, the name a UTF-8 text of `colon` bytes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    text: Vec<u8>,
    colon: usize,
}

// Written out because a password is nobody's business.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

impl Login {
    /// The one in this header: `name:password` in Base64 (RFC 7617), the name up to the first colon.
    pub(super) fn of(headers: &HeaderMap, header: &HeaderName) -> Option<Self> {
        let text = authorization::decode_base64(authorization::after_scheme(headers, header, "basic")?)?;
        let colon = text.iter().position(|byte| *byte == b':').filter(|at| *at > 0)?;
        str::from_utf8(text.get(..colon)?).ok()?;
        Some(Self { text, colon })
    }

    pub(super) fn name(&self) -> &str {
        self.text.get(..self.colon).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
    }

    pub(super) fn password(&self) -> &[u8] {
        self.text.get(self.colon.saturating_add(1)..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;
    use http::header::AUTHORIZATION;
    use proptest::prelude::*;

    use super::*;

    /// Name and password.
    type Pair<'a> = (&'a str, &'a [u8]);

    #[test]
    fn a_login_is_a_name_a_colon_and_the_rest() {
        let cases: [(&[u8], Option<Pair<'_>>); 8] = [
            (b"bob:kong", Some(("bob", b"kong"))),
            (b"bob:a:b:", Some(("bob", b"a:b:"))),
            (b"bob:", Some(("bob", b""))),
            ("bób:\u{1}\n".as_bytes(), Some(("bób", b"\x01\n"))),
            (b":kong", None),
            (b"bob", None),
            (b"", None),
            (b"b\xffb:kong", None),
        ];
        for (text, expected) in cases {
            let line = format!("Basic {}", BASE64.encode(text)).parse().unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, line)]);
            let login = Login::of(&headers, &AUTHORIZATION);
            let found = login.as_ref().map(|login| (login.name(), login.password()));
            assert_eq!(found, expected);
        }
    }

    proptest! {
        #[test]
        fn a_login_is_what_was_encoded(name in "[^:\\x00-\\x1f]{1,20}", password in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = [name.as_bytes(), b":", &password].concat();
            let line = format!("Basic {}", BASE64.encode(&text)).parse().unwrap();
            let login = Login::of(&HeaderMap::from_iter([(AUTHORIZATION, line)]), &AUTHORIZATION);
            prop_assert_eq!(login.as_ref().map(|login| (login.name(), login.password())), Some((&*name, &*password)));
        }

        #[test]
        fn nothing_makes_it_panic(line in prop::collection::vec(0x20..=0xffu8, 0..80)) {
            if let Ok(line) = http::HeaderValue::from_bytes(&[b"basic", &line[..]].concat()) {
                let _ = Login::of(&HeaderMap::from_iter([(AUTHORIZATION, line)]), &AUTHORIZATION);
            }
        }
    }
}
