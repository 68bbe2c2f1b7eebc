//! What it does to a request.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, StatusCode, request::Parts};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Task, Verdict};
use uuid::Uuid;

use super::config::{EACH_REQUEST, RateLimitingConfig};
use crate::{
    backend::{Backend, Naming, Place},
    headers::HeaderStyle,
    identifier::Source,
    limiter::{Limiter, Rule},
    window::Window,
};

/// So many requests per period of the calendar: the policy of Kong's plugin `rate-limiting`.
#[derive(Debug)]
pub struct RateLimiting {
    limiter: Limiter,
    backend: Backend,
}

impl Plugin for RateLimiting {
    const NAME: &'static str = "rate-limiting";
    const PRIORITY: i32 = 910;

    type Config = RateLimitingConfig;

    fn new(config: RateLimitingConfig, env: &Env) -> Result<Self, PluginError> {
        let mut rule = Rule::new(config.limits().map(|(period, limit)| Window::calendar(period, limit)).collect());
        rule.fault_tolerant = config.fault_tolerant;
        rule.status = status("error_code", config.error_code)?;
        if let Some(message) = config.error_message.clone() {
            rule.message = message;
        }
        if config.hide_client_headers {
            rule.style = HeaderStyle::Hidden;
        }
        let backend = backend(&config, env)?;
        Ok(Self { limiter: Limiter::new(source(&config)?, rule, backend.store.clone()), backend })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        self.backend.background()
    }
}

impl Guard for RateLimiting {
    fn check(&self, cx: &Context, head: &mut Parts) -> Verdict {
        self.limiter.check(cx, head)
    }
}

/// Kong's counters belong to the route and service a plugin is scoped to, whoever the consumer: a
/// global plugin has one for all routes.
pub(crate) fn scope(prefix: &str, env: &Env) -> String {
    let (route, service) = (env.route.unwrap_or(Uuid::nil()), env.service.unwrap_or(Uuid::nil()));
    format!("{prefix}:{route}:{service}")
}

fn backend(config: &RateLimitingConfig, env: &Env) -> Result<Backend, PluginError> {
    let place = match config.policy.as_deref() {
        Some("redis") => {
            let settings = config.redis.settings()?;
            match config.sync_rate {
                EACH_REQUEST => Place::Redis { settings, fall_back: false },
                rate => {
                    Place::Exchanging { settings, every: seconds("sync_rate", rate)?, strict: !config.fault_tolerant }
                }
            }
        }
        _ => Place::Here,
    };
    Backend::new(place, Naming { scope: scope("ratelimit", env), tagged: false }, env)
}

/// A number of seconds that was configured.
pub(crate) fn seconds(field: &str, seconds: f64) -> Result<Duration, PluginError> {
    Duration::try_from_secs_f64(seconds).map_err(|_| PluginError::new(field, "must be a number of seconds"))
}

fn source(config: &RateLimitingConfig) -> Result<Source, PluginError> {
    Ok(match config.limit_by.as_deref().unwrap_or("consumer") {
        "credential" => Source::Credential,
        "ip" => Source::Address,
        "service" => Source::Service,
        "header" => Source::Header(header_name("header_name", config.header_name.as_deref())?),
        "path" => Source::Path(config.path.clone().unwrap_or_default().into()),
        _ => Source::Consumer,
    })
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
