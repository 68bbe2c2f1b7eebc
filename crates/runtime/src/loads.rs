//! How loading configurations went, told through the `metrics` facade.

use std::time::SystemTime;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const LOADS: &str = "towergate_configuration_loads_total";
const SUCCESSFUL: &str = "towergate_configuration_last_load_successful";
const AT: &str = "towergate_configuration_last_success_timestamp_seconds";

/// Tells that a configuration was put into force, or that one was not and why not is in the log.
///
/// | metric | type | what |
/// | --- | --- | --- |
/// | `towergate_configuration_loads_total{result}` | counter | attempts, `result` is `success` or `failure` |
/// | `towergate_configuration_last_load_successful` | gauge | 1 or 0 |
/// | `towergate_configuration_last_success_timestamp_seconds` | gauge | when the one in force was loaded |
pub fn report_load(is_success: bool) {
    describe_counter!(LOADS, "Configurations that were loaded, or could not be");
    describe_gauge!(SUCCESSFUL, "Whether the last configuration could be loaded");
    describe_gauge!(AT, Unit::Seconds, "When the configuration in force was loaded");
    counter!(LOADS, "result" => if is_success { "success" } else { "failure" }).increment(1);
    gauge!(SUCCESSFUL).set(if is_success { 1.0 } else { 0.0 });
    if is_success {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        gauge!(AT).set(now.as_secs_f64());
    }
}
