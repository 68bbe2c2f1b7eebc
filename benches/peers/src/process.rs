//! Processes that are measured, or measure: each on one core, in a session of its own, with a raised priority, and
//! stopped when nobody needs it any more.

use std::{
    fs::File,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Problem, interrupt::Interrupt, usage};

/// How long a process may take until it listens. A million consumers must be read by then.
const START: Duration = Duration::from_secs(120);

/// How long it may take to end when it is asked to.
const STOP: Duration = Duration::from_secs(5);

const LOOK: Duration = Duration::from_millis(20);

/// Runs the rest of the command line with a raised priority. In a session of its own that takes the session's
/// (`autogroup`): the kernel shares the processor out among sessions first. Where neither is allowed it runs as it is.
const RAISED: &str = r#"echo -10 2>/dev/null >/proc/self/autogroup; core=$1; shift
exec taskset -c "$core" nice -n -10 "$@""#;

/// A running process; stopped when dropped, and by the kernel should this one be killed.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program on this core. What it says goes to `<name>.log` in the folder.
    pub(crate) fn start(name: &str, core: usize, folder: &Path, program: &Command) -> Result<Self, Problem> {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log)?;
        let mut command = pinned(core, program);
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Waits until it accepts connections there.
    pub(crate) fn wait_for(&mut self, port: u16, interrupt: &Interrupt) -> Result<(), Problem> {
        let began = Instant::now();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        while TcpStream::connect_timeout(&address, LOOK).is_err() {
            interrupt.check()?;
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended ({status}) before it listened: {}", self.name, self.last_words()).into());
            }
            if began.elapsed() > START {
                return Err(format!("{} does not listen after {START:?}: {}", self.name, self.last_words()).into());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// It and all that descends from it.
    pub(crate) fn family(&self) -> Vec<u32> {
        usage::family(self.child.id())
    }

    fn last_words(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text));
        let from = text.len().saturating_sub(2000);
        text.get(from..).unwrap_or(&text).trim().to_owned()
    }

    /// Asks it to end, and makes it end.
    fn stop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let began = Instant::now();
        while began.elapsed() < STOP {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program pinned to a core, with a raised priority, which the kernel ends should we be killed.
pub(crate) fn pinned(core: usize, program: &Command) -> Command {
    let mut command = Command::new("setsid");
    command.args(["setpriv", "--pdeathsig", "TERM", "sh", "-c", RAISED, "peers"]).arg(core.to_string());
    command.arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

/// Ports of the loopback that are free now, all different.
pub(crate) fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT], Problem> {
    let mut ports = [0; COUNT];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_running(pid: u32) -> bool {
        // A process that nobody has waited for yet has no memory any more.
        std::fs::read_to_string(format!("/proc/{pid}/statm")).is_ok_and(|pages| !pages.starts_with("0 "))
    }

    #[test]
    fn a_process_ends_with_the_value_that_stands_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Command::new("sh");
        program.args(["-c", "sleep 600 & wait"]);
        let process = Process::start("sleeper", 0, folder.path(), &program).unwrap();
        let pid = process.child.id();
        let began = Instant::now();
        while process.family().len() < 2 && began.elapsed() < Duration::from_secs(10) {
            thread::sleep(LOOK);
        }
        assert_eq!(process.family().len(), 2, "the shell and what it started");
        assert!(is_running(pid));
        drop(process);
        assert!(!is_running(pid));
    }

    #[test]
    fn what_ends_before_it_listens_is_told_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Command::new("sh");
        program.args(["-c", "echo no such setting >&2; exit 3"]);
        let mut process = Process::start("broken", 0, folder.path(), &program).unwrap();
        let [port] = free_ports().unwrap();
        let problem = process.wait_for(port, &Interrupt::listen().unwrap()).unwrap_err().to_string();
        assert!(problem.contains("broken ended") && problem.ends_with("no such setting"), "{problem}");
    }
}
