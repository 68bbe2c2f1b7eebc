//! Bodies of any size, made and checked as they pass, so that a test of a gigabyte needs no gigabyte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::head::Head;
use crate::uninterrupted;

/// Longer than any pause on a machine that is busy.
const SILENCE: Duration = Duration::from_secs(30);

const CHUNK: usize = 64 << 10;

/// What bodies are made of, again and again. Its length is a prime, so that a piece that is lost, doubled or moved shows
/// whatever its size.
static PATTERN: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..1_048_583u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect());

/// The body from this byte on, at most `most` bytes of it.
fn pattern(from: u64, most: u64) -> &'static [u8] {
    let start = usize::try_from(from % PATTERN.len() as u64).expect("less than a length");
    let end = PATTERN.len().min(start.saturating_add(usize::try_from(most).unwrap_or(usize::MAX)));
    &PATTERN[start..end]
}

/// Whether these are the bytes of the body from this byte on.
fn is_pattern(mut from: u64, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let expected = pattern(from, bytes.len() as u64);
        let (now, later) = bytes.split_at(expected.len());
        if now != expected {
            return false;
        }
        from += now.len() as u64;
        bytes = later;
    }
    true
}

/// How a body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiting {
    /// `Content-Length`.
    Length,
    /// Chunks.
    Chunked,
    /// The end of the connection.
    UntilClose,
}

impl Delimiting {
    /// The header line that announces it.
    fn line(self, bytes: u64) -> String {
        match self {
            Self::Length => format!("Content-Length: {bytes}\r\n"),
            Self::Chunked => "Transfer-Encoding: chunked\r\n".into(),
            Self::UntilClose => "Connection: close\r\n".into(),
        }
    }

    fn of(head: &Head, otherwise: (Self, u64)) -> (Self, u64) {
        match (head.headers.one("Content-Length"), head.headers.has("Transfer-Encoding")) {
            (_, true) => (Self::Chunked, u64::MAX),
            (Some(length), false) => (Self::Length, length.parse().expect("a length is a number")),
            (None, false) => otherwise,
        }
    }
}

/// How far a transfer has come; shared with whoever watches.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes of bodies so far, framing not counted.
    pub fn bytes(&self) -> u64 {
        self.0.load(SeqCst)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, SeqCst);
    }
}

/// A whole answer, whose body had the bytes it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// The status.
    pub status: u16,
    /// How many bytes of the request's body the upstream got, if it was one of ours.
    pub uploaded: Option<u64>,
    /// How many bytes the answer's body had.
    pub bytes: u64,
    /// How it was framed.
    pub frames: Delimiting,
}

/// One end of a connection over which large bodies go.
#[derive(Debug)]
pub struct Pipe {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
}

impl Pipe {
    /// Connects; with `narrow` the system keeps little on the way, so that whoever does not read is felt at once.
    ///
    /// # Panics
    /// When nobody accepts.
    #[track_caller]
    pub fn open(address: SocketAddr, narrow: bool) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        if narrow {
            socket.set_recv_buffer_size(32 << 10).expect("a small buffer");
        }
        socket.connect(&address.into()).expect("somebody accepts");
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(SILENCE)).expect("a timeout");
        stream.set_write_timeout(Some(SILENCE)).expect("a timeout");
        Self { stream, buffer: Vec::new(), start: 0 }
    }

    /// Sends the head of a request with this header line more.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn ask(&mut self, method: &str, target: &str, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n{line}\r\n").as_bytes())
    }

    /// `POST` with a body of this many bytes.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn upload(&mut self, target: &str, bytes: u64, frames: Delimiting, progress: &Progress) -> io::Result<()> {
        self.ask("POST", target, &frames.line(bytes))?;
        self.send(bytes, frames, progress)
    }

    fn send(&mut self, bytes: u64, frames: Delimiting, progress: &Progress) -> io::Result<()> {
        let mut sent = 0;
        while sent < bytes {
            let piece = pattern(sent, (bytes - sent).min(CHUNK as u64));
            if frames == Delimiting::Chunked {
                self.stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
            }
            self.stream.write_all(piece)?;
            if frames == Delimiting::Chunked {
                self.stream.write_all(b"\r\n")?;
            }
            sent += piece.len() as u64;
            progress.add(piece.len());
        }
        if frames == Delimiting::Chunked { self.stream.write_all(b"0\r\n\r\n") } else { Ok(()) }
    }

    /// Reads an answer with its body. `each` is told how many bytes have come, and may take its time.
    ///
    /// # Errors
    /// Why it is not whole, or where it differs from what was sent.
    pub fn receive(&mut self, mut each: impl FnMut(u64)) -> Result<Transferred, String> {
        let head = self.head()?;
        let status = head.words[1].parse().map_err(|_| format!("not a status: {:?}", head.words))?;
        let uploaded = head.headers.one("X-Uploaded").and_then(|bytes| bytes.parse().ok());
        let (frames, length) = Delimiting::of(&head, (Delimiting::UntilClose, u64::MAX));
        Ok(Transferred { status, uploaded, bytes: self.body(frames, length, &mut each)?, frames })
    }

    fn head(&mut self) -> Result<Head, String> {
        loop {
            self.buffer.drain(..std::mem::take(&mut self.start));
            if let Some(head) = Head::take(&mut self.buffer) {
                return Ok(head);
            }
            self.more().and_then(|more| if more { Ok(()) } else { Err("closed before a head".into()) })?;
        }
    }

    fn body(&mut self, frames: Delimiting, length: u64, each: &mut impl FnMut(u64)) -> Result<u64, String> {
        let mut come = 0;
        if frames != Delimiting::Chunked {
            let whole = self.data(&mut come, length, each)?;
            return if whole || frames == Delimiting::UntilClose {
                Ok(come)
            } else {
                Err(format!("closed after {come}"))
            };
        }
        loop {
            let line = self.line()?;
            let size = u64::from_str_radix(&line, 16).map_err(|_| format!("not a size: {line:?}"))?;
            if size > 0 && !self.data(&mut come, size, each)? {
                return Err(format!("closed after {come}"));
            }
            if !self.line()?.is_empty() {
                return Err(format!("no line end after the chunk that ends at {come}"));
            }
            if size == 0 {
                return Ok(come);
            }
        }
    }

    /// Reads so many bytes of the body, which has come to `come`; false when the connection ends before.
    fn data(&mut self, come: &mut u64, length: u64, each: &mut impl FnMut(u64)) -> Result<bool, String> {
        let mut left = length;
        while left > 0 {
            if self.start == self.buffer.len() && !self.more()? {
                return Ok(false);
            }
            let here = &self.buffer[self.start..];
            let piece = &here[..here.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            if !is_pattern(*come, piece) {
                return Err(format!("other bytes than were sent, between {come} and {}", *come + piece.len() as u64));
            }
            self.start += piece.len();
            left -= piece.len() as u64;
            *come += piece.len() as u64;
            each(*come);
        }
        Ok(true)
    }

    fn line(&mut self) -> Result<String, String> {
        loop {
            let here = &self.buffer[self.start..];
            if let Some(end) = here.windows(2).take(100).position(|bytes| bytes == b"\r\n") {
                let line = String::from_utf8_lossy(&here[..end]).into_owned();
                self.start += end + 2;
                return Ok(line);
            }
            if !self.more()? {
                return Err("closed between chunks".into());
            }
        }
    }

    /// Waits for more bytes; false at the end of the connection.
    fn more(&mut self) -> Result<bool, String> {
        self.buffer.drain(..std::mem::take(&mut self.start));
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let count = uninterrupted(|| self.stream.read(&mut self.buffer[before..])).map_err(|error| error.to_string());
        self.buffer.truncate(before + count.as_ref().copied().unwrap_or(0));
        Ok(count? > 0)
    }
}

/// An upstream that answers `GET` with a body of [`Bulk::serving`]'s size and takes bodies of any size.
#[derive(Debug)]
pub struct Bulk {
    address: SocketAddr,
    shared: Shared,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
struct Shared {
    bytes: u64,
    frames: Delimiting,
    sent: Progress,
    received: Progress,
    /// How many bytes of uploads may be read by now.
    open: Arc<AtomicU64>,
    is_narrow: bool,
    connections: Arc<AtomicU64>,
}

impl Bulk {
    /// Its answers have so many bytes, framed so.
    pub fn serving(bytes: u64, frames: Delimiting) -> Self {
        Self::with(bytes, frames, u64::MAX)
    }

    /// It reads no more of uploads than [`Bulk::let_in`] says, and the system keeps little on the way.
    pub fn reluctant() -> Self {
        Self::with(0, Delimiting::Length, 0)
    }

    fn with(bytes: u64, frames: Delimiting, open: u64) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let is_narrow = open == 0;
        if is_narrow {
            socket.set_recv_buffer_size(32 << 10).expect("a small buffer");
        }
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        socket.listen(128).expect("listening");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("bound");
        let open = Arc::new(AtomicU64::new(open));
        let shared = Shared {
            bytes,
            frames,
            sent: Progress::default(),
            received: Progress::default(),
            open,
            is_narrow,
            connections: Arc::default(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, each) = (Arc::clone(&stop), shared.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(SeqCst) {
                    return;
                }
                let shared = each.clone();
                shared.connections.fetch_add(1, SeqCst);
                thread::spawn(move || {
                    serve(Pipe::over(stream), &shared);
                    shared.connections.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { address, shared, stop, thread: Some(thread) }
    }

    /// Where it listens, as a URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Bytes of answers handed to the system so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.bytes()
    }

    /// Bytes of uploads read so far.
    pub fn received(&self) -> u64 {
        self.shared.received.bytes()
    }

    /// The number of connections that are open.
    pub fn open_connections(&self) -> u64 {
        self.shared.connections.load(SeqCst)
    }

    /// Lets so many bytes of uploads in, in all.
    pub fn let_in(&self, bytes: u64) {
        self.shared.open.store(bytes, SeqCst);
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One connection; what goes wrong on it shows at the client.
fn serve(mut pipe: Pipe, shared: &Shared) {
    if shared.is_narrow {
        let _ = SockRef::from(&pipe.stream).set_recv_buffer_size(32 << 10);
    }
    while let Ok(head) = pipe.head() {
        if !answer(&mut pipe, &head, shared).is_ok_and(|is_kept| is_kept) {
            return;
        }
    }
}

/// Whether the connection can be used again.
fn answer(pipe: &mut Pipe, head: &Head, shared: &Shared) -> Result<bool, String> {
    let (frames, length) = Delimiting::of(head, (Delimiting::Length, 0));
    let mut seen = 0;
    let uploaded = pipe.body(frames, length, &mut |come| {
        shared.received.add(usize::try_from(come - seen).expect("a piece"));
        seen = come;
        while shared.open.load(SeqCst) < come {
            thread::sleep(Duration::from_millis(2));
        }
    })?;
    let head = |lines: String| format!("HTTP/1.1 200 OK\r\nX-Uploaded: {uploaded}\r\n{lines}\r\n");
    let write =
        |pipe: &mut Pipe, lines| pipe.stream.write_all(head(lines).as_bytes()).map_err(|error| error.to_string());
    if frames == Delimiting::Chunked || length > 0 {
        write(pipe, "Content-Length: 0\r\n".into())?;
        return Ok(true);
    }
    write(pipe, format!("Content-Type: text/plain\r\n{}", shared.frames.line(shared.bytes)))?;
    pipe.send(shared.bytes, shared.frames, &shared.sent).map_err(|error| error.to_string())?;
    Ok(shared.frames != Delimiting::UntilClose)
}
