//! What `deploy/monitoring` ships.

use std::path::PathBuf;

use serde_json::Value;

pub(crate) const PROMETHEUS: &str = include_str!("../../../deploy/monitoring/prometheus/prometheus.yml");
pub(crate) const ALERTS: &str = include_str!("../../../deploy/monitoring/prometheus/alerts.yml");
pub(crate) const CASES: &str = include_str!("../../../deploy/monitoring/prometheus/alerts_test.yml");
pub(crate) const MANUAL: &str = include_str!("../../../docs/monitoring.md");
const DASHBOARD: &str = include_str!("../../../deploy/monitoring/grafana/dashboards/towergate.json");

/// The folder with what Prometheus reads.
pub(crate) fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "deploy", "monitoring", "prometheus"].iter().collect()
}

/// The names of the alerts, in their order.
pub(crate) fn alerts() -> Vec<&'static str> {
    ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect()
}

/// The dashboard.
pub(crate) fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).expect("JSON")
}

/// The panels of the dashboard.
pub(crate) fn panels() -> Vec<Value> {
    dashboard()["panels"].as_array().expect("panels").clone()
}

/// All queries of the dashboard with the title of their panel, as Grafana sends them when everything is chosen.
pub(crate) fn queries() -> Vec<(String, String)> {
    let of = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let expr = |target: &Value| target["expr"].as_str().expect("an expression").to_owned();
        targets.iter().map(|target| (title.clone(), filled_in(&expr(target)))).collect::<Vec<_>>()
    };
    panels().iter().flat_map(of).collect()
}

/// The queries that fill the dashboard's lists of choices: the series, and the label whose values are listed.
pub(crate) fn choices() -> Vec<(String, String)> {
    let variables = dashboard()["templating"]["list"].as_array().expect("variables").clone();
    let queries = variables.iter().filter(|variable| variable["type"] == "query");
    let parts = |variable: &Value| {
        let query = variable["definition"].as_str().expect("a query").to_owned();
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (series, label) = inside.and_then(|inside| inside.rsplit_once(", ")).expect("label_values(series, label)");
        (filled_in(series), label.to_owned())
    };
    queries.map(parts).collect()
}

/// The query that marks events in the graphs.
pub(crate) fn annotation() -> String {
    let list = dashboard()["annotations"]["list"].as_array().expect("annotations").clone();
    filled_in(list.iter().find_map(|one| one["expr"].as_str()).expect("an expression"))
}

/// Variables as Grafana fills them in, for scrapes twice a second.
fn filled_in(query: &str) -> String {
    let mut query = query.replace("$__rate_interval", "10s").replace("$__interval", "30s");
    for variable in ["$job", "$instance", "$service", "$route"] {
        query = query.replace(variable, ".*");
    }
    assert!(!query.contains('$'), "an unknown variable: {query}");
    query
}

/// The rules, so quick that a test can wait for them.
pub(crate) fn quick_alerts() -> String {
    let mut quick = String::new();
    for line in ALERTS.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        match line.trim_start().starts_with("for: ") {
            true => quick += &format!("{indent}for: 1s\n"),
            false => quick += &format!("{}\n", line.replace("[5m]", "[4s]").replace("[15m]", "[4s]")),
        }
    }
    quick
}

/// The configuration of Prometheus for these nodes, so quick that a test can wait for it.
pub(crate) fn quick_prometheus(nodes: &[String]) -> String {
    let targets = format!("{nodes:?}");
    let quick = PROMETHEUS.replace("[\"127.0.0.1:8007\"]", &targets).replace("_interval: 15s", "_interval: 500ms");
    assert!(quick.contains(&targets) && quick.matches("500ms").count() == 2, "{quick}");
    quick
}
