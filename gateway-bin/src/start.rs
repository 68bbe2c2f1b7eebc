//! `towergate start` and `towergate demo`: a running gateway.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sd_notify::NotifyState;
use tokio::sync::mpsc;
use tower::Layer;
use towergate_admin::{Access, Admin, AuditLog, Configured, LogLevels};
use towergate_config::{
    Settings,
    settings::{Log, Origin},
};
use towergate_core::Observe;
use towergate_dns::Client;
use towergate_queue::Queues;
use towergate_runtime::{Base, Control, LoadError, Table, Watched};
use towergate_server::{Drained, Listen, Listeners, Stats, Workers};
use towergate_tls::{Identities, Server};
use towergate_upstream::{ConnectionStats, Proxy};

use crate::{
    access_log::Writers,
    api_tls::{self, Api, ApiTls},
    apis,
    cli::{Source, Verbosity},
    configuration,
    control_socket::{Asked, ControlSocket},
    demo::{self, Demo},
    log,
    metrics::{Metrics, Recorded},
    plugins::{PluginSet, missing, registry},
    prefix::PidFile,
    renewal::{Proxying, Renewed},
    signals::{Ask, Asks},
    sources::{Beside, Sources, variables},
    store, terminal,
    tls::{self, Material},
    wiring::{self, Reach, Trust},
};

/// How long requests in flight may take to finish when the gateway is told to stop: operators'
/// tools expect it to be gone within ten seconds.
const DRAIN: Duration = Duration::from_secs(9);

/// How long queues of plugins are delivered at least, once requests are finished, and at most.
const DELIVER: Duration = Duration::from_millis(500);
const DELIVER_LIMIT: Duration = Duration::from_secs(5);

/// How often what is left of earlier configurations is looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// Serves until told to stop.
///
/// # Errors
/// Whatever keeps the gateway from starting; nothing listens then.
pub(crate) fn start(plugins: impl PluginSet, sources: Sources, verbosity: Verbosity) -> Result<(), String> {
    Gateway::open(plugins, sources, verbosity)?.serve(None)
}

/// Serves the guide's configuration with sample services behind it, until told to stop.
///
/// # Errors
/// As [`start`].
pub(crate) fn demo(plugins: impl PluginSet, verbosity: Verbosity) -> Result<(), String> {
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
    let given = variables().filter(|(name, _)| !name.starts_with("KONG_DECLARATIVE") && name != "KONG_DATABASE");
    let text = ("KONG_DECLARATIVE_CONFIG_STRING".to_owned(), demo.configuration.clone());
    let sources = Sources::read(&Source::default(), defaults.into_iter().chain(given).chain([text]))?;
    let gateway = Gateway::open(plugins, sources, verbosity)?;
    let (proxy, admin) = (gateway.proxy_address, gateway.admin_address);
    gateway.serve(proxy.map(|proxy| demo::what_to_try(proxy, admin)))
}

/// A gateway whose ports are open and whose configuration is in force.
struct Gateway {
    sources: Sources,
    asks: Asks,
    // Taken when serving begins.
    waiting: Option<tokio::runtime::Runtime>,
    control: Arc<Control>,
    workers: Workers,
    serving: Serving,
    tls: Tls,
    verbosity: Verbosity,
    apis: [(Api, Option<ApiTls>); 2],
    proxy_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    admin: Arc<Admin>,
    logs: Writers,
    // Removed when it is dropped.
    pid_file: Option<PidFile>,
    // Background tasks of plugins run here.
    _background: tokio::runtime::Runtime,
}

/// What connections are served with.
struct Serving {
    proxying: Proxying,
    offered: Option<Server>,
}

/// What was read for TLS beside the configuration, and where it is in force.
struct Tls {
    material: Material,
    certificates: Identities,
    trust: Trust,
}

impl Gateway {
    /// Listens to signals, reads the configuration, opens the ports, starts the workers, in this
    /// order: what is wrong is told before anything listens, and nothing asked from then on is lost.
    fn open<P: PluginSet>(plugins: P, sources: Sources, verbosity: Verbosity) -> Result<Self, String> {
        let settings = Arc::new(sources.settings.clone());
        let log_levels = start_log(&settings, verbosity)?;
        let recorded = Recorded::start();
        let (waiting, asks) = wait_for_asks(&sources)?;
        let background = background().map_err(|error| format!("cannot start a thread: {error}"))?;
        let first = background.block_on(async {
            configuration::first(&plugins, &sources, store::open_to_start(&sources).await?).await
        })?;
        let pages = Arc::new(wiring::pages(&settings)?);
        let (offered, names) = (tls::server(&settings)?, wiring::dns(&settings)?);
        let tls = Tls::read(&settings)?;
        let logs = Writers::default();
        let (access_log, api_logs) = (logs.proxy(&settings)?, logs.apis(&settings)?);
        let (access, audit) = (access(&settings)?, audit(&settings)?);
        let pid_file = PidFile::write(&settings)?;
        let Ports { proxy, admin, status } = Ports::open(&settings)?;
        let (proxy_address, admin_address) =
            (proxy.addresses().first().copied(), admin.listeners.addresses().first().copied());
        let apis = [(Api::Admin, admin.tls.clone()), (Api::Status, status.tls.clone())];
        let registry = registry(&plugins, &settings);
        registry.shared().introduce(wiring::node(&settings));
        let warnings = [missing(&registry, &settings), tls::warnings(&settings, offered.as_ref())];
        for warning in settings.warnings().iter().chain(warnings.iter().flatten()).chain(&first.warnings) {
            tracing::warn!("{warning}");
        }
        let (config, kept) = first.split();
        let (workers, handle) = (settings.workers.get(), background.handle().clone());
        recorded.keep_up(&handle);
        let names = Client::on(handle.clone(), names);
        let reach = Box::new(Reach::new(tls.trust.clone(), names.clone()));
        let observers = access_log.map(|log| ("access log", Arc::new(log) as Arc<dyn Observe>)).into_iter().collect();
        let base = Base { pages, certificates: tls.certificates.clone(), observers };
        let (control, watched) = Control::start(registry, base, reach, handle, config, workers)
            .map_err(|problems| LoadError::from(problems).to_string())?;
        let control = Arc::new(control);
        let configured = background.block_on(kept.follow(control.clone()))?;
        let upstreams = ConnectionStats::default();
        let serving = Serving { proxying: Arc::new(Mutex::new(wiring::proxy(&settings))), offered };
        let workers = start_workers(plugins, &settings, &serving, (names, upstreams.clone()), proxy, watched)?;
        let counted = Counted { stats: workers.stats(), upstreams, trust: tls.trust.clone(), recorded };
        let told = told(&control, configured, settings, counted, log_levels, access, audit);
        apis::serve(admin, status, api_logs, told.clone())?;
        Ok(Self {
            sources,
            asks,
            waiting: Some(waiting),
            control,
            workers,
            serving,
            tls,
            verbosity,
            apis,
            proxy_address,
            admin_address,
            admin: told,
            logs,
            pid_file,
            _background: background,
        })
    }

    /// Follows signals, file changes and commands until told to stop, then lets requests in flight finish.
    fn serve(mut self, welcome: Option<String>) -> Result<(), String> {
        let waiting = self.waiting.take();
        let waiting = waiting.ok_or("a gateway serves once")?;
        let limit = waiting.block_on(self.follow(welcome));
        tell_supervisor(&[NotifyState::Stopping]);
        self.admin.draining.store(true, Relaxed);
        tracing::info!("stopping: requests in flight are finished");
        // Its ports are free from here on, and so is its place: the next one need not wait for the last answer.
        drop(self.pid_file.take());
        let started = Instant::now();
        let drained = waiting.block_on(drain(self.workers, &mut self.asks, limit));
        if drained.cut_off > 0 {
            tracing::warn!(connections = drained.cut_off, "cut off what had not finished in time");
        }
        // As long as what was given to requests is not used up, and a moment in any case.
        let end = (started + limit).max(Instant::now()) + DELIVER;
        deliver_the_rest(&waiting, &self.control, end);
        self.logs.finish(self.control.registry().shared());
        Ok(())
    }

    /// Answers how long requests in flight may take to finish.
    async fn follow(&mut self, welcome: Option<String>) -> Duration {
        let (asked, mut commands) = mpsc::channel(1);
        let _socket = self.open_socket(asked);
        tracing::info!(proxy = %shown(self.proxy_address), admin = %shown(self.admin_address), "started");
        tell_supervisor(&[NotifyState::Ready]);
        if let Some(welcome) = welcome {
            terminal::say(welcome);
        }
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                ask = self.asks.next() => match ask {
                    Ask::Stop => return DRAIN,
                    // What went wrong is in the log.
                    Ask::Reload => drop(self.reload(&Beside::default()).await),
                    Ask::FilesChanged => drop(configuration::reload(&self.sources, &self.admin.configured).await),
                    Ask::ReopenLogs => {
                        log::reopen();
                        self.logs.reopen(self.control.registry().shared());
                    }
                },
                Some(command) = commands.recv() => match command {
                    Asked::Reload(beside, answer) => drop(answer.send(self.reload(&beside).await)),
                    Asked::Quit(limit, answer) => {
                        let _ = answer.send(());
                        return limit;
                    }
                    Asked::Drain(answer) => {
                        self.admin.draining.store(true, Relaxed);
                        let _ = answer.send(());
                    }
                },
                _ = sweep.tick() => { self.control.sweep(); }
            }
        }
    }

    /// The socket that commands ask at; without it, signals are left.
    fn open_socket(&self, asked: mpsc::Sender<Asked>) -> Option<ControlSocket> {
        // Where the pid file may not be, nobody looks for the socket.
        self.pid_file.as_ref()?;
        let beside = towergate_admin::explain_router(self.admin.clone());
        let opened = ControlSocket::open(&self.sources.settings.prefix, asked, beside);
        opened
            .inspect_err(
                |error| tracing::warn!(%error, "no socket for commands; `reload` works by SIGHUP, without an answer"),
            )
            .ok()
    }

    /// Reads again all that can be read again; answers what is worth knowing. What is broken does not take the place of
    /// what is good.
    async fn reload(&mut self, beside: &Beside) -> Result<String, String> {
        let reloading =
            [NotifyState::Reloading, NotifyState::monotonic_usec_now().unwrap_or(NotifyState::MonotonicUsec(0))];
        tell_supervisor(&reloading);
        let told = self.renew_settings(beside);
        let settings = &self.sources.settings;
        let done = [
            self.tls.reload(settings, &self.control),
            reload_apis(&self.apis, &self.admin, settings),
            configuration::reload(&self.sources, &self.admin.configured).await,
        ];
        tell_supervisor(&[NotifyState::Ready]);
        let (told, wrong) = told.map_or_else(|wrong| (Vec::new(), Some(wrong)), |told| (told, None));
        let wrong: Vec<_> = wrong.into_iter().chain(done.into_iter().filter_map(Result::err)).collect();
        if wrong.is_empty() { Ok(told.join("\n")) } else { Err(wrong.join("\n")) }
    }

    fn renew_settings(&mut self, beside: &Beside) -> Result<Vec<String>, String> {
        let mut renewed = Renewed {
            control: &self.control,
            admin: &self.admin,
            orders: &self.workers.orders(),
            proxying: &self.serving.proxying,
            offered: &mut self.serving.offered,
            verbosity: self.verbosity,
        };
        let watched = self.sources.files.clone();
        let told = renewed.read_again(&mut self.sources, beside)?;
        if self.sources.files != watched {
            self.asks.watch(&self.sources.files);
        }
        Ok(told)
    }
}

/// Lets requests in flight finish within the limit. Whoever asks to stop meanwhile shortens a longer one to the usual.
async fn drain(workers: Workers, asks: &mut Asks, limit: Duration) -> Drained {
    let (orders, end) = (workers.orders(), Instant::now() + limit);
    let mut draining = tokio::task::spawn_blocking(move || workers.drain(limit));
    loop {
        tokio::select! {
            drained = &mut draining => return drained.unwrap_or(Drained { cut_off: 0 }),
            ask = asks.next() => if ask == Ask::Stop && Instant::now() + DRAIN < end {
                tracing::info!("told again to stop: what is left has nine seconds");
                orders.stop_within(DRAIN);
            }
        }
    }
}

/// Tells who started us, if they want to know (systemd's `Type=notify`, `start --daemon`).
fn tell_supervisor(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the supervisor could not be told");
    }
}

/// Reads again who may use the APIs, and what they show. What is broken is told, and the old stays.
fn reload_apis(apis: &[(Api, Option<ApiTls>)], admin: &Admin, settings: &Settings) -> Result<(), String> {
    let mut wrong = Vec::new();
    match access(settings) {
        Ok(access) => *admin.access.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(access),
        Err(error) => wrong.push(format!("tokens not reloaded, those before stay in force: {error}")),
    }
    for (api, tls) in apis {
        if let Some(Err(error)) = tls.as_ref().map(|tls| tls.renew(*api, settings)) {
            wrong.push(format!("certificates not reloaded, those before stay in force: {error}"));
        }
    }
    wrong.iter().for_each(|why| tracing::error!("{why}"));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

impl Tls {
    /// Reads what the settings point to; makes what they leave out.
    fn read(settings: &Settings) -> Result<Self, String> {
        let material = Material::read(settings)?;
        let trust = Arc::new(Mutex::new(material.towards_upstreams(settings)?));
        let certificates = tls::default_certificates(&material, settings)?;
        Ok(Self { material, certificates, trust })
    }

    /// Reads it again. What is broken is told, and the old stays.
    fn reload(&mut self, settings: &Settings, control: &Control) -> Result<(), String> {
        let renewed = self.renew(settings, control);
        if renewed == Ok(true) {
            tracing::info!("certificates of the settings reloaded");
        }
        let why = |error| format!("certificates not reloaded, those before stay in force: {error}");
        renewed.map(drop).map_err(why).inspect_err(|why| tracing::error!("{why}"))
    }

    /// Answers whether anything has changed.
    fn renew(&mut self, settings: &Settings, control: &Control) -> Result<bool, String> {
        let material = Material::read(settings)?;
        if material == self.material {
            return Ok(false);
        }
        let trust = material.towards_upstreams(settings)?;
        if let Some(given) = material.certificates(settings)? {
            self.certificates = given;
        }
        *self.trust.lock().unwrap_or_else(PoisonError::into_inner) = trust;
        self.material = material;
        let certificates = self.certificates.clone();
        control
            .renew(|base| base.certificates = certificates)
            .map_err(|problems| LoadError::from(problems).to_string())?;
        Ok(true)
    }
}

/// Delivers what requests have left in the queues of plugins.
fn deliver_the_rest(waiting: &tokio::runtime::Runtime, control: &Control, end: Instant) {
    let queues = control.registry().shared().of::<Queues>();
    let limit = end.saturating_duration_since(Instant::now()).min(DELIVER_LIMIT);
    let left = waiting.block_on(queues.drain(limit));
    if left > 0 {
        tracing::warn!(queues = left, "what plugins had to deliver was not taken in time");
    }
}

/// Listens to what the outside asks, from now on; answers the runtime to wait for it in, too.
fn wait_for_asks(sources: &Sources) -> Result<(tokio::runtime::Runtime, Asks), String> {
    let cannot = |error: std::io::Error| format!("cannot wait for signals: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let asks = runtime.block_on(async { Asks::new(&sources.files) }).map_err(cannot)?;
    Ok((runtime, asks))
}

/// Starts the workers, each with a stack of its own. Without compression the stack knows nothing of it.
fn start_workers<P: PluginSet>(
    plugins: P,
    settings: &Settings,
    serving: &Serving,
    (names, upstreams): (Client, ConnectionStats),
    listeners: Listeners,
    watched: Vec<Watched<Table>>,
) -> Result<Workers, String> {
    let (config, proxying) = (wiring::server(settings, serving.offered.clone()), serving.proxying.clone());
    let stack = move || {
        let proxying = proxying.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let proxy = Proxy::resolving(&proxying, names.clone());
        upstreams.follow(&proxy);
        plugins.stack(proxy)
    };
    let started = match wiring::compression(settings)? {
        None => Workers::start(config, listeners, watched, move |_| stack()),
        Some(compression) => Workers::start(config, listeners, watched, move |_| compression.layer(stack())),
    };
    started.map_err(|error| format!("cannot start the workers: {error}"))
}

/// What stands on the page for Prometheus.
struct Counted {
    stats: Stats,
    upstreams: ConnectionStats,
    trust: Trust,
    recorded: Recorded,
}

/// What the Admin API and the Status API tell about.
fn told(
    control: &Arc<Control>,
    configured: Arc<Configured>,
    settings: Arc<Settings>,
    counted: Counted,
    log_levels: LogLevels,
    access: Access,
    audit: AuditLog,
) -> Arc<Admin> {
    let (control, node_id) = (control.clone(), control.registry().shared().node().id);
    let Counted { stats, upstreams, trust, recorded } = counted;
    let connections = (stats.clone(), upstreams);
    let kept = (control.clone(), configured.store().clone());
    let metrics = Metrics::new(recorded, kept, settings.clone(), connections, trust, node_id);
    Arc::new(Admin {
        control,
        configured,
        settings: Mutex::new(settings),
        node_id,
        connections: Box::new(move || apis::connections(&stats)),
        metrics: Box::new(move |headers| metrics.page(headers)),
        access: Mutex::new(Arc::new(access)),
        audit,
        log_levels,
        draining: AtomicBool::new(false),
    })
}

/// Who may use the Admin API.
fn access(settings: &Settings) -> Result<Access, String> {
    Ok(Access::new(&settings.admin_access, api_tls::tokens(settings)?))
}

/// Where changes are noted.
fn audit(settings: &Settings) -> Result<AuditLog, String> {
    let log = &settings.admin_access.audit_log;
    let Log::File(file) = log else { return Ok(AuditLog::off()) };
    match AuditLog::to(file.clone()) {
        // The default place may not be ours to write to.
        Err(_) if settings.origin("prefix") == Origin::Default => Ok(AuditLog::off()),
        made => made.map_err(|error| format!("cannot write {log:?}: {error}; see admin_audit_log")),
    }
}

/// Open ports.
struct Ports {
    proxy: Listeners,
    admin: apis::Ports,
    status: apis::Ports,
}

impl Ports {
    /// Opens the ports of the proxy, of the Admin API and of the Status API.
    fn open(settings: &Settings) -> Result<Self, String> {
        let (admin_tls, status_tls) = (ApiTls::read(Api::Admin, settings)?, ApiTls::read(Api::Status, settings)?);
        let bind = |listens: &[Listen], workers| Listeners::bind(listens, workers).map_err(|error| error.to_string());
        let proxy = bind(&wiring::proxy_listens(settings)?, settings.workers.get())?;
        let admin = apis::Ports { listeners: bind(&wiring::admin_listens(settings)?, 1)?, tls: admin_tls };
        let status = apis::Ports { listeners: bind(&wiring::status_listens(settings)?, 1)?, tls: status_tls };
        Ok(Self { proxy, admin, status })
    }
}

fn start_log(settings: &Settings, verbosity: Verbosity) -> Result<LogLevels, String> {
    let level = log::level(settings, verbosity);
    let started = log::start(level, settings)?;
    Ok(LogLevels::new(level, started))
}

fn background() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("background").enable_all().build()
}

fn shown(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "off".into(), |address| address.to_string())
}
