//! The text of a setting as a typed value.

use std::time::Duration;

use super::known::Kind;

/// Why `text` cannot be the value of the setting `name`, in Kong's words where it has some.
pub(super) fn check(name: &str, text: &str, kind: Kind) -> Result<(), String> {
    let (fits, expected) = match kind {
        Kind::Text | Kind::List => return Ok(()),
        Kind::OneOf(words) if words.contains(&text) => return Ok(()),
        Kind::OneOf(words) => {
            return Err(format!("{name} has an invalid value: '{text}' ({})", words.join(", ")));
        }
        Kind::Number => (number(text).is_some(), "number"),
        Kind::Switch => (switch(text).is_some(), "boolean"),
        Kind::Size => (size(text).is_some(), "size"),
        Kind::Time => (time(text).is_some(), "time"),
    };
    if fits {
        return Ok(());
    }
    let right = match kind {
        Kind::Switch => " (on, off)",
        Kind::Size => " (a number of bytes, or one with k, m or g as in 10m)",
        Kind::Time => " (a number of seconds, or one with ms, s, m, h or d as in 30s)",
        _ => "",
    };
    Err(format!("{name} is not a {expected}: '{text}'{right}"))
}

/// `on`, `off`, `true`, `false`.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text {
        "on" | "true" => Some(true),
        "off" | "false" => Some(false),
        _ => None,
    }
}

/// A number that is finite and not negative.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)
}

/// A whole number of bytes: `0`, `512`, `8k`, `10m`, `1g`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1 << 10),
        None => match text.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1 << 20),
            None => match text.strip_suffix(['g', 'G']) {
                Some(digits) => (digits, 1 << 30),
                None => (text, 1),
            },
        },
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// A time as nginx writes it: `75`, `30s`, `500ms`, `1m`, `1h`, `1d`.
pub(super) fn time(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let (digits, milliseconds) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
        .unwrap_or((text, 1000));
    digits.trim_end().parse::<u64>().ok()?.checked_mul(milliseconds).map(Duration::from_millis)
}

/// The entries of a list with commas, without empty ones.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_written_as_in_nginx() {
        assert_eq!(
            ["0", "8k", "10m", "1G", "12"].map(size),
            [Some(0), Some(8192), Some(10 << 20), Some(1 << 30), Some(12)]
        );
        assert_eq!(["", "m", "-1", "10mb", "99999999999g"].map(size), [None; 5]);
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(
            ["75", "30s", "500ms", "1m", "1d"].map(time),
            [ms(75_000), ms(30_000), ms(500), ms(60_000), ms(86_400_000)]
        );
        assert_eq!(["", "fast", "-1s"].map(time), [None; 3]);
    }
}
