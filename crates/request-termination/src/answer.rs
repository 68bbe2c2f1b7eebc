//! What is answered.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use towergate_core::Reply;

/// What is answered, but for the status.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// What Kong says to the status.
    Default,
    Message(Arc<str>),
    Body {
        content_type: Option<HeaderValue>,
        body: Bytes,
    },
}

impl Answer {
    pub(crate) fn reply(&self, status: StatusCode) -> Reply {
        match self {
            Self::Message(message) => Reply::exit(status, message.to_string()),
            Self::Body { content_type: Some(content_type), body } => {
                Reply::raw(status, content_type.clone(), body.clone())
            }
            Self::Body { content_type: None, body } => Reply::untyped(status, body.clone()),
            Self::Default => default(status),
        }
    }

    /// The message of an answer that tells what arrived.
    pub(crate) fn message(&self, status: StatusCode) -> Option<&str> {
        match self {
            Self::Message(message) => Some(message),
            Self::Default | Self::Body { .. } => default_message(status),
        }
    }
}

fn default_message(status: StatusCode) -> Option<&'static str> {
    Some(match status.as_u16() {
        401 => "Unauthorized",
        404 => "Not found",
        405 => "Method not allowed",
        500 => "An unexpected error occurred",
        502 => "Bad Gateway",
        503 => "Service unavailable",
        _ => return None,
    })
}

/// Where the plugin has no words, Kong leaves the answer to nginx: to Kong's own pages where nginx is
/// told to use them (`error_page`), to nginx's where it has one, to nothing otherwise.
fn default(status: StatusCode) -> Reply {
    if let Some(message) = default_message(status) {
        return Reply::exit(status, message);
    }
    match status.as_u16() {
        400 | 408 | 411..=414 | 417 | 494 | 504 => Reply::fault(status),
        301..=303 | 307 | 308 | 402 | 403 | 406 | 409 | 410 | 415 | 416 | 421 | 429 | 501 | 505 | 507 => {
            Reply::page(status)
        }
        _ => Reply::empty(status),
    }
}
