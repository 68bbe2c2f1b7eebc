//! Passwords as they are kept: never as they are.
//!
//! Two forms. Kong's is the SHA-1 of the password followed by the consumer's id: quick to make and
//! to compare, which is why passwords that a file holds in plain text become that when it is read: a
//! million of them take a second, and a request does not wait. Whoever gets hold of it can try
//! passwords as quickly. So new passwords are hashed with argon2id ([`hash_password`]), which costs
//! tens of milliseconds and 19 MiB on purpose.

use std::{error::Error, fmt};

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use data_encoding::HEXLOWER_PERMISSIVE;
use subtle::ConstantTimeEq;
use towergate_core::Kept;
use uuid::{Uuid, fmt::Hyphenated};

/// How an argon2id hash begins.
const ARGON2ID: &str = "$argon2id$";

/// What a hash may ask for that comes from elsewhere: KiB of memory, and passes over it.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 64;

const SHA1_BYTES: usize = 20;

/// Bytes of a password that is not unusually long.
const USUAL: usize = 92;

/// Hashes a password with argon2id, a random salt and the parameters OWASP recommends (19 MiB,
/// two passes): the text to keep for it, in the form `$argon2id$v=19$m=…`.
///
/// Takes tens of milliseconds; call it where that may be.
///
/// # Errors
/// When the system has no randomness or not enough memory.
pub fn hash_password(password: impl AsRef<[u8]>) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password(password.as_ref()).map_err(|_| PasswordError(NOT_HASHED))?;
    Ok(hash.to_string())
}

const NOT_HASHED: &str = "the password could not be hashed: no randomness, or not enough memory";
const NO_HASH: &str =
    "is no hash of a password: 40 hexadecimal digits (Kong's SHA-1), or an argon2id hash (`$argon2id$v=19$…`)";
const BAD_ARGON2: &str = "is no argon2id hash that can be verified: \
    `$argon2id$v=19$m=…,t=…,p=…$salt$hash` with at most 256 MiB, 64 passes and 64 lanes";

/// Why a text is no password that can be verified, or why there is no hash of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordError(&'static str);

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for PasswordError {}

/// A password as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Password {
    /// Kong's: the SHA-1 of the password and the consumer's id.
    Salted([u8; SHA1_BYTES]),
    /// An argon2id hash.
    Argon2(Box<str>),
}

// Written out because even a hash is nobody's business.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Salted(_) => "Password::Salted",
            Self::Argon2(_) => "Password::Argon2",
        })
    }
}

impl Password {
    /// A hash, of either form.
    pub(super) fn parse(text: &str) -> Result<Self, PasswordError> {
        if is_argon2(text) {
            check_argon2(text).ok_or(PasswordError(BAD_ARGON2))?;
            return Ok(Self::Argon2(text.into()));
        }
        let digest = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        digest.map(Self::Salted).ok_or(PasswordError(NO_HASH))
    }

    /// This, as a directory keeps it with a credential.
    pub(super) fn kept(self) -> Kept {
        match self {
            Self::Salted(digest) => Kept::Digest(digest),
            Self::Argon2(hash) => Kept::new(hash),
        }
    }

    /// What Kong keeps for a password in plain text.
    pub(super) fn salted(password: &[u8], consumer: Uuid) -> Self {
        Self::Salted(salted(password, consumer))
    }
}

/// Whether a text is meant to be an argon2id hash, and not a password.
pub(super) fn is_argon2(text: &str) -> bool {
    text.starts_with(ARGON2ID)
}

/// Whether this is the password of a salted digest; takes the same time wherever they differ.
pub(super) fn is_salted(digest: &[u8; SHA1_BYTES], password: &[u8], consumer: Uuid) -> bool {
    digest.ct_eq(&salted(password, consumer)).into()
}

/// Whether this is the password of an argon2id hash. Takes tens of milliseconds.
pub(super) fn is_argon2_of(hash: &str, password: &[u8]) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

fn salted(password: &[u8], consumer: Uuid) -> [u8; SHA1_BYTES] {
    let mut digits = [0; Hyphenated::LENGTH];
    let salt = consumer.hyphenated().encode_lower(&mut digits).as_bytes();
    let mut text = [0; USUAL + Hyphenated::LENGTH];
    let digest = match text.get_mut(..password.len().saturating_add(salt.len())) {
        // In one piece it takes no allocation.
        Some(text) => {
            text.iter_mut().zip(password.iter().chain(salt)).for_each(|(byte, of)| *byte = *of);
            digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, text)
        }
        None => {
            let mut sha1 = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            sha1.update(password);
            sha1.update(salt);
            sha1.finish()
        }
    };
    // The digest of SHA-1 has just this length.
    digest.as_ref().try_into().unwrap_or_default()
}

fn check_argon2(text: &str) -> Option<()> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let is_affordable =
        params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES;
    (is_affordable && hash.salt.is_some() && hash.hash.is_some()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: Uuid = Uuid::from_u128(0x4bd1_f3b6_7f0c_4a7b_8a53_6f9b_63d3_a002);

    #[test]
    fn kongs_digest_is_that_of_the_password_and_the_consumers_id() {
        // printf %s kong4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002 | sha1sum
        let digest = "15d2c41f8d2dbff2b6abbc7d3fe3db6b8eb0a883";
        let kept = Password::parse(digest).unwrap();
        assert_eq!(kept, Password::salted(b"kong", BOB));
        assert_eq!(Password::parse(&digest.to_uppercase()).unwrap(), kept);
        let Password::Salted(digest) = kept else { panic!("not salted") };
        assert!(is_salted(&digest, b"kong", BOB));
        assert!(!is_salted(&digest, b"Kong", BOB) && !is_salted(&digest, b"kong", Uuid::nil()));
    }

    #[test]
    fn a_new_hash_is_argon2id_and_never_twice_the_same() {
        let hash = hash_password("open sesame").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hash_password("open sesame").unwrap());
        assert_eq!(Password::parse(&hash), Ok(Password::Argon2(hash.as_str().into())));
        assert!(is_argon2_of(&hash, b"open sesame") && !is_argon2_of(&hash, b"open Sesame"));
    }

    #[test]
    fn a_hash_made_elsewhere_verifies() {
        // Of the tests of the reference implementation.
        let hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(Password::parse(hash), Ok(Password::Argon2(hash.into())));
        assert!(is_argon2_of(hash, b"password") && !is_argon2_of(hash, b"Password"));
    }

    #[test]
    fn what_cannot_be_verified_is_refused() {
        for text in [
            "",
            "kong",
            "da39a3ee5e6b4b0d3255bfef95601890afd8070",
            &"z".repeat(40),
            "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aaaa",
        ] {
            assert_eq!(Password::parse(text), Err(PasswordError(NO_HASH)), "{text}");
        }
        let hash =
            |parameters: &str| format!("$argon2id$v=19${parameters}$c29tZXNhbHQ$RdescudvJCsgt3ub+b1dWRWJTmaaZWVn");
        assert!(Password::parse(&hash("m=262144,t=64,p=4")).is_ok());
        let without_hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".to_owned();
        for text in [
            hash("m=262145,t=1,p=4"),
            hash("m=8192,t=65,p=1"),
            hash("m=8192,t=1,p=65"),
            without_hash,
            "$argon2id$".into(),
        ] {
            assert_eq!(Password::parse(&text), Err(PasswordError(BAD_ARGON2)), "{text}");
        }
    }

    #[test]
    fn nothing_is_told_by_debug() {
        assert_eq!(format!("{:?}", Password::salted(b"kong", BOB)), "Password::Salted");
    }
}
