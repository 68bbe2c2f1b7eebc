//! The value of a header, put together without texts in between.

use std::fmt;

use http::HeaderValue;

use crate::ids::{Size, SpanId, TraceId, hex};

/// More bytes than any format of traces takes.
const ROOM: usize = 96;

/// The value of a header as it is put together.
pub(super) struct Text {
    bytes: [u8; ROOM],
    length: usize,
}

impl Text {
    pub(super) fn new() -> Self {
        Self { bytes: [0; ROOM], length: 0 }
    }

    /// What follows. What there is no room for is left out, which no format comes to.
    pub(super) fn with(mut self, part: &str) -> Self {
        self.push(part.as_bytes());
        self
    }

    /// The id of a trace in so many digits.
    pub(super) fn with_trace(mut self, id: TraceId, size: Size) -> Self {
        match size {
            Size::Eight => self.push(hex(id.low().to_be_bytes()).as_flattened()),
            Size::Sixteen => self.push(hex(id.bits().to_be_bytes()).as_flattened()),
        }
        self
    }

    /// The id of a trace as a time of 8 digits and what else makes it unique, with a dash between them.
    pub(super) fn with_time_and_unique(mut self, id: TraceId) -> Self {
        let digits = hex(id.bits().to_be_bytes());
        let (time, unique) = digits.as_flattened().split_at_checked(8).unwrap_or_default();
        for part in [time, b"-", unique] {
            self.push(part);
        }
        self
    }

    /// The id of a span in 16 digits.
    pub(super) fn with_span(mut self, id: SpanId) -> Self {
        self.push(hex(id.bits().to_be_bytes()).as_flattened());
        self
    }

    fn push(&mut self, part: &[u8]) {
        let end = self.length.saturating_add(part.len());
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(part);
            self.length = end;
        }
    }

    /// The value. `None` does not happen: digits and punctuation are fit for a header.
    pub(super) fn value(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(self.bytes.get(..self.length)?).ok()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part.as_bytes());
        Ok(())
    }
}
