//! Vaults: where secrets are kept, and the names references call them by.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use towergate_schema::{Schema, typedefs};
use uuid::Uuid;

/// A vault under a name of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Vault {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// The name in references: `{vault://<prefix>/…}`.
    #[schema(
        required,
        unique,
        not_one_of("env"),
        pattern("^[a-z][a-z0-9-]*?-?[a-z0-9]+$", shown = "^[a-z][a-z%d-]-[a-z%d]+$")
    )]
    pub prefix: String,
    /// Which vault. This version has `env`.
    #[schema(required, custom = is_installed)]
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its configuration.
    pub config: Option<Value>,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

fn is_installed(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(name) if name != "env" => Err(format!("vault '{name}' is not installed")),
        _ => Ok(()),
    }
}
