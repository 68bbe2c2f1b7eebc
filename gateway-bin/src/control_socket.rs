//! The socket below the prefix by which commands ask a running gateway for something: whoever may read and
//! write the prefix may ask. It speaks HTTP, so that `curl --unix-socket` does, too.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::StatusCode;
use tokio::{
    net::UnixListener,
    sync::{mpsc, oneshot},
};

use crate::sources::Beside;

/// What a command asks for, and where the answer goes.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Read everything again that can be read again, and what is beside it. What is worth knowing is answered.
    Reload(Beside, oneshot::Sender<Result<String, String>>),
    /// Stop, and let requests in flight take so long at most.
    Quit(Duration, oneshot::Sender<()>),
    /// Be not ready from now on.
    Drain(oneshot::Sender<()>),
}

/// How long a command waits for an answer: reading a large configuration takes a while.
const PATIENCE: Duration = Duration::from_mins(2);

fn path(prefix: &Path) -> PathBuf {
    prefix.join("sockets").join("control.sock")
}

/// An open socket; removed with this.
#[derive(Debug)]
pub(crate) struct ControlSocket(PathBuf);

impl ControlSocket {
    /// Passes on what is asked from now on; what is asked beside, this router answers. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(prefix: &Path, asked: mpsc::Sender<Asked>, beside: Router) -> io::Result<Self> {
        let path = path(prefix);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        // Left behind by one that was killed: the pid file is ours, so that nobody else listens there.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let routes = Router::new().route("/reload", post(reload)).route("/drain", post(drain));
        let routes = routes.route("/quit", post(quit));
        let router = routes.with_state(Arc::new(asked)).merge(beside);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self(path))
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

type Asks = State<Arc<mpsc::Sender<Asked>>>;

const STOPPING: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping");

async fn reload(State(asked): Asks, body: Bytes) -> (StatusCode, String) {
    let beside = match body.is_empty() {
        true => Ok(Beside::default()),
        false => serde_json::from_slice(&body),
    };
    let beside = match beside {
        Ok(beside) => beside,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("what is beside the gateway's own settings: {error}")),
    };
    let (answer, answered) = oneshot::channel();
    let _ = asked.send(Asked::Reload(beside, answer)).await;
    match answered.await {
        Ok(Ok(said)) => (StatusCode::OK, said),
        Ok(Err(why)) => (StatusCode::BAD_REQUEST, why),
        Err(_) => (STOPPING.0, STOPPING.1.to_owned()),
    }
}

/// The body is a number of seconds.
async fn quit(State(asked): Asks, body: String) -> (StatusCode, &'static str) {
    let Ok(seconds) = body.trim().parse() else { return (StatusCode::BAD_REQUEST, "expected a number of seconds") };
    let (answer, answered) = oneshot::channel();
    let _ = asked.send(Asked::Quit(Duration::from_secs(seconds), answer)).await;
    match answered.await {
        Ok(()) => (StatusCode::OK, ""),
        Err(_) => STOPPING,
    }
}

async fn drain(State(asked): Asks) -> (StatusCode, &'static str) {
    let (answer, answered) = oneshot::channel();
    let _ = asked.send(Asked::Drain(answer)).await;
    match answered.await {
        Ok(()) => (StatusCode::OK, ""),
        Err(_) => STOPPING,
    }
}

/// Why a gateway did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It has no such socket, or does not answer.
    Unheard(io::Error),
    /// What it says.
    Refused(String),
}

/// Asks the gateway that runs in this prefix; answers what it says.
///
/// # Errors
/// Why it has not done it.
pub(crate) fn ask(prefix: &Path, what: &str, body: &str) -> Result<String, Refusal> {
    let (status, body) = exchange(&path(prefix), what, body).map_err(Refusal::Unheard)?;
    if status == 200 { Ok(body) } else { Err(Refusal::Refused(body)) }
}

/// One request and its answer: the status, and the body as text.
fn exchange(path: &Path, what: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "POST /{what} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "no answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_is_asked_reaches_the_gateway_and_the_answer_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().to_owned();
        let (asked, mut asks) = mpsc::channel(1);
        let socket = ControlSocket::open(&prefix, asked, Router::new()).unwrap();
        let mode = fs::metadata(prefix.join("sockets")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
        let elsewhere = prefix.clone();
        let command = tokio::task::spawn_blocking(move || {
            let beside = r#"{"variables": {"KONG_LOG_LEVEL": "debug"}}"#;
            let reloaded = (ask(&elsewhere, "reload", beside), ask(&elsewhere, "reload", ""));
            (reloaded, ask(&elsewhere, "drain", ""), ask(&elsewhere, "quit", "30"))
        });
        match asks.recv().await {
            Some(Asked::Reload(beside, answer)) => {
                assert_eq!(beside.variables.get("KONG_LOG_LEVEL").map(String::as_str), Some("debug"));
                answer.send(Err("line 1\nline 2".into())).unwrap();
            }
            other => panic!("{other:?}"),
        }
        match asks.recv().await {
            Some(Asked::Reload(_, answer)) => answer.send(Ok("be warned".into())).unwrap(),
            other => panic!("{other:?}"),
        }
        match asks.recv().await {
            Some(Asked::Drain(answer)) => answer.send(()).unwrap(),
            other => panic!("{other:?}"),
        }
        match asks.recv().await {
            Some(Asked::Quit(limit, answer)) => {
                assert_eq!(limit, Duration::from_secs(30), "the limit is passed on");
                answer.send(()).unwrap();
            }
            other => panic!("{other:?}"),
        }
        let ((refused, reloaded), drained, quit) = command.await.unwrap();
        assert!(matches!(refused, Err(Refusal::Refused(why)) if why == "line 1\nline 2"));
        assert!(matches!(reloaded, Ok(said) if said == "be warned"));
        assert!(drained.is_ok() && quit.is_ok());
        drop(socket);
        assert!(matches!(ask(&prefix, "reload", ""), Err(Refusal::Unheard(_))));
    }
}
