//! Tokens made with keys of all kinds.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses some of it")]

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use towergate_auth::{Algorithm, JwtKey, PublicKey};

/// What signs tokens.
pub(crate) enum Signer {
    Secret(String),
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// A new key for this algorithm.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let ec = |kind| Self::Ec(EcdsaKeyPair::generate(kind).unwrap());
        match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                Self::Secret("a-secret-of-sixty-four-bytes-which-is-enough-for-all-of-the-three".into())
            }
            Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA => Self::Ed(Ed25519KeyPair::generate().unwrap()),
            _ => Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        }
    }

    /// The public key in PEM.
    pub(crate) fn pem(&self) -> String {
        let der = match self {
            Self::Secret(_) => Vec::new(),
            Self::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ec(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        pem("PUBLIC KEY", &der)
    }

    /// What the other side checks with.
    pub(crate) fn key(&self, algorithm: Algorithm) -> JwtKey {
        match self {
            Self::Secret(secret) => JwtKey::secret(algorithm, secret.as_str()).unwrap(),
            _ => JwtKey::public(PublicKey::from_pem(algorithm, &self.pem()).unwrap()),
        }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(secret) => {
                let kind = match algorithm {
                    Algorithm::HS384 => hmac::HMAC_SHA384,
                    Algorithm::HS512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::sign(&hmac::Key::new(kind, secret.as_bytes()), message).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::RS384 => &RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &RSA_PSS_SHA256,
                    Algorithm::PS384 => &RSA_PSS_SHA384,
                    Algorithm::PS512 => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of these claims.
    pub(crate) fn token(&self, algorithm: Algorithm, claims: &Value) -> String {
        self.token_with(algorithm, &json!({"alg": algorithm.name(), "typ": "JWT"}), claims)
    }

    /// A token with this header, whatever the header says.
    pub(crate) fn token_with(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        self.token_of(algorithm, &header.to_string(), &claims.to_string())
    }

    /// A token of these texts, whatever they are.
    pub(crate) fn token_of(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = encode(&self.sign(algorithm, signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// A PEM text.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<_> =
        BASE64.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
