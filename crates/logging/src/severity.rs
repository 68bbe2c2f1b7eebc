//! How severe a request is, for logs that want to know.

use towergate_schema::Field;

/// Severities by name, the most severe first; the number of each is its place.
const NAMES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// A field of a configuration that names a severity. Kong's message lists the least severe first.
pub(crate) fn named() -> Field {
    Field::string().one_of(NAMES.into_iter().rev())
}

/// `info`, Kong's default for all.
const INFO: u8 = 6;

/// Which severity a request has by its status, and from which on it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Severities {
    least: u8,
    successful: u8,
    client_errors: u8,
    server_errors: u8,
}

impl Severities {
    /// By their names; what is none is `info`.
    pub(crate) fn new(log_level: &str, successful: &str, client_errors: &str, server_errors: &str) -> Self {
        let number = |name: &str| {
            let place = NAMES.iter().position(|known| *known == name);
            place.and_then(|place| u8::try_from(place).ok()).unwrap_or(INFO)
        };
        Self {
            least: number(log_level),
            successful: number(successful),
            client_errors: number(client_errors),
            server_errors: number(server_errors),
        }
    }

    /// The severity of a request with this status; `None` if it is not to be told.
    pub(crate) fn of(self, status: u16) -> Option<u8> {
        let severity = match status {
            500.. => self.server_errors,
            400.. => self.client_errors,
            _ => self.successful,
        };
        (severity <= self.least).then_some(severity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_decides_and_what_is_less_severe_is_not_told() {
        let severities = Severities::new("warning", "info", "warning", "err");
        assert_eq!(
            [200, 302, 400, 499, 500, 504].map(|status| severities.of(status)),
            [None, None, Some(4), Some(4), Some(3), Some(3)]
        );
    }
}
