//! Traces in the headers of requests: found, taken off, written anew.

mod aws;
mod b3;
mod baggage;
mod carried;
mod config;
mod datadog;
mod format;
mod gcp;
mod inject;
mod instana;
mod jaeger;
mod ot;
mod present;
mod text;
mod w3c;

use http::{HeaderMap, HeaderName};
use towergate_core::TraceFormats;

use self::present::Present;
pub use self::{
    carried::Carried,
    config::PropagationConfig,
    format::{Format, UnknownFormat},
    inject::Injected,
};

impl Format {
    /// What headers of this format say; `None` if there are none that can be read.
    pub fn extract(self, headers: &HeaderMap) -> Option<Carried> {
        match self {
            Self::W3c => w3c::extract(headers),
            Self::B3 | Self::B3Single => b3::extract(headers),
            Self::Jaeger => jaeger::extract(headers),
            Self::Ot => ot::extract(headers),
            Self::Datadog => datadog::extract(headers),
            Self::Aws => aws::extract(headers),
            Self::Gcp => gcp::extract(headers),
            Self::Instana => instana::extract(headers),
        }
    }
}

/// Which formats are looked for in a request, and which go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Propagation {
    extract: Vec<Format>,
    clear: Vec<HeaderName>,
    inject: Vec<Target>,
    default: Format,
}

/// In which format a trace goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// In the one it came in; the default one if it came in none.
    Preserve,
    In(Format),
}

/// What a request's headers said.
#[derive(Debug, Clone, Default)]
pub struct Extracted {
    /// The trace, or nothing of it.
    pub carried: Carried,
    format: Option<Format>,
}

impl Propagation {
    /// Looks for any format, this one first, and lets a trace go on in the one it came in, or in this one.
    pub fn preserving(default: Format) -> Self {
        let mut extract = vec![default];
        extract.extend(ANY.into_iter().filter(|format| *format != default));
        Self { extract, clear: Vec::new(), inject: vec![Target::Preserve], default }
    }

    /// Looks for nothing: each request begins a trace, which goes on in this format.
    pub fn beginning(format: Format) -> Self {
        Self { extract: Vec::new(), clear: Vec::new(), inject: vec![Target::In(format)], default: format }
    }

    /// The formats looked for; the first one found counts.
    #[must_use]
    pub fn extract(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        self.extract = formats.into_iter().collect();
        self
    }

    /// The formats in which a trace goes on, besides the one it came in.
    #[must_use]
    pub fn also_inject(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        self.inject.extend(formats.into_iter().map(Target::In));
        self
    }

    /// The headers taken off before the trace is written anew.
    #[must_use]
    pub fn clear(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.clear = headers.into_iter().collect();
        self
    }

    /// What a request's headers say, in the first format that is found.
    pub fn read(&self, headers: &HeaderMap) -> Extracted {
        let present = Present::among(headers);
        if present.is_none() {
            return Extracted::default();
        }
        let mut formats = self.extract.iter().filter(|format| present.has(**format));
        let found = formats.find_map(|format| Some((format.extract(headers)?, *format)));
        found.map_or_else(Extracted::default, |(carried, format)| Extracted { carried, format: Some(format) })
    }

    /// Writes a trace into the headers of a request; answers how the trace's id is written there.
    pub fn write(&self, headers: &mut HeaderMap, from: &Extracted, trace: &Injected<'_>) -> TraceFormats {
        for name in &self.clear {
            headers.remove(name);
        }
        let mut written = TraceFormats::default();
        for target in &self.inject {
            let format = match target {
                Target::In(format) => *format,
                Target::Preserve => self.preserved(from),
            };
            written.add(format.logged(), format.inject(headers, trace));
        }
        written
    }

    fn preserved(&self, from: &Extracted) -> Format {
        match from.format {
            Some(Format::B3) if from.carried.is_single => Format::B3Single,
            Some(format) => format,
            None => self.default,
        }
    }
}

/// All formats that are looked for, in the order of Kong's `header_type: preserve`.
const ANY: [Format; 8] =
    [Format::B3, Format::W3c, Format::Jaeger, Format::Ot, Format::Datadog, Format::Aws, Format::Gcp, Format::Instana];

#[cfg(test)]
mod tests;
