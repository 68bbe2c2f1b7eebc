//! A client that sends exact bytes and reads answers as they come.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::framing::Framing;
use crate::head::Head;
use crate::{Answer, Broken, Request, uninterrupted};

/// A client gives up after this long without a byte.
const SILENCE: Duration = Duration::from_secs(30);

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// When it began to send what was sent last, if nothing was answered since.
    sent: Option<Instant>,
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody accepts.
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap_or_else(|error| panic!("connecting to {address}: {error}"))
    }

    /// Connects, if somebody accepts.
    ///
    /// # Errors
    /// Those of the connection attempt.
    pub fn try_open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, SILENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        Ok(Self { stream, buffer: Vec::new(), sent: None })
    }

    /// A second handle on the same connection, to send from another thread.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn sender(&self) -> TcpStream {
        self.stream.try_clone().expect("a second handle")
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is broken.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("sending");
    }

    /// Sends bytes as they are, as far as the other side takes them.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.sent = Some(Instant::now());
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn request(&mut self, request: &Request) -> Answer {
        self.try_request(request).unwrap_or_else(|broken| panic!("no whole answer: {broken:?}"))
    }

    /// Sends a request and reads its answer, which may break.
    ///
    /// # Errors
    /// When the connection ends before the answer does.
    pub fn try_request(&mut self, request: &Request) -> Result<Answer, Broken> {
        // A gateway may answer and close before it has read everything: what counts is the answer.
        let _ = self.try_send(request.bytes());
        self.read(request.is_head())
    }

    /// Reads the answer to a request that was not HEAD.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|broken| panic!("no whole answer: {broken:?}"))
    }

    /// Reads the answer to a request that was not HEAD, which may break.
    ///
    /// # Errors
    /// When the connection ends before the answer does.
    pub fn try_answer(&mut self) -> Result<Answer, Broken> {
        self.read(false)
    }

    /// Reads the answer to a request with this method, which may break. An answer to HEAD ends with its head.
    ///
    /// # Errors
    /// When the connection ends before the answer does.
    pub fn try_answer_to(&mut self, method: &str) -> Result<Answer, Broken> {
        self.read(method == "HEAD")
    }

    /// Reads one head only: the status, also of a 1xx answer. The body stays for [`Connection::read_until`].
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn head(&mut self) -> u16 {
        let head = self.read_head().unwrap_or_else(|broken| panic!("no head: {broken:?}"));
        status(&head)
    }

    /// What was read and not used yet.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads raw bytes until `text` was among them, and returns all of them.
    ///
    /// # Panics
    /// When the connection ends before.
    #[track_caller]
    pub fn read_until(&mut self, text: &str) -> String {
        loop {
            let seen = String::from_utf8_lossy(&self.buffer).into_owned();
            if seen.contains(text) {
                self.buffer.clear();
                return seen;
            }
            match self.fill() {
                Ok(0) => panic!("the connection ended, {text:?} is not in {seen:?}"),
                Ok(_) => {}
                Err(error) => panic!("{error}: {text:?} is not in {seen:?}"),
            }
        }
    }

    /// Reads the chunked body of an answer whose head was read by [`Connection::head`], until what has come is enough.
    ///
    /// # Panics
    /// When the body or the connection ends before.
    #[track_caller]
    pub fn chunks_until(&mut self, mut is_enough: impl FnMut(&[u8]) -> bool) {
        let (mut body, mut framing) = (Vec::new(), Framing::Chunked { left: 0 });
        loop {
            let is_whole = framing.take(&mut self.buffer, &mut body).expect("chunks");
            if is_enough(&body) {
                return;
            }
            assert!(!is_whole, "the body has ended after {} bytes", body.len());
            self.more().expect("more of the answer");
        }
    }

    /// Waits for the end of the connection; the bytes that came before it.
    ///
    /// # Panics
    /// When the other side stays silent without closing.
    #[track_caller]
    pub fn drained(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(0) => return std::mem::take(&mut self.buffer),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return std::mem::take(&mut self.buffer);
                }
                Err(error) => panic!("waiting for the end of the connection: {error}"),
            }
        }
    }

    /// Says that nothing more will be sent, and keeps listening.
    pub fn finish_sending(&self) {
        // A connection that is already gone needs no farewell.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn read(&mut self, is_head: bool) -> Result<Answer, Broken> {
        let start = self.sent.take().unwrap_or_else(Instant::now);
        let mut interim = Vec::new();
        let head = loop {
            let head = self.read_head()?;
            match status(&head) {
                // 101 is a final answer: the connection changes its language.
                code @ (100 | 102..=199) => interim.push(code),
                _ => break head,
            }
        };
        let body = self.read_body(&head, is_head)?;
        let [_, _, reason] = head.words.clone();
        Ok(Answer { status: status(&head), reason, headers: head.headers, body, interim, took: start.elapsed() })
    }

    fn read_head(&mut self) -> Result<Head, Broken> {
        loop {
            if let Some(head) = Head::take(&mut self.buffer) {
                return Ok(head);
            }
            let so_far = self.buffer.len();
            self.more().map_err(|why| broken(None, &[], &format!("{why}, {so_far} bytes of a head had come")))?;
        }
    }

    fn read_body(&mut self, head: &Head, is_head: bool) -> Result<Vec<u8>, Broken> {
        let status = status(head);
        let mut body = Vec::new();
        if is_head || matches!(status, 101 | 204 | 304) {
            return Ok(body);
        }
        let mut framing = Framing::of(&head.headers, Framing::UntilClose);
        loop {
            match framing.take(&mut self.buffer, &mut body) {
                Ok(true) => return Ok(body),
                Ok(false) => {}
                Err(why) => return Err(broken(Some(status), &body, &why)),
            }
            match self.fill() {
                Ok(0) if framing == Framing::UntilClose => return Ok(body),
                Ok(0) => return Err(broken(Some(status), &body, "closed inside the body")),
                Ok(_) => {}
                Err(error) => return Err(broken(Some(status), &body, &error.to_string())),
            }
        }
    }

    fn more(&mut self) -> Result<(), String> {
        match self.fill() {
            Ok(0) => Err("closed".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn fill(&mut self) -> std::io::Result<usize> {
        let mut bytes = [0; 16 * 1024];
        let count = uninterrupted(|| self.stream.read(&mut bytes)).map_err(|error| match error.kind() {
            // How the systems name a read that ran into its timeout.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => std::io::Error::other(format!("no byte for {SILENCE:?}")),
            _ => error,
        })?;
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

fn status(head: &Head) -> u16 {
    head.words[1].parse().unwrap_or_else(|_| panic!("not a status line: {:?}", head.words))
}

fn broken(status: Option<u16>, body: &[u8], why: &str) -> Broken {
    Broken { status, body: body.to_vec(), why: why.to_owned() }
}
