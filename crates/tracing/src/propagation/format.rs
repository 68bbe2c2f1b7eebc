//! The formats in which traces travel in headers.

use std::{fmt, str::FromStr};

/// A format in which traces travel in the headers of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `traceparent` ([W3C Trace Context](https://www.w3.org/TR/trace-context/)).
    W3c,
    /// `X-B3-TraceId` and the others of [B3](https://github.com/openzipkin/b3-propagation); the single header is
    /// understood, too.
    B3,
    /// `b3`, the single header of B3; only written.
    B3Single,
    /// `uber-trace-id` of Jaeger, with baggage in `uberctx-*`.
    Jaeger,
    /// `ot-tracer-*` of OpenTracing, with baggage in `ot-baggage-*`.
    Ot,
    /// `x-datadog-*`.
    Datadog,
    /// `X-Amzn-Trace-Id` of AWS X-Ray.
    Aws,
    /// `X-Cloud-Trace-Context` of Google Cloud.
    Gcp,
    /// `X-INSTANA-T`, `-S` and `-L`.
    Instana,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 9] = [
        Self::W3c,
        Self::B3,
        Self::B3Single,
        Self::Jaeger,
        Self::Ot,
        Self::Datadog,
        Self::Aws,
        Self::Gcp,
        Self::Instana,
    ];

    /// Its name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::W3c => "w3c",
            Self::B3 => "b3",
            Self::B3Single => "b3-single",
            Self::Jaeger => "jaeger",
            Self::Ot => "ot",
            Self::Datadog => "datadog",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Instana => "instana",
        }
    }

    /// Its name in logs, where both forms of B3 are the same.
    pub(crate) fn logged(self) -> &'static str {
        match self {
            Self::B3Single => "b3",
            format => format.as_str(),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no format's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
        write!(f, "expected one of: {}", names.join(", "))
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or(UnknownFormat)
    }
}
