//! Header values that are seen all the time: constants, which need not be checked and keep nothing of what was read.

use http::HeaderValue;

macro_rules! known {
    ($($length:literal: $($value:literal),+;)+) => {
        /// This value, if it is one that comes all the time.
        pub(crate) fn known(bytes: &[u8]) -> Option<HeaderValue> {
            match bytes.len() {
                $($length => match bytes {
                    $(bytes if bytes == $value.as_bytes() => Some(const { HeaderValue::from_static($value) }),)+
                    _ => None,
                },)+
                _ => None,
            }
        }

        #[cfg(test)]
        const ALL: &[(usize, &str)] = &[$($(($length, $value)),+),+];
    };
}

known! {
    3: "*/*";
    4: "gzip";
    5: "close", "bytes";
    7: "chunked";
    8: "no-cache";
    9: "max-age=0", "text/html";
    10: "keep-alive", "text/plain";
    13: "gzip, deflate";
    15: "Accept-Encoding";
    16: "application/json";
    17: "gzip, deflate, br";
    23: "gzip, deflate, br, zstd";
    24: "text/html; charset=utf-8";
    31: "application/json; charset=utf-8";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_found_as_what_it_is() {
        for (length, value) in ALL {
            assert_eq!((value.len(), known(value.as_bytes()).unwrap()), (*length, HeaderValue::from_static(value)));
        }
        assert_eq!((known(b""), known(b"*/ "), known(b"Gzip")), (None, None, None));
    }
}
