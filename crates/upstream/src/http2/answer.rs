//! The body of a response on its way to the client, trailers included.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use towergate_core::BoxError;

use super::{Patience, connection::Slot, failure, stall::Stall, upload::Uploading};
use crate::error::{Error, Kind, Side};

/// A response's body, which gives up when nothing comes for too long. A break is passed on as an
/// error, so that the client never takes it for the end. Dropped before its end, it resets the
/// stream.
pub(crate) struct Answer {
    stage: Stage,
    incoming: RecvStream,
    /// Runs while nothing comes.
    stall: Stall,
    patience: Patience,
    /// The stream's place and what is still sent on it, until the end.
    under_way: Option<(Slot, Option<Uploading>)>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    Nothing,
}

impl Answer {
    pub(crate) fn new(incoming: RecvStream, slot: Slot, uploading: Option<Uploading>, patience: Patience) -> Self {
        let stall = Stall::new(patience.read);
        let mut answer = Self { stage: Stage::Data, incoming, stall, patience, under_way: Some((slot, uploading)) };
        if answer.incoming.is_end_stream() {
            answer.finish();
        }
        answer
    }

    /// The end: what the client might still send interests nobody any more.
    fn finish(&mut self) {
        self.stage = Stage::Nothing;
        self.under_way = None;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.stage == Stage::Data {
            match ready!(self.incoming.poll_data(cx)) {
                Some(Ok(data)) => {
                    // The upstream may send as much again, now that the client takes this.
                    let _ = self.incoming.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.stage = Stage::Trailers,
            }
        }
        let trailers = ready!(self.incoming.poll_trailers(cx));
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)).transpose())
    }

    fn break_off(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let under_way = self.under_way.as_ref();
        let upstream = under_way.map(|(slot, _)| slot.address());
        // A request that could not go on has ended its response with it.
        let error = under_way.and_then(|(_, uploading)| uploading.as_ref()?.failure()).unwrap_or(error);
        let side = error.side().as_str();
        match error.side() {
            Side::Client => tracing::info!(?upstream, side, cause = %error, "Response broken off"),
            _ => tracing::error!(?upstream, side, cause = %error, "Response broken off"),
        }
        self.finish();
        Poll::Ready(Some(Err(error.into())))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.stage == Stage::Nothing {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = this.poll_next(cx) else {
            ready!(this.stall.poll(cx));
            return this.break_off(Error::new(Kind::ReadTimeout(this.patience.read)));
        };
        this.stall.end();
        match frame {
            Some(Ok(frame)) => {
                if this.incoming.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => this.break_off(failure::of_stream(error, this.patience.write)),
            None => {
                this.finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Nothing
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}
