//! What it does to a request.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, request::Parts};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Responding, Task, Verdict};

use super::config::RateLimitingAdvancedConfig;
use crate::{
    backend::{Backend, Naming, Place},
    configured::{header_name, seconds, status},
    headers::HeaderStyle,
    identifier::Source,
    limiter::{Limiter, Rule},
    window::Window,
};

/// Limits in several windows of any size: the policy of Kong Enterprise's plugin
/// `rate-limiting-advanced`.
#[derive(Debug)]
pub struct RateLimitingAdvanced {
    limiter: Limiter,
    backend: Backend,
}

impl Plugin for RateLimitingAdvanced {
    const NAME: &'static str = "rate-limiting-advanced";
    const PRIORITY: i32 = 910;

    type Config = RateLimitingAdvancedConfig;

    fn new(config: RateLimitingAdvancedConfig, env: &Env) -> Result<Self, PluginError> {
        let (source, rule) = (source(&config, env)?, rule(&config)?);
        let backend = backend(&config, env)?;
        Ok(Self { limiter: Limiter::new(source, rule, backend.store.clone()), backend })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        self.backend.background()
    }
}

impl Guard for RateLimitingAdvanced {
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

fn rule(config: &RateLimitingAdvancedConfig) -> Result<Rule, PluginError> {
    let mut rule = Rule::new(windows(config)?);
    rule.penalty = !config.disable_penalty.unwrap_or(false);
    rule.status = status("error_code", config.error_code)?;
    rule.jitter = seconds("retry_after_jitter_max", config.retry_after_jitter_max.unwrap_or(0.0))?.as_secs();
    if let Some(message) = config.error_message.clone() {
        rule.message = message;
    }
    if config.hide_client_headers == Some(true) {
        rule.style = HeaderStyle::Hidden;
    }
    Ok(rule)
}

fn windows(config: &RateLimitingAdvancedConfig) -> Result<Vec<Window>, PluginError> {
    let window = |(size, limit)| {
        let size = seconds("window_size", size)?;
        if size < Duration::from_millis(1) {
            return Err(PluginError::new("window_size", "must be at least 0.001 seconds"));
        }
        Ok(Window::every(size, config.kind(), limit))
    };
    config.windows().into_iter().map(window).collect()
}

fn source(config: &RateLimitingAdvancedConfig, env: &Env) -> Result<Source, PluginError> {
    let one = |identifier: &str| {
        Ok(match identifier {
            "ip" => Source::Address,
            "credential" => Source::Credential,
            "service" => Source::Service,
            "header" => Source::Header(header_name("header_name", config.header_name.as_deref())?),
            "path" => Source::Path(config.path.clone().unwrap_or_default().into()),
            "consumer-group" => Source::ConsumerGroup(env.consumer_group),
            _ => Source::Consumer,
        })
    };
    match config.compound_identifier.as_deref() {
        Some([]) | None => one(config.identifier.as_deref().unwrap_or("consumer")),
        Some([only]) => one(only),
        Some(several) => {
            several.iter().map(|identifier| one(identifier)).collect::<Result<_, _>>().map(Source::Compound)
        }
    }
}

fn backend(config: &RateLimitingAdvancedConfig, env: &Env) -> Result<Backend, PluginError> {
    let redis = config.strategy.as_deref() == Some("redis");
    let place = match config.sync_rate {
        _ if !redis => Place::Here,
        None | Some(0.0) => Place::Redis { settings: config.redis.settings()?, fall_back: true },
        Some(never) if never < 0.0 => Place::Here,
        Some(rate) => {
            Place::Exchanging { settings: config.redis.settings()?, every: seconds("sync_rate", rate)?, strict: false }
        }
    };
    // Kong's namespace is random unless said, another on each node and after each change; the
    // plugin's id is the same.
    let namespace = config.namespace.clone().unwrap_or_else(|| env.id.to_string());
    Backend::new(place, Naming { scope: format!("ratelimit-advanced:{namespace}"), tagged: true }, env)
}
