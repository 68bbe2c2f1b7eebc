//! Keys for signatures, and sets of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Problem, Schema, typedefs};
use uuid::Uuid;

use super::link;

/// A key, as JWK or PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(mutually_exclusive("jwk", "pem"))]
#[schema(at_least_one_of("jwk", "pem"))]
#[schema(custom(fields("jwk", "kid"), check = jwk_has_kid))]
pub struct Key {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// The set it is in.
    #[serde(with = "link")]
    #[schema(like = link::to_key_sets)]
    pub set: Option<Uuid>,
    /// Its name, unique among keys.
    #[schema(unique)]
    pub name: Option<String>,
    /// Its id in tokens.
    #[schema(required)]
    pub kid: String,
    /// The key as JSON Web Key, in a text.
    #[schema(referenceable, encrypted)]
    pub jwk: Option<String>,
    /// The key in PEM.
    pub pem: Option<KeyPem>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
}

/// The halves of a key in PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(at_least_one_of("private_key", "public_key"))]
pub struct KeyPem {
    /// The private half.
    #[schema(referenceable, encrypted)]
    pub private_key: Option<String>,
    /// The public half.
    #[schema(referenceable)]
    pub public_key: Option<String>,
}

/// Keys that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct KeySet {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// Its name, unique among sets.
    #[schema(unique)]
    pub name: Option<String>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
}

fn jwk_has_kid(key: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let Some(jwk) = key.get("jwk").and_then(Value::as_str) else {
        return Ok(());
    };
    if towergate_schema::is_reference(jwk) {
        return Ok(());
    }
    match serde_json::from_str::<Value>(jwk) {
        Err(_) => Err(vec![Problem::entity("could not json decode jwk string")]),
        Ok(jwk) if jwk.get("kid") != key.get("kid") => {
            Err(vec![Problem::entity("kid in jwk.kid must be equal to keys.kid")])
        }
        Ok(_) => Ok(()),
    }
}
