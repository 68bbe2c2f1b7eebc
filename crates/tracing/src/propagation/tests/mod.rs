//! What is read and written, from the specifications of the formats and Kong's documentation.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod any_input;
mod extract;
mod inject;
mod policy;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of these lines.
fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line =
        |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    lines.iter().map(line).collect()
}
