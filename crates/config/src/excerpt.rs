//! The lines of a text around a place, with a mark under it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use crate::document::Position;

/// Longest part of a line that is shown; minified JSON has everything on one.
const WIDEST: usize = 100;

/// The line at `at`, the one before it if it is not empty, and a caret below with `hint` after it.
/// Empty when there is no such line.
pub(crate) fn excerpt(text: &str, at: Position, hint: Option<&str>) -> String {
    let mut out = String::new();
    let Some(index) = usize::try_from(at.line).ok().and_then(|line| line.checked_sub(1)) else {
        return out;
    };
    let mut lines = text.lines().skip(index.saturating_sub(1));
    let before = if index > 0 { lines.next() } else { None };
    let Some(line) = lines.next() else { return out };
    let column = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    let skipped = column.saturating_sub(WIDEST / 2);
    let margin = at.line.to_string().len();
    if let Some(before) = before.filter(|before| !before.trim().is_empty() && skipped == 0) {
        let _ = writeln!(out, "  {:>margin$} | {}", at.line.saturating_sub(1), window(before, 0));
    }
    let _ = writeln!(out, "  {} | {}", at.line, window(line, skipped));
    let _ = write!(out, "  {:margin$} | {:indent$}^", "", "", indent = column.saturating_sub(skipped));
    if let Some(hint) = hint {
        let _ = write!(out, " {hint}");
    }
    out.push('\n');
    out
}

fn window(line: &str, skipped: usize) -> String {
    without_keys(line).chars().skip(skipped).take(WIDEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The line without what stands in a private key: reports go to logs.
fn without_keys(line: &str) -> Cow<'_, str> {
    const LABEL: &str = "PRIVATE KEY-----";
    // PEM has 64 characters to a line, some write 76.
    const LINE: RangeInclusive<usize> = 40..=76;
    if let Some((before, _)) = line.split_once(LABEL) {
        return Cow::Owned(format!("{before}{LABEL}…"));
    }
    let text = line.trim();
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if LINE.contains(&text.len()) && text.bytes().all(is_base64) { Cow::Borrowed("…") } else { Cow::Borrowed(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_not_shown() {
        let at = |line| Position { line, column: 3 };
        let inline = "a:\n  key: \"-----BEGIN PRIVATE KEY-----\\nMIGHAgEA\"\n";
        assert_eq!(excerpt(inline, at(2), None).lines().nth(1), Some("  2 |   key: \"-----BEGIN PRIVATE KEY-----…"));
        let base64 = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3t3AdQ==";
        let block = format!("  key: |\n    {base64}\n  x: y\n");
        let shown = excerpt(&block, at(3), None);
        assert!(shown.contains("x: y") && !shown.contains("MIGH"), "{shown}");
        assert!(!excerpt(&block, at(2), None).contains("MIGH"));
    }

    #[test]
    fn a_caret_stands_under_the_place() {
        let text = "services:\n- name: a\n  hots: b\n";
        assert_eq!(
            excerpt(text, Position { line: 3, column: 3 }, Some("did you mean `host`?")),
            "  2 | - name: a\n  3 |   hots: b\n    |   ^ did you mean `host`?\n"
        );
        assert_eq!(excerpt(text, Position { line: 1, column: 1 }, None), "  1 | services:\n    | ^\n");
        assert_eq!(excerpt(text, Position::default(), None), "");
        assert_eq!(excerpt(text, Position { line: 9, column: 1 }, None), "");
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_place_is_shown() {
        let line = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let shown = excerpt(&line, Position { line: 1, column: 501 }, None);
        assert!(shown.lines().all(|line| line.chars().count() < 120), "{shown}");
        assert_eq!(shown.lines().next().unwrap().find('x'), shown.lines().nth(1).unwrap().find('^'));
    }
}
