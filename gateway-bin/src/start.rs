//! `towergate start` and `towergate demo`: a running gateway.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use towergate_admin::{Admin, Connections};
use towergate_config::{
    Config, Settings, parse,
    settings::{Log, LogLevel},
};
use towergate_runtime::{Control, LoadError};
use towergate_server::{Listeners, Stats, Workers};
use towergate_upstream::{Destinations, Proxy};

use crate::{
    cli,
    demo::{self, Demo},
    log,
    plugins::{PluginSet, registry},
    prefix::PidFile,
    signals::{Ask, Asks},
    sources::{Sources, variables},
    wiring::{self, Reach},
};

/// How long requests in flight may take to finish when the gateway is told to stop: operators'
/// tools expect it to be gone within ten seconds.
const DRAIN: Duration = Duration::from_secs(9);

/// How often what is left of earlier configurations is looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// Serves until told to stop.
///
/// # Errors
/// Whatever keeps the gateway from starting; nothing listens then.
pub(crate) fn start(plugins: impl PluginSet, source: &cli::Source, verbose: u8) -> Result<(), String> {
    let sources = Sources::read(source, variables())?;
    Gateway::open(plugins, sources, verbose)?.serve(None)
}

/// Serves the guide's configuration with sample services behind it, until told to stop.
///
/// # Errors
/// As [`start`].
pub(crate) fn demo(plugins: impl PluginSet, verbose: u8) -> Result<(), String> {
    let demo = Demo::start().map_err(|error| format!("cannot start the sample services: {error}"))?;
    let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder for the demo: {error}"))?;
    let prefix = folder.path().to_string_lossy();
    let defaults = [
        ("KONG_PROXY_LISTEN", "127.0.0.1:8000"),
        ("KONG_ADMIN_LISTEN", "127.0.0.1:8001"),
        ("KONG_STATUS_LISTEN", "off"),
        ("KONG_PREFIX", &*prefix),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given = variables().filter(|(name, _)| !name.starts_with("KONG_DECLARATIVE"));
    let text = ("KONG_DECLARATIVE_CONFIG_STRING".to_owned(), demo.configuration.clone());
    let sources = Sources::read(&cli::Source::default(), defaults.into_iter().chain(given).chain([text]))?;
    let gateway = Gateway::open(plugins, sources, verbose)?;
    let (proxy, admin) = (gateway.proxy_address, gateway.admin_address);
    gateway.serve(proxy.map(|proxy| demo::what_to_try(proxy, admin)))
}

/// A gateway whose ports are open and whose configuration is in force.
struct Gateway {
    sources: Sources,
    asks: Asks,
    waiting: tokio::runtime::Runtime,
    control: Arc<Control>,
    workers: Workers,
    proxy_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    // Kept for what they do when they are dropped.
    _pid_file: Option<PidFile>,
    // Background tasks of plugins run here.
    _background: tokio::runtime::Runtime,
}

impl Gateway {
    /// Listens to signals, reads the configuration, opens the ports, starts the workers, in this
    /// order: what is wrong is told before anything listens, and nothing asked from then on is lost.
    fn open<P: PluginSet>(plugins: P, sources: Sources, verbose: u8) -> Result<Self, String> {
        let settings = Arc::new(sources.settings.clone());
        start_log(&settings, verbose)?;
        let cannot_wait = |error: std::io::Error| format!("cannot wait for signals: {error}");
        let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_wait)?;
        let asks = waiting.block_on(async { Asks::new(&sources.files) }).map_err(cannot_wait)?;
        let config = first_configuration(&plugins, &sources)?;
        let pages = wiring::pages(&settings)?;
        let proxy_listens = wiring::listens(&settings.proxy_listen)?;
        let admin_listens = wiring::listens(&settings.admin_listen)?;
        let listeners = Listeners::bind(&proxy_listens, settings.workers.get()).map_err(|error| error.to_string())?;
        let admin_listeners = Listeners::bind(&admin_listens, 1).map_err(|error| error.to_string())?;
        let pid_file = PidFile::write(&settings)?;
        for warning in settings.warnings().iter().map(ToString::to_string).chain(config.warnings) {
            tracing::warn!("{warning}");
        }
        let background = background().map_err(|error| format!("cannot start a thread: {error}"))?;
        let destinations = Box::new(Reach(Destinations::new()));
        let (control, watched) = Control::start(
            registry(&plugins, &settings),
            pages,
            destinations,
            background.handle().clone(),
            config.config,
            settings.workers.get(),
        )
        .map_err(|problems| LoadError::from(problems).to_string())?;
        let control = Arc::new(control);
        let (proxy_address, admin_address) =
            (listeners.addresses().first().copied(), admin_listeners.addresses().first().copied());
        let proxy_settings = wiring::proxy(&settings);
        let make_stack = move |_| plugins.stack(Proxy::new(&proxy_settings));
        let workers = Workers::start(wiring::server(&settings), listeners, watched, make_stack)
            .map_err(|error| format!("cannot start the workers: {error}"))?;
        serve_admin(admin_listeners, control.clone(), settings, workers.stats())?;
        Ok(Self {
            sources,
            asks,
            waiting,
            control,
            workers,
            proxy_address,
            admin_address,
            _pid_file: pid_file,
            _background: background,
        })
    }

    /// Follows signals and file changes until told to stop, then lets requests in flight finish.
    fn serve(mut self, welcome: Option<String>) -> Result<(), String> {
        self.waiting.block_on(async {
            tracing::info!(proxy = %shown(self.proxy_address), admin = %shown(self.admin_address), "started");
            if let Some(welcome) = welcome {
                print(&welcome);
            }
            let mut sweep = tokio::time::interval(SWEEP);
            loop {
                tokio::select! {
                    ask = self.asks.next() => match ask {
                        Ask::Stop => return,
                        Ask::Reload | Ask::FilesChanged => reload(&self.sources, &self.control),
                    },
                    _ = sweep.tick() => { self.control.sweep(); }
                }
            }
        });
        tracing::info!("stopping: requests in flight are finished");
        let drained = self.workers.drain(DRAIN);
        if drained.cut_off > 0 {
            tracing::warn!(connections = drained.cut_off, "cut off what had not finished in time");
        }
        Ok(())
    }
}

/// Reads the declarative configuration again. A broken one is told, and the old one stays.
fn reload(sources: &Sources, control: &Control) {
    let loaded = match sources.declarative() {
        Ok(Some(texts)) => control.load(texts).map_err(|error| error.to_string()),
        Ok(None) => return,
        Err(error) => Err(error),
    };
    match loaded {
        Ok(warnings) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            tracing::info!(hash = %control.current().config.hash, "configuration reloaded");
        }
        Err(error) => tracing::error!("configuration not reloaded, the one before stays in force: {error}"),
    }
}

struct First {
    config: Config,
    warnings: Vec<String>,
}

fn first_configuration(plugins: &impl PluginSet, sources: &Sources) -> Result<First, String> {
    let Some(declarative) = sources.declarative()? else {
        return Ok(First { config: Config::empty(), warnings: Vec::new() });
    };
    let loaded = parse(declarative, &registry(plugins, &sources.settings)).map_err(|report| report.to_string())?;
    Ok(First { config: loaded.config, warnings: loaded.warnings.iter().map(ToString::to_string).collect() })
}

fn start_log(settings: &Settings, verbose: u8) -> Result<(), String> {
    let level = match verbose {
        0 => settings.log_level,
        1 => settings.log_level.min(LogLevel::Info),
        _ => LogLevel::Debug,
    };
    let log = &settings.logs.proxy_error;
    match log::start(level, log) {
        Ok(()) => Ok(()),
        // The default place may not be ours to write to; stderr is enough then.
        Err(_) if settings.origin("prefix") == towergate_config::settings::Origin::Default => {
            log::start(level, &Log::Off).map_err(|error| error.to_string())
        }
        Err(error) => Err(format!("cannot write the error log {log:?}: {error}; see proxy_error_log")),
    }
}

fn background() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("background").enable_all().build()
}

/// Serves the Admin API on a thread of its own, for as long as the process lives.
fn serve_admin(
    listeners: Listeners,
    control: Arc<Control>,
    settings: Arc<Settings>,
    stats: Stats,
) -> Result<(), String> {
    let admin = Admin {
        control,
        node_id: settings.node_id.unwrap_or_else(uuid::Uuid::new_v4),
        settings,
        connections: Box::new(move || connections(&stats)),
    };
    let router = towergate_admin::router(Arc::new(admin));
    let (ready, started) = mpsc::channel();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let sockets: Vec<TcpListener> = listeners.into_workers().into_iter().flatten().collect();
            let mut serving = tokio::task::JoinSet::new();
            for socket in sockets {
                let socket = tokio::net::TcpListener::from_std(socket)?;
                serving.spawn(std::future::IntoFuture::into_future(axum::serve(socket, router.clone())));
            }
            let _ = ready.send(());
            while serving.join_next().await.is_some() {}
            Ok::<_, std::io::Error>(())
        })
    };
    let failed = |error: &dyn std::fmt::Display| format!("cannot start the Admin API: {error}");
    thread::Builder::new().name("admin".into()).spawn(serve).map_err(|error| failed(&error))?;
    started.recv().map_err(|error| failed(&error))
}

fn connections(stats: &Stats) -> Connections {
    let now = stats.snapshot();
    Connections {
        connections_accepted: now.connections_accepted,
        connections_active: now.connections_active,
        connections_handled: now.connections_handled,
        connections_reading: now.connections_reading,
        connections_waiting: now.connections_waiting,
        connections_writing: now.connections_writing,
        total_requests: now.total_requests,
    }
}

#[allow(clippy::print_stdout, reason = "the demo tells what to try")]
fn print(text: &str) {
    println!("{text}");
}

fn shown(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "off".into(), |address| address.to_string())
}
