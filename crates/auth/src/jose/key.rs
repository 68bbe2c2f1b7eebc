//! What a signature is checked with.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, VerificationAlgorithm,
};

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
