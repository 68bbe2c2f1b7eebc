//! The targets of upstreams as `/metrics` shows them.

use serde_json::Value;
use towergate_config::Config;
use towergate_metrics::{Exposition, Kind};

const NAME: &str = "kong_upstream_target_health";
const HELP: &str = "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 \
                    when state is populated.";

/// What a target may be; it has a series for each, and that of its state is 1.
const STATES: [&str; 4] = ["healthchecks_off", "healthy", "unhealthy", "dns_error"];

/// Writes all targets of a configuration, if one of its plugins wants to see them.
///
/// There are no health checks yet, so no target is anything but `healthchecks_off`; and its address
/// is shown as it was written, because nobody shall wait for names to be resolved.
pub(crate) fn write(out: &mut Exposition, config: &Config) {
    if !is_wanted(config) || config.targets.is_empty() {
        return;
    }
    out.family(NAME, Kind::Gauge, HELP);
    for target in &config.targets {
        let upstream = config.upstreams.iter().find(|upstream| upstream.id == target.upstream);
        let Some(upstream) = upstream else { continue };
        for state in STATES {
            let labels = [
                ("upstream", upstream.name.as_str()),
                ("target", &target.target),
                ("address", &target.target),
                ("state", state),
                ("subsystem", "http"),
            ];
            out.sample(NAME, &labels, u8::from(state == "healthchecks_off"));
        }
    }
}

fn is_wanted(config: &Config) -> bool {
    let mut plugins = config.plugins.iter().filter(|plugin| plugin.enabled && plugin.name == "prometheus");
    plugins.any(|plugin| plugin.effective_config().get("upstream_health_metrics") == Some(&Value::Bool(true)))
}
