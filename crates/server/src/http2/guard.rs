//! What stands between the socket and HTTP/2: it counts the frames that go by, and ends what is too
//! much.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    allowance::Allowance,
    frames::{END_HEADERS, Frames, kind},
    preface::PREFACE,
};
use crate::{activity::Activity, stream::Stream};

/// A stream of HTTP/2 frames that is watched in both directions.
///
/// What the `h2` crate answers or drops one by one without limit (PING, SETTINGS, PRIORITY, WINDOW_UPDATE,
/// RST_STREAM, frames of unknown types) may come so many times in a second, and more often only if
/// what we send gives reason to. Then reading fails.
#[derive(Debug)]
pub(crate) struct Guard {
    stream: Stream,
    activity: Arc<Activity>,
    incoming: Frames,
    outgoing: Frames,
    control: Allowance,
    /// A header block has begun; its last frame has come, perhaps not to its end.
    block: Option<IsLast>,
    /// The last stream that the client has opened.
    last_stream: u32,
    is_flooded: bool,
    is_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IsLast(bool);

impl Guard {
    /// Watches a connection that begins with the client's preface.
    pub(crate) fn new(stream: Stream, activity: Arc<Activity>, max_control_frames: u32) -> Self {
        Self {
            stream,
            activity,
            incoming: Frames::after(PREFACE.len()),
            outgoing: Frames::default(),
            control: Allowance::new(max_control_frames, Duration::from_secs(1), Instant::now()),
            block: None,
            last_stream: 0,
            is_flooded: false,
            is_ended: false,
        }
    }

    /// Whether the client has sent more frames than it may.
    pub(crate) fn is_flooded(&self) -> bool {
        self.is_flooded
    }

    /// Whether nothing more will come from the client.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The last stream that the client has opened.
    pub(crate) fn last_stream(&self) -> u32 {
        self.last_stream
    }

    /// Whether a frame of our own could be sent now without tearing another one apart.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.outgoing.is_between()
    }

    /// The stream itself, to read what nobody is interested in any more.
    pub(crate) fn unwatched(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Looks at what came.
    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { incoming, control, block, last_stream, is_flooded, .. } = self;
        incoming.pass(bytes, |frame| {
            match frame.kind {
                kind::HEADERS | kind::CONTINUATION => {
                    *block = Some(IsLast(frame.flags & END_HEADERS != 0));
                    *last_stream = frame.stream.max(*last_stream);
                }
                _ => *block = None,
            }
            *is_flooded |= frame.kind != kind::DATA && !control.spend(Instant::now);
        });
        if self.block == Some(IsLast(true)) && self.incoming.is_between() {
            self.block = None;
        }
        self.activity.head(self.block.is_some());
        if self.is_flooded { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Looks at what went: for each part of an answer the client may say something in turn, and the
    /// more the longer it is.
    fn went<'a>(&mut self, slices: impl Iterator<Item = &'a [u8]>, count: usize) {
        let Self { outgoing, control, .. } = self;
        let mut left = count;
        for slice in slices {
            let gone = slice.get(..left).unwrap_or(slice);
            left = left.saturating_sub(gone.len());
            outgoing.pass(gone, |frame| {
                if matches!(frame.kind, kind::HEADERS | kind::DATA) {
                    control.give_back(1 + frame.length / 256);
                }
            });
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.is_ended |= result.is_err() || new.is_empty();
        result.and_then(|()| self.came(new)).into()
    }
}

impl AsyncWrite for Guard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.went([bytes].into_iter(), count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.went(slices.iter().map(|slice| &**slice), count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
