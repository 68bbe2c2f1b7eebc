//! What it does to a request.

use std::sync::Arc;

use http::{HeaderName, request::Parts};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Responding, Task, Verdict};

use super::config::{EACH_REQUEST, RateLimitingConfig};
use crate::{
    backend::{Backend, Naming, Place},
    configured::{header_name, scope, seconds, status},
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
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn may_read(&self, name: &HeaderName) -> bool {
        self.limiter.source.may_read(name)
    }

    fn check(&self, cx: &Context, head: &mut Parts) -> Verdict {
        self.limiter.check(cx, head)
    }
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
