//! What the look at a request leaves for the look at its response.
//!
//! A guard sees only the response on the way back, so the request's origin travels there in a
//! header that is taken out again before the client sees it. It is written whenever the answer
//! depends on the origin, so an origin that the upstream wrote there never counts.

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_core::{Context, Reply};

const NOTE: HeaderName = HeaderName::from_static("towergate-cors-note");

/// No header from the network has this value: white space around values is not part of them.
const DONE: HeaderValue = HeaderValue::from_static("\t");

/// What is known of the request when its response is seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The response has what it needs, or is to be left alone.
    Done,
    /// The request came from this origin, or from none, or it was never seen.
    From(Option<HeaderValue>),
}

/// Notes that the response is to be left alone.
pub(crate) fn leave_alone(cx: &Context) {
    cx.set_response_header(NOTE, DONE);
}

/// Notes the origin of the request.
pub(crate) fn origin(cx: &Context, origin: Option<&HeaderValue>) {
    cx.set_response_header(NOTE, origin.cloned().unwrap_or(HeaderValue::from_static("")));
}

/// Notes on our own reply that it has what it needs.
pub(crate) fn done(reply: Reply) -> Reply {
    reply.with_header(NOTE, DONE)
}

/// Takes the note out.
pub(crate) fn take(headers: &mut HeaderMap) -> Note {
    match headers.remove(NOTE) {
        Some(note) if note == DONE => Note::Done,
        note => Note::From(note.filter(|origin| !origin.is_empty())),
    }
}
