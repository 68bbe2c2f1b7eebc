//! The metrics of a request, as the plugin `statsd` tells them.

use std::sync::Arc;

use towergate_core::{Context, Ended, Service};
use towergate_queue::Entry;
use uuid::Uuid;

use super::{
    config::{MetricConfig, StatsdConfig},
    line::{Line, TagStyle, kind},
};
use crate::{
    entry::{Latencies, WORKSPACE, WORKSPACE_ID},
    host_name::host_name,
};

/// What is kept of a request until its metrics are sent.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) status: u16,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) latencies: Latencies,
    pub(crate) route: Option<Matched>,
    pub(crate) service: Option<Arc<Service>>,
    pub(crate) consumer: Option<Who>,
}

/// What a route may be called.
#[derive(Debug, Clone)]
pub(crate) struct Matched {
    pub(crate) id: Uuid,
    pub(crate) name: Option<String>,
}

/// What a consumer may be called.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) id: Uuid,
    pub(crate) username: Option<String>,
    pub(crate) custom_id: Option<String>,
}

impl Entry for Facts {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Facts {
    pub(crate) fn of(cx: &Context, ended: &Ended) -> Self {
        let consumer = cx.consumer().map(|consumer| Who {
            id: consumer.id,
            username: consumer.username.clone(),
            custom_id: consumer.custom_id.clone(),
        });
        Self {
            status: ended.status,
            received: ended.received,
            sent: ended.sent,
            latencies: Latencies::of(cx, ended),
            route: cx.route().map(|route| Matched { id: route.id, name: route.name.clone() }),
            service: cx.plan().and_then(|plan| plan.service.clone()),
            consumer,
        }
    }

    /// The consumer, by what it is to be called; `None` if it has no such name.
    pub(crate) fn consumer(&self, identifier: &str) -> Option<String> {
        let consumer = self.consumer.as_ref()?;
        match identifier {
            "consumer_id" => Some(consumer.id.to_string()),
            "username" => consumer.username.clone(),
            _ => consumer.custom_id.clone(),
        }
    }

    /// The name of a metric of the request itself, and its value if it has one.
    pub(crate) fn value(&self, metric: &str) -> Option<(&'static str, u64)> {
        match metric {
            "request_count" => Some(("request.count", 1)),
            "request_size" => Some(("request.size", self.received)),
            "response_size" => Some(("response.size", self.sent)),
            "latency" => Some(("latency", self.latencies.request)),
            "kong_latency" => Some(("kong_latency", self.latencies.kong)),
            "upstream_latency" => Some(("upstream_latency", self.latencies.proxy?)),
            _ => None,
        }
    }
}

/// Which metrics are told, and how.
#[derive(Debug)]
pub(super) struct Metrics {
    prefix: String,
    list: Vec<MetricConfig>,
    consumer: String,
    service: String,
    workspace: String,
    style: Option<TagStyle>,
    node: String,
}

impl Metrics {
    pub(super) fn new(config: &StatsdConfig) -> Self {
        let node = host_name().replace('.', "_");
        let style = config.tag_style.as_deref().and_then(TagStyle::named);
        let mut prefix = config.prefix.clone().unwrap_or_else(|| "kong".into());
        if config.hostname_in_prefix == Some(true) && style.is_none() {
            prefix = format!("{prefix}.node.{node}");
        }
        Self {
            prefix,
            list: config.metrics.clone().unwrap_or_default(),
            consumer: config.consumer_identifier_default.clone(),
            service: config.service_identifier_default.clone(),
            workspace: config.workspace_identifier_default.clone(),
            style,
            node,
        }
    }

    /// The lines of a request. A metric that is sampled is left out of most of them.
    pub(super) fn lines(&self, facts: &Facts, lines: &mut Vec<String>) {
        for metric in &self.list {
            // Of a set there is no part: a server would miss users and could not know how many. Kong sends it without a rate.
            let rate = metric.sample_rate.filter(|rate| *rate < 1.0 && metric.name != "unique_users");
            if rate.is_none_or(|rate| fastrand::f64() < rate) {
                self.line(metric, rate, facts, lines);
            }
        }
    }

    fn line(&self, metric: &MetricConfig, rate: Option<f64>, facts: &Facts, lines: &mut Vec<String>) {
        let mut add = |name: &str, value: &dyn std::fmt::Display, kind: &str, tags: Option<&[_]>| {
            let tags = self.style.zip(tags);
            lines.push(Line { prefix: &self.prefix, name, value, kind, rate, tags }.to_string());
        };
        if let Some((name, value)) = facts.value(&metric.name) {
            match self.style {
                Some(_) => add(name, &value, kind(&metric.stat_type), self.tags(metric, facts).as_deref()),
                None => add(&format!("{}.{name}", self.scope(metric, facts)), &value, kind(&metric.stat_type), None),
            }
            return;
        }
        // The others have their values in their names, which tags are there for.
        if self.style.is_some() {
            return;
        }
        let (status, scope) = (facts.status, self.scope(metric, facts));
        let identifier = metric.consumer_identifier.as_ref().unwrap_or(&self.consumer);
        let consumer = facts.consumer(identifier);
        match (metric.name.as_str(), consumer) {
            ("status_count", _) => add(&format!("{scope}.status.{status}"), &1, "c", None),
            ("status_count_per_workspace", _) => {
                add(&format!("{scope}.workspace.{}.status.{status}", self.workspace(metric)), &1, "c", None);
            }
            ("unique_users", Some(consumer)) => add(&format!("{scope}.user.uniques"), &consumer, "s", None),
            ("request_per_user", Some(consumer)) => {
                add(&format!("{scope}.user.{consumer}.request.count"), &1, "c", None)
            }
            ("status_count_per_user", Some(consumer)) => {
                add(&format!("{scope}.user.{consumer}.status.{status}"), &1, "c", None);
            }
            ("status_count_per_user_per_route", Some(consumer)) => {
                if let Some(route) = &facts.route {
                    add(&format!("route.{}.user.{consumer}.status.{status}", route.id), &1, "c", None);
                }
            }
            // Kong's shared memory, which is not there.
            _ => {}
        }
    }

    /// What a metric is of: `service.<name>`.
    fn scope(&self, metric: &MetricConfig, facts: &Facts) -> String {
        if facts.service.is_none() {
            return "global.unmatched".into();
        }
        let name = self.service(metric, facts);
        format!("service.{}", name.map_or_else(|| "unnamed".into(), |name| name.replace('.', "_")))
    }

    fn service(&self, metric: &MetricConfig, facts: &Facts) -> Option<String> {
        let service = facts.service.as_ref()?;
        match metric.service_identifier.as_ref().unwrap_or(&self.service).as_str() {
            "service_id" => Some(service.id.to_string()),
            "service_name" => service.name.clone(),
            "service_host" => Some(service.host.clone()),
            _ => Some(service.name.clone().unwrap_or_else(|| service.host.clone())),
        }
    }

    fn workspace(&self, metric: &MetricConfig) -> &'static str {
        match metric.workspace_identifier.as_ref().unwrap_or(&self.workspace).as_str() {
            "workspace_name" => WORKSPACE,
            _ => WORKSPACE_ID,
        }
    }

    /// What is told beside a metric; `None` without a service, as in Kong.
    fn tags(&self, metric: &MetricConfig, facts: &Facts) -> Option<Vec<(&'static str, String)>> {
        let mut tags = vec![("service", self.service(metric, facts)?)];
        if let Some(route) = &facts.route {
            tags.push(("route", route.name.clone().unwrap_or_else(|| route.id.to_string())));
        }
        tags.push(("workspace", self.workspace(metric).to_owned()));
        let identifier = metric.consumer_identifier.as_ref().unwrap_or(&self.consumer);
        tags.extend(facts.consumer(identifier).map(|consumer| ("consumer", consumer)));
        tags.push(("node", self.node.clone()));
        tags.push(("status", facts.status.to_string()));
        Some(tags)
    }
}
