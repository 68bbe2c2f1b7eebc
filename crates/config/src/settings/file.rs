//! kong.conf as written: `name = value` lines.

use super::problem::{Origin, Problem};
use crate::source::Source;

/// The settings of a file with the line each stands in. A name given twice counts with its last
/// value, as in Kong.
pub(super) fn read(source: &Source, problems: &mut Vec<Problem>) -> Vec<(String, String, Origin)> {
    let mut settings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let origin = Origin::File { name: source.name.clone(), line: index.saturating_add(1) };
        let line = without_comment(line);
        if line.trim().is_empty() {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) if is_name(name.trim()) => {
                settings.push((name.trim().to_owned(), value.trim().to_owned(), origin));
            }
            _ => problems.push(Problem::new(origin, format!("expected 'name = value', found '{}'", line.trim()))),
        }
    }
    settings
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Everything before the first `#`; `\#` stands for a real one.
fn without_comment(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    for c in line.chars() {
        if c == '#' && kept.ends_with('\\') {
            kept.pop();
        } else if c == '#' {
            break;
        }
        kept.push(c);
    }
    kept
}
