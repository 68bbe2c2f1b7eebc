//! A real Redis server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Port, eventually};

/// A running `redis-server` with its own folder and port; killed when dropped.
#[derive(Debug)]
pub struct Redis {
    child: Option<Child>,
    folder: TempDir,
    port: Port,
    bus: Port,
    arguments: Vec<String>,
    credentials: Vec<String>,
}

impl Redis {
    /// Starts a server that keeps nothing on disk.
    #[track_caller]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with these arguments, too. `{folder}` in them stands for its folder.
    #[track_caller]
    pub fn with(arguments: &[&str]) -> Self {
        let mut redis = Self::prepared(arguments);
        redis.launch();
        redis
    }

    /// A server that is not running yet.
    pub fn prepared(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = folder.path().to_str().expect("a folder's name in UTF-8").to_owned();
        let arguments = arguments.iter().map(|argument| argument.replace("{folder}", &own)).collect();
        Self { child: None, folder, port: Port::free(), bus: Port::free(), arguments, credentials: Vec::new() }
    }

    /// Starts a sentinel that watches `master` under the name `limits`; one vote is enough.
    #[track_caller]
    pub fn sentinel_of(master: &Redis) -> Self {
        let mut sentinel = Self::prepared(&["{folder}/sentinel.conf", "--sentinel"]);
        let settings = format!(
            "sentinel monitor limits 127.0.0.1 {} 1\nsentinel down-after-milliseconds limits 1500\n\
             sentinel failover-timeout limits 3000\n",
            master.port()
        );
        fs::write(sentinel.folder().join("sentinel.conf"), settings).expect("settings can be written");
        sentinel.launch();
        sentinel
    }

    /// Starts a cluster of three masters, all slots served.
    #[track_caller]
    pub fn cluster() -> [Self; 3] {
        let nodes = [(); 3].map(|()| Self::with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]));
        for (node, slots) in nodes.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
            assert_eq!(node.ask(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]), "OK");
        }
        for node in &nodes[1..] {
            let (port, bus) = (node.port().to_string(), node.bus.number().to_string());
            assert_eq!(nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]), "OK");
        }
        for node in &nodes {
            eventually(Duration::from_secs(60), || {
                let info = node.ask(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            });
        }
        nodes
    }

    /// Lets [`Redis::ask`] prove who it is, as `redis-cli` is told: `["--pass", "secret"]`.
    pub fn asking_with(mut self, credentials: &[&str]) -> Self {
        self.credentials = credentials.iter().map(|&text| text.to_owned()).collect();
        self
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// What a command answers, in text.
    ///
    /// # Panics
    /// When `redis-cli` cannot be run.
    pub fn ask(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port().to_string(), "--no-auth-warning"])
            .args(&self.credentials)
            .args(command)
            .stdin(Stdio::null())
            .output()
            .expect("redis-cli runs (Debian: redis-tools)");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// How often a command was called, in small letters: `evalsha`.
    pub fn calls(&self, command: &str) -> u64 {
        let statistics = self.ask(&["INFO", "commandstats"]);
        let line = statistics.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| {
            line.split(',').next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {line}"))
        })
    }

    /// Kills the server.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server, which must not be running, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it is running already");
        let log = File::create(self.folder.path().join("log")).expect("a log can be written");
        let mut command = Command::new("redis-server");
        // The settings file, if there is one, comes first.
        command.args(&self.arguments);
        let (port, bus) = (self.port().to_string(), self.bus.number().to_string());
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--dir", &self.folder.path().to_string_lossy(), "--cluster-port", &bus]);
        let child = command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("redis-server runs (Debian: redis-server)"));
        eventually(Duration::from_secs(60), || {
            let answer = self.ask(&["PING"]);
            answer == "PONG" || answer.contains("NOAUTH")
        });
    }

    /// What the server said.
    pub fn log(&self) -> String {
        fs::read_to_string(Path::new(self.folder.path()).join("log")).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- the Redis of the failed test said:\n{}---", self.log());
        }
    }
}
