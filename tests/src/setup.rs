//! How a gateway is to be started.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::{Port, binary, eventually_some};

/// A start that should fail must have failed by then.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Settings for a gateway; all of them reach the binary as `KONG_*` environment variables.
#[derive(Debug)]
pub struct Setup {
    pub(crate) document: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) proxy: Arc<Port>,
    pub(crate) admin: Arc<Port>,
    environment: BTreeMap<String, String>,
    arguments: Vec<String>,
    open_files: Option<u32>,
}

/// How a start went wrong.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Option<i32>,
    /// What was said on standard error.
    pub stderr: String,
    /// From the start of the process to its end.
    pub took: Duration,
}

impl Setup {
    /// A gateway with this declarative document.
    pub(crate) fn new(document: &str) -> Self {
        let settings = [
            ("database", "off"),
            ("status_listen", "off"),
            ("admin_gui_listen", "off"),
            // What requests of these tests call it, unless they say otherwise.
            ("admin_allowed_hosts", "gateway.test"),
            ("stream_listen", "off"),
            ("nginx_daemon", "off"),
            ("nginx_worker_processes", "2"),
            ("anonymous_reports", "off"),
            ("log_level", "info"),
            ("proxy_access_log", "off"),
            ("admin_access_log", "off"),
            ("proxy_error_log", "/dev/stderr"),
            ("admin_error_log", "/dev/stderr"),
        ];
        Self {
            document: document.to_owned(),
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            proxy: Arc::new(Port::free()),
            admin: Arc::new(Port::free()),
            environment: BTreeMap::new(),
            arguments: Vec::new(),
            open_files: None,
        }
    }

    /// Sets a Kong setting by its name in `kong.conf`, such as `headers`.
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds an argument after `start`, such as `--run-migrations`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable of the process's environment.
    pub fn environment(mut self, key: &str, value: &str) -> Self {
        self.environment.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Writes these flags after the address the proxy listens on, such as `proxy_protocol`.
    pub fn proxy_flags(self, flags: &str) -> Self {
        let listen = format!("{} {flags}", self.proxy.address());
        self.setting("proxy_listen", &listen)
    }

    /// Lets the process have no more than so many files and sockets open.
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// Uses the ports of another gateway, which must have ended.
    pub fn on_the_ports_of(mut self, other: &Gateway) -> Self {
        (self.proxy, self.admin) = other.ports();
        self
    }

    /// Lets the proxy speak HTTP/2 beside HTTP/1 (the flag `http2`).
    pub fn with_http2(self) -> Self {
        let listen = format!("{} http2", self.proxy.address());
        self.setting("proxy_listen", &listen)
    }

    /// Lets the proxy listen there, too, written as in `proxy_listen`.
    pub fn also_listening_on(self, more: &str) -> Self {
        let listen = format!("{}, {more}", self.proxy.address());
        self.setting("proxy_listen", &listen)
    }

    /// Lets the Status API listen there.
    pub fn status_api_on(self, port: &Port) -> Self {
        self.setting("status_listen", &port.address().to_string())
    }

    /// Lets the Admin API listen on all addresses of this machine.
    pub fn admin_on_all_addresses(mut self) -> Self {
        self.admin = Arc::new(Port::free().unreserved());
        let listen = format!("0.0.0.0:{}", self.admin.number());
        self.setting("admin_listen", &listen)
    }

    /// Lets the Admin API listen there, too, written as in `admin_listen`.
    pub fn also_admin_on(self, more: &str) -> Self {
        let listen = format!("{}, {more}", self.admin.address());
        self.setting("admin_listen", &listen)
    }

    /// Starts the gateway and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; with what it said.
    #[track_caller]
    pub fn start(self) -> Gateway {
        Gateway::start(self)
    }

    /// Starts the gateway and waits until it is ready, with a pipe as standard error whose reader has gone.
    ///
    /// # Panics
    /// When it does not become ready.
    #[track_caller]
    pub fn start_with_stderr_closed(self) -> Gateway {
        Gateway::start_unheard(self)
    }

    /// Starts the gateway, which must refuse to run.
    ///
    /// # Panics
    /// When it is still running after 20 seconds.
    #[track_caller]
    pub fn fails(self) -> Failure {
        let folder = self.folder();
        // Making the command may mean building the gateway, whose time is not the gateway's.
        let mut command = self.command(&folder);
        let start = Instant::now();
        let mut child = command.stdout(Stdio::null()).spawn().expect("the gateway can be run");
        let deadline = start + START_LIMIT;
        let status = eventually_some(START_LIMIT + Duration::from_secs(5), || {
            if Instant::now() > deadline {
                // Ours by handle; a gateway that started must not outlive its test.
                let _ = child.kill();
            }
            child.try_wait().expect("the state of our own child")
        });
        let took = start.elapsed();
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("piped"), &mut stderr).expect("readable");
        assert!(took < START_LIMIT, "the gateway started although it should have refused:\n{stderr}");
        Failure { code: status.code(), stderr, took }
    }

    /// A temporary folder with the document in it.
    pub(crate) fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("kong.yml"), &self.document).expect("the document can be written");
        folder
    }

    /// The binary, started by a shell that limits it if need be.
    fn binary(&self) -> Command {
        let Some(most) = self.open_files else {
            return Command::new(binary());
        };
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(binary());
        shell
    }

    /// The command with all settings; standard error is piped.
    pub(crate) fn command(&self, folder: &TempDir) -> Command {
        let mut command = self.binary();
        command.arg("start").args(&self.arguments).stdin(Stdio::null()).stderr(Stdio::piped());
        forget_settings(&mut command);
        command.env("KONG_PREFIX", folder.path().join("prefix"));
        command.env("KONG_DECLARATIVE_CONFIG", folder.path().join("kong.yml"));
        command.env("KONG_PROXY_LISTEN", self.proxy.address().to_string());
        command.env("KONG_ADMIN_LISTEN", self.admin.address().to_string());
        command.envs(&self.environment);
        for (key, value) in &self.settings {
            command.env(format!("KONG_{}", key.to_uppercase()), value);
        }
        command
    }
}

/// Runs another verb of the binary to its end, such as `version`.
///
/// # Panics
/// When the binary cannot be run.
pub fn run(arguments: &[&str]) -> Output {
    run_with(arguments, &[])
}

/// [`run`] with Kong settings by their name in `kong.conf`.
///
/// # Panics
/// When the binary cannot be run.
pub fn run_with(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    forget_settings(&mut command);
    command.envs(settings.iter().map(|(key, value)| (format!("KONG_{}", key.to_uppercase()), value)));
    command.args(arguments).stdin(Stdio::null()).output().expect("the gateway can be run")
}

/// Settings of the person who runs the tests must not change them.
fn forget_settings(command: &mut Command) {
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("KONG_") {
            command.env_remove(key);
        }
    }
}
