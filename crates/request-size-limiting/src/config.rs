//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `request-size-limiting`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestSizeLimitingConfig {
    /// How large a body may be, in `size_unit`.
    #[schema(default = 128)]
    pub allowed_payload_size: i64,
    /// The unit of `allowed_payload_size`: 1,048,576 bytes, 1024 bytes, or one.
    #[schema(required, default = "megabytes")]
    pub size_unit: SizeUnit,
    /// Whether a request must say how large its body is, unless it comes in chunks.
    #[schema(required, default = false)]
    pub require_content_length: bool,
}

/// A unit of sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum SizeUnit {
    /// 1,048,576 bytes.
    #[default]
    Megabytes,
    /// 1024 bytes.
    Kilobytes,
    /// Bytes.
    Bytes,
}

impl SizeUnit {
    /// How many bytes it has.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Megabytes => 1 << 20,
            Self::Kilobytes => 1 << 10,
            Self::Bytes => 1,
        }
    }
}

impl Default for RequestSizeLimitingConfig {
    fn default() -> Self {
        Self { allowed_payload_size: 128, size_unit: SizeUnit::default(), require_content_length: false }
    }
}
