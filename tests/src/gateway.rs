//! A running gateway.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Answer, Connection, Port, Request, SOON, Setup, eventually, eventually_some};

/// A start on a busy machine may take this long.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// The real binary with its own folder and ports; killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    stderr: Stderr,
    folder: TempDir,
    proxy: Arc<Port>,
    admin: Arc<Port>,
}

/// How a gateway ended.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// How long its end was waited for.
    pub took: Duration,
}

impl Gateway {
    /// Prepares a gateway with this declarative document.
    pub fn with(document: &str) -> Setup {
        Setup::new(document)
    }

    /// Starts a gateway with this declarative document and waits until it is ready.
    #[track_caller]
    pub fn serving(document: &str) -> Self {
        Setup::new(document).start()
    }

    #[track_caller]
    pub(crate) fn start(setup: Setup) -> Self {
        let folder = setup.folder();
        let mut child = setup.command(&folder).stdout(Stdio::null()).spawn().expect("the gateway can be run");
        let stderr = Stderr::of(child.stderr.take().expect("piped"));
        let mut gateway = Self { child, stderr, folder, proxy: setup.proxy, admin: setup.admin };
        gateway.wait_until_ready();
        gateway
    }

    #[track_caller]
    pub(crate) fn start_unheard(setup: Setup) -> Self {
        let folder = setup.folder();
        let mut child = setup.command(&folder).stdout(Stdio::null()).spawn().expect("the gateway can be run");
        drop(child.stderr.take());
        let mut gateway = Self { child, stderr: Stderr::default(), folder, proxy: setup.proxy, admin: setup.admin };
        gateway.wait_until_ready();
        gateway
    }

    /// Where the proxy listens.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// Where the Admin API listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Opens a connection to the proxy.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.proxy())
    }

    /// Sends one request to the proxy on a connection of its own.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.connect().request(request)
    }

    /// `GET` through the proxy on a connection of its own.
    #[track_caller]
    pub fn get(&self, target: &str) -> Answer {
        self.send(&Request::get(target))
    }

    /// Sends bytes to the proxy on a connection of their own, and reads one answer.
    #[track_caller]
    pub fn send_raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut connection = self.connect();
        // The gateway may answer and close before it has read everything: what counts is the answer.
        let _ = connection.try_send(bytes);
        connection.answer()
    }

    /// Sends one request to the Admin API on a connection of its own.
    #[track_caller]
    pub fn ask_admin(&self, request: &Request) -> Answer {
        Connection::open(self.admin()).request(request)
    }

    /// Posts a document, as YAML text, to `/config` of the Admin API.
    #[track_caller]
    pub fn post_document(&self, document: &str) -> Answer {
        self.ask_admin(&Request::post("/config", document).header("Content-Type", "application/yaml"))
    }

    /// The hash of the configuration in use.
    #[track_caller]
    pub fn configuration_hash(&self) -> String {
        let status = self.ask_admin(&Request::get("/status")).json();
        status["configuration_hash"].as_str().unwrap_or_else(|| panic!("no configuration_hash in {status}")).to_owned()
    }

    /// The declarative file.
    pub fn document_path(&self) -> PathBuf {
        self.folder.path().join("kong.yml")
    }

    /// The folder of `KONG_PREFIX`.
    pub fn prefix(&self) -> PathBuf {
        self.folder.path().join("prefix")
    }

    /// Replaces the declarative file at once, as careful tools do. A gateway that watches the file takes it from there.
    pub fn replace_document(&self, document: &str) {
        let beside = self.folder.path().join("kong.yml.new");
        fs::write(&beside, document).expect("the document can be written");
        fs::rename(&beside, self.document_path()).expect("the document can be replaced");
    }

    /// Replaces the declarative file, sends SIGHUP, and waits until another configuration is in use.
    #[track_caller]
    pub fn reload(&self, document: &str) {
        let before = self.configuration_hash();
        self.replace_document(document);
        self.signal("HUP");
        eventually(SOON, || self.configuration_hash() != before);
    }

    /// Sends a signal by its short name, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} {}: {status}", self.pid());
    }

    /// The process started, which `start` may not leave for another in the foreground.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory of its own the process ever had in use, in bytes, as Linux tells it. How much of the program itself
    /// is in memory does not count: that is the system's affair, and of a debug build some tens of MiB more or less.
    ///
    /// # Panics
    /// Where there is no `/proc`.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("/proc of our own child");
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of Linux 4.5 or later");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of KiB") * 1024
        };
        // There is no peak of its own memory alone; what is mapped of files only grows.
        bytes("VmHWM:").saturating_sub(bytes("RssFile:")).max(bytes("RssAnon:"))
    }

    /// Waits until no client is connected to the proxy. The look whether it was ready was a connection as well, which may not be
    /// accepted yet.
    ///
    /// # Panics
    /// When some are for longer than [`SOON`].
    #[track_caller]
    pub fn wait_until_empty(&self) {
        eventually(SOON, || {
            let status = self.ask_admin(&Request::get("/status")).json();
            let count = |name: &str| status["server"][name].as_u64().expect("a number");
            count("connections_accepted") > 0 && count("connections_active") == 0
        });
    }

    /// Whether the process is running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of our own child").is_none()
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When it is still running after 20 seconds.
    #[track_caller]
    pub fn terminate(&mut self) -> Exit {
        self.end_by("TERM")
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Panics
    /// When it is still running after 20 seconds.
    #[track_caller]
    pub fn end_by(&mut self, signal: &str) -> Exit {
        self.signal(signal);
        self.end()
    }

    /// Waits for an end that was already asked for; then all that was ever said can be read.
    ///
    /// # Panics
    /// When it is still running after 20 seconds.
    #[track_caller]
    pub fn end(&mut self) -> Exit {
        let start = Instant::now();
        let status =
            eventually_some(Duration::from_secs(20), || self.child.try_wait().expect("the state of our own child"));
        let took = start.elapsed();
        eventually(SOON, || self.stderr.is_whole());
        Exit { status, took }
    }

    /// What was said on standard error so far. The gateway logs beside its requests: what one of them is about may come a
    /// moment after its answer.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// What was logged so far: standard error, and the error log below the prefix.
    pub fn log(&self) -> String {
        let file = fs::read_to_string(self.prefix().join("logs/error.log")).unwrap_or_default();
        self.stderr() + &file
    }

    /// The ports, to start another gateway on them.
    pub(crate) fn ports(&self) -> (Arc<Port>, Arc<Port>) {
        (Arc::clone(&self.proxy), Arc::clone(&self.admin))
    }

    /// Ready as scripts and controllers see it: all addresses accept, and `GET /status` is below 500.
    #[track_caller]
    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        while !self.is_ready() {
            let ended = self.child.try_wait().expect("the state of our own child");
            if ended.is_some() || start.elapsed() > READY_LIMIT {
                let _ = self.child.kill();
                let _ = self.child.wait();
                // Standard error ends with the process, so wait for it to have all that was said.
                eventually(SOON, || self.stderr.is_whole());
                panic!("the gateway is not ready after {:?} ({ended:?}); it said:\n{}", start.elapsed(), self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_ready(&self) -> bool {
        // The proxy last, so that the look costs it one connection: tests count them.
        Connection::try_open(self.admin())
            .is_ok_and(|mut admin| admin.try_request(&Request::get("/status")).is_ok_and(|answer| answer.status < 500))
            && TcpStream::connect(self.proxy()).is_ok()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the gateway of the failed test said:\n{}---", self.log());
        }
    }
}

/// Standard error, read as it comes, so that the gateway never waits for us.
#[derive(Debug, Default)]
struct Stderr {
    said: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stderr {
    fn of(mut pipe: ChildStderr) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&said);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                sink.lock().expect("no panic inside").extend_from_slice(&bytes[..count]);
            }
        });
        Self { said, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().expect("no panic inside")).into_owned()
    }

    /// Whether it has ended, and all of it was read.
    fn is_whole(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }
}
