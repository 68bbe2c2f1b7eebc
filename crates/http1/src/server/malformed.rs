//! Requests that are none.

use std::fmt;

use http::request::Parts;

/// What came instead of a request, given to the service so that it can say what was wrong.
///
/// The connection is closed after the answer: nobody can tell where a next request would begin.
#[derive(Debug)]
pub struct Malformed {
    fault: Fault,
    // A rare case that should not make every request's way wider.
    head: Box<Parts>,
}

/// What is wrong with a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No method, target and version, or one that is malformed (400). HTTP/0.9 is among them.
    RequestLine,
    /// The request line is longer than [`Config::line`](super::Config::line) (414).
    RequestLineTooLong,
    /// A header line that is none, or whose value has control characters (400).
    Header,
    /// A header line, or the whole head, is too long (431; nginx answers 400 and logs 494).
    HeadTooLarge,
    /// There are more header lines than [`Config::header_lines`](super::Config::header_lines) (431).
    TooManyHeaders,
    /// A version of HTTP that is not 1 (505).
    Version,
    /// How long the body is can be read in two ways, or not at all (400).
    Framing,
    /// A transfer coding that is not exactly `chunked` (501).
    TransferCoding,
}

impl Malformed {
    pub(super) fn new(fault: Fault, head: Parts) -> Self {
        Self { fault, head: Box::new(head) }
    }

    /// What is wrong.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// What was read before it went wrong; where nothing was, there is what an empty request has
    /// (`GET / HTTP/1.1` without headers).
    pub fn head(&self) -> &Parts {
        &self.head
    }

    /// The same, to be taken apart.
    pub fn into_head(self) -> Parts {
        *self.head
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.fault {
            Fault::RequestLine => "the request line is malformed",
            Fault::RequestLineTooLong => "the request line is too long",
            Fault::Header => "a header line is malformed",
            Fault::HeadTooLarge => "a header line, or all of them, are too long",
            Fault::TooManyHeaders => "there are too many header lines",
            Fault::Version => "a version of HTTP that is not 1",
            Fault::Framing => "the length of the body is ambiguous",
            Fault::TransferCoding => "a transfer coding that is not chunked",
        })
    }
}

impl std::error::Error for Malformed {}
