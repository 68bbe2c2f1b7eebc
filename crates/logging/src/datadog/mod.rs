//! Numbers of requests to a Datadog agent.

mod config;

use std::{sync::Arc, time::Duration};

use towergate_core::{Context, Ended, Env, Observe, Plugin, PluginError, Task};
use towergate_queue::{Deliver, Queue, Queues};

pub use self::config::{DatadogConfig, DatadogMetricConfig};
use crate::{
    legacy,
    network::udp::Udp,
    statsd::{Facts, kind},
};

/// How long sending may take.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Sends numbers of each request to a Datadog agent: the policy of the plugin `datadog`.
#[derive(Debug)]
pub struct Datadog {
    queue: Queue<Facts>,
    queues: Arc<Queues>,
    agent: Arc<Agent>,
}

#[derive(Debug)]
struct Agent {
    udp: Udp,
    prefix: String,
    service_tag: String,
    status_tag: String,
    consumer_tag: String,
    metrics: Vec<DatadogMetricConfig>,
}

impl Plugin for Datadog {
    const NAME: &'static str = "datadog";
    const PRIORITY: i32 = 10;

    type Config = DatadogConfig;

    fn new(config: DatadogConfig, env: &Env) -> Result<Self, PluginError> {
        let settings = legacy::settings(&config.queue, config.queue_size, config.flush_timeout);
        let text = |given: Option<String>, default: &str| given.unwrap_or_else(|| default.to_owned());
        // As in Kong, the environment only counts where configuration says null.
        let variable = |name| std::env::var(name).ok();
        let host = config.host.or_else(|| variable("KONG_DATADOG_AGENT_HOST"));
        let port = config.port.or_else(|| variable("KONG_DATADOG_AGENT_PORT")?.parse().ok());
        let agent = Agent {
            udp: Udp { host: text(host, "localhost"), port: port.unwrap_or(8125), timeout: TIMEOUT },
            prefix: text(config.prefix, "kong"),
            service_tag: text(config.service_name_tag, "name"),
            status_tag: text(config.status_tag, "status"),
            consumer_tag: text(config.consumer_tag, "consumer"),
            metrics: config.metrics,
        };
        Ok(Self {
            queue: Queue::new(Self::NAME, env.id.to_string(), settings),
            queues: env.shared.of(),
            agent: Arc::new(agent),
        })
    }

    fn background(self: &Arc<Self>) -> Option<Task> {
        Some(self.queues.deliver(&self.queue, self.agent.clone()))
    }
}

impl Observe for Datadog {
    fn observe(&self, cx: &Context, ended: &Ended) {
        self.queue.push(Facts::of(cx, ended));
    }
}

impl Deliver<Facts> for Agent {
    async fn deliver(&self, batch: &[Facts]) -> Result<(), String> {
        let lines: Vec<_> =
            batch.iter().flat_map(|facts| self.metrics.iter().filter_map(|metric| self.line(metric, facts))).collect();
        self.udp.send(&lines).await
    }
}

impl Agent {
    /// The line of a metric; `None` if the request has none, or is not among those sampled.
    fn line(&self, metric: &DatadogMetricConfig, facts: &Facts) -> Option<String> {
        let (name, value) = facts.value(&metric.name)?;
        let rate = metric.sample_rate.filter(|rate| *rate < 1.0);
        if rate.is_some_and(|rate| fastrand::f64() >= rate) {
            return None;
        }
        let rate = rate.map(|rate| format!("|@{rate}")).unwrap_or_default();
        let tags = self.tags(metric, facts).join(",");
        Some(format!("{}.{name}:{value}|{}{rate}|#{tags}", self.prefix, kind(&metric.stat_type)))
    }

    fn tags(&self, metric: &DatadogMetricConfig, facts: &Facts) -> Vec<String> {
        let service = facts.service.as_ref().map(|service| service.name.as_ref().unwrap_or(&service.host));
        let service = service.map(|name| name.replace('.', "_")).unwrap_or_default();
        let mut tags = vec![format!("{}:{service}", self.service_tag), format!("{}:{}", self.status_tag, facts.status)];
        let consumer = metric.consumer_identifier.as_deref().and_then(|identifier| {
            let consumer = facts.consumer(identifier)?;
            Some(if identifier == "consumer_id" { consumer.replace('-', "_") } else { consumer })
        });
        tags.extend(consumer.map(|consumer| format!("{}:{consumer}", self.consumer_tag)));
        tags.extend(metric.tags.iter().flatten().cloned());
        tags
    }
}
