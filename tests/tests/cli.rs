//! The command line: what operators' scripts call, and what they read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use towergate_tests::{Connection, Port, Request, SOON, binary, eventually};

const GOOD: &str =
    "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://127.0.0.1:1\n  routes: [{name: r, paths: [/]}]\n";
const BROKEN: &str = "_format_version: \"3.0\"\nservices:\n- nme: s\n";

/// A place to run gateways in the background. What still runs at the end is stopped.
struct Place {
    folder: TempDir,
    settings: BTreeMap<&'static str, String>,
    proxy: Port,
    status: Port,
}

/// What a command said, and its exit code.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    error: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), error: text(output.stderr) }
    }
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kong.yml"), GOOD).unwrap();
        let (proxy, admin, status) = (Port::free(), Port::free(), Port::free());
        let settings = BTreeMap::from([
            ("KONG_PREFIX", folder.path().join("prefix").display().to_string()),
            ("KONG_DECLARATIVE_CONFIG", folder.path().join("kong.yml").display().to_string()),
            ("KONG_PROXY_LISTEN", proxy.address().to_string()),
            ("KONG_ADMIN_LISTEN", admin.address().to_string()),
            ("KONG_STATUS_LISTEN", status.address().to_string()),
            ("KONG_NGINX_WORKER_PROCESSES", "1".to_owned()),
        ]);
        Self { folder, settings, proxy, status }
    }

    fn prefix(&self) -> std::path::PathBuf {
        self.folder.path().join("prefix")
    }

    fn document(&self, text: &str) {
        fs::write(self.folder.path().join("kong.yml"), text).unwrap();
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KONG_") {
                command.env_remove(name);
            }
        }
        command.envs(&self.settings).args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.command(binary(), arguments).output().unwrap().into()
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.prefix().join("pids/nginx.pid")).unwrap().trim().to_owned()
    }

    fn ready(&self) -> u16 {
        Connection::open(self.status.address()).request(&Request::get("/status/ready")).status
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.prefix().join("pids/nginx.pid").exists() {
            let _ = self.command(binary(), &["stop"]).output();
        }
    }
}

// --- a gateway in the background -----------------------------------------------------------------------------------------

#[test]
fn a_gateway_lives_in_the_background() {
    let place = Place::new();
    let down = place.run(&["health"]);
    let at = place.prefix().display().to_string();
    assert_eq!((down.code, down.error.as_str()), (1, format!("Error: Kong is not running at {at}\n").as_str()));
    let started = place.run(&["start", "--daemon"]);
    assert_eq!((started.code, started.out.as_str()), (0, "Kong started\n"), "{started:?}");
    // It serves when the command ends, without a wait.
    assert_eq!(Connection::open(place.proxy.address()).request(&Request::get("/x")).status, 502);
    let healthy = place.run(&["health"]);
    assert_eq!(healthy.code, 0);
    assert_eq!(healthy.out, format!("nginx.......running\n\nKong is healthy at {at}\n"), "Kong's words");
    for again in [&["start", "--daemon"][..], &["start"]] {
        let said = place.run(again);
        assert_eq!(said.code, 1);
        assert!(said.error.contains(&format!("Kong is already running in {at}")), "{said:?}");
    }
    let stopped = place.run(&["stop"]);
    assert_eq!((stopped.code, stopped.out.as_str()), (0, "Kong stopped\n"), "{stopped:?}");
    assert_eq!(place.run(&["health"]).code, 1);
    let stopped = place.run(&["stop"]);
    assert_eq!((stopped.code, stopped.error.contains("Kong is not running at")), (1, true), "{stopped:?}");
}

#[test]
fn what_keeps_it_from_starting_in_the_background_is_told() {
    let mut place = Place::new();
    place.settings.insert("KONG_NGINX_DAEMON", "on".into());
    place.document(BROKEN);
    let said = place.run(&["start"]);
    assert_eq!(said.code, 1);
    assert!(said.error.contains("kong.yml:3:3") && said.error.contains("did you mean `name`?"), "{said:?}");
    place.document(GOOD);
    let said = place.run(&["start"]);
    assert_eq!((said.code, said.out.as_str()), (0, "Kong started\n"), "nginx_daemon=on means the background: {said:?}");
}

#[test]
fn a_gateway_that_was_killed_does_not_run_any_more() {
    let place = Place::new();
    assert_eq!(place.run(&["start", "--daemon"]).code, 0);
    assert!(Command::new("kill").args(["-9", &place.pid()]).status().unwrap().success());
    eventually(SOON, || place.run(&["health"]).code == 1);
    assert!(place.prefix().join("pids/nginx.pid").exists(), "the number is still there");
    assert_eq!(place.run(&["start", "--daemon"]).code, 0);
    let (before, restarted) = (place.pid(), place.run(&["restart", "--daemon"]));
    assert_eq!((restarted.code, restarted.out.as_str()), (0, "Kong started\n"), "{restarted:?}");
    assert_ne!(place.pid(), before);
    place.document(BROKEN);
    let (before, refused) = (place.pid(), place.run(&["restart", "--daemon"]));
    assert_eq!((refused.code, place.pid()), (1, before), "a broken configuration stops nothing: {refused:?}");
}

#[test]
fn reload_tells_what_came_of_it() {
    let place = Place::new();
    let said = place.run(&["reload"]);
    assert_eq!((said.code, said.error.contains("Kong is not running at")), (1, true));
    assert_eq!(place.run(&["start", "--daemon"]).code, 0);
    let status = || Connection::open(place.proxy.address()).request(&Request::get("/")).status;
    assert_eq!(status(), 502, "the route is there");
    place.document(BROKEN);
    let said = place.run(&["reload"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.error.starts_with("Error: configuration not reloaded, the one before stays in force:"), "{said:?}");
    assert!(said.error.contains("kong.yml:3:3") && said.error.contains("2 problems"), "{said:?}");
    assert_eq!(status(), 502, "a broken configuration never replaces a good one");
    place.document("_format_version: \"3.0\"\n");
    let said = place.run(&["reload"]);
    assert_eq!((said.code, said.out.as_str(), status()), (0, "Kong reloaded\n", 404), "{said:?}");
}

#[test]
fn quit_gives_load_balancers_time() {
    let place = Place::new();
    assert_eq!(place.run(&["start", "--daemon"]).code, 0);
    assert_eq!(place.ready(), 200);
    let quitting =
        place.command(binary(), &["quit", "--wait", "4", "-t", "20"]).stdout(Stdio::piped()).spawn().unwrap();
    eventually(SOON, || place.ready() == 503);
    assert_eq!(Connection::open(place.proxy.address()).request(&Request::get("/")).status, 502, "it serves on");
    let said = Said::from(quitting.wait_with_output().unwrap());
    assert_eq!((said.code, said.out.as_str()), (0, "Kong stopped (gracefully)\n"), "{said:?}");
}

#[test]
fn drain_takes_it_out_of_the_traffic() {
    let place = Place::new();
    assert_eq!(place.run(&["start", "-d"]).code, 0);
    let said = place.run(&["drain"]);
    assert_eq!((said.code, said.out.as_str()), (0, "Kong's status successfully changed to 'draining'\n"), "{said:?}");
    assert_eq!(place.ready(), 503);
}

// --- the other commands --------------------------------------------------------------------------------------------------

#[test]
fn prepare_makes_the_prefix_and_its_certificates() {
    let mut place = Place::new();
    place.settings.insert("KONG_PROXY_LISTEN", "127.0.0.1:0 ssl".into());
    let said = place.run(&["prepare", "--nginx-conf", "x.lua"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    assert_eq!(said.error, "warning: --nginx-conf x.lua does nothing: there is no nginx\n");
    for path in ["pids", "logs", "ssl/kong-default.crt", "ssl/kong-default.key"] {
        assert!(place.prefix().join(path).exists(), "{path}");
    }
}

#[test]
fn config_init_writes_what_config_parse_accepts() {
    let place = Place::new();
    assert_eq!(place.run(&["config", "init", "new.yml"]).code, 0);
    let said = place.run(&["config", "parse", "new.yml"]);
    assert_eq!((said.code, said.out.as_str()), (0, "parse successful\n"), "{said:?}");
    let text = fs::read_to_string(place.folder.path().join("new.yml")).unwrap();
    let uncommented = text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
    let code = uncommented.filter(|line| !line.is_empty() && line.starts_with([' ', '-', '_']) || line.ends_with(':'));
    fs::write(place.folder.path().join("all.yml"), code.collect::<Vec<_>>().join("\n")).unwrap();
    let said = place.run(&["check", "all.yml"]);
    assert_eq!(said.code, 0, "the examples in it are right: {said:?}");
    let said = place.run(&["config", "init", "new.yml"]);
    assert_eq!((said.code, said.error.as_str()), (1, "Error: new.yml already exists; it is not overwritten\n"));
}

#[test]
fn check_takes_several_files_and_standard_input() {
    let place = Place::new();
    fs::write(place.folder.path().join("more.yml"), "_format_version: \"3.0\"\nconsumers: [{username: c}]\n").unwrap();
    let said = place.run(&["check", "kong.yml", "more.yml"]);
    assert_eq!((said.code, said.out.as_str()), (0, "configuration at kong.yml, more.yml is valid\n"), "{said:?}");
    let mut checked = place.command(binary(), &["check", "-"]);
    let file = fs::File::open(place.folder.path().join("kong.yml")).unwrap();
    let said = Said::from(checked.stdin(file).output().unwrap());
    assert_eq!((said.code, said.out.as_str()), (0, "configuration at standard input is valid\n"), "{said:?}");
    place.document(BROKEN);
    let said = place.run(&["check", "kong.yml", "more.yml"]);
    assert!(said.code == 1 && said.error.contains("kong.yml:3:3: services[0].nme: unknown field"), "{said:?}");
    assert!(!said.error.contains('\u{1b}'), "no colours where nobody looks: {said:?}");
}

#[test]
fn vault_get_prints_a_secret() {
    let place = Place::new();
    for reference in ["env/test", "{vault://env/test}"] {
        let mut command = place.command(binary(), &["vault", "get", reference]);
        let said = Said::from(command.env("TEST", "hello").output().unwrap());
        assert_eq!((said.code, said.out.as_str()), (0, "hello\n"), "{said:?}");
    }
    let said = place.run(&["vault", "get", "env/none"]);
    assert_eq!((said.code, said.error.contains("the environment variable NONE is not set")), (1, true), "{said:?}");
}

#[test]
fn shells_complete_all_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = place.run(&["completions", shell]);
        assert_eq!(said.code, 0);
        for word in ["start", "reload", "completions", "vault", "daemon"] {
            assert!(said.out.contains(word), "{shell}: {word}");
        }
    }
    let bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    if let Ok(mut bash) = bash {
        std::io::Write::write_all(&mut bash.stdin.take().unwrap(), place.run(&["completions", "bash"]).out.as_bytes())
            .unwrap();
        assert!(bash.wait().unwrap().success());
    }
}

#[test]
fn called_kong_it_is_kong() {
    let place = Place::new();
    let folder = place.folder.path().to_str().unwrap();
    let said = place.run(&["alias", folder]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.run(&["alias", folder]).code, 0, "twice is no harm");
    let kong = place.folder.path().join("kong");
    let call = |arguments: &[&str]| Said::from(place.command(&kong, arguments).output().unwrap());
    assert!(call(&["--help"]).out.contains("Usage: kong "));
    assert_eq!(call(&["version"]).out, format!("{}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(call(&["start", "--daemon"]).out, "Kong started\n");
    assert_eq!(call(&["health"]).code, 0);
    assert_eq!(call(&["stop"]).code, 0);
    fs::remove_file(&kong).unwrap();
    fs::write(&kong, "somebody else's").unwrap();
    assert_eq!(place.run(&["alias", folder]).code, 1);
    assert_eq!(fs::read_to_string(&kong).unwrap(), "somebody else's");
}

/// What Kong 3.9.3's commands take (`kong/cmd`), but `hybrid` and `roar`. With `--help` at the end all before it is read.
#[test]
fn every_flag_of_kong_is_known() {
    let place = Place::new();
    for line in [
        "start -c a -p b --nginx-conf c --nginx-conf-flags d --run-migrations --db-timeout 1 --lock-timeout 2",
        "start --conf a --prefix b",
        "restart -c a -p b --nginx-conf c --nginx-conf-flags d --run-migrations --db-timeout 1 --lock-timeout 2",
        "reload -c a -p b --nginx-conf c --nginx-conf-flags d",
        "stop -p a",
        "quit -p a -t 1 -w 2",
        "quit --prefix a --timeout 1 --wait 2",
        "health --prefix a",
        "check kong.conf",
        "version --all",
        "prepare -c a -p b --nginx-conf c",
        "drain -c a -p b",
        "vault get env/x -c a -p b",
        "config init a.yml -c b -p c",
        "config parse a.yml -c b -p c",
        "config db_import a.yml -c b -p c",
        "config db_export a.yml -c b -p c",
        "migrations bootstrap -y -q -f --db-timeout 1 --lock-timeout 2 -c a -p b",
        "migrations up --yes --quiet --force --conf a --prefix b",
        "migrations finish -q",
        "migrations list -c a",
        "migrations reset -y",
        "migrations status -c a",
    ] {
        let words: Vec<_> = line.split(' ').chain(["--help"]).collect();
        let said = place.run(&words);
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn every_command_has_help_and_a_wrong_one_ends_with_1() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!(help.code, 0);
    let listed = help.out.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed: Vec<_> =
        listed.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(listed.len() >= 16, "{listed:?}");
    for command in listed.into_iter().filter(|command| *command != "help") {
        let said = place.run(&[command, "--help"]);
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{command}");
        assert!(said.out.contains("Usage: towergate "), "{command}: {}", said.out);
    }
    for wrong in [&["dance"][..], &["health", "--dance"], &[]] {
        let said = place.run(wrong);
        assert_eq!(said.code, 1, "{wrong:?}: {said:?}");
        assert!(!said.error.is_empty(), "{wrong:?}");
    }
    for flag in ["-v", "-vv", "--v", "--vv"] {
        assert_eq!(place.run(&[flag, "version"]).code, 0, "{flag}");
        assert_eq!(place.run(&["version", flag]).code, 0, "{flag}");
    }
}
