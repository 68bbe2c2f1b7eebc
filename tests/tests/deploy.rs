//! What `deploy/docker`, `deploy/k8s` and `deploy/helm` ship, as far as it can be tried without Docker and without a cluster: the
//! image's entry point runs, the manifests and what Helm makes of the chart pass Kubernetes' own schemas, and the
//! configuration in them is one that the gateway takes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use towergate_tests::{Connection, Gateway, Port, Request, SOON, Upstream, binary, eventually, proxying, run, tool};

/// The compose file that guides to Kong show, but for its indents.
const COMPOSE_OF_THE_GUIDE: &str = r#"
version: '3.8'
services:
  kong-database:
    image: postgres:15-alpine
    container_name: kong-database
    environment: {POSTGRES_USER: kong, POSTGRES_PASSWORD: kongpass, POSTGRES_DB: kong}
    volumes: [kong_data:/var/lib/postgresql/data]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U kong"], interval: 5s, timeout: 5s, retries: 5}
    networks: [kong-net]
  kong-migrations:
    image: kong:3.5-alpine
    container_name: kong-migrations
    command: kong migrations bootstrap
    depends_on: {kong-database: {condition: service_healthy}}
    environment: {KONG_DATABASE: postgres, KONG_PG_HOST: kong-database, KONG_PG_USER: kong, KONG_PG_PASSWORD: kongpass, KONG_PG_DATABASE: kong}
    networks: [kong-net]
    restart: on-failure
  kong:
    image: kong:3.5-alpine
    container_name: kong
    depends_on: {kong-migrations: {condition: service_completed_successfully}}
    environment:
      KONG_DATABASE: postgres
      KONG_PG_HOST: kong-database
      KONG_PG_USER: kong
      KONG_PG_PASSWORD: kongpass
      KONG_PG_DATABASE: kong
      KONG_PROXY_ACCESS_LOG: /dev/stdout
      KONG_ADMIN_ACCESS_LOG: /dev/stdout
      KONG_PROXY_ERROR_LOG: /dev/stderr
      KONG_ADMIN_ERROR_LOG: /dev/stderr
      KONG_ADMIN_LISTEN: 0.0.0.0:8001, 0.0.0.0:8444 ssl
      KONG_PROXY_LISTEN: 0.0.0.0:8000, 0.0.0.0:8443 ssl
    ports: ["8000:8000", "8443:8443", "8001:8001", "8444:8444"]
    healthcheck: {test: ["CMD", "kong", "health"], interval: 10s, timeout: 10s, retries: 10}
    networks: [kong-net]
    restart: unless-stopped
volumes: {kong_data: null}
networks: {kong-net: {driver: bridge}}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

fn shipped(path: &str) -> String {
    fs::read_to_string(root().join("deploy").join(path)).unwrap_or_else(|error| panic!("deploy/{path}: {error}"))
}

/// What `tests/deploy/manifests.py` says.
fn ask(mode: &str, paths: &[PathBuf], input: &Value) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join("manifests.py");
    let mut child = tool("python")
        .arg(script)
        .arg(mode)
        .args(paths)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let input = input.to_string();
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), input.as_bytes()).expect("Python reads");
    child.wait_with_output().expect("Python ends")
}

#[track_caller]
fn documents(mode: &str, paths: &[PathBuf], input: &Value) -> Vec<Value> {
    let output = ask(mode, paths, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What Helm makes of the chart with these values.
#[track_caller]
fn rendered(values: &Value) -> Vec<Value> {
    documents("chart", &[root().join("deploy/helm/towergate")], values)
}

#[track_caller]
fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {documents:#?}"))
}

/// The variables of a container.
fn variables(container: &Value) -> Vec<(String, Value)> {
    let list = container["env"].as_array().expect("variables");
    list.iter().map(|one| (one["name"].as_str().expect("a name").to_owned(), one["value"].clone())).collect()
}

#[track_caller]
fn assert_has(container: &Value, name: &str, value: &str) {
    let variables = variables(container);
    assert!(variables.contains(&(name.to_owned(), value.into())), "{name}={value} is not in {variables:?}");
}

/// The gateway accepts this configuration.
#[track_caller]
fn assert_checks(document: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("kong.yml");
    fs::write(&file, document).expect("a file can be written");
    let output = run(&["check", file.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the image's entry point runs, in a folder where `kong` is the gateway.
struct Container {
    folder: TempDir,
    proxy: Port,
    admin: Port,
    _upstream: Upstream,
}

impl Container {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        symlink(binary(), folder.path().join("kong")).expect("a link");
        let upstream = Upstream::echo();
        fs::write(folder.path().join("kong.yml"), proxying(&upstream)).expect("a file");
        Self { folder, proxy: Port::free(), admin: Port::free(), _upstream: upstream }
    }

    /// The entry point with these arguments; without variables of the person who runs the tests.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.arg(root().join("deploy/docker/entrypoint.sh")).args(arguments).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().display()));
        command.env("KONG_PREFIX", self.folder.path().join("prefix")).env("KONG_DATABASE", "off");
        command.env("KONG_PROXY_LISTEN", self.proxy.address().to_string()).env("KONG_STATUS_LISTEN", "off");
        command.env("KONG_ADMIN_LISTEN", self.admin.address().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Ends what it holds.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_entry_point_serves_as_kongs_does() {
    let container = Container::new();
    let secret = container.folder.path().join("where");
    let document = container.folder.path().join("kong.yml");
    fs::write(&secret, format!("{}\n", document.display())).unwrap();
    let mut command = container.command(&["kong", "docker-start"]);
    // A value in a file, as Docker's secrets are handed over, and a setting whose own name ends so.
    command.env("KONG_DECLARATIVE_CONFIG_FILE", &secret).env("KONG_RESOLVER_HOSTS_FILE", "/etc/hosts");
    let mut running = Running(command.spawn().expect("sh runs"));
    eventually(SOON, || Connection::try_open(container.admin.address()).is_ok());
    assert_eq!(Connection::open(container.proxy.address()).request(&Request::get("/")).status, 200);
    let pid = fs::read_to_string(container.folder.path().join("prefix/pids/nginx.pid")).expect("a pid file");
    assert_eq!(pid.trim(), running.0.id().to_string(), "signals reach the gateway, not a shell");
    let status = Command::new("kill").args(["-QUIT", pid.trim()]).status().expect("kill runs");
    assert!(status.success());
    assert!(running.0.wait().expect("it ends").success());
}

#[test]
fn the_entry_point_runs_other_commands_as_they_are() {
    let container = Container::new();
    let said = |arguments: &[&str]| container.command(arguments).output().expect("sh runs");
    let version = said(&["kong", "version"]);
    assert!(version.status.success() && !version.stdout.is_empty());
    let echo = said(&["echo", "a b", "c"]);
    assert_eq!(String::from_utf8_lossy(&echo.stdout), "a b c\n");
    assert!(!said(&["kong", "no-such-command"]).status.success());
    let both = container
        .command(&["kong", "version"])
        .env("KONG_PG_PASSWORD", "a")
        .env("KONG_PG_PASSWORD_FILE", "/b")
        .output();
    let both = both.expect("sh runs");
    let expected =
        "entrypoint: both KONG_PG_PASSWORD and KONG_PG_PASSWORD_FILE are set: one says what the other does\n";
    assert_eq!((both.status.code(), &*String::from_utf8_lossy(&both.stderr)), (Some(1), expected));
    let missing = container.command(&["kong", "version"]).env("KONG_PG_PASSWORD_FILE", "/no/such").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&missing.stderr), "entrypoint: KONG_PG_PASSWORD_FILE: cannot read /no/such\n");
    let kept = container.command(&["sh", "-c", "echo \"$KONG_PG_PASSWORD\""]);
    let password = container.folder.path().join("password");
    fs::write(&password, "pa$$ \"word\" `x`\n").unwrap();
    let mut kept = kept;
    let kept = kept.env("KONG_PG_PASSWORD_FILE", &password).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "pa$$ \"word\" `x`\n", "nothing in a secret is run");
}

#[test]
fn the_image_is_built_of_what_is_there() {
    let dockerfile = shipped("docker/Dockerfile");
    let version = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version =
        version.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version").trim_matches('"');
    assert!(dockerfile.contains(&format!("FROM rust:{version}-")), "the compiler is not Rust {version}");
    assert!(
        root().join("deploy/docker/entrypoint.sh").exists()
            && dockerfile.contains("COPY --chmod=755 deploy/docker/entrypoint.sh")
    );
    let last = dockerfile.rsplit("\nFROM ").next().expect("a stage");
    assert!(last.contains("\nUSER kong\n"), "it would run as root");
    assert!(last.contains("\nENTRYPOINT [\"/entrypoint.sh\"]\nCMD [\"kong\", \"docker-start\"]"));
}

#[test]
fn only_the_images_name_differs_from_the_guides_compose_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guide.yml");
    fs::write(&file, COMPOSE_OF_THE_GUIDE.replace("kong:3.5-alpine", "towergate")).unwrap();
    let [guide, ours] =
        [file, root().join("deploy/docker/docker-compose.yml")].map(|file| documents("plain", &[file], &Value::Null));
    assert_eq!(guide, ours);
    for other in ["docker/docker-compose.dbless.yml", "monitoring/docker-compose.yml"] {
        let [compose]: [Value; 1] =
            documents("plain", &[root().join("deploy").join(other)], &Value::Null).try_into().unwrap();
        assert!(compose["services"]["gateway"]["environment"].is_object(), "{other}");
    }
}

#[test]
fn the_manifests_are_kubernetes() {
    let folder = root().join("deploy/k8s");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let manifests = documents("files", &files, &Value::Null);
    let container = &of_kind(&manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_has(container, "KONG_DECLARATIVE_CONFIG", "/etc/kong/config/kong.yml");
    assert_checks(of_kind(&manifests, "ConfigMap")["data"]["kong.yml"].as_str().expect("text"));
    let listed = of_kind(&manifests, "Kustomization")["resources"].as_array().unwrap().clone();
    assert!(listed.iter().all(|name| folder.join(name.as_str().unwrap()).exists()));
    // The guide's Ingress, to the letter; it needs a controller.
    let ingress = of_kind(&manifests, "Ingress");
    assert_eq!(
        ingress["metadata"]["annotations"],
        json!({"konghq.com/strip-path": "false", "konghq.com/plugins": "rate-limiting,jwt-auth"})
    );
    assert!(!listed.contains(&"kong-ingress.yaml".into()));
}

#[test]
fn the_chart_without_a_database() {
    let manifests = rendered(&json!({}));
    let pod = &of_kind(&manifests, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_has(container, "KONG_DATABASE", "off");
    assert_has(container, "KONG_PROXY_LISTEN", "0.0.0.0:8000, 0.0.0.0:8443 ssl http2");
    assert_has(container, "KONG_ADMIN_LISTEN", "127.0.0.1:8001");
    assert_has(container, "KONG_STATUS_LISTEN", "0.0.0.0:8100");
    assert!(pod["initContainers"].is_null());
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_checks(of_kind(&manifests, "ConfigMap")["data"]["kong.yml"].as_str().expect("text"));
    // YAML's off is false; it means the same.
    let again = rendered(&json!({"env": {"database": false}}));
    assert_has(&of_kind(&again, "Deployment")["spec"]["template"]["spec"]["containers"][0], "KONG_DATABASE", "off");
    let given = rendered(&json!({"dblessConfig": {"secret": "mine"}}));
    let volumes = of_kind(&given, "Deployment")["spec"]["template"]["spec"]["volumes"].as_array().unwrap().clone();
    assert!(volumes.contains(&json!({"name": "config", "secret": {"secretName": "mine"}})), "{volumes:?}");
    assert!(given.iter().all(|manifest| manifest["kind"] != "ConfigMap"));
}

#[test]
fn the_chart_with_everything() {
    let password = json!({"valueFrom": {"secretKeyRef": {"name": "pg", "key": "password"}}});
    let manifests = rendered(&json!({
        "env": {"database": "postgres", "pg_host": "db", "pg_password": password, "log_level": "warn"},
        "customEnv": {"redis_password": "x"},
        "admin": {"enabled": true, "tls": {"enabled": true}},
        "proxy": {"type": "NodePort", "http": {"nodePort": 30080}, "annotations": {"a": "b"}, "externalTrafficPolicy": "Local"},
        "autoscaling": {"enabled": true},
        "serviceMonitor": {"enabled": true},
        "secretVolumes": ["kong-tls"],
        "podLabels": {"team": "edge"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "image": {"repository": "registry.test/towergate", "tag": "1", "pullSecrets": ["registry"]},
    }));
    let spec = &of_kind(&manifests, "Deployment")["spec"];
    assert!(spec["replicas"].is_null(), "that is the autoscaler's");
    let pod = &spec["template"]["spec"];
    for container in [&pod["initContainers"][0], &pod["containers"][0]] {
        assert_eq!(container["image"], "registry.test/towergate:1");
        assert_has(container, "KONG_DATABASE", "postgres");
        assert_has(container, "KONG_LOG_LEVEL", "warn");
        assert_has(container, "KONG_ADMIN_LISTEN", "0.0.0.0:8001, 0.0.0.0:8444 ssl");
        assert_has(container, "REDIS_PASSWORD", "x");
        let secret =
            json!({"name": "KONG_PG_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "pg", "key": "password"}}});
        assert!(container["env"].as_array().unwrap().contains(&secret));
        assert!(variables(container).iter().all(|(name, _)| name != "KONG_DECLARATIVE_CONFIG"));
    }
    assert_eq!(of_kind(&manifests, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"], "status");
    assert_eq!(of_kind(&manifests, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"], "kong-towergate");
    let services: Vec<_> = manifests.iter().filter(|manifest| manifest["kind"] == "Service").collect();
    assert_eq!(services.len(), 2);
}

#[test]
fn the_chart_refuses_what_it_would_ignore() {
    for (values, expected) in [
        (json!({"ingressController": {"enabled": true}}), "this chart has no ingress controller"),
        (json!({"manager": {"enabled": true}}), "manager"),
        (json!({"proxy": {"htpp": {}}}), "htpp"),
        (json!({"replicaCount": "two"}), "replicaCount"),
    ] {
        let output = ask("chart", &[root().join("deploy/helm/towergate")], &values);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{values}: {said}");
    }
}

/// As kubelet brings a changed ConfigMap: a new folder, and a link to it that is replaced at once.
#[test]
fn a_changed_config_map_is_loaded() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    let bring = |name: &str, document: &str| {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("kong.yml"), document).unwrap();
        symlink(name, folder.path().join("..data_tmp")).unwrap();
        fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    };
    bring("..2026_11_28_1", &proxying(&upstream));
    symlink("..data/kong.yml", folder.path().join("kong.yml")).unwrap();
    let file = folder.path().join("kong.yml").to_str().unwrap().to_owned();
    let gateway = Gateway::with("").environment("KONG_DECLARATIVE_CONFIG", &file).start();
    let before = gateway.configuration_hash();
    bring("..2026_11_28_2", &(proxying(&upstream) + "plugins: [{name: cors}]\n"));
    fs::remove_dir_all(folder.path().join("..2026_11_28_1")).unwrap();
    eventually(SOON, || gateway.configuration_hash() != before);
    bring("..2026_11_28_3", &proxying(&upstream));
    eventually(SOON, || gateway.configuration_hash() == before);
}
