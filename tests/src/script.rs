//! What a scripted upstream does with one request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// The chunk that ends a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One chunk of a chunked body.
pub fn chunk(data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// Steps to take once the request has come.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
    pub(crate) reads_body: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Echo,
    Wait(Duration),
    Pass(Gate),
    Open(Gate),
    Hang,
    Tunnel,
    TunnelOnce(Vec<u8>),
    Close,
    Reset,
}

impl Script {
    /// Answers 200 with a JSON description of the request: `method`, `path`, `headers` (pairs in order), `body_bytes`.
    pub fn echo() -> Self {
        Self::begin(Step::Echo)
    }

    /// Sends these bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::begin(Step::Send(bytes.into()))
    }

    /// Never answers; ends when the other side closes.
    pub fn hang() -> Self {
        Self::begin(Step::Hang)
    }

    /// Neither reads the body nor answers, ever; does not even notice that the other side closes.
    pub fn stall() -> Self {
        Self::begin(Step::Pass(Gate::closed())).without_reading_the_body()
    }

    /// Closes the connection without an answer.
    pub fn close() -> Self {
        Self::begin(Step::Close)
    }

    /// Resets the connection without an answer.
    pub fn reset() -> Self {
        Self::begin(Step::Reset)
    }

    /// Waits first. For upstreams that are slow; not for tests that hope.
    pub fn after(mut self, delay: Duration) -> Self {
        self.steps.insert(0, Step::Wait(delay));
        self
    }

    /// Waits first, until the gate is open.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Pass(gate.clone()));
        self
    }

    /// Starts when the head has come and leaves the body on the wire.
    pub fn without_reading_the_body(mut self) -> Self {
        self.reads_body = false;
        self
    }

    /// Then sends these bytes.
    pub fn then_send(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Send(bytes.into()))
    }

    /// Then waits.
    pub fn then_wait(self, delay: Duration) -> Self {
        self.then(Step::Wait(delay))
    }

    /// Then waits until the gate is open.
    pub fn then_pass(self, gate: &Gate) -> Self {
        self.then(Step::Pass(gate.clone()))
    }

    /// Then opens the gate, as a sign for whoever waits for it.
    pub fn then_open(self, gate: &Gate) -> Self {
        self.then(Step::Open(gate.clone()))
    }

    /// Then stays silent until the other side closes.
    pub fn then_hang(self) -> Self {
        self.then(Step::Hang)
    }

    /// Then sends back every byte that comes.
    pub fn then_tunnel(self) -> Self {
        self.then(Step::Tunnel)
    }

    /// Then sends back every byte that comes until the other side has finished, then these, and closes.
    pub fn then_tunnel_once(self, goodbye: &str) -> Self {
        self.then(Step::TunnelOnce(goodbye.into())).then_close()
    }

    /// Then closes the connection.
    pub fn then_close(self) -> Self {
        self.then(Step::Close)
    }

    /// Then resets the connection.
    pub fn then_reset(self) -> Self {
        self.then(Step::Reset)
    }

    fn begin(step: Step) -> Self {
        Self { steps: vec![step], reads_body: true }
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl From<Reply> for Script {
    fn from(reply: Reply) -> Self {
        Self::raw(reply.bytes())
    }
}

/// A plain answer of an upstream.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Reply {
    /// An answer with an empty body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Some(Vec::new()) }
    }

    /// 200 with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200).body(body)
    }

    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body, sent with its Content-Length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Only the head, without a Content-Length: the script sends the rest.
    pub fn head_only(mut self) -> Self {
        self.body = None;
        self
    }

    /// The bytes for the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Reply\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() && !matches!(self.status, 204 | 304) {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        [text.as_bytes(), body].concat()
    }
}

/// Holds scripts back until a test opens it; then it stays open.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets all through, now and later.
    pub fn open(&self) {
        self.0.close();
    }

    /// Whether it has been opened.
    pub fn is_open(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until the gate is open.
    pub(crate) async fn pass(&self) {
        // Closing the semaphore is the signal, so the answer is always its error.
        let _ = self.0.acquire().await;
    }
}
