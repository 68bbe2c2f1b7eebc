//! Credentials: how consumers show who they are. There may be very many; the structs are small.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha1::{Digest as _, Sha1};
use towergate_schema::{Problem, Schema, typedefs};
use uuid::Uuid;

use super::{link, rules};

/// A key for key-auth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct KeyauthCredential {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// Whose it is.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_consumers)]
    pub consumer: Uuid,
    /// The key; a random one if none was written.
    #[schema(unique, auto)]
    pub key: Box<str>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// Seconds after which it is gone; none is never.
    #[schema(like = typedefs::ttl)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<f64>,
}

/// A user name and password for basic-auth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct BasicauthCredential {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// Whose it is.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_consumers)]
    pub consumer: Uuid,
    /// The user name.
    #[schema(required, unique)]
    pub username: Box<str>,
    /// The password's hash: Kong's SHA-1 of it and the consumer's id in hexadecimal, or an argon2id
    /// one (`$argon2id$…`).
    #[schema(required, encrypted)]
    pub password: Box<str>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

/// Replaces a password in plain text by the hash Kong keeps: the SHA-1 of it and the consumer's id.
/// An argon2id hash stays.
pub(super) fn hash_password(complete: &mut Map<String, Value>) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let password = text(complete.get("password"));
    if password.starts_with("$argon2id$") {
        return;
    }
    let consumer = text(complete.get("consumer").and_then(|consumer| consumer.get("id")));
    let digest = Sha1::new().chain_update(password).chain_update(consumer).finalize();
    complete.insert("password".to_owned(), HEXLOWER.encode(&digest).into());
}

/// A user name and secret for hmac-auth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct HmacauthCredential {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// Whose it is.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_consumers)]
    pub consumer: Uuid,
    /// The user name.
    #[schema(required, unique)]
    pub username: Box<str>,
    /// The secret; a random one if none was written.
    #[schema(auto)]
    pub secret: Box<str>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

/// A secret or public key for jwt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(custom(fields("algorithm", "rsa_public_key"), check = asymmetric_has_key))]
pub struct JwtSecret {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// Whose it is.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_consumers)]
    pub consumer: Uuid,
    /// What tokens call it by; a random text if none was written.
    #[schema(unique, auto)]
    pub key: Box<str>,
    /// The secret of the HS algorithms; a random one if none was written.
    #[schema(auto)]
    pub secret: Box<str>,
    /// The public key of the other algorithms, in PEM.
    pub rsa_public_key: Option<Box<str>>,
    /// How tokens are signed.
    #[schema(default = "HS256")]
    pub algorithm: Option<JwtAlgorithm>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[expect(missing_docs, reason = "names of RFC 7518 and RFC 8037")]
pub enum JwtAlgorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    ES512,
    PS256,
    PS384,
    PS512,
    EdDSA,
}

impl JwtAlgorithm {
    /// Its name in a token's header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::EdDSA => "EdDSA",
        }
    }
}

fn asymmetric_has_key(secret: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let algorithm = secret.get("algorithm").and_then(Value::as_str).unwrap_or_default();
    if !(algorithm.starts_with("RS") || algorithm.starts_with("PS") || algorithm == "EdDSA") {
        return Ok(());
    }
    let why = match secret.get("rsa_public_key").and_then(Value::as_str) {
        None => "required field missing",
        Some(pem) if rules::is_pem(pem, &["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"]) => {
            return Ok(());
        }
        Some(_) => "invalid key",
    };
    let conditional = "failed conditional validation given value of field 'algorithm'";
    Err(vec![Problem::field("rsa_public_key", why), Problem::entity(conditional)])
}

/// A group for the acl plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Acl {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// Whose it is.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_consumers)]
    pub consumer: Uuid,
    /// The group.
    #[schema(required)]
    pub group: Box<str>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}
