//! What becomes of a request whose upstream has switched protocols: bytes both ways, until either
//! side is done.
//!
//! Nothing is held while nothing is going on: bytes go from one socket's buffer to the other's, and
//! only what the other does not take at once is kept, at most [`CHUNK`] bytes in each direction.

use std::{
    fmt,
    future::Future,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};
use towergate_core::{RequestId, Tunnelled};
use towergate_http1::{Upgrade, client::Upgraded};

use crate::counted::Held;

/// How much is read at a time.
const CHUNK: usize = 32 * 1024;

/// How long nothing may pass once one side has finished. The other one knows; a program that does not
/// close what is over must not hold a connection to the upstream for it (nor a gateway that stops).
const HALF_OPEN: Duration = Duration::from_secs(5);

/// How long a tunnel may stay open without use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// The longest pause in which nothing passes in either direction.
    pub(crate) idle: Duration,
    /// The longest pause in which the upstream takes nothing of what the client has sent.
    pub(crate) write: Duration,
}

/// Opens a tunnel in a task of its own, once the client has been told that it may switch. If it never
/// is, the upstream's connection is closed. The request is `held` until the tunnel's end.
pub(crate) fn open<U>(
    wish: Upgrade,
    upstream: Option<Upgraded<U>>,
    patience: Patience,
    request_id: RequestId,
    tunnelled: Option<Tunnelled>,
    held: Held,
) where
    U: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(Upgraded { io, read }) = upstream else { return };
    tokio::spawn(async move {
        let ended = match wish.await {
            Ok(client) => Tunnel::new(client, io, read, patience).counted(tunnelled).await,
            Err(cause) => Ended::Broken(cause),
        };
        let request_id = request_id.as_str();
        match ended {
            Ended::Idle(_) | Ended::Stuck(_) => tracing::info!(request_id, cause = %ended, "WebSocket closed"),
            Ended::Finished | Ended::Broken(_) => tracing::debug!(request_id, cause = %ended, "WebSocket ended"),
        }
        drop(held);
    });
}

/// Bytes both ways between a client and an upstream, as a future of why it ended. Dropping it closes
/// both.
#[must_use = "nothing passes before it is polled"]
pub(crate) struct Tunnel<C, U> {
    client: C,
    upstream: U,
    up: Way,
    down: Way,
    patience: Patience,
    /// When something has passed.
    last: Instant,
    /// Since when the upstream takes nothing.
    stuck: Option<Instant>,
    /// Comes at the earliest when patience ends; moved only when it has come too early.
    alarm: Pin<Box<Sleep>>,
}

/// Why a tunnel ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Both sides have said all they had to say.
    Finished,
    /// Nothing has passed for so long.
    Idle(Duration),
    /// The upstream has taken nothing for so long.
    Stuck(Duration),
    /// A connection broke.
    Broken(io::Error),
}

impl<C, U> Tunnel<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// A tunnel between these two; `early` is what the upstream has sent already.
    pub(crate) fn new(client: C, upstream: U, early: Bytes, patience: Patience) -> Self {
        Self {
            client,
            upstream,
            up: Way::default(),
            down: Way { kept: early, ..Way::default() },
            patience,
            last: Instant::now(),
            stuck: None,
            alarm: Box::pin(sleep(patience.idle)),
        }
    }

    /// Counts what passes there.
    fn counted(mut self, tunnelled: Option<Tunnelled>) -> Self {
        if let Some(Tunnelled { up, down }) = tunnelled {
            (self.up.passed, self.down.passed) = (Some(up), Some(down));
        }
        self
    }

    /// Passes on what can be passed on.
    fn pass(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let up = self.up.pass(cx, &mut self.client, &mut self.upstream)?;
        let down = self.down.pass(cx, &mut self.upstream, &mut self.client)?;
        if up || down {
            self.last = Instant::now();
        }
        self.stuck = match (self.up.kept.is_empty(), up) {
            (true, _) => None,
            (false, true) => Some(self.last),
            (false, false) => self.stuck.or_else(|| Some(Instant::now())),
        };
        Ok(())
    }

    /// Ready when patience has ended.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let Patience { mut idle, write } = self.patience;
        if self.up.is_over() || self.down.is_over() {
            idle = idle.min(HALF_OPEN);
        }
        let idles = (self.last.checked_add(idle), Ended::Idle(idle));
        let stucks = (self.stuck.and_then(|since| since.checked_add(write)), Ended::Stuck(write));
        let (deadline, ended) = match (idles.0, stucks.0) {
            (Some(first), Some(second)) if second < first => stucks,
            (None, Some(_)) => stucks,
            _ => idles,
        };
        // A time so far away that it cannot be told never comes.
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.alarm.deadline() > deadline {
            self.alarm.as_mut().reset(deadline);
        }
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            if self.alarm.deadline() >= deadline {
                return Poll::Ready(ended);
            }
            self.alarm.as_mut().reset(deadline);
        }
    }
}

impl<C, U> Future for Tunnel<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = self.get_mut();
        match this.pass(cx) {
            Err(cause) => Poll::Ready(Ended::Broken(cause)),
            Ok(()) if this.up.is_over() && this.down.is_over() => Poll::Ready(Ended::Finished),
            Ok(()) => this.poll_patience(cx),
        }
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// What was read and not taken yet.
    kept: Bytes,
    /// Whether something was written that the stream may still hold back.
    unflushed: bool,
    stage: Stage,
    /// Where somebody wants to know how many bytes were taken.
    passed: Option<Arc<AtomicU64>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The sender has finished; the receiver has not been told.
    Ending,
    Over,
}

impl Way {
    fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Passes on what there is; answers whether anything moved.
    fn pass<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> io::Result<bool>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut moved = false;
        while let Poll::Ready(step) = self.poll_step(cx, from, to) {
            match step? {
                Step::Moved => moved = true,
                Step::Done => break,
            }
        }
        Ok(moved)
    }

    fn poll_step<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<Step>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if !self.kept.is_empty() {
            let taken = ready!(Pin::new(to).poll_write(cx, &self.kept))?;
            return Poll::Ready(self.written(taken).map(|()| Step::Moved));
        }
        match self.stage {
            Stage::Open => match self.poll_through(cx, from, to) {
                Poll::Pending => self.poll_flush(cx, to),
                step => step,
            },
            Stage::Ending => {
                ready!(Pin::new(to).poll_shutdown(cx)).or_else(unless_gone)?;
                self.stage = Stage::Over;
                Poll::Ready(Ok(Step::Moved))
            }
            Stage::Over => Poll::Ready(Ok(Step::Done)),
        }
    }

    /// Reads once and writes once; what is not taken is kept.
    fn poll_through<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<Step>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut chunk = [const { MaybeUninit::uninit() }; CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(from).poll_read(cx, &mut chunk))?;
        let read = chunk.filled();
        if read.is_empty() {
            self.stage = Stage::Ending;
            return Poll::Ready(Ok(Step::Moved));
        }
        let taken = match Pin::new(to).poll_write(cx, read) {
            Poll::Ready(taken) => taken?,
            Poll::Pending => 0,
        };
        self.unflushed |= taken > 0;
        self.count(taken);
        self.kept = Bytes::copy_from_slice(read.get(taken..).unwrap_or_default());
        Poll::Ready(Ok(Step::Moved))
    }

    fn written(&mut self, taken: usize) -> io::Result<()> {
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.kept.advance(taken.min(self.kept.len()));
        self.unflushed = true;
        self.count(taken);
        if self.kept.is_empty() {
            // What it was a part of may be larger.
            self.kept = Bytes::new();
        }
        Ok(())
    }

    fn count(&self, taken: usize) {
        if let Some(passed) = &self.passed {
            passed.fetch_add(taken.try_into().unwrap_or(u64::MAX), Relaxed);
        }
    }

    fn poll_flush<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<Step>> {
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Pending
    }
}

enum Step {
    Moved,
    Done,
}

/// A side that is gone need not be told that nothing more comes.
fn unless_gone(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotConnected | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ok(()),
        _ => Err(error),
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("both sides have finished"),
            Self::Idle(limit) => write!(f, "nothing has passed for {limit:?}"),
            Self::Stuck(limit) => write!(f, "the upstream took nothing for {limit:?}"),
            Self::Broken(cause) => write!(f, "a connection broke: {cause}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        task::JoinHandle,
        time::advance,
    };

    use super::*;

    const PATIENCE: Patience = Patience { idle: Duration::from_secs(60), write: Duration::from_secs(30) };

    /// The far ends of a tunnel whose sockets hold so many bytes.
    fn tunnel(room: usize, early: &'static [u8]) -> (DuplexStream, DuplexStream, JoinHandle<Ended>) {
        let ((client, near), (upstream, far)) = (duplex(room), duplex(room));
        let ended = tokio::spawn(Tunnel::new(near, far, Bytes::from_static(early), PATIENCE));
        (client, upstream, ended)
    }

    async fn text(stream: &mut DuplexStream, length: usize) -> String {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn bytes_pass_both_ways_and_early_ones_first() {
        let (mut client, mut upstream, _ended) = tunnel(64, b"early ");
        upstream.write_all(b"down").await.unwrap();
        client.write_all(b"up").await.unwrap();
        assert_eq!(text(&mut client, 10).await, "early down");
        assert_eq!(text(&mut upstream, 2).await, "up");
    }

    #[tokio::test]
    async fn a_side_that_has_finished_may_still_listen() {
        let (mut client, mut upstream, ended) = tunnel(64, b"");
        client.write_all(b"last words").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        upstream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "last words");
        upstream.write_all(b"goodbye").await.unwrap();
        assert_eq!(text(&mut client, 7).await, "goodbye");
        drop(upstream);
        assert!(matches!(ended.await.unwrap(), Ended::Finished));
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn all_of_much_arrives_however_little_room_there_is() {
        for room in [1, 7, 4096, 1 << 20] {
            let (mut client, mut upstream, _ended) = tunnel(room, b"");
            let size = if room == 1 { 5_000 } else { 300_000 };
            let sent: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[at as usize % 4]).collect();
            let expected = sent.clone();
            let sending = tokio::spawn(async move {
                client.write_all(&sent).await.unwrap();
                client.shutdown().await.unwrap();
                let mut echoed = Vec::new();
                client.read_to_end(&mut echoed).await.unwrap();
                echoed
            });
            let mut received = Vec::new();
            upstream.read_to_end(&mut received).await.unwrap();
            upstream.write_all(&received).await.unwrap();
            drop(upstream);
            assert!(sending.await.unwrap() == expected, "with room for {room}");
        }
    }

    /// A peer that takes nothing stops the other; no more than what fits is taken off it.
    #[tokio::test]
    async fn what_is_held_is_bounded() {
        let (mut client, _upstream, _ended) = tunnel(1024, b"");
        let mut taken = 0;
        while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(50), client.write(&[0; 1024])).await {
            taken += count;
        }
        assert!((2048..=2048 + CHUNK).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn use_in_either_direction_keeps_it_open() {
        let (mut client, mut upstream, ended) = tunnel(64, b"");
        for _ in 0..10 {
            advance(Duration::from_secs(40)).await;
            client.write_all(b"x").await.unwrap();
            text(&mut upstream, 1).await;
            advance(Duration::from_secs(40)).await;
            upstream.write_all(b"y").await.unwrap();
            text(&mut client, 1).await;
        }
        let last = Instant::now();
        assert!(matches!(ended.await.unwrap(), Ended::Idle(_)));
        assert_eq!(last.elapsed().as_secs(), 60);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(upstream.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_finish_after_the_other_is_not_waited_for() {
        let (mut client, upstream, ended) = tunnel(64, b"");
        advance(Duration::from_secs(20)).await;
        drop(upstream);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        let told = Instant::now();
        assert!(matches!(ended.await.unwrap(), Ended::Idle(HALF_OPEN)));
        assert_eq!(told.elapsed(), HALF_OPEN);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upstream_that_takes_nothing_is_given_up_though_it_talks() {
        let (mut client, mut upstream, ended) = tunnel(16, b"");
        client.write_all(&[0; 40]).await.unwrap();
        let begin = Instant::now();
        let talk = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if upstream.write_all(b"z").await.is_err() {
                    break;
                }
                text(&mut client, 1).await;
            }
        };
        tokio::select! {
            () = talk => {}
            ended = ended => assert!(matches!(ended.unwrap(), Ended::Stuck(_))),
        }
        assert!((29..=31).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn a_connection_that_breaks_ends_the_other() {
        struct Breaks;
        impl AsyncRead for Breaks {
            fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
        let (mut client, near) = duplex(64);
        let upstream = tokio::io::join(Breaks, tokio::io::sink());
        assert!(matches!(Tunnel::new(near, upstream, Bytes::new(), PATIENCE).await, Ended::Broken(_)));
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
