//! One request on its stream, until the head of the response.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use h2::client::ResponseFuture;
use http::{Request, Response};
use http_body::Body as _;

use super::{
    Patience,
    answer::Answer,
    connection::{Claim, Slot},
    failure,
    stall::Stall,
    upload::Upload,
};
use crate::{
    error::{Error, Kind},
    request_body::Feed,
};

/// Sends a request and waits for the head of its response. The two overlap: a response may begin
/// while its request is still on its way, which then goes on beside it.
///
/// Dropping the future resets the stream, so that the upstream learns of it.
pub(crate) async fn send(
    claim: Claim,
    head: Request<()>,
    body: Feed,
    patience: Patience,
) -> Result<Response<Answer>, Error> {
    let Claim { mut sender, slot } = claim;
    if let Err(error) = poll_fn(|cx| sender.poll_ready(cx)).await {
        return Err(Error::new(Kind::Closed).because(error).unsent());
    }
    let before = (slot.traffic().read(), slot.traffic().written());
    let is_whole = body.is_end_stream();
    let (response, stream) = match sender.send_request(head, is_whole) {
        Ok(begun) => begun,
        Err(error) if error.is_io() || error.is_go_away() => {
            return Err(Error::new(Kind::Closed).because(error).unsent());
        }
        Err(error) => return Err(Error::new(Kind::BadRequest).because(error)),
    };
    drop(sender);
    let upload = (!is_whole).then(|| Upload::new(body, stream, patience.write));
    let mut waiting = Waiting { response, upload, stall: Stall::new(patience.read), patience };
    match poll_fn(|cx| waiting.poll(cx)).await {
        Ok(response) => Ok(waiting.answer(response, slot)),
        Err(error) => Err(learn(error, &slot, before)),
    }
}

/// What a failure tells about the connection, and what the connection tells about the failure.
/// `before` is what had been read and written on it when the request began.
fn learn(error: Error, slot: &Slot, before: (u64, u64)) -> Error {
    let (read, written) = before;
    if error.is_timeout() && slot.traffic().read() == read {
        // Not a byte for anybody in all that time: whoever comes next had better not wait for it.
        slot.retire();
    }
    if error.is_closed() && slot.traffic().written() == written { error.unsent() } else { error }
}

/// A request whose response has not begun.
struct Waiting {
    response: ResponseFuture,
    /// What is left to send.
    upload: Option<Upload>,
    /// Runs when the request was sent and it is the upstream's turn.
    stall: Stall,
    patience: Patience,
}

impl Waiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<h2::RecvStream>, Error>> {
        if let Some(upload) = &mut self.upload
            && upload.poll(cx)?.is_ready()
        {
            self.upload = None;
        }
        if let Poll::Ready(response) = Pin::new(&mut self.response).poll(cx) {
            return Poll::Ready(response.map_err(|error| failure::of_stream(error, self.patience.write)));
        }
        if self.upload.is_some() {
            return Poll::Pending;
        }
        ready!(self.stall.poll(cx));
        Poll::Ready(Err(Error::new(Kind::ReadTimeout(self.patience.read))))
    }

    fn answer(self, response: Response<h2::RecvStream>, slot: Slot) -> Response<Answer> {
        let uploading = self.upload.map(Upload::go_on);
        response.map(|incoming| Answer::new(incoming, slot, uploading, self.patience))
    }
}
