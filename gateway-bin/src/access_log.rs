//! The access logs: who writes them, where, in which format.

use std::{fs::OpenOptions, io, path::Path, time::Duration};

use towergate_config::{
    Settings,
    settings::{Log, Origin},
};
use towergate_core::Shared;
use towergate_logging::{AccessLog, Format, Writer};

/// How long is waited at the end for what is still to be written.
const LIMIT: Duration = Duration::from_secs(1);

/// What writes lines to files beside requests: access logs, and what plugins write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writers {
    /// A thread of its own: a reader of standard output that does not read keeps nobody else waiting.
    access: Writer,
}

impl Writers {
    /// The access log of the proxy; `None` if it is off.
    ///
    /// # Errors
    /// When it cannot be written to, or its format is none.
    pub(crate) fn proxy(&self, settings: &Settings) -> Result<Option<AccessLog>, String> {
        let logs = &settings.logs;
        self.log(settings, "proxy_access_log", &logs.proxy_access, logs.proxy_access_format.as_deref())
    }

    /// The access logs of the Admin API and of the Status API; `None` for one that is off.
    ///
    /// # Errors
    /// As of [`Self::proxy`].
    pub(crate) fn apis(&self, settings: &Settings) -> Result<[Option<AccessLog>; 2], String> {
        let logs = &settings.logs;
        // What nginx writes where nobody names a format.
        let format = |named: &Option<String>| named.clone().unwrap_or_else(|| "combined".to_owned());
        let [admin, status] = [format(&logs.admin_access_format), format(&logs.status_access_format)];
        Ok([
            self.log(settings, "admin_access_log", &logs.admin_access, Some(&admin))?,
            self.log(settings, "status_access_log", &logs.status_access, Some(&status))?,
        ])
    }

    fn log(
        &self,
        settings: &Settings,
        setting: &str,
        log: &Log,
        named: Option<&str>,
    ) -> Result<Option<AccessLog>, String> {
        let Log::File(path) = log else { return Ok(None) };
        let format = format(settings, setting, named)?;
        match try_open(path) {
            Ok(()) => Ok(Some(AccessLog::new(self.access.to(path), format))),
            // The default place may not be ours to write to.
            Err(_) if is_unasked(settings, setting) => Ok(None),
            Err(error) => Err(format!("cannot write the access log {}: {error}; see {setting}", path.display())),
        }
    }

    /// Opens all files anew (SIGUSR1): they were moved away.
    pub(crate) fn reopen(&self, shared: &Shared) {
        self.access.reopen();
        shared.of::<Writer>().reopen();
    }

    /// Waits until what was logged has been written, but not for long.
    pub(crate) fn finish(&self, shared: &Shared) {
        self.access.flush(LIMIT);
        shared.of::<Writer>().flush(LIMIT);
    }
}

/// Whether nobody has said where logs are to be.
fn is_unasked(settings: &Settings, setting: &str) -> bool {
    ["prefix", setting].into_iter().all(|name| settings.origin(name) == Origin::Default)
}

fn format(settings: &Settings, setting: &str, name: Option<&str>) -> Result<Format, String> {
    let logs = &settings.logs;
    let origin = settings.origin(setting);
    let name = name.unwrap_or("kong_log_format");
    if name == "json" && !logs.access_fields.is_empty() {
        let fields = logs.access_fields.iter().map(String::as_str);
        let origin = settings.origin("access_log_fields");
        return Format::json(fields).map_err(|error| format!("{origin}: access_log_fields: {error}"));
    }
    if let Some((_, template)) = logs.access_format.as_ref().filter(|(own, _)| own == name) {
        let origin = settings.origin("nginx_http_log_format");
        return Format::text(template).map_err(|error| format!("{origin}: nginx_http_log_format: {error}"));
    }
    Format::named(name).ok_or_else(|| {
        format!(
            "{origin}: {setting}: '{name}' is no format; there are kong_log_format, combined, basic, json, and one of \
             your own that nginx_http_log_format names"
        )
    })
}

/// Whether the file can be written to; it is made if it is not there.
fn try_open(path: &Path) -> io::Result<()> {
    if path == Path::new("/dev/stdout") || path == Path::new("/dev/stderr") {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path).map(drop)
}
