//! A scripted HTTP/1.1 upstream that remembers every byte of every request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::framing::Framing;
use crate::head::Head;
use crate::script::Step;
use crate::{Headers, Script};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// Which request of its connection it was, counted from 0.
    pub nth: usize,
    /// The exact bytes of the head, with the empty line.
    pub raw_head: Vec<u8>,
    /// The method.
    pub method: String,
    /// The request target as written.
    pub path: String,
    /// The version as written.
    pub version: String,
    /// The header lines.
    pub headers: Headers,
    /// The body that has come so far, without its framing.
    pub body: Vec<u8>,
    /// Whether all of the body has come.
    pub complete: bool,
}

impl Received {
    /// The value of a header that is there once or not at all; see [`Headers::one`].
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.one(name)
    }
}

/// The server, running until dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Received>>,
    /// One entry per accepted connection: whether it is still open.
    connections: Mutex<Vec<bool>>,
    /// One entry per accepted connection: every byte that came, whatever it meant.
    wires: Mutex<Vec<Vec<u8>>>,
}

type Answering = Arc<dyn Fn(&Received) -> Script + Send + Sync>;

impl Upstream {
    /// An upstream that describes each request in its answer; see [`Script::echo`].
    pub fn echo() -> Self {
        Self::answering(|_| Script::echo())
    }

    /// An upstream that asks `script` what to do as soon as a head has come (so without the body).
    pub fn answering<S: Into<Script>>(script: impl Fn(&Received) -> S + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(Seen::default());
        let (stop, stopped) = oneshot::channel();
        let server = Server { seen: Arc::clone(&seen), answering: Arc::new(move |request| script(request).into()) };
        let thread = thread::spawn(move || server.run(listener, stopped));
        Self { address, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, in the order in which their heads came.
    pub fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().expect("no panic inside").clone()
    }

    /// Those of the [`requests`](Self::requests) whose body has come whole: what a test may read to its end.
    pub fn whole(&self) -> Vec<Received> {
        self.requests().into_iter().filter(|request| request.complete).collect()
    }

    /// The number of requests so far, of which the last may still be coming.
    pub fn count(&self) -> usize {
        self.seen.requests.lock().expect("no panic inside").len()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// When there are none or several.
    #[track_caller]
    pub fn only(&self) -> Received {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "requests at the upstream: {requests:?}");
        requests.remove(0)
    }

    /// The latest request.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn last(&self) -> Received {
        self.requests().pop().expect("no request came to the upstream")
    }

    /// The number of connections accepted so far.
    pub fn accepted(&self) -> usize {
        self.seen.connections.lock().expect("no panic inside").len()
    }

    /// Every byte that came, connection by connection in the order in which they were accepted, whether or not it made
    /// a request; see [`Reading`](crate::Reading).
    pub fn wires(&self) -> Vec<Vec<u8>> {
        self.seen.wires.lock().expect("no panic inside").clone()
    }

    /// The number of connections that are open.
    pub fn open_connections(&self) -> usize {
        self.seen.connections.lock().expect("no panic inside").iter().filter(|open| **open).count()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // The thread ends by the message, or has ended by a panic of its own, which its test has seen.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[derive(Clone)]
struct Server {
    seen: Arc<Seen>,
    answering: Answering,
}

impl Server {
    fn run(self, listener: std::net::TcpListener, stopped: oneshot::Receiver<()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            tokio::select! {
                () = self.accept(listener) => {}
                _ = stopped => {}
            }
        });
    }

    async fn accept(&self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let number = self.seen.opened();
            let server = self.clone();
            tokio::spawn(async move {
                Wire { stream, buffer: Vec::new(), number, seen: Arc::clone(&server.seen) }.serve(&server).await;
                server.seen.closed(number);
            });
        }
    }
}

impl Seen {
    fn opened(&self) -> usize {
        self.wires.lock().expect("no panic inside").push(Vec::new());
        let mut connections = self.connections.lock().expect("no panic inside");
        connections.push(true);
        connections.len() - 1
    }

    fn closed(&self, number: usize) {
        self.connections.lock().expect("no panic inside")[number] = false;
    }

    fn heard(&self, number: usize, bytes: &[u8]) {
        self.wires.lock().expect("no panic inside")[number].extend_from_slice(bytes);
    }

    fn record(&self, request: Received) -> usize {
        let mut requests = self.requests.lock().expect("no panic inside");
        requests.push(request);
        requests.len() - 1
    }

    fn update<T>(&self, index: usize, change: impl FnOnce(&mut Received) -> T) -> T {
        change(&mut self.requests.lock().expect("no panic inside")[index])
    }
}

/// How a script left its connection.
enum Left {
    Usable,
    Done,
}

struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    number: usize,
    seen: Arc<Seen>,
}

impl Wire {
    async fn serve(&mut self, server: &Server) {
        let _ = self.stream.set_nodelay(true);
        let mut nth = 0;
        while let Some(head) = self.head().await {
            let request = self.received(head, nth);
            nth += 1;
            let script = (server.answering)(&request);
            let index = server.seen.record(request);
            if script.reads_body && !self.body(&server.seen, index).await {
                return;
            }
            let request = server.seen.update(index, |request| request.clone());
            if !matches!(self.play(script, &request).await, Some(Left::Usable)) {
                return;
            }
        }
    }

    fn received(&self, head: Head, nth: usize) -> Received {
        let [method, path, version] = head.words;
        Received {
            connection: self.number,
            nth,
            raw_head: head.raw,
            method,
            path,
            version,
            headers: head.headers,
            body: Vec::new(),
            complete: false,
        }
    }

    async fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(head) = Head::take(&mut self.buffer) {
                return Some(head);
            }
            self.more().await?;
        }
    }

    /// Reads the body into the record; false when the connection ended inside it.
    async fn body(&mut self, seen: &Seen, index: usize) -> bool {
        let mut framing = seen.update(index, |request| Framing::of(&request.headers, Framing::Length(0)));
        loop {
            let buffer = &mut self.buffer;
            let taken = seen.update(index, |request| framing.take(buffer, &mut request.body));
            match taken {
                Ok(true) => break,
                Ok(false) if self.more().await.is_some() => {}
                _ => return false,
            }
        }
        seen.update(index, |request| request.complete = true);
        true
    }

    /// `None` when the connection ended under way.
    async fn play(&mut self, script: Script, request: &Received) -> Option<Left> {
        for step in script.steps {
            match step {
                Step::Send(bytes) => self.stream.write_all(&bytes).await.ok()?,
                Step::Echo => self.stream.write_all(&description(request)).await.ok()?,
                Step::Wait(delay) => tokio::time::sleep(delay).await,
                Step::Pass(gate) => gate.pass().await,
                Step::Open(gate) => gate.open(),
                Step::Hang => while self.more().await.is_some() {},
                Step::Tunnel => self.tunnel().await?,
                Step::TunnelOnce(goodbye) => {
                    let _ = self.tunnel().await;
                    self.stream.write_all(&goodbye).await.ok()?;
                }
                Step::Close => return Some(Left::Done),
                Step::Reset => {
                    let _ = self.stream.set_zero_linger();
                    return Some(Left::Done);
                }
            }
        }
        Some(Left::Usable)
    }

    /// Sends back what comes, until the other side ends.
    async fn tunnel(&mut self) -> Option<()> {
        loop {
            let bytes = std::mem::take(&mut self.buffer);
            self.stream.write_all(&bytes).await.ok()?;
            self.more().await?;
        }
    }

    /// Waits for bytes; `None` at the end of the connection.
    async fn more(&mut self) -> Option<()> {
        let before = self.buffer.len();
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => None,
            Ok(_) => {
                self.seen.heard(self.number, &self.buffer[before..]);
                Some(())
            }
        }
    }
}

fn description(request: &Received) -> Vec<u8> {
    let body = serde_json::json!({
        "method": request.method,
        "path": request.path,
        "headers": request.headers.iter().collect::<Vec<_>>(),
        "body_bytes": request.body.len(),
    });
    let mut bytes = crate::Reply::ok(body.to_string()).header("Content-Type", "application/json").bytes();
    if request.method == "HEAD" {
        bytes.truncate(bytes.len() - body.to_string().len());
    }
    bytes
}
