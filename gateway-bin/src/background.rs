//! A gateway in the background: this program once more, in a session of its own, until it serves.

use std::{
    env, io,
    os::unix::net::UnixDatagram,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use towergate_config::Settings;

use crate::{prefix::Running, terminal};

/// Tells the program that it is the one in the background.
const INSIDE: &str = "TOWERGATE_BACKGROUND";

/// How long a gateway may take until it serves.
const LIMIT: Duration = Duration::from_mins(2);

/// How often it is looked whether it has ended instead.
const GLANCE: Duration = Duration::from_millis(50);

/// Whether this process is to serve in the background; leaves its terminal's session then.
pub(crate) fn is_inside() -> bool {
    let is_inside = env::var_os(INSIDE).is_some();
    if is_inside {
        // Refused to whoever leads one already.
        let _ = rustix::process::setsid();
    }
    is_inside
}

/// Starts this program once more with the same arguments, and waits until it serves.
///
/// # Errors
/// What keeps it from that; the gateway's own words have been passed on by then.
pub(crate) fn start(settings: &Settings) -> Result<ExitCode, String> {
    if let Some(running) = Running::find(&settings.prefix) {
        let (prefix, pid) = (settings.prefix.display(), running.pid());
        // Kong's words.
        return Err(format!("Kong is already running in {prefix} (process {pid})"));
    }
    std::fs::create_dir_all(&settings.prefix).map_err(|error| {
        format!(
            "a gateway in the background needs a folder for its pid file and its log: {error}; choose one with --prefix"
        )
    })?;
    let cannot = |error: io::Error| format!("cannot start a gateway in the background: {error}");
    let folder = tempfile::tempdir().map_err(cannot)?;
    let socket = folder.path().join("notify");
    let told = UnixDatagram::bind(&socket).map_err(cannot)?;
    told.set_read_timeout(Some(GLANCE)).map_err(cannot)?;
    let mut child = Command::new(env::current_exe().map_err(cannot)?)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    pass_on(&mut child);
    wait(&mut child, &told).map_err(cannot)
}

/// What it says until it serves, is said here; afterwards it has its log.
fn pass_on(child: &mut Child) {
    if let Some(mut said) = child.stderr.take() {
        // Ends with this process, or with the gateway.
        std::thread::spawn(move || io::copy(&mut said, &mut io::stderr()));
    }
}

fn wait(child: &mut Child, told: &UnixDatagram) -> io::Result<ExitCode> {
    let end = Instant::now() + LIMIT;
    let mut message = [0; 4096];
    while Instant::now() < end {
        if let Ok(length) = told.recv(&mut message) {
            let text = String::from_utf8_lossy(message.get(..length).unwrap_or_default());
            if text.lines().any(|line| line == "READY=1") {
                // Kong's words.
                terminal::say("Kong started");
                return Ok(ExitCode::SUCCESS);
            }
        }
        if child.try_wait()?.is_some() {
            // Its last words may still be on their way.
            std::thread::sleep(GLANCE);
            return Ok(ExitCode::FAILURE);
        }
    }
    child.kill()?;
    child.wait()?;
    Err(io::Error::new(io::ErrorKind::TimedOut, "it did not serve in time"))
}
