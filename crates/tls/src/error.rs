//! What is wrong with certificates, keys and settings, in words for people.

use std::fmt;

/// Which of two PEM texts a problem is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The certificates.
    Certificate,
    /// The private key.
    Key,
    /// That they do not go together.
    Both,
}

/// What is wrong with a certificate or a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemError {
    part: Part,
    message: String,
}

impl PemError {
    pub(crate) fn certificate(message: impl Into<String>) -> Self {
        Self { part: Part::Certificate, message: message.into() }
    }

    pub(crate) fn both(message: impl Into<String>) -> Self {
        Self { part: Part::Both, message: message.into() }
    }

    pub(crate) fn key(message: impl Into<String>) -> Self {
        Self { part: Part::Key, message: message.into() }
    }

    /// Where the problem is.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PemError {}

/// Settings under which nobody could connect, or which TLS cannot be started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub(crate) String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}
