//! Secrets, and the codes of messages under them.

use aws_lc_rs::hmac;
use data_encoding::{BASE64URL_NOPAD, Encoding};

use super::algorithm::Algorithm;

/// Whether this is the message's code under the secret; compared in the same time wherever it
/// differs. Never for an algorithm with public keys.
pub(crate) fn hmac_is_good(algorithm: Algorithm, secret: &[u8], message: &[u8], code: &[u8]) -> bool {
    let algorithm = match algorithm {
        Algorithm::HS256 => hmac::HMAC_SHA256,
        Algorithm::HS384 => hmac::HMAC_SHA384,
        Algorithm::HS512 => hmac::HMAC_SHA512,
        _ => return false,
    };
    hmac::verify(&hmac::Key::new(algorithm, secret), message, code).is_ok()
}

/// A secret that was written in base64, of either alphabet, with or without padding, as Kong reads it.
pub(crate) fn secret_from_base64(text: &str) -> Option<Vec<u8>> {
    let bare: String = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    tolerant().decode(bare.as_bytes()).ok().filter(|secret| !secret.is_empty())
}

/// Base64url that does not mind bits left over.
fn tolerant() -> Encoding {
    let mut specification = BASE64URL_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or(BASE64URL_NOPAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_rfc_7515_is_good() {
        // RFC 7515 appendix A.1.
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                       eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let code = BASE64URL_NOPAD.decode(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let secret = secret_from_base64(secret).unwrap();
        assert!(hmac_is_good(Algorithm::HS256, &secret, message.as_bytes(), &code));
        assert!(!hmac_is_good(Algorithm::HS256, &secret, message.as_bytes(), code.get(..31).unwrap()));
        assert!(!hmac_is_good(Algorithm::HS256, b"other", message.as_bytes(), &code));
        assert!(!hmac_is_good(Algorithm::HS512, &secret, message.as_bytes(), &code));
        assert!(!hmac_is_good(Algorithm::RS256, &secret, message.as_bytes(), &code));
    }

    #[test]
    fn secrets_are_read_in_both_alphabets() {
        for text in ["-_8", "+/8", "+/8=", "-_8="] {
            assert_eq!(secret_from_base64(text).as_deref(), Some(&[0xfb, 0xff][..]), "{text}");
        }
        assert_eq!(secret_from_base64("no base64"), None);
        assert_eq!(secret_from_base64("="), None);
    }
}
