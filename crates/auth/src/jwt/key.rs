//! What is kept with a credential of `jwt`.

use std::any::Any;

use towergate_core::{Kept, PluginError, Secret, Written};

use crate::jose::{Algorithm, PublicKey, Token, hmac_is_good, secret_from_base64};

/// What the tokens of one credential are checked with: how they are signed, and the secret or key.
#[derive(Debug, PartialEq)]
pub struct JwtKey {
    algorithm: Algorithm,
    material: Material,
}

#[derive(PartialEq)]
enum Material {
    /// The secret of an HS algorithm, as written.
    Secret(Box<str>),
    Public(PublicKey),
    /// A credential that was written without the key its algorithm needs. Kong takes it and refuses
    /// its tokens.
    Missing,
}

impl JwtKey {
    /// A secret, for HS256, HS384 and HS512.
    ///
    /// # Errors
    /// The algorithm has public keys, or the secret is empty.
    pub fn secret(algorithm: Algorithm, secret: impl Into<Box<str>>) -> Result<Self, String> {
        let secret = secret.into();
        if !algorithm.is_symmetric() {
            return Err(format!("{algorithm} needs a public key"));
        }
        if secret.is_empty() {
            return Err("a secret must not be empty".to_owned());
        }
        Ok(Self { algorithm, material: Material::Secret(secret) })
    }

    /// A public key, for all other algorithms.
    pub fn public(key: PublicKey) -> Self {
        Self { algorithm: key.algorithm(), material: Material::Public(key) }
    }

    /// This, as a directory keeps it with a credential.
    pub fn kept(self) -> Secret {
        Some(Kept::new(self))
    }

    /// What a directory keeps.
    pub(super) fn of(secret: &(dyn Any + Send + Sync)) -> Option<&Self> {
        secret.downcast_ref()
    }

    /// What is kept with a credential as it is written.
    pub(super) fn prepare(written: &Written<'_>) -> Result<Secret, PluginError> {
        let name = written.text("algorithm").unwrap_or("HS256");
        let algorithm = Algorithm::named(name)
            .ok_or_else(|| PluginError::new("algorithm", format!("no such algorithm: '{name}'")))?;
        if algorithm.is_symmetric() {
            let key = Self::secret(algorithm, written.text("secret").unwrap_or_default());
            return Ok(key.unwrap_or(Self { algorithm, material: Material::Missing }).kept());
        }
        let Some(pem) = written.text("rsa_public_key") else {
            return Ok(Self { algorithm, material: Material::Missing }.kept());
        };
        let key = PublicKey::from_pem(algorithm, pem).map_err(|why| PluginError::new("rsa_public_key", why))?;
        Ok(Self::public(key).kept())
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a token, whose algorithm is this key's, is signed with it; `None` if there is nothing
    /// to check it with.
    pub(super) fn verifies(&self, token: &Token<'_>, secret_is_base64: bool) -> Option<bool> {
        let is_code = |secret: &[u8]| hmac_is_good(self.algorithm, secret, token.signed, &token.signature);
        match &self.material {
            Material::Secret(text) if secret_is_base64 => Some(is_code(&secret_from_base64(text)?)),
            Material::Secret(text) => Some(is_code(text.as_bytes())),
            Material::Public(key) => Some(key.is_good(token.signed, &token.signature)),
            Material::Missing => None,
        }
    }
}

// Written out because a secret is nobody's business.
impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Public(_) => "Public",
            Self::Missing => "Missing",
        })
    }
}
