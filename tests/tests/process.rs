//! The process as operators meet it: starting, refusing to start, signals, files, and the other verbs.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use towergate_tests::{
    Connection, Failure, Gate, Gateway, KONG_VERSION, Port, Request, SOON, Script, Upstream, eventually, proxying,
    proxying_to, run,
};

const EMPTY: &str = "_format_version: \"3.0\"\n";

/// A refusal says its reason once, and says it before anything was served.
#[track_caller]
fn assert_refused(failure: &Failure, reasons: &[&str]) {
    assert_eq!(failure.code, Some(1), "{}", failure.stderr);
    let telling = |line: &&str| reasons.iter().all(|reason| line.contains(reason));
    assert_eq!(failure.stderr.lines().filter(telling).count(), 1, "{reasons:?} in one line of:\n{}", failure.stderr);
    assert!(!failure.stderr.contains("panicked"), "{}", failure.stderr);
    assert!(failure.took < SOON, "{:?}", failure.took);
}

// --- refusing to start ---------------------------------------------------------------------------------------------------

#[test]
fn a_busy_port_is_named() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    for setting in ["proxy_listen", "admin_listen"] {
        assert_refused(&Gateway::with(EMPTY).setting(setting, &address).fails(), &[&address]);
    }
}

#[test]
fn an_unreadable_document_is_named() {
    let path = "/nonexistent/kong.yml";
    assert_refused(&Gateway::with(EMPTY).setting("declarative_config", path).fails(), &[path]);
}

#[test]
fn a_bad_document_is_named_with_line_and_column() {
    let document = "_format_version: \"3.0\"\nservices:\n- name: x\n  url: http://h\n  retries: many\n";
    let failure = Gateway::with(document).fails();
    assert_refused(&failure, &["retries", "expected an integer"]);
    assert!(failure.stderr.contains("kong.yml:5:"), "{}", failure.stderr);
}

#[test]
fn all_problems_of_a_document_are_told_at_once() {
    let document =
        "_format_version: \"3.0\"\nservices:\n- name: x\n  retries: -1\n- name: x y\n  url: http://h\n  nope: 1\n";
    let failure = Gateway::with(document).fails();
    for text in
        ["value should be between 0 and 32767", "required field missing", "only accepted ascii", "unknown field"]
    {
        assert!(failure.stderr.contains(text), "{text} in:\n{}", failure.stderr);
    }
}

#[test]
fn an_unknown_plugin_is_named() {
    let document = format!("{EMPTY}plugins: [{{name: no-such-plugin}}]\n");
    let text = "plugin 'no-such-plugin' not enabled; add it to the 'plugins' configuration property";
    assert_refused(&Gateway::with(&document).fails(), &[text]);
}

#[test]
fn bad_settings_are_named() {
    for (key, value) in [
        ("proxy_listen", "nonsense"),
        ("proxy_listen", "127.0.0.1:99999"),
        ("log_level", "loud"),
        ("trusted_ips", "10.0.0.300"),
        ("headers", "X-Nonsense"),
        ("nginx_worker_processes", "many"),
        ("upstream_keepalive_pool_size", "-1"),
    ] {
        let failure = Gateway::with(EMPTY).setting(key, value).fails();
        assert_refused(&failure, &[key, value]);
    }
}

#[test]
fn cassandra_is_refused_with_a_reason() {
    assert_refused(&Gateway::with(EMPTY).setting("database", "cassandra").fails(), &["database", "cassandra"]);
}

#[test]
fn settings_of_nginx_lua_and_the_database_are_accepted_and_ignored() {
    let setup = [
        ("nginx_http_lua_regex_match_limit", "1"),
        ("nginx_events_worker_connections", "1024"),
        ("lmdb_map_size", "128m"),
        ("lua_package_path", "./?.lua;;"),
        ("pg_host", "nowhere"),
        ("cluster_listen", "off"),
        ("untrusted_lua", "sandbox"),
        ("worker_consistency", "strict"),
        ("made_up_by_someone", "1"),
    ]
    .iter()
    .fold(Gateway::with(EMPTY), |setup, (key, value)| setup.setting(key, value));
    assert_eq!(setup.start().get("/").status, 404);
}

// --- listening -----------------------------------------------------------------------------------------------------------

#[test]
fn several_addresses_are_listened_on() {
    let upstream = Upstream::echo();
    let extra = Port::free();
    let mut probe = Gateway::serving(&proxying(&upstream));
    probe.terminate();
    let listen = format!("{}, {} reuseport backlog=16384", probe.proxy(), extra.address());
    let setup = Gateway::with(&proxying(&upstream)).on_the_ports_of(&probe).setting("proxy_listen", &listen);
    let gateway = setup.start();
    for address in [gateway.proxy(), extra.address()] {
        assert_eq!(Connection::open(address).request(&Request::get("/")).status, 200);
        assert_eq!(upstream.last().header("X-Forwarded-Port"), Some(address.port().to_string().as_str()));
    }
}

#[test]
fn an_admin_api_open_to_the_world_is_warned_about() {
    let gateway = Gateway::with(EMPTY).admin_on_all_addresses().start();
    eventually(SOON, || gateway.log().lines().any(|line| line.contains("admin_listen")));
}

#[test]
fn all_workers_serve() {
    let upstream = Upstream::echo();
    for workers in ["1", "4", "auto"] {
        let gateway = Gateway::with(&proxying(&upstream)).setting("nginx_worker_processes", workers).start();
        for _ in 0..20 {
            assert_eq!(gateway.get("/").status, 200, "{workers}");
        }
    }
}

// --- ending --------------------------------------------------------------------------------------------------------------

/// What ends within this time has not waited for the nine seconds that requests have after SIGTERM.
const WITHOUT_WAITING: Duration = Duration::from_secs(8);

fn refuses(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

#[test]
fn sigterm_ends_an_idle_gateway_cleanly() {
    let upstream = Upstream::echo();
    let mut gateway = Gateway::serving(&proxying(&upstream));
    let mut idle = gateway.connect();
    assert_eq!(idle.request(&Request::get("/")).status, 200);
    let exit = gateway.terminate();
    assert_eq!(exit.status.code(), Some(0), "{}", gateway.log());
    assert!(exit.took < WITHOUT_WAITING, "{:?}", exit.took);
    assert_eq!(idle.drained(), b"");
}

#[test]
fn requests_in_flight_finish_on_sigterm_and_sigquit() {
    for signal in ["TERM", "QUIT"] {
        let gate = Gate::closed();
        let held = gate.clone();
        let upstream = Upstream::answering(move |_| Script::echo().behind(&held));
        let mut gateway = Gateway::serving(&proxying(&upstream));
        let mut waiting: Vec<Connection> = (0..20).map(|_| gateway.connect()).collect();
        for connection in &mut waiting {
            connection.send(Request::post("/", "hello").bytes());
        }
        eventually(SOON, || upstream.count() == waiting.len());
        gateway.signal(signal);
        eventually(SOON, || refuses(gateway.proxy()));
        assert!(gateway.is_running(), "{signal}: it left with requests in flight");
        gate.open();
        for connection in &mut waiting {
            let answer = connection.answer();
            assert_eq!((answer.status, answer.json()["body_bytes"].as_u64()), (200, Some(5)), "{signal}");
        }
        let exit = gateway.end();
        assert_eq!(exit.status.code(), Some(0), "{signal}: {}", gateway.log());
    }
}

#[test]
fn slow_requests_finish_on_sigterm() {
    let upstream = Upstream::answering(|_| Script::echo().after(Duration::from_millis(500)));
    let mut gateway = Gateway::serving(&proxying(&upstream));
    let mut waiting: Vec<Connection> = (0..20).map(|_| gateway.connect()).collect();
    for connection in &mut waiting {
        connection.send(Request::get("/").bytes());
    }
    eventually(SOON, || upstream.count() == waiting.len());
    let exit = gateway.terminate();
    for connection in &mut waiting {
        assert_eq!(connection.answer().status, 200);
    }
    assert_eq!(exit.status.code(), Some(0));
    assert!(exit.took < WITHOUT_WAITING, "{:?}", exit.took);
}

#[test]
fn a_request_that_never_ends_does_not_hold_sigterm_for_10_seconds() {
    let upstream = Upstream::answering(|_| Script::hang());
    let mut gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    let exit = gateway.terminate();
    assert!(exit.took < Duration::from_secs(10), "{:?}", exit.took);
}

fn quit(gateway: &Gateway, timeout: &str) -> Output {
    // It serves a moment before it takes commands.
    eventually(SOON, || gateway.prefix().join("sockets/control.sock").exists());
    run(&["quit", "--prefix", gateway.prefix().to_str().unwrap(), "--timeout", timeout])
}

#[test]
fn quit_gives_requests_the_time_it_is_told() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_| Script::echo().behind(&held));
    let mut gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    std::thread::scope(|scope| {
        let quitting = scope.spawn(|| quit(&gateway, "60"));
        eventually(SOON, || refuses(gateway.proxy()));
        gate.open();
        assert_eq!(connection.answer().status, 200);
        assert_eq!(stdout(&quitting.join().unwrap()), "Kong stopped (gracefully)\n");
    });
    assert!(gateway.end().status.success());
}

#[test]
fn quit_cuts_off_what_has_not_finished_in_time() {
    let upstream = Upstream::answering(|_| Script::hang());
    let mut gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send(Request::get("/").bytes());
    eventually(SOON, || upstream.count() == 1);
    let begin = Instant::now();
    let output = quit(&gateway, "1");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(begin.elapsed() < WITHOUT_WAITING, "not the nine seconds of SIGTERM: {:?}", begin.elapsed());
    assert!(gateway.end().status.success(), "it ended by itself and was not killed: {}", gateway.log());
    assert!(gateway.log().contains("cut off what had not finished in time"), "{}", gateway.log());
}

#[test]
fn ports_are_free_at_once_after_sigterm() {
    let upstream = Upstream::echo();
    let mut gateway = Gateway::serving(&proxying(&upstream));
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status, 200);
        gateway.terminate();
        gateway = Gateway::with(&proxying(&upstream)).on_the_ports_of(&gateway).start();
    }
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn ports_are_free_at_once_after_a_kill() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut open = gateway.connect();
    assert_eq!(open.request(&Request::get("/")).status, 200);
    let next = Gateway::with(&proxying(&upstream)).on_the_ports_of(&gateway);
    drop(gateway);
    assert_eq!(next.start().get("/").status, 200);
}

#[test]
fn two_gateways_do_not_share_a_port_by_accident() {
    let upstream = Upstream::echo();
    let first = Gateway::serving(&proxying(&upstream));
    let address = first.proxy().to_string();
    assert_refused(&Gateway::with(EMPTY).setting("proxy_listen", &address).fails(), &[&address]);
    for _ in 0..10 {
        assert_eq!(first.get("/").status, 200);
    }
}

// --- files below the prefix ----------------------------------------------------------------------------------------------

#[test]
fn the_pid_file_names_the_process_to_signal() {
    let upstream = Upstream::echo();
    let mut gateway = Gateway::serving(&proxying(&upstream));
    let path = gateway.prefix().join("pids/nginx.pid");
    assert_eq!(fs::read_to_string(&path).unwrap().trim(), gateway.pid().to_string());
    gateway.terminate();
    assert!(!path.exists(), "a pid file of a process that has ended");
}

#[test]
fn the_error_log_lies_below_the_prefix_and_ordinary_traffic_is_no_news() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&proxying(&upstream))
        .setting("proxy_error_log", "logs/error.log")
        .setting("admin_error_log", "logs/error.log")
        .start();
    for _ in 0..10 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(gateway.send(&Request::get("/").header("Host", "a b")).status, 400);
    let log = fs::read_to_string(gateway.prefix().join("logs/error.log")).unwrap();
    for level in ["[warn]", "[error]", "[crit]", "[alert]", "[emerg]"] {
        assert!(!log.contains(level), "{log}");
    }
}

#[test]
fn an_upstream_failure_is_logged_with_the_request_s_id() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::serving(&proxying(&upstream));
    let answer = gateway.get("/");
    let id = answer.header("X-Kong-Request-Id").unwrap().to_owned();
    eventually(SOON, || gateway.log().lines().any(|line| line.contains("[error]") && line.contains(&id)));
}

#[test]
fn log_level_decides_what_is_logged() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::with(&proxying(&upstream)).setting("log_level", "crit").start();
    assert_eq!(gateway.get("/").status, 502);
    assert_eq!(gateway.log(), "");
}

/// Kong without a database refuses; there is no reason to.
#[test]
fn the_log_level_can_be_changed_for_a_while() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::with(&proxying(&upstream)).setting("log_level", "crit").start();
    let ask = |method: &str, path: &str| {
        let answer = gateway.ask_admin(&Request::new(method, path));
        (answer.status, answer.message())
    };
    let told = |status, text: &str| (status, text.to_owned());
    assert_eq!(ask("GET", "/debug/node/log-level"), told(200, "log level: crit"));
    assert_eq!(gateway.get("/").status, 502);
    assert_eq!(gateway.log(), "");
    assert_eq!(ask("PUT", "/debug/node/log-level/error"), told(200, "log level changed"));
    assert_eq!(ask("PUT", "/debug/node/log-level/error"), told(200, "log level is already error"));
    assert_eq!(ask("GET", "/debug/node/log-level/"), told(200, "log level: error"));
    assert_eq!(gateway.get("/").status, 502);
    eventually(SOON, || gateway.log().lines().filter(|line| line.contains("[error]")).count() == 1);
    assert_eq!(ask("PUT", "/debug/node/log-level/crit?timeout=0"), told(200, "log level changed"));
    assert_eq!(ask("PUT", "/debug/node/log-level/debug?timeout=1"), told(200, "log level changed"));
    eventually(SOON, || ask("GET", "/debug/node/log-level") == told(200, "log level: crit"));
    for (path, why) in [
        ("/debug/node/log-level/loud", "unknown log level: loud"),
        ("/debug/node/log-level/info?timeout=-1", "timeout must be greater than or equal to 0"),
    ] {
        assert_eq!(ask("PUT", path), told(400, why));
    }
}

#[test]
fn plugins_that_are_not_there_are_told_when_they_are_asked_for() {
    let gateway = Gateway::with(EMPTY).setting("plugins", "bundled,my-plugin").start();
    let told = "plugins: 'my-plugin' is not part of this version";
    eventually(SOON, || gateway.log().contains(told));
    assert_eq!(gateway.log().matches(told).count(), 1, "{}", gateway.log());
}

#[test]
fn plugins_that_are_not_enabled_cannot_be_configured() {
    let document = format!("{EMPTY}plugins: [{{name: cors}}]\n");
    for plugins in ["off", "key-auth"] {
        let text = "plugin 'cors' not enabled; add it to the 'plugins' configuration property";
        assert_refused(&Gateway::with(&document).setting("plugins", plugins).fails(), &[text]);
    }
    Gateway::with(&document).setting("plugins", "cors").start();
}

// --- other verbs ---------------------------------------------------------------------------------------------------------

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn nobody_has_to_read_what_is_said() {
    // Both ends of each pipe are closed before the first line comes.
    let mut child = std::process::Command::new(towergate_tests::binary())
        .args(["check", concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/kong-guide/kong.yml")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn version_is_ours_and_on_request_kong_s_too() {
    let output = run(&["version"]);
    assert_eq!((output.status.code(), stdout(&output).trim()), (Some(0), env!("CARGO_PKG_VERSION")));
    let output = run(&["version", "-a"]);
    assert!(
        stdout(&output).contains(env!("CARGO_PKG_VERSION")) && stdout(&output).contains(KONG_VERSION),
        "{output:?}"
    );
}

#[test]
fn an_unknown_verb_fails() {
    assert_ne!(run(&["dance"]).status.code(), Some(0));
}

#[test]
fn check_accepts_a_good_document_without_serving_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    fs::write(&path, "_format_version: \"3.0\"\nservices: [{name: x, url: 'http://h'}]\n").unwrap();
    let output = run(&["check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn check_tells_file_line_and_column_of_each_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    let document = "_format_version: \"3.0\"\nservices:\n- name: x\n  url: http://h\n  nope: 1\nroutes:\n- name: r\n  paths: [/]\n  service: y\n";
    fs::write(&path, document).unwrap();
    let output = run(&["check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output) + &stderr(&output);
    let path = path.display();
    let told = |place: &str, text: &str| {
        said.lines().any(|line| line.contains(&format!("{path}:{place}")) && line.contains(text))
    };
    assert!(told("5:3", "unknown field"), "{said}");
    assert!(told("9:", "invalid reference 'service: y' (no such entry in 'services')"), "{said}");
}

#[test]
fn check_of_a_file_that_is_no_yaml_tells_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    fs::write(&path, "_format_version: \"3.0\"\nservices: [\n").unwrap();
    let output = run(&["check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains(&format!("{}:", path.display())), "{said}");
}

#[test]
fn parallel_starts_do_not_disturb_each_other() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(Gateway::serving(EMPTY).get("/").status, 404));
        }
    });
}

#[test]
fn a_log_that_nobody_reads_any_more_harms_no_request() {
    // As with `towergate start 2>&1 | head`: the pipe of standard error is closed on the other side.
    let nobody = Port::free();
    let document = proxying_to(&format!("http://{}", nobody.address()), &["retries: 0"]);
    let mut gateway = Gateway::with(&document).start_with_stderr_closed();
    for _ in 0..5 {
        assert_eq!(gateway.get("/").status, 502, "and a line for the log");
    }
    assert!(gateway.is_running());
}
