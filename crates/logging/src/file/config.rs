//! What an operator writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

use crate::entry::custom_fields;

/// The configuration of the plugin `file-log`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct FileLogConfig {
    /// The file, or `/dev/stdout` or `/dev/stderr`. It is made (mode 0644) if it is not there.
    #[schema(
        required,
        pattern(
            r"^[^\s*&%\\`][^*&%\\`]*[^\s*&%\\`]$",
            shown = r"^[^%s*&%%\`][^*&%%\`]*[^%s*&%%\`]$",
            message = "not a valid filename"
        )
    )]
    pub path: String,
    /// Whether the file is opened anew for what comes, for those who move it away without a signal.
    #[schema(required, default = false)]
    pub reopen: bool,
    /// Fields to add to each entry, by name. Dots lead into objects. Values are what needs no Lua: `return`
    /// with a text, a number, true, false or nil (which takes the field out), or with a call such as
    /// `kong.request.get_header("x-team")`; or a template such as `$(headers.x-team)`.
    #[schema(like = custom_fields)]
    pub custom_fields_by_lua: Option<BTreeMap<String, String>>,
}
