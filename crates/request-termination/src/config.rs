//! What an operator writes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Path, Problem, Schema, typedefs};

/// The configuration of the plugin `request-termination`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(custom = goes_together)]
pub struct RequestTerminationConfig {
    /// The status of the answer.
    #[schema(required, default = 503, between(100, 599))]
    pub status_code: u16,
    /// What the answer says, in `{"message":"…"}`. Not with `body` and `content_type`.
    pub message: Option<String>,
    /// The type of `body`.
    pub content_type: Option<String>,
    /// The body of the answer, as it is.
    pub body: Option<String>,
    /// Whether the answer tells what arrived. Not with `body` and `content_type`.
    #[schema(required, default = false)]
    pub echo: bool,
    /// A header or query argument: only requests that have it are answered here.
    #[schema(like = typedefs::header_name)]
    pub trigger: Option<String>,
}

impl Default for RequestTerminationConfig {
    fn default() -> Self {
        Self { status_code: 503, message: None, content_type: None, body: None, echo: false, trigger: None }
    }
}

/// Kong's rules and words for what cannot be said at once.
fn goes_together(config: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let says = |field: &str| config.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let has_body = says("content_type") || says("body");
    let problem = if says("message") && has_body {
        "message cannot be used with content_type or body"
    } else if says("content_type") && !says("body") {
        "content_type requires a body"
    } else if config.get("echo") == Some(&Value::Bool(true)) && has_body {
        "echo cannot be used with content_type and body"
    } else {
        return Ok(());
    };
    Err(vec![Problem::new(Path::root(), problem)])
}
