//! What it does to a request and to its response.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode, request::Parts};
use towergate_core::{Context, Env, PerWorker, Plugin, PluginError, Reply, Slot, Task, Wrap};

use super::{config::ResponseRatelimitingConfig, costs, layer::ResponseRateLimitLayer};
use crate::{
    backend::{Backend, Naming, Place},
    configured::{header_name, scope},
    headers::number,
    identifier::{Identifier, Source},
    limiter::{refusal, unavailable},
    store::{Cells, Count, Counted, Counting, StoreError, milliseconds},
    window::{Cell, Span, Window, WindowType},
};

/// Limits on what responses cost, as the upstream says: the policy of Kong's plugin
/// `response-ratelimiting`.
#[derive(Debug)]
pub struct ResponseRatelimiting {
    source: Source,
    header_name: HeaderName,
    block_on_first_violation: bool,
    fault_tolerant: bool,
    hide_client_headers: bool,
    limits: PerWorker<Limits>,
    backend: Backend,
}

/// The windows of all names, and the headers about them: a thread's own.
#[derive(Debug, Default)]
struct Limits {
    names: Vec<Name>,
    windows: Vec<Window>,
    /// For each window the name it belongs to, and its two headers.
    about: Vec<(usize, HeaderName, HeaderName)>,
}

#[derive(Debug)]
struct Name {
    name: String,
    /// Says what was left before this response.
    remaining: HeaderName,
}

/// What was found before a request went upstream.
pub(super) struct Usage {
    pub(super) identifier: Identifier<'static>,
    cells: Cells,
    now: u64,
}

impl Plugin for ResponseRatelimiting {
    const NAME: &'static str = "response-ratelimiting";
    const PRIORITY: i32 = 900;

    type Config = ResponseRatelimitingConfig;

    fn new(config: ResponseRatelimitingConfig, env: &Env) -> Result<Self, PluginError> {
        let place = match config.policy.as_deref() {
            Some("redis") => Place::Redis { settings: config.redis.settings()?, fall_back: false },
            _ => Place::Here,
        };
        let naming = Naming { scope: scope("response-ratelimit", env), tagged: false };
        let header_name = header_name("header_name", Some(config.header_name.as_deref().unwrap_or("x-kong-limit")))?;
        let source = match config.limit_by.as_deref() {
            Some("credential") => Source::Credential,
            Some("ip") => Source::Address,
            _ => Source::Consumer,
        };
        Limits::new(&config)?;
        Ok(Self {
            source,
            header_name,
            block_on_first_violation: config.block_on_first_violation,
            fault_tolerant: config.fault_tolerant,
            hide_client_headers: config.hide_client_headers,
            // It was made once before, so it can be.
            limits: PerWorker::new(move || Limits::new(&config).unwrap_or_default()),
            backend: Backend::new(place, naming, env)?,
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        self.backend.background()
    }
}

impl Wrap for ResponseRatelimiting {
    type Layer = ResponseRateLimitLayer;

    fn layer(slot: Slot<Self>) -> ResponseRateLimitLayer {
        ResponseRateLimitLayer::at(slot)
    }
}

impl Limits {
    fn new(config: &ResponseRatelimitingConfig) -> Result<Self, PluginError> {
        let mut limits = Self::default();
        for (name, periods) in &config.limits {
            let header = |text: String| {
                HeaderName::try_from(text).map_err(|_| {
                    let text = "cannot be part of a header's name: letters, digits, - and _ can";
                    PluginError::new(format!("limits.{name}"), text)
                })
            };
            let place = limits.names.len();
            for (period, limit) in periods.limits() {
                let (span, label) = (Span::Calendar(period), format!("{name}:{}", period.name()));
                limits.windows.push(Window::labelled(span, WindowType::Fixed, limit, &label));
                let end = format!("{name}-{}", period.name());
                limits.about.push((
                    place,
                    header(format!("x-ratelimit-limit-{end}"))?,
                    header(format!("x-ratelimit-remaining-{end}"))?,
                ));
            }
            let remaining = header(format!("x-ratelimit-remaining-{name}"))?;
            limits.names.push(Name { name: name.clone(), remaining });
        }
        Ok(limits)
    }

    /// What is left in each window, with the name it belongs to.
    fn remaining<'a>(&'a self, cells: &'a Cells) -> impl Iterator<Item = (usize, f64)> {
        let windows = self.windows.iter().zip(cells).zip(&self.about);
        windows.map(|((window, cell), (name, ..))| (*name, window.limit - cell.current as f64))
    }
}

impl ResponseRatelimiting {
    /// Looks what has been used by whom this request is from.
    pub(super) fn look(&self, cx: &Context, head: &Parts) -> Option<(Identifier<'static>, u64, Counting)> {
        let identifier = self.source.identify(cx, head)?.into_owned();
        let now = milliseconds(cx.timing.started_at());
        let counting = self.ask(identifier.clone(), now, |_| 0);
        Some((identifier, now, counting))
    }

    fn ask(&self, identifier: Identifier<'_>, now: u64, cost: impl Fn(&str) -> i64) -> Counting {
        let limits = self.limits.own();
        let mut count = Count::new(identifier, &limits.windows, now);
        for (cell, (name, ..)) in count.cells.iter_mut().zip(&limits.about) {
            cell.cost = limits.names.get(*name).map_or(0, |name| cost(&name.name));
        }
        self.backend.store.count(count)
    }

    /// What is done after looking: the request goes on with what was found (nothing if the store did
    /// not answer), or it is answered so.
    pub(super) fn decide(
        &self,
        identifier: Identifier<'static>,
        now: u64,
        found: Result<Counted, StoreError>,
    ) -> Result<Option<Usage>, Box<Reply>> {
        let Ok(counted) = found else {
            return if self.fault_tolerant { Ok(None) } else { Err(Box::new(unavailable())) };
        };
        if self.block_on_first_violation {
            let limits = self.limits.own();
            let used_up = limits.remaining(&counted.cells).find(|(_, left)| *left <= 0.0);
            if let Some(name) = used_up.and_then(|(name, _)| limits.names.get(name)) {
                let message = format!("API rate limit exceeded for '{}'", name.name);
                return Err(Box::new(refusal(StatusCode::TOO_MANY_REQUESTS, &message, [])));
            }
        }
        Ok(Some(Usage { identifier, cells: counted.cells, now }))
    }

    /// Counts what the response costs, if it costs something.
    pub(super) fn charge(&self, usage: &Usage, headers: &HeaderMap) -> (Vec<(String, i64)>, Option<Counting>) {
        let costs = costs::said(headers, &self.header_name);
        let limits = self.limits.own();
        let counts = limits.names.iter().any(|name| costs::of(&costs, &name.name) != 0);
        let counting = counts.then(|| self.ask(usage.identifier.clone(), usage.now, |name| costs::of(&costs, name)));
        (costs, counting)
    }

    /// Takes off what the upstream said.
    pub(super) fn hide_costs(&self, headers: &mut HeaderMap) {
        headers.remove(&self.header_name);
    }

    /// Tells the client what is left, and whether it may have the response.
    pub(super) fn tell(
        &self,
        usage: &Usage,
        costs: &[(String, i64)],
        charged: Option<Result<Counted, StoreError>>,
        headers: &mut HeaderMap,
    ) -> bool {
        let limits = self.limits.own();
        // A charge that failed has been logged; what is told is then what was found before.
        let charged = charged.and_then(Result::ok);
        let cells = charged.as_ref().map_or(&usage.cells, |counted| &counted.cells);
        for (place, name) in limits.names.iter().enumerate() {
            let left = limits.remaining(&usage.cells).filter(|(of, _)| *of == place).map(|(_, left)| left);
            headers.insert(name.remaining.clone(), number(left.fold(f64::INFINITY, f64::min).max(0.0)));
        }
        if !self.hide_client_headers {
            for (((place, limit, remaining), window), cell) in limits.about.iter().zip(&limits.windows).zip(cells) {
                let cost = limits.names.get(*place).map_or(0, |name| costs::of(costs, &name.name));
                headers.insert(limit.clone(), number(window.limit));
                headers.insert(remaining.clone(), number(left(window, cell, cost)));
            }
        }
        self.hide_costs(headers);
        charged.is_none_or(|counted| counted.admitted)
    }
}

fn left(window: &Window, cell: &Cell, cost: i64) -> f64 {
    (window.limit - cell.current as f64 - cost as f64).max(0.0)
}
