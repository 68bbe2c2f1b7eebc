//! Responses that could not be sent to their end.

use std::{error::Error, fmt};

use super::{BoxError, output::Encoder};

/// Why a response could not be sent to its end.
#[derive(Debug)]
pub struct Broken {
    source: BoxError,
    looks_whole: bool,
}

impl Broken {
    pub(super) fn new(source: BoxError, encoder: Encoder) -> Self {
        Self { source, looks_whole: encoder == Encoder::UntilClose }
    }

    /// Whether the client takes what it has for the whole response if the connection just ends. It
    /// is to be reset then (see [`Connection::with_stream`](super::Connection::with_stream)).
    pub fn looks_whole(&self) -> bool {
        self.looks_whole
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a response could not be sent to its end: {}", self.source)
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
