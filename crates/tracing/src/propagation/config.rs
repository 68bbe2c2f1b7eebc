//! What an operator writes about propagation, in Kong's new and old way.

use http::HeaderName;
use serde::{Deserialize, Serialize};
use towergate_core::PluginError;
use towergate_schema::{Schema, typedefs};

use super::{ANY, Format, Propagation, Target};

/// Which headers a trace comes in and goes on in (`propagation` of a plugin's configuration).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct PropagationConfig {
    /// The formats looked for in a request; the first one found counts. Without any, each request begins a trace.
    #[schema(elements(one_of("w3c", "b3", "jaeger", "ot", "datadog", "aws", "gcp", "instana")))]
    pub extract: Option<Vec<String>>,
    /// Headers taken off a request after that.
    #[schema(elements(like = typedefs::header_name))]
    pub clear: Option<Vec<String>>,
    /// The formats in which the trace goes on. `preserve` is the one it came in, or `default_format`. Without any, it
    /// does not go on.
    #[schema(elements(one_of(
        "preserve",
        "w3c",
        "b3",
        "b3-single",
        "jaeger",
        "ot",
        "datadog",
        "aws",
        "gcp",
        "instana"
    )))]
    pub inject: Option<Vec<String>>,
    /// The format of `preserve` for a request that came without a trace.
    #[schema(required, one_of("w3c", "b3", "b3-single", "jaeger", "ot", "datadog", "aws", "gcp", "instana"))]
    pub default_format: String,
}

impl PropagationConfig {
    /// What this says. `header_type` and `default_header_type` are the old way; they count only if nothing but
    /// `default_format` is said in the new one.
    ///
    /// # Errors
    /// A name that is no format's or no header's.
    pub(crate) fn resolve(
        &self,
        header_type: Option<&str>,
        default_header_type: Option<&str>,
    ) -> Result<Propagation, PluginError> {
        let is_new = self.extract.is_some() || self.clear.is_some() || self.inject.is_some();
        if is_new {
            return Ok(Propagation {
                extract: formats(self.extract.as_deref(), "propagation.extract", format)?,
                clear: formats(self.clear.as_deref(), "propagation.clear", header)?,
                inject: formats(self.inject.as_deref(), "propagation.inject", target)?,
                default: format(&self.default_format)
                    .map_err(|error| PluginError::new("propagation.default_format", error))?,
            });
        }
        let default = format(default_header_type.unwrap_or(&self.default_format));
        let default = default.map_err(|error| PluginError::new("propagation.default_format", error))?;
        let wrong = |error| PluginError::new("header_type", error);
        let (extract, inject) = match header_type {
            None => (Vec::new(), Vec::new()),
            Some("preserve") => (ANY.to_vec(), vec![Target::Preserve]),
            Some("ignore") => (Vec::new(), vec![Target::In(default)]),
            Some(name) => (ANY.to_vec(), vec![Target::Preserve, Target::In(format(name).map_err(wrong)?)]),
        };
        Ok(Propagation { extract, clear: Vec::new(), inject, default })
    }
}

fn formats<T>(
    names: Option<&[String]>,
    field: &str,
    read: fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, PluginError> {
    let wrong = |(index, error)| PluginError::new(format!("{field}[{index}]"), error);
    let read = |(index, name): (usize, &String)| read(name).map_err(|error| wrong((index, error)));
    names.unwrap_or_default().iter().enumerate().map(read).collect()
}

fn format(name: &str) -> Result<Format, String> {
    name.parse().map_err(|error: super::UnknownFormat| error.to_string())
}

fn header(name: &str) -> Result<HeaderName, String> {
    name.parse().map_err(|_| format!("'{name}' is not a header's name"))
}

fn target(name: &str) -> Result<Target, String> {
    if name == "preserve" { Ok(Target::Preserve) } else { format(name).map(Target::In) }
}
