//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

use crate::generator::Generator;

/// The configuration of the plugin `correlation-id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct CorrelationIdConfig {
    /// The header that carries the id, in the request and in the response. Null means the default.
    #[schema(default = "Kong-Request-ID")]
    pub header_name: Option<String>,
    /// How an id is made when the client sent none.
    #[schema(required, default = "uuid#counter")]
    pub generator: Generator,
    /// Whether the response carries the id too.
    #[schema(required, default = false)]
    pub echo_downstream: bool,
}

impl Default for CorrelationIdConfig {
    fn default() -> Self {
        Self { header_name: Some("Kong-Request-ID".into()), generator: Generator::default(), echo_downstream: false }
    }
}
