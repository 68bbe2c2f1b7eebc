//! A real PostgreSQL.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Port, eventually};

/// A running server with its own folder and port; killed when dropped.
///
/// PostgreSQL does not run as root: the tests of root run it as the user `postgres` of the Debian package.
#[derive(Debug)]
pub struct Postgres {
    child: Mutex<Option<Child>>,
    folder: TempDir,
    port: Port,
    settings: Vec<String>,
}

/// A database of its own in a server that tests share.
#[derive(Debug)]
pub struct Database {
    server: Arc<Postgres>,
    name: String,
}

/// Who may do everything in it, and the password.
pub const USER: &str = "kong";
/// See [`USER`].
pub const PASSWORD: &str = "s3cret of the database";

impl Postgres {
    /// Starts a server with these settings, each `name=value`. `{folder}` in them stands for its folder.
    #[track_caller]
    pub fn with(settings: &[&str]) -> Self {
        let server = Self::prepared(settings);
        server.launch();
        server
    }

    /// A server that is not running yet.
    #[track_caller]
    pub fn prepared(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = folder.path().to_str().expect("a folder's name in UTF-8").to_owned();
        let settings = settings.iter().map(|setting| setting.replace("{folder}", &own)).collect();
        fs::write(folder.path().join("password"), PASSWORD).expect("a password can be written");
        let server = Self { child: Mutex::new(None), folder, port: Port::free(), settings };
        server.give_away();
        let output = server.program("initdb").args(server.making()).output().expect("initdb runs (Debian: postgresql)");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        server
    }

    /// A database of its own, in a server that is shared and stopped after the last of them.
    #[track_caller]
    pub fn database() -> Database {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let server = shared.upgrade().unwrap_or_else(|| {
            // Nobody cuts the power of this machine: waiting for the disk would only make tests slow.
            let server = Arc::new(Self::with(&["fsync=off"]));
            *shared = Arc::downgrade(&server);
            server
        });
        Self::database_in(&server)
    }

    /// A database of its own in this server.
    #[track_caller]
    pub fn database_in(server: &Arc<Self>) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server.ask("postgres", &format!("CREATE DATABASE {name}"));
        Database { server: Arc::clone(server), name }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its folder, where its socket is, too.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Starts the server, which must not be running, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn launch(&self) {
        assert!(self.running().is_none(), "it is running already");
        eventually(Duration::from_secs(60), || {
            let mut running = self.running();
            // After a power cut it refuses to start as long as processes of the one before are left.
            let has_ended = running.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|ended| ended.is_some()));
            if has_ended {
                *running = Some(self.spawned());
            }
            self.psql("postgres", "SELECT 1").status.success()
        });
    }

    fn spawned(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"));
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args(["-h", "127.0.0.1", "-p", &self.port().to_string()]);
        command.args(["-c", &format!("unix_socket_directories={}", self.folder.path().display())]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log can be written"));
        command.spawn().expect("postgres runs (Debian: postgresql)")
    }

    /// Ends the server as a power cut would: nothing is finished.
    pub fn kill(&self) {
        if let Some(mut child) = self.running().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends the server and all its processes.
    pub fn stop(&self) {
        if let Some(mut child) = self.running().take() {
            let _ = Command::new("kill").args(["-s", "QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }

    /// What a statement answers in a database, a line for each row, `|` between columns.
    ///
    /// # Panics
    /// When the server refuses it.
    #[track_caller]
    pub fn ask(&self, database: &str, statement: &str) -> String {
        let output = self.psql(database, statement);
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// What the server said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn psql(&self, database: &str, statement: &str) -> Output {
        Command::new("psql")
            .args(["-X", "-A", "-t", "-q", "-h", "127.0.0.1", "-p", &self.port().to_string()])
            .args(["-U", USER, "-d", database, "-v", "ON_ERROR_STOP=1", "-c", statement])
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .output()
            .expect("psql runs (Debian: postgresql)")
    }

    fn making(&self) -> Vec<String> {
        let password = format!("--pwfile={}", self.folder.path().join("password").display());
        let data = format!("--pgdata={}", self.data().display());
        let fixed = ["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"];
        let user = format!("--username={USER}");
        fixed.into_iter().map(str::to_owned).chain([password, data, user]).collect()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A program of the server, as somebody who is not root.
    fn program(&self, name: &str) -> Command {
        let program = programs().join(name);
        let mut command = match is_root() {
            false => Command::new(program),
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
                command
            }
        };
        // A signal from the terminal is for the tests.
        command.current_dir(self.folder.path()).process_group(0);
        command
    }

    /// Lets whoever runs the server use its folder.
    fn give_away(&self) {
        if is_root() {
            let status = Command::new("chown").args(["-R", "postgres:postgres"]).arg(self.folder.path()).status();
            assert!(status.expect("chown runs").success(), "there is no user 'postgres' (Debian: postgresql)");
        }
    }

    /// Copies a file into its folder, for the server alone to read.
    pub fn give(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
        self.give_away();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- the PostgreSQL of the failed test said:\n{}---", self.log());
        }
    }
}

impl Database {
    /// The server it is in.
    pub fn server(&self) -> &Arc<Postgres> {
        &self.server
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a statement answers, a line for each row, `|` between columns.
    #[track_caller]
    pub fn ask(&self, statement: &str) -> String {
        self.server.ask(&self.name, statement)
    }

    /// The settings of a gateway that keeps its configuration here.
    pub fn settings(&self) -> [(&'static str, String); 6] {
        [
            ("database", "postgres".to_owned()),
            ("pg_host", "127.0.0.1".to_owned()),
            ("pg_port", self.server.port().to_string()),
            ("pg_database", self.name.clone()),
            ("pg_user", USER.to_owned()),
            ("pg_password", PASSWORD.to_owned()),
        ]
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// Debian keeps the server's programs in a folder for each version: the newest.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let folders = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("postgres").exists());
    folders.max().unwrap_or_else(|| Path::new("/usr/bin").to_owned())
}
