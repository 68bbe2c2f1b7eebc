//! The targets of upstreams as `/metrics` shows them.

use serde_json::Value;
use towergate_config::Config;
use towergate_metrics::{Exposition, Kind};
use towergate_runtime::{Control, TargetHealth};

const NAME: &str = "kong_upstream_target_health";
const HELP: &str = "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 \
                    when state is populated.";

/// What a target may be; each of its addresses has a series for each, and that of its state is 1.
const STATES: [&str; 4] = ["healthchecks_off", "healthy", "unhealthy", "dns_error"];

/// Writes all targets of the configuration in force, if one of its plugins wants to see them.
pub(crate) fn write(out: &mut Exposition, control: &Control) {
    let current = control.current();
    if !is_wanted(&current.config) || current.config.targets.is_empty() {
        return;
    }
    out.family(NAME, Kind::Gauge, HELP);
    for upstream in &current.config.upstreams {
        let Some(health) = control.health(upstream.id) else { continue };
        for target in &health.targets {
            let name = name(target);
            for (address, state) in states(target, health.is_watched) {
                series(out, &upstream.name, &name, &address, state);
            }
        }
    }
}

/// The addresses of a target, each with its state. Without any it is Kong's `dns_error`, unless nobody
/// has asked for them yet: nobody shall wait for names on this page.
fn states(target: &TargetHealth, is_watched: bool) -> Vec<(String, &'static str)> {
    if target.addresses.is_empty() {
        let state = if target.is_looked_up { "dns_error" } else { "healthchecks_off" };
        return vec![(String::new(), state)];
    }
    let state = |is_healthy| match (is_watched, is_healthy) {
        (false, _) => "healthchecks_off",
        (true, true) => "healthy",
        (true, false) => "unhealthy",
    };
    target.addresses.iter().map(|known| (known.address.to_string(), state(known.is_healthy))).collect()
}

fn series(out: &mut Exposition, upstream: &str, target: &str, address: &str, state: &str) {
    for possible in STATES {
        let labels = [
            ("upstream", upstream),
            ("target", target),
            ("address", address),
            ("state", possible),
            ("subsystem", "http"),
        ];
        out.sample(NAME, &labels, u8::from(possible == state));
    }
}

fn name(target: &TargetHealth) -> String {
    let TargetHealth { host, port, .. } = target;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn is_wanted(config: &Config) -> bool {
    let mut plugins = config.plugins.iter().filter(|plugin| plugin.enabled && plugin.name == "prometheus");
    plugins.any(|plugin| plugin.effective_config().get("upstream_health_metrics") == Some(&Value::Bool(true)))
}
