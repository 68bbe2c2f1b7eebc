//! A real Prometheus that scrapes what a test runs.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::{Connection, Port, Request, eventually, eventually_some};

/// A start on a busy machine, and a few scrapes.
const LIMIT: Duration = Duration::from_secs(40);

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
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), Port::free());
        let config = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
             scrape_configs:\n- {{job_name: gateway, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).expect("the configuration can be written");
        let log = File::create(folder.path().join("log")).expect("the log can be written");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={}", port.address()))
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
        let escape =
            |byte: u8| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") };
        let escaped: String = query.bytes().map(escape).collect();
        let body =
            self.get(&format!("/api/v1/query?query={escaped}")).unwrap_or_else(|| panic!("no answer to {query}"));
        let answer: Value = serde_json::from_str(&body).expect("JSON");
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
