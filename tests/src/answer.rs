//! What a client got: a whole answer, or a transfer that broke.

use std::time::Duration;

use crate::Headers;

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The words after the status code.
    pub reason: String,
    /// The header lines.
    pub headers: Headers,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Statuses of the 1xx answers that came before.
    pub interim: Vec<u16>,
    /// From when the client began to send what it sent last before, to the last byte of the answer: never less than the
    /// gateway took. Over HTTP/2, and for an answer to nothing new, from the call that waited for it.
    pub took: Duration,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The `message` of a JSON body.
    ///
    /// # Panics
    /// When the body has none.
    #[track_caller]
    pub fn message(&self) -> String {
        let json = self.json();
        json["message"].as_str().unwrap_or_else(|| panic!("no message in {json}")).to_owned()
    }

    /// The value of a header that is there once or not at all; see [`Headers::one`].
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.one(name)
    }
}

/// A transfer that ended before the answer was whole.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The status, if the head had come.
    pub status: Option<u16>,
    /// The part of the body that had come.
    pub body: Vec<u8>,
    /// What ended it.
    pub why: String,
}
