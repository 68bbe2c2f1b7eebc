//! A real Prometheus that scrapes what a test runs.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Connection, Port, Request, eventually, eventually_some};

/// A start on a busy machine, and a few scrapes.
const LIMIT: Duration = Duration::from_secs(90);

/// A Prometheus of its own folder and port; killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    folder: TempDir,
    port: Port,
}

impl Prometheus {
    /// Starts one that scrapes `/metrics` at this address twice a second, and waits until it is ready.
    ///
    /// # Panics
    /// When it is not installed (`make packages`) or does not become ready.
    #[track_caller]
    pub fn scraping(target: SocketAddr) -> Self {
        Self::with(&[(
            "prometheus.yml",
            &format!(
                "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
                 scrape_configs:\n- {{job_name: gateway, static_configs: [{{targets: ['{target}']}}]}}\n"
            ),
        )])
    }

    /// Starts one in whose folder these files are, by name and text; the first is its configuration. Waits until it is ready.
    ///
    /// # Panics
    /// When it is not installed (`make packages`) or does not become ready.
    #[track_caller]
    pub fn with(files: &[(&str, &str)]) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), Port::free());
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("its files can be written");
        }
        let file = folder.path().join(files.first().expect("a configuration").0);
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={}", port.address()))
            .arg("--enable-feature=exemplar-storage")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus is installed: run `make packages`");
        let prometheus = Self { child, folder, port };
        eventually(LIMIT, || prometheus.get("/-/ready").is_some());
        prometheus
    }

    /// The result of a query now: the labels and the value of each series.
    ///
    /// # Panics
    /// When Prometheus does not understand it.
    #[track_caller]
    pub fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let answer = self.ask(&format!("/api/v1/query?query={}", escaped(query)));
        let series = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("no vector: {answer}"));
        let value = |one: &Value| one["value"][1].as_str().and_then(|text| text.parse().ok()).expect("a number");
        series.iter().map(|one| (one["metric"].clone(), value(one))).collect()
    }

    /// Waits until a query has a result that is good.
    ///
    /// # Panics
    /// When it has none in time.
    #[track_caller]
    pub fn eventually(&self, query: &str, mut is_good: impl FnMut(&[(Value, f64)]) -> bool) -> Vec<(Value, f64)> {
        eventually_some(LIMIT, || Some(self.query(query)).filter(|series| is_good(series)))
    }

    /// The rules it evaluates, as its API describes them.
    ///
    /// # Panics
    /// When it does not answer.
    #[track_caller]
    pub fn rules(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/rules");
        let groups = answer["data"]["groups"].as_array().unwrap_or_else(|| panic!("no groups: {answer}"));
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// The labels of the alerts that fire now, their names among them.
    ///
    /// # Panics
    /// When it does not answer.
    #[track_caller]
    pub fn firing(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array().unwrap_or_else(|| panic!("no alerts: {answer}"));
        alerts.iter().filter(|alert| alert["state"] == "firing").map(|alert| alert["labels"].clone()).collect()
    }

    /// The exemplars of the last minute of the series that a query selects.
    ///
    /// # Panics
    /// When it does not answer.
    #[track_caller]
    pub fn exemplars(&self, query: &str) -> Vec<Value> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let (start, end) = (now - 60, now + 60);
        let answer = self.ask(&format!("/api/v1/query_exemplars?query={}&start={start}&end={end}", escaped(query)));
        let series = answer["data"].as_array().unwrap_or_else(|| panic!("no exemplars: {answer}"));
        series.iter().flat_map(|one| one["exemplars"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// The answer of its API.
    #[track_caller]
    fn ask(&self, target: &str) -> Value {
        let mut connection = Connection::open(self.port.address());
        let answer = connection.request(&Request::get(target));
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        serde_json::from_str(&answer.text()).expect("JSON")
    }

    fn get(&self, target: &str) -> Option<String> {
        let mut connection = Connection::try_open(self.port.address()).ok()?;
        let answer = connection.try_request(&Request::get(target)).ok()?;
        (answer.status == 200).then(|| answer.text())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- the prometheus of the failed test said:\n{log}---");
        }
    }
}

fn escaped(query: &str) -> String {
    let escape =
        |byte: u8| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") };
    query.bytes().map(escape).collect()
}

/// What promtool says, run with these arguments in this folder.
///
/// # Panics
/// When it is not installed.
pub fn promtool(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(folder).output().expect("promtool is installed: run `make packages`")
}

/// What `promtool check metrics` says of a page.
///
/// # Panics
/// When it is not installed.
pub fn check_metrics(page: &str) -> Output {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: run `make packages`");
    child.stdin.take().expect("piped").write_all(page.as_bytes()).expect("promtool reads");
    child.wait_with_output().expect("promtool ends")
}
