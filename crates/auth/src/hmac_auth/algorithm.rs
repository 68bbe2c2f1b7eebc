//! The algorithms a signature may be made with.

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// An algorithm of signatures, called as requests call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum HmacAlgorithm {
    /// HMAC with SHA-1. Not broken as an HMAC, but nothing to begin with.
    #[serde(rename = "hmac-sha1")]
    Sha1,
    /// HMAC with SHA-224: only if it is configured (newer versions of Kong).
    #[serde(rename = "hmac-sha224")]
    Sha224,
    /// HMAC with SHA-256.
    #[serde(rename = "hmac-sha256")]
    Sha256,
    /// HMAC with SHA-384.
    #[serde(rename = "hmac-sha384")]
    Sha384,
    /// HMAC with SHA-512.
    #[serde(rename = "hmac-sha512")]
    Sha512,
}

impl HmacAlgorithm {
    /// Those that are accepted unless others are named: Kong's.
    pub const DEFAULT: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// What a request calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "hmac-sha1",
            Self::Sha224 => "hmac-sha224",
            Self::Sha256 => "hmac-sha256",
            Self::Sha384 => "hmac-sha384",
            Self::Sha512 => "hmac-sha512",
        }
    }

    /// A key for signatures with this secret.
    pub(super) fn key(self, secret: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => hmac::HMAC_SHA224,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, secret)
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn digests_are_those_of_the_rfcs() {
        // RFC 2202 and RFC 4231, test case 2.
        for (algorithm, expected) in [
            (HmacAlgorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (HmacAlgorithm::Sha224, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
            (HmacAlgorithm::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                HmacAlgorithm::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                HmacAlgorithm::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let tag = hmac::sign(&algorithm.key(b"Jefe"), b"what do ya want for nothing?");
            assert_eq!(HEXLOWER.encode(tag.as_ref()), expected, "{algorithm:?}");
        }
    }
}
