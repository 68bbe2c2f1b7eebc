//! What the gateway tells about requests when they are over: plugins that log, and access logs.

mod access;
mod apis;
mod collectors;
mod entry;
mod protocols;
mod tls;

use std::path::Path;

use serde_json::Value;
use towergate_tests::{SOON, eventually_some};

/// The lines of a file, once there are so many.
#[track_caller]
fn lines(path: &Path, count: usize) -> Vec<String> {
    eventually_some(SOON, || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count && text.ends_with('\n')).then_some(lines)
    })
}

/// The entries of a file of JSON lines, once there are so many.
#[track_caller]
fn entries(path: &Path, count: usize) -> Vec<Value> {
    let parsed = lines(path, count).into_iter().map(|line| serde_json::from_str(&line).expect("a line of JSON"));
    parsed.collect()
}
