//! The gateway's own log: nginx's line format, to stderr and to the error log.

use std::{
    fmt::{self, Write as _},
    path::Path,
    process,
};

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use towergate_config::{
    Settings,
    settings::{Log, LogLevel, Origin},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer, Registry,
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format::Writer},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    reload,
};

use crate::{
    cli::Verbosity,
    log_queue::{self, ErrorLog, Place, Queue},
};

/// Logs from now on to stderr and, beside it, to the error logs, what is at least this severe. Answers
/// what changes that.
///
/// # Errors
/// When an error log cannot be written to, or the system gives no thread to do it.
pub(crate) fn start(level: LogLevel, settings: &Settings) -> Result<SetLevel, String> {
    let logs = &settings.logs;
    let is_apart = logs.admin_error != logs.proxy_error;
    let gateway = error_log(settings, "proxy_error_log", &logs.proxy_error)?;
    let admin = if is_apart { error_log(settings, "admin_error_log", &logs.admin_error)? } else { None };
    let gateway = Queue::start([gateway, admin]).map_err(|error| error.to_string())?;
    let admin = gateway.clone().to(if is_apart { Place::Admin } else { Place::Gateway });
    let lines = tracing_subscriber::fmt::layer().event_format(Lines).with_writer(ToQueue { gateway, admin });
    let (told, handle) = reload::Layer::new(Told(level));
    let subscriber = Registry::default().with(told).with(lines);
    // Refused when a log was started before (two gateways in one process): the first one goes on.
    let _ = tracing::subscriber::set_global_default(subscriber);
    // Refused when the log that this is of is gone.
    Ok(Box::new(move |level| drop(handle.reload(Told(level)))))
}

/// The file that a setting names; `None` where standard error, which is always written to, is enough.
fn error_log(settings: &Settings, setting: &str, log: &Log) -> Result<Option<ErrorLog>, String> {
    let Log::File(path) = log else { return Ok(None) };
    if is_terminal_stream(path) {
        return Ok(None);
    }
    match ErrorLog::open(path) {
        Ok(opened) => Ok(Some(opened)),
        // The default place may not be ours to write to.
        Err(_) if settings.origin("prefix") == Origin::Default => Ok(None),
        Err(error) => Err(format!("cannot write the error log {}: {error}; see {setting}", path.display())),
    }
}

/// How severe something must be to be told, by the settings or because the command line asks for more.
pub(crate) fn level(settings: &Settings, verbosity: Verbosity) -> LogLevel {
    match verbosity {
        Verbosity::Usual => settings.log_level,
        Verbosity::Verbose => settings.log_level.min(LogLevel::Info),
        Verbosity::Debug => LogLevel::Debug,
    }
}

/// Changes how severe something must be to be told.
pub(crate) type SetLevel = Box<dyn Fn(LogLevel) + Send + Sync>;

/// What is told: what is at least this severe.
struct Told(LogLevel);

impl<S: Subscriber> Layer<S> for Told {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= filter(self.0) && is_told(metadata.target(), self.0)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter(self.0))
    }
}

/// Opens the error logs anew: they were moved away.
pub(crate) fn reopen() {
    log_queue::reopen();
}

/// Whether what this part of the program says is told. The `h2` crate warns of what a client does
/// wrong, frame by frame; whoever floods us with frames must not flood the log.
fn is_told(target: &str, level: LogLevel) -> bool {
    level == LogLevel::Debug || !(target == "h2" || target.starts_with("h2::"))
}

fn is_terminal_stream(path: &Path) -> bool {
    path == Path::new("/dev/stderr") || path == Path::new("/dev/stdout")
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info | LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        // Nothing here is as severe as these.
        LogLevel::Crit | LogLevel::Alert | LogLevel::Emerg => LevelFilter::OFF,
    }
}

/// Makes the writer of each line.
struct ToQueue {
    gateway: Queue,
    /// For what the Admin API has to say.
    admin: Queue,
}

impl<'a> MakeWriter<'a> for ToQueue {
    type Writer = Queue;

    fn make_writer(&'a self) -> Queue {
        self.gateway.clone()
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Queue {
        if is_of_the_admin_api(metadata.target()) { self.admin.clone() } else { self.gateway.clone() }
    }
}

/// Whether this part of the program answers the Admin API. What follows a database does not.
fn is_of_the_admin_api(target: &str) -> bool {
    let parts = ["towergate_admin", "towergate_gateway::api"];
    parts.iter().any(|part| target.starts_with(part)) && target != "towergate_admin::configured"
}

/// `2026/11/23 22:46:01 [notice] 4711#0: message, field: value`: what operators' tools read.
struct Lines;

const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year]/[month]/[day] [hour]:[minute]:[second]");

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let now = OffsetDateTime::now_utc().format(STAMP).map_err(|_| fmt::Error)?;
        let mut line = Line::default();
        event.record(&mut line);
        writeln!(out, "{now} [{}] {}#0: {}{}", severity(event), process::id(), line.message, line.fields)
    }
}

fn severity(event: &Event<'_>) -> &'static str {
    match *event.metadata().level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "notice",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn add(&mut self, field: &Field, value: impl fmt::Display) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.fields, ", {name}: {value}"),
        };
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.escape_debug());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}
