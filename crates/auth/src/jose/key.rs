//! What a signature is checked with.

use std::fmt;

use aws_lc_rs::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, VerificationAlgorithm,
    },
};
use data_encoding::{BASE64URL_NOPAD, Encoding};

use super::{
    algorithm::Algorithm,
    pem::{self, KeyKind, WrittenKey},
};

/// A public key for tokens of one algorithm, parsed and checked.
pub struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// The key in a PEM text: `PUBLIC KEY`, `RSA PUBLIC KEY` or `CERTIFICATE`.
    ///
    /// # Errors
    /// Why the text holds no key for tokens of this algorithm, and what would be right.
    pub fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, String> {
        Self::from_written(algorithm, &pem::key(text)?)
    }

    pub(crate) fn from_written(algorithm: Algorithm, written: &WrittenKey) -> Result<Self, String> {
        let (wanted, fits): (_, fn(KeyKind) -> bool) = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                return Err(format!("{algorithm} is checked with a secret, not with a public key"));
            }
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => {
                ("an RSA key of 2048 to 8192 bits", |kind| matches!(kind, KeyKind::Rsa(2048..=8192)))
            }
            Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => {
                ("an RSA key of 2048 to 8192 bits", |kind| matches!(kind, KeyKind::Rsa(2048..=8192)))
            }
            Algorithm::ES256 => ("an EC key on the curve P-256", |kind| kind == KeyKind::P256),
            Algorithm::ES384 => ("an EC key on the curve P-384", |kind| kind == KeyKind::P384),
            Algorithm::ES512 => ("an EC key on the curve P-521", |kind| kind == KeyKind::P521),
            Algorithm::EdDSA => ("an Ed25519 key", |kind| kind == KeyKind::Ed25519),
        };
        if !fits(written.kind) {
            return Err(format!("{algorithm} needs {wanted}; this is {}", written.kind));
        }
        let Some(verification) = verification(algorithm) else {
            return Err(format!("{algorithm} is checked with a secret, not with a public key"));
        };
        match ParsedPublicKey::new(verification, &written.bytes) {
            Ok(key) => Ok(Self { algorithm, key }),
            Err(why) => Err(format!("{algorithm} needs {wanted}; this one is broken ({why})")),
        }
    }

    /// The algorithm its tokens are signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this is the signature of the message.
    pub(crate) fn is_good(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.key.as_ref() == other.key.as_ref()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// How aws-lc checks signatures of this algorithm; `None` for those with a secret.
fn verification(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    static RS256: RsaParameters = RSA_PKCS1_2048_8192_SHA256;
    static RS384: RsaParameters = RSA_PKCS1_2048_8192_SHA384;
    static RS512: RsaParameters = RSA_PKCS1_2048_8192_SHA512;
    static PS256: RsaParameters = RSA_PSS_2048_8192_SHA256;
    static PS384: RsaParameters = RSA_PSS_2048_8192_SHA384;
    static PS512: RsaParameters = RSA_PSS_2048_8192_SHA512;
    Some(match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return None,
        Algorithm::RS256 => &RS256,
        Algorithm::RS384 => &RS384,
        Algorithm::RS512 => &RS512,
        Algorithm::PS256 => &PS256,
        Algorithm::PS384 => &PS384,
        Algorithm::PS512 => &PS512,
        Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED,
        Algorithm::ES512 => &ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDSA => &ED25519,
    })
}

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
