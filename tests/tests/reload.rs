//! A new configuration replaces the old one as a whole, without a failed request; a bad one changes nothing.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;
use towergate_tests::{
    Answer, Connection, Gate, Gateway, Received, Reply, Request, SOON, Script, Upstream, eventually, proxying,
    proxying_to, run_with,
};

/// A document whose version the upstream sees as the first segment of its path.
fn version(upstream: &Upstream, number: usize) -> String {
    proxying_to(&format!("{}/v{number}", upstream.url()), &["retries: 0"])
}

/// The version that forwarded a request, told by the echo.
#[track_caller]
fn version_of(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let path = answer.json()["path"].as_str().expect("the echo tells the path").to_owned();
    let digits = path.trim_start_matches("/v").split('/').next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("no version in {path}"))
}

#[test]
fn sighup_reads_the_file_again() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    assert_eq!(version_of(&gateway.get("/")), 1);
    gateway.reload(&version(&upstream, 2));
    assert_eq!(version_of(&gateway.get("/")), 2);
}

#[test]
fn a_replaced_file_is_noticed() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    for number in [2, 3] {
        gateway.replace_document(&version(&upstream, number));
        eventually(SOON, || version_of(&gateway.get("/")) == number);
    }
}

#[test]
fn a_file_written_in_place_is_noticed() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    for number in [2, 3] {
        fs::write(gateway.document_path(), version(&upstream, number)).unwrap();
        eventually(SOON, || version_of(&gateway.get("/")) == number);
    }
}

#[test]
fn a_posted_document_is_live_when_its_answer_comes() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    for number in 2..10 {
        assert_eq!(gateway.post_document(&version(&upstream, number)).status, 201);
        assert_eq!(version_of(&gateway.get("/")), number);
    }
}

#[test]
fn routes_services_consumers_and_plugins_all_change() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    assert_eq!(gateway.get("/").status, 200);
    let keyed = |key: &str| {
        format!(
            "{}consumers: [{{username: x, keyauth_credentials: [{{key: {key}}}]}}]\nplugins: [{{name: key-auth}}]\n",
            proxying(&upstream)
        )
    };
    let with_key = |key: &str| gateway.send(&Request::get("/").header("apikey", key)).status;
    gateway.reload(&keyed("first"));
    assert_eq!([with_key("first"), with_key("second"), gateway.get("/").status], [200, 401, 401]);
    gateway.reload(&keyed("second"));
    assert_eq!([with_key("first"), with_key("second")], [401, 200]);
    gateway.reload(&proxying(&upstream).replace(r#"["/"]"#, "[/new]"));
    assert_eq!([gateway.get("/new").status, gateway.get("/").status], [200, 404]);
    gateway.reload("_format_version: \"3.0\"\n");
    assert_eq!(gateway.get("/new").status, 404);
}

/// Documents that must not replace a good one, and what is said about them.
const BAD: [(&str, &str); 5] = [
    ("_format_version: \"3.0\"\nservices:\n- name: x\n  url: http://h\n  retriess: 3\n", "retriess"),
    ("_format_version: \"3.0\"\nservices: [\n", "failed parsing declarative configuration"),
    ("services: []\n", "_format_version"),
    (
        "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  service: nope\n",
        "invalid reference 'service: nope'",
    ),
    ("_format_version: \"3.0\"\nplugins:\n- name: no-such-plugin\n", "plugin 'no-such-plugin' not enabled"),
];

#[test]
fn a_bad_file_keeps_the_old_configuration_and_says_why() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    let hash = gateway.configuration_hash();
    for (document, reason) in BAD {
        gateway.replace_document(document);
        gateway.signal("HUP");
        eventually(SOON, || gateway.stderr().contains(reason));
        assert_eq!(version_of(&gateway.get("/")), 1, "{document}");
        assert_eq!(gateway.configuration_hash(), hash, "{document}");
    }
    gateway.reload(&version(&upstream, 2));
    assert_eq!(version_of(&gateway.get("/")), 2);
}

#[test]
fn a_bad_file_is_named_with_line_and_column() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    gateway.replace_document(BAD[0].0);
    gateway.signal("HUP");
    eventually(SOON, || gateway.stderr().contains("kong.yml:5:3"));
}

#[test]
fn a_bad_posted_document_keeps_the_old_configuration() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    let hash = gateway.configuration_hash();
    for (document, _) in BAD {
        assert_eq!(gateway.post_document(document).status, 400, "{document}");
        assert_eq!(version_of(&gateway.get("/")), 1, "{document}");
        assert_eq!(gateway.configuration_hash(), hash, "{document}");
    }
}

#[test]
fn a_file_that_vanishes_keeps_the_old_configuration() {
    let upstream = Upstream::echo();
    let mut gateway = Gateway::serving(&version(&upstream, 1));
    fs::remove_file(gateway.document_path()).unwrap();
    gateway.signal("HUP");
    let told = |line: &str| line.contains("[error]") && line.contains("kong.yml");
    eventually(SOON, || gateway.stderr().lines().any(told));
    assert_eq!(version_of(&gateway.get("/")), 1);
    assert!(gateway.is_running());
    gateway.reload(&version(&upstream, 2));
    assert_eq!(version_of(&gateway.get("/")), 2);
}

#[test]
fn sighup_without_a_change_harms_nothing() {
    let upstream = Upstream::echo();
    let mut gateway = Gateway::serving(&version(&upstream, 1));
    let hash = gateway.configuration_hash();
    for _ in 0..20 {
        gateway.signal("HUP");
        assert_eq!(version_of(&gateway.get("/")), 1);
    }
    assert!(gateway.is_running());
    assert_eq!(gateway.configuration_hash(), hash);
}

#[test]
fn a_change_reaches_connections_that_are_already_open() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    let mut connections: Vec<Connection> = (0..8).map(|_| gateway.connect()).collect();
    for connection in &mut connections {
        assert_eq!(version_of(&connection.request(&Request::get("/"))), 1);
    }
    gateway.reload(&version(&upstream, 2));
    for connection in &mut connections {
        assert_eq!(version_of(&connection.request(&Request::get("/"))), 2);
    }
}

#[test]
fn a_request_in_flight_finishes_on_the_configuration_it_began_with() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |request: &Received| match request.path.as_str() {
        "/v1/slow" => Script::echo().behind(&held),
        _ => Script::echo(),
    });
    let gateway = Gateway::serving(&version(&upstream, 1));
    let mut connection = gateway.connect();
    connection.send(Request::get("/slow").bytes());
    eventually(SOON, || upstream.count() == 1);
    gateway.reload("_format_version: \"3.0\"\n");
    assert_eq!(gateway.get("/slow").status, 404);
    gate.open();
    assert_eq!(version_of(&connection.answer()), 1);
    assert_eq!(connection.request(&Request::get("/slow")).status, 404);
}

#[test]
fn a_retry_in_flight_finishes_on_the_configuration_it_began_with() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |request: &Received| match request.connection {
        0 => Script::reset().behind(&held),
        _ => Script::echo(),
    });
    let gateway = Gateway::serving(&proxying_to(&format!("{}/v1", upstream.url()), &["retries: 1"]));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    gateway.reload("_format_version: \"3.0\"\n");
    gate.open();
    assert_eq!(version_of(&connection.answer()), 1);
}

/// Clients that loop until told to stop; each either keeps its connection or opens one per request.
struct Load {
    stop: AtomicBool,
    requests: AtomicUsize,
    newest: AtomicUsize,
}

impl Load {
    fn new() -> Self {
        Self { stop: AtomicBool::new(false), requests: AtomicUsize::new(0), newest: AtomicUsize::new(0) }
    }

    fn run(&self, gateway: &Gateway, keep: bool) {
        let mut connection = gateway.connect();
        while !self.stop.load(Ordering::Relaxed) {
            if !keep {
                connection = gateway.connect();
            }
            let seen = version_of(&connection.request(&Request::get("/")));
            self.newest.fetch_max(seen, Ordering::Relaxed);
            self.requests.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs 32 clients while `change` is called for versions 2 to 21; any failed request panics in its thread.
fn under_load(upstream: &Upstream, gateway: &Gateway, change: impl Fn(&str)) {
    let load = Load::new();
    thread::scope(|scope| {
        // Also when a change panics: the scope waits for its clients.
        let _stop = StopOnDrop(&load.stop);
        let clients: Vec<_> = (0..32)
            .map(|n| {
                scope.spawn({
                    let load = &load;
                    move || load.run(gateway, n % 2 == 0)
                })
            })
            .collect();
        for number in 2..=21 {
            let before = load.requests.load(Ordering::Relaxed);
            change(&version(upstream, number));
            let seen = || load.newest.load(Ordering::Relaxed) >= number;
            let busy = || load.requests.load(Ordering::Relaxed) >= before + clients.len();
            let failed = || clients.iter().any(thread::ScopedJoinHandle::is_finished);
            eventually(SOON, || seen() && busy() || failed());
        }
    });
    assert_eq!(load.newest.into_inner(), 21);
}

#[test]
fn no_request_fails_while_the_file_changes_twenty_times() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    under_load(&upstream, &gateway, |document| gateway.reload(document));
}

#[test]
fn no_request_fails_while_twenty_documents_are_posted() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    under_load(&upstream, &gateway, |document| assert_eq!(gateway.post_document(document).status, 201));
}

#[test]
fn after_a_posted_document_the_file_still_counts_when_it_changes() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&version(&upstream, 1));
    assert_eq!(gateway.post_document(&version(&upstream, 2)).status, 201);
    gateway.reload(&version(&upstream, 3));
    assert_eq!(version_of(&gateway.get("/")), 3);
}

#[test]
fn a_change_of_one_service_keeps_the_connections_of_another() {
    let [kept, other] = [Upstream::answering(|_| Reply::ok("")), Upstream::answering(|_| Reply::ok(""))];
    let document = |tag: &str| {
        format!(
            "{}- name: other\n  url: {}\n  tags: [{tag}]\n  routes: [{{paths: [/other]}}]\n",
            proxying(&kept),
            other.url()
        )
    };
    let gateway = Gateway::with(&document("a")).setting("nginx_worker_processes", "1").start();
    assert_eq!(gateway.get("/").status, 200);
    gateway.reload(&document("b"));
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!((kept.count(), kept.accepted()), (2, 1));
}

// --- settings ------------------------------------------------------------------------------------------------------------

/// A gateway with these lines in its kong.conf, and that file.
fn configured(upstream: &Upstream, lines: &str) -> (Gateway, PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("kong.conf");
    fs::write(&conf, lines).unwrap();
    let gateway = Gateway::with(&proxying(upstream)).argument("--conf").argument(conf.to_str().unwrap()).start();
    (gateway, conf, folder)
}

/// `towergate reload` with these settings in its environment: exit code, and all it said.
fn reload(gateway: &Gateway, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let prefix = gateway.prefix();
    // It serves a moment before it takes commands.
    eventually(SOON, || prefix.join("sockets/control.sock").exists());
    let output = run_with(&["reload", "--prefix", prefix.to_str().unwrap()], settings);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn settings_are_read_again() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream =
        Upstream::answering(
            move |request| if request.path == "/held" { Script::echo().behind(&held) } else { Script::echo() },
        );
    let (gateway, conf, _folder) = configured(&upstream, "headers = server_tokens\n");
    let (mut idle, mut busy) = (gateway.connect(), gateway.connect());
    let from = |client: &str| Request::post("/", "hello").header("X-Real-IP", client);
    let answer = idle.request(&from("10.1.2.3"));
    assert!(
        answer.status == 200 && answer.header("Via").is_some() && answer.header("X-Kong-Upstream-Status").is_none()
    );
    assert_eq!(upstream.last().header("X-Real-IP"), Some("127.0.0.1"));
    busy.send(Request::get("/held").bytes());
    eventually(SOON, || upstream.count() == 2);
    let lines = "headers = X-Kong-Upstream-Status\ntrusted_ips = 127.0.0.1\nnginx_http_client_max_body_size = 5\n\
                 error_default_type = application/xml\nserver_token = gate/1\nupstream_keepalive_pool_size = 0\n";
    fs::write(&conf, lines).unwrap();
    assert_eq!(reload(&gateway, &[]), (Some(0), "Kong reloaded\n".to_owned()));
    let answer = gateway.send(&from("10.1.2.3"));
    assert!(answer.header("Via").is_none() && answer.header("X-Kong-Upstream-Status") == Some("200"), "{answer:?}");
    assert_eq!(upstream.last().header("X-Real-IP"), Some("10.1.2.3"), "who is trusted now");
    let answer = gateway.send(&Request::post("/", "hello!"));
    assert_eq!((answer.status, answer.header("Content-Type")), (413, Some("application/xml; charset=utf-8")));
    let shown = gateway.ask_admin(&Request::get("/")).json();
    assert_eq!(shown["configuration"]["server_token"], "gate/1");
    eventually(SOON, || gateway.log().contains("settings reloaded: error_default_type, headers, "));
    gate.open();
    let answer = busy.answer();
    assert!(answer.status == 200 && answer.header("Via").is_some(), "a request finishes as it began");
}

#[test]
fn settings_that_only_a_start_can_change_are_named() {
    let upstream = Upstream::echo();
    let (gateway, conf, _folder) = configured(&upstream, "log_level = info\n");
    fs::write(&conf, "dns_stale_ttl = 5\nplugins = bundled,off\nnobody_knows_this = 1\nheaders = off\n").unwrap();
    let line = "these settings have changed and count from the next start on: dns_stale_ttl, plugins";
    assert_eq!(reload(&gateway, &[]), (Some(0), format!("Kong reloaded\nwarning: {line}\n")));
    eventually(SOON, || gateway.log().contains(line));
    assert!(gateway.get("/").header("Via").is_none(), "the others hold");
}

#[test]
fn broken_settings_change_nothing() {
    let upstream = Upstream::echo();
    let (gateway, conf, _folder) = configured(&upstream, "headers = server_tokens\n");
    fs::write(&conf, "headers = off\ntrusted_ips = everybody\nreal_ip_recursive = perhaps\n").unwrap();
    let (code, said) = reload(&gateway, &[]);
    assert_eq!(code, Some(1), "{said}");
    for part in ["settings not reloaded, those before stay in force", "trusted_ips", "real_ip_recursive", "kong.conf:2"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(gateway.get("/").header("Via").is_some());
}

#[test]
fn a_reload_may_bring_variables() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let level = || gateway.ask_admin(&Request::get("/debug/node/log-level")).message();
    assert_eq!(level(), "log level: info");
    assert_eq!(reload(&gateway, &[("log_level", "warn")]).0, Some(0));
    assert_eq!(level(), "log level: warn");
    assert_eq!(reload(&gateway, &[]).0, Some(0));
    assert_eq!(level(), "log level: warn", "they stay until the next start, as Kong's");
}
