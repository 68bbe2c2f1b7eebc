//! From what was configured to what it means.

use std::time::Duration;

use http::{HeaderName, StatusCode};
use towergate_core::{Env, PluginError};
use uuid::Uuid;

/// A number of seconds that was configured.
pub(crate) fn seconds(field: &str, seconds: f64) -> Result<Duration, PluginError> {
    Duration::try_from_secs_f64(seconds).map_err(|_| PluginError::new(field, "must be a number of seconds"))
}

/// The name of a header that was configured.
pub(crate) fn header_name(field: &str, name: Option<&str>) -> Result<HeaderName, PluginError> {
    let name = name.unwrap_or_default();
    HeaderName::try_from(name).map_err(|_| PluginError::new(field, format!("'{name}' is not the name of a header")))
}

/// The status of refusals that was configured.
pub(crate) fn status(field: &str, code: Option<f64>) -> Result<StatusCode, PluginError> {
    let Some(code) = code else { return Ok(StatusCode::TOO_MANY_REQUESTS) };
    let whole = if code.fract() == 0.0 && (400.0..600.0).contains(&code) { code as u16 } else { 0 };
    StatusCode::from_u16(whole)
        .map_err(|_| PluginError::new(field, "must be the HTTP status of an error: a whole number from 400 to 599"))
}

/// Kong's counters belong to the route and service a plugin is scoped to, whoever the consumer: a
/// global plugin has one for all routes.
pub(crate) fn scope(prefix: &str, env: &Env) -> String {
    let (route, service) = (env.route.unwrap_or(Uuid::nil()), env.service.unwrap_or(Uuid::nil()));
    format!("{prefix}:{route}:{service}")
}
