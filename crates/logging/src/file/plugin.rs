//! The plugin `file-log`.

use std::path::Path;

use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError};

use super::{
    config::FileLogConfig,
    writer::{Lines, Writer},
};
use crate::entry::{CustomFields, serialized};

/// Writes an entry for each request to a file, one JSON object on a line: the policy of the plugin
/// `file-log`.
///
/// Entries are written by one thread for all files, within milliseconds. If more than 16 MiB wait (a disk
/// or a pipe that takes nothing), or if the file cannot be written to, entries are lost; that is told, and
/// counted in `towergate_log_lines_lost_total`.
#[derive(Debug, Clone)]
pub struct FileLog {
    lines: Lines,
    custom_fields: CustomFields,
}

impl FileLog {
    /// Entries to this file, by this writer.
    pub fn new(writer: &Writer, path: &Path) -> Self {
        Self { lines: writer.to(path), custom_fields: CustomFields::default() }
    }
}

impl Plugin for FileLog {
    const NAME: &'static str = "file-log";
    const PRIORITY: i32 = 9;

    type Config = FileLogConfig;

    fn new(config: FileLogConfig, env: &Env) -> Result<Self, PluginError> {
        let writer = env.shared.of::<Writer>();
        let path = Path::new(&config.path);
        let lines = if config.reopen { writer.reopening(path) } else { writer.to(path) };
        Ok(Self { lines, custom_fields: CustomFields::new(config.custom_fields_by_lua.as_ref())? })
    }
}

impl Observe for FileLog {
    fn observe(&self, cx: &Context, ended: &Ended) {
        serialized(cx, ended, &self.custom_fields, |entry| {
            entry.push(b'\n');
            self.lines.write(entry);
        });
    }
}
