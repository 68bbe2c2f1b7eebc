//! Applications and tokens of the oauth2 plugin.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use towergate_schema::{Field, Schema, typedefs};
use uuid::Uuid;

use super::link;

/// An application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Oauth2Credential {
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
    /// Its name.
    #[schema(required)]
    pub name: Box<str>,
    /// Its client id; a random one if none was written.
    #[schema(unique, auto)]
    pub client_id: Box<str>,
    /// Its client secret; a random one if none was written.
    #[schema(auto, encrypted)]
    pub client_secret: Option<Box<str>>,
    /// Whether the secret is kept as a hash.
    #[schema(required, default = false)]
    pub hash_secret: bool,
    /// Where it may have its users sent back to.
    #[schema(like = redirect_uris)]
    pub redirect_uris: Option<Vec<String>>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// Whether it can keep a secret.
    #[schema(required, default = "confidential")]
    pub client_type: ClientType,
}

/// Whether an application can keep a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "names of RFC 6749")]
pub enum ClientType {
    Confidential,
    Public,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Oauth2Token {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// The only service it is for.
    #[serde(with = "link")]
    #[schema(like = link::to_services)]
    pub service: Option<Uuid>,
    /// The application it was given to.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_oauth2_credentials)]
    pub credential: Uuid,
    /// Its type.
    #[schema(required, default = "bearer")]
    pub token_type: TokenType,
    /// Seconds from its creation for which it is good; 0 is for ever.
    #[schema(required)]
    pub expires_in: i64,
    /// The token; a random one if none was written.
    #[schema(unique, auto)]
    pub access_token: Box<str>,
    /// The token that gets a new one.
    #[schema(unique)]
    pub refresh_token: Option<Box<str>>,
    /// The user it stands for.
    pub authenticated_userid: Option<Box<str>>,
    /// What it allows.
    pub scope: Option<Box<str>>,
    /// Seconds after which it is gone; none is never.
    #[schema(like = typedefs::ttl)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<f64>,
}

/// The type of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// Whoever has it may use it.
    Bearer,
}

fn redirect_uris() -> Field {
    Field::array(Field::string().custom(|value: &Value| {
        let uri = value.as_str().unwrap_or_default();
        let absolute = uri.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        match (absolute, uri.contains('#')) {
            (false, _) => Err(format!("cannot parse '{uri}'")),
            (_, true) => Err(format!("fragment not allowed in '{uri}'")),
            _ => Ok(()),
        }
    }))
}
