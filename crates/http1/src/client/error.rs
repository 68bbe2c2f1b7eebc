//! What may go wrong between a request and the end of its response.

use std::{fmt, io, time::Duration};

use crate::{chunked::ChunkError, head::HeadError};

/// Any error.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request got no response, or not the whole of it. The connection is closed then.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    unsent: bool,
    heard: bool,
    source: Option<BoxError>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection ended before the response, or within it.
    Closed,
    /// The server owed something and sent nothing for so long.
    ReadTimeout(Duration),
    /// The server took nothing of the request for so long.
    WriteTimeout(Duration),
    /// What came is not a response of HTTP/1.1.
    BadResponse,
    /// Interim responses came without end, but no response.
    NoAnswer,
    /// The request's body ended in an error, which is the source, or had another length than announced.
    RequestBody,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { kind, unsent: false, heard: true, source: None }
    }

    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, unsent: bool, heard: bool) -> Self {
        (self.unsent, self.heard) = (unsent, heard);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether not a byte of the request can have reached the server.
    pub fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// Whether any byte of a response has come.
    pub fn is_heard(&self) -> bool {
        self.heard
    }

    /// The cause, if there is one apart from the kind.
    pub fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        self.source
    }
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        Self::new(ErrorKind::Closed).because(cause)
    }
}

impl From<HeadError> for Error {
    fn from(cause: HeadError) -> Self {
        Self::new(ErrorKind::BadResponse).because(cause)
    }
}

impl From<ChunkError> for Error {
    fn from(cause: ChunkError) -> Self {
        Self::new(ErrorKind::BadResponse).because(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Closed => f.write_str("the connection was closed too early"),
            ErrorKind::ReadTimeout(limit) => write!(f, "nothing came for {limit:?}"),
            ErrorKind::WriteTimeout(limit) => write!(f, "nothing was taken for {limit:?}"),
            ErrorKind::BadResponse => f.write_str("the answer is not HTTP/1.1"),
            ErrorKind::NoAnswer => f.write_str("interim responses came without end, but no response"),
            ErrorKind::RequestBody => f.write_str("the request's body broke off"),
        }?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
