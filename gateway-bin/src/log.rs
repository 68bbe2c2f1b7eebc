//! The gateway's own log: nginx's line format, to stderr and to the error log.

use std::{
    fmt::{self, Write as _},
    io,
    path::Path,
    process,
    sync::{Arc, OnceLock},
};

use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use towergate_config::settings::{Log, LogLevel};
use towergate_tracing::Logs;
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

use crate::log_queue::{self, ErrorLog, Queue};

/// Logs from now on to stderr and, beside it, to the error log, what is at least this severe; the same is handed to
/// plugins that send it to collectors, once those are known. Answers what changes the severity.
///
/// # Errors
/// When the error log cannot be written to, or the system gives no thread to do it.
pub(crate) fn start(level: LogLevel, error_log: &Log, sent: &Sent) -> io::Result<SetLevel> {
    let file = match error_log {
        Log::File(path) if !is_terminal_stream(path) => Some(ErrorLog::open(path)?),
        Log::File(_) | Log::Off => None,
    };
    let queue = ToQueue(Queue::start(file)?);
    let lines = tracing_subscriber::fmt::layer().event_format(Lines).with_writer(queue);
    let (told, handle) = reload::Layer::new(Told(level));
    let subscriber = Registry::default().with(told).with(lines).with(ToPlugins(sent.clone()));
    // Refused when a log was started before (two gateways in one process): the first one goes on.
    let _ = tracing::subscriber::set_global_default(subscriber);
    // Refused when the log that this is of is gone.
    Ok(Box::new(move |level| drop(handle.reload(Told(level)))))
}

/// Where plugins take what they send.
pub(crate) type Sent = Arc<OnceLock<Arc<Logs>>>;

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

/// Opens the error log anew: it was moved away.
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

/// Hands what is told to the plugins that send it.
struct ToPlugins(Sent);

impl<S: Subscriber> Layer<S> for ToPlugins {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(logs) = self.0.get().filter(|logs| logs.wants(event.metadata())) else { return };
        let mut line = Line::default();
        event.record(&mut line);
        logs.take(event.metadata(), line.message + &line.fields);
    }
}

/// Makes the writer of each line.
struct ToQueue(Queue);

impl<'a> MakeWriter<'a> for ToQueue {
    type Writer = Queue;

    fn make_writer(&'a self) -> Queue {
        self.0.clone()
    }
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
