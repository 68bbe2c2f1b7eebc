//! What `deploy/monitoring` ships, against a real Prometheus that scrapes the gateway: each query of the dashboard and of
//! the alerts finds data, and the alerts fire and resolve.

mod scene;
mod shipped;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use towergate_tests::{
    Connection, Gateway, Port, Prometheus, Request, Upstream, eventually, eventually_some, promtool, proxying,
};

use scene::Scene;
use shipped::{ALERTS, CASES, MANUAL};

/// For a few scrapes and evaluations on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// What is tried with cases only: nobody lets a test take a gibibyte of memory.
const NOT_TRIED: [&str; 6] = [
    "TowergateRestarting",
    "TowergatePluginSlow",
    "TowergateMemoryHigh",
    "TowergateFilesNearLimit",
    "TowergateMetricsOverflow",
    "TowergateDatastoreUnreachable",
];

#[test]
fn promtool_accepts_what_is_shipped() {
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["check", "config", "compose.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let output = promtool(&shipped::folder(), &arguments);
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("SUCCESS"), "{arguments:?}: {said}");
    }
}

#[test]
fn each_alert_has_a_case_and_a_place_in_the_manual() {
    let alerts = shipped::alerts();
    assert_eq!(alerts.len(), alerts.iter().collect::<BTreeSet<_>>().len(), "a name twice");
    for alert in alerts {
        assert!(CASES.contains(&format!("name: \"{alert}: ")), "{alert} has no case");
        assert!(MANUAL.contains(&format!("`{alert}`")), "{alert} is not in docs/monitoring.md");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let (dashboard, panels) = (shipped::dashboard(), shipped::panels());
    assert_eq!((&dashboard["uid"], &dashboard["title"]), (&"towergate".into(), &"Towergate".into()));
    assert!(dashboard["id"].is_null(), "Grafana gives it one");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let title = panel["title"].as_str().expect("a title");
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("{title}: no {name}"));
        let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} does not fit");
        let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        assert!(cells.into_iter().all(|cell| taken.insert(cell)), "{title} lies over another panel");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title} says nothing");
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{title} asks nothing");
        }
    }
}

#[test]
fn each_metric_is_in_the_manual() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream)
        + "plugins: [{name: prometheus, config: {status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true}}]\n";
    let gateway = Gateway::with(&document).setting("prometheus_legacy_latency", "on").start();
    assert_eq!(gateway.get("/").status, 200);
    let page = gateway.ask_admin(&Request::get("/metrics")).text();
    let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let missing: Vec<_> = names.filter(|name| !MANUAL.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in docs/monitoring.md: {missing:?}");
}

/// One Prometheus for all of it: its start takes longer than everything else.
#[test]
fn the_dashboard_and_the_alerts_against_a_real_prometheus() {
    let scene = Scene::start();
    let (absent, small) = (Port::free(), Port::free());
    let nodes = [&scene.status, &absent, &small].map(|port| port.address().to_string());
    let files = [("prometheus.yml", &*shipped::quick_prometheus(&nodes)), ("alerts.yml", &*shipped::quick_alerts())];
    let prometheus = Prometheus::with(&files);
    prometheus.eventually("kong_http_requests_total", |series| !series.is_empty());

    let crowded = Gateway::with(&proxying(&Upstream::echo()))
        .setting("nginx_worker_processes", "1")
        .setting("nginx_events_worker_connections", "4")
        // Who says nothing stays, however long the alerts take.
        .setting("nginx_http_client_header_timeout", "600s")
        .status_api_on(&small)
        .start();
    crowded.wait_until_empty();
    let mut clients: Vec<_> = (0..4).map(|_| crowded.connect()).collect();
    scene.fail();
    let tried: BTreeSet<_> = shipped::alerts().into_iter().filter(|alert| !NOT_TRIED.contains(alert)).collect();
    let firing = await_alerts(&prometheus, &tried, || {
        // One more than there may be is turned away.
        let _ = Connection::try_open(crowded.proxy());
    });
    expect_names(&firing, &[("KongHighLatency", "service", "slow"), ("KongUpstreamDown", "state", "unhealthy")]);

    everything_finds_data(&prometheus);
    let found = || Some(prometheus.exemplars("kong_request_latency_ms_bucket")).filter(|found| !found.is_empty());
    let exemplars = eventually_some(LIMIT, found);
    let is_trace = |exemplar: &Value| exemplar["labels"]["trace_id"].as_str().is_some_and(|id| id.len() == 32);
    assert!(exemplars.iter().all(is_trace), "{exemplars:?}");

    scene.mend();
    clients.clear();
    let _back = Gateway::with(&proxying(&Upstream::echo())).status_api_on(&absent).start();
    await_alerts(&prometheus, &BTreeSet::new(), || ());
}

/// Waits until exactly these alerts fire; answers their labels.
#[track_caller]
fn await_alerts(prometheus: &Prometheus, expected: &BTreeSet<&str>, mut meanwhile: impl FnMut()) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let firing = prometheus.firing();
        let names: BTreeSet<_> = firing.iter().filter_map(|labels| labels["alertname"].as_str()).collect();
        if names == *expected {
            return firing;
        }
        let (missing, more) = (expected - &names, &names - expected);
        assert!(start.elapsed() < LIMIT, "do not fire: {missing:?}; fire: {more:?}\n{firing:#?}");
        meanwhile();
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Each of these alerts fires for somebody of that name, and for nobody else.
#[track_caller]
fn expect_names(firing: &[Value], expected: &[(&str, &str, &str)]) {
    for (alert, label, value) in expected {
        let of: Vec<_> = firing.iter().filter(|labels| labels["alertname"] == *alert).collect();
        assert!(!of.is_empty() && of.iter().all(|labels| labels[*label] == *value), "{alert}: {of:?}");
    }
}

/// Each query of the dashboard finds data, and so does what each alert compares with its limit.
fn everything_finds_data(prometheus: &Prometheus) {
    let start = Instant::now();
    let mut left = shipped::queries();
    left.push(("annotation".into(), shipped::annotation()));
    left.extend(shipped::choices().into_iter().map(|(series, label)| {
        let title = format!("choice of {label}");
        (title, format!("count by ({label}) ({series})"))
    }));
    let rules = prometheus.rules();
    assert_eq!(rules.len(), ALERTS.matches("- alert: ").count());
    left.extend(rules.iter().map(|rule| {
        assert!(rule["lastError"].is_null(), "{rule}");
        let query = rule["query"].as_str().expect("a query");
        (rule["name"].to_string(), without_limit(query).to_owned())
    }));
    eventually(LIMIT, || {
        left.retain(|(_, query)| !prometheus.query(query).iter().any(|(_, value)| value.is_finite()));
        assert!(left.is_empty() || start.elapsed() < LIMIT / 2, "find nothing: {left:#?}");
        left.is_empty()
    });
}

/// What a rule compares: all before its last comparison. Comparisons inside are left alone.
fn without_limit(query: &str) -> &str {
    let first = query.split(" unless ").next().unwrap_or(query);
    for comparison in [" > ", " < ", " == "] {
        if let Some((left, right)) = first.rsplit_once(comparison)
            && right.trim().parse::<f64>().is_ok()
        {
            return left;
        }
    }
    panic!("no comparison at the end of {query}");
}

#[test]
fn open_metrics_is_for_who_accepts_it() {
    let gateway = Gateway::serving(&proxying(&Upstream::echo()));
    let ask = |accept: &str| gateway.ask_admin(&Request::get("/metrics").header("Accept", accept));
    let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let answer = ask(prometheus);
    let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(expected)));
    assert_eq!(answer.header("Vary"), Some("Accept"));
    let page = answer.text();
    assert!(page.ends_with("\n# EOF\n") && !page.contains("\n\n"), "{page}");
    assert!(page.contains("# TYPE towergate_configuration_loads counter\n"), "{page}");
    assert!(page.contains("\ntowergate_configuration_loads_total{result=\"success\"} 1\n"), "{page}");
    let answer = ask("*/*");
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=UTF-8"));
    assert!(!answer.text().contains("# EOF"));
}
