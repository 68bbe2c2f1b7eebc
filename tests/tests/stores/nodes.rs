//! Gateways whose configuration is in a store.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use towergate_config::Kind;
use towergate_store::{Change, Commit, Postgres as Shared, Seal, Store, Version};
use towergate_tests::{
    Authority, Database, Gateway, Postgres as Server, Request, SOON, Setup, eventually, eventually_some, postgres,
    run_with,
};

use crate::place::{consumer, reached};

/// A document whose one route answers with this status.
pub(crate) fn answering(status: u16) -> String {
    format!(
        "_format_version: \"3.0\"\nroutes:\n- name: only\n  paths: [/]\n  plugins:\n  - name: request-termination\n    config: {{status_code: {status}}}\n"
    )
}

/// What the proxy answers.
fn status(gateway: &Gateway) -> u16 {
    gateway.get("/").status
}

/// A gateway that keeps its configuration there. Its declarative file is not read.
pub(crate) fn on(settings: &[(&str, String)]) -> Setup {
    let setup = Gateway::with("_format_version: \"3.0\"");
    settings.iter().fold(setup, |setup, (name, value)| setup.setting(name, value))
}

/// Runs a command with these settings, with a document on hand as a file.
fn import(settings: &[(&str, String)], document: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    std::fs::write(&file, document).unwrap();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = run_with(&["config", "db_import", file.to_str().unwrap()], &settings);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn command(settings: &[(&str, String)], arguments: &[&str]) -> std::process::Output {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    run_with(arguments, &settings)
}

pub(crate) fn bootstrapped() -> Database {
    let database = Server::database();
    bootstrap(&database);
    database
}

fn bootstrap(database: &Database) {
    let output = command(&database.settings(), &["migrations", "bootstrap"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn nodes_on_one_postgres_follow_each_change_within_a_second() {
    let database = bootstrapped();
    import(&database.settings(), &answering(200));
    let nodes = [(); 2].map(|()| on(&database.settings()).setting("db_update_frequency", "600").start());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(async { Shared::new(reached(&database), Seal::none()) });
    let mut took = Vec::new();
    for number in 201..206 {
        let begun = runtime.block_on(answer_with(&store, number));
        for node in &nodes {
            eventually(SOON, || status(node) == number);
        }
        took.push(begun.elapsed());
    }
    took.sort();
    eprintln!("both nodes follow within {took:?}");
    // The one in the middle: a busy machine may hold up one or two.
    assert!(took[2] < Duration::from_secs(1), "{took:?}");
}

/// Commits another status for the only route; answers when that began.
async fn answer_with(store: &Shared, status: u16) -> Instant {
    let kept = store.load().await.unwrap();
    let mut plugin = kept.entities.into_iter().find(|entity| entity.kind == Kind::Plugins).unwrap();
    plugin.value["config"]["status_code"] = status.into();
    let begun = Instant::now();
    store.commit(Commit::of(kept.version, vec![plugin.into()])).await.unwrap();
    begun
}

#[test]
fn nodes_serve_on_while_their_postgres_is_gone_and_follow_when_it_is_back() {
    let server = Arc::new(Server::with(&[]));
    let database = Server::database_in(&server);
    bootstrap(&database);
    import(&database.settings(), &answering(201));
    let node = on(&database.settings()).start();
    assert_eq!(status(&node), 201);
    server.kill();
    eventually(SOON, || node.log().contains("until the PostgreSQL is in reach again"));
    for _ in 0..20 {
        assert_eq!(status(&node), 201);
    }
    assert!(!node.log().contains(postgres::PASSWORD));
    let is_reached = |value: u8| {
        let page = node.ask_admin(&Request::get("/metrics")).text();
        page.lines().any(|line| line == format!("kong_datastore_reachable {value}"))
    };
    assert!(is_reached(0));
    server.launch();
    import(&database.settings(), &answering(202));
    eventually(Duration::from_secs(20), || status(&node) == 202);
    assert!(is_reached(1));
}

#[test]
fn a_node_starts_while_its_postgres_is_gone_with_what_was_last_in_force() {
    let server = Arc::new(Server::with(&[]));
    let database = Server::database_in(&server);
    bootstrap(&database);
    let settings = database.settings();
    import(&settings, &answering(201));
    let prefix = tempfile::tempdir().unwrap();
    let key = "store_encryption_key".to_owned();
    let start = || {
        let node = on(&settings).setting("prefix", prefix.path().to_str().unwrap());
        node.setting(&key, &"5f".repeat(32)).argument("--run-migrations")
    };
    let copy = || {
        let files = std::fs::read_dir(prefix.path()).unwrap().filter_map(Result::ok).map(|file| file.path());
        files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "json"))
    };
    let mut node = start().start();
    let kept = eventually_some(SOON, copy);
    assert!(!std::fs::read_to_string(&kept).unwrap().contains("\"status_code\""), "what a plugin is told is encrypted");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    node.terminate();
    server.kill();
    let node = start().on_the_ports_of(&node).start();
    assert_eq!(status(&node), 201);
    eventually(SOON, || node.log().contains("STARTING WITH THE CONFIGURATION THAT WAS LAST IN FORCE HERE"));
    assert!(!node.log().contains(postgres::PASSWORD));
    assert_eq!(node.ask_admin(&Request::get("/routes/only")).status, 200, "it can be read");
    let route = Request::post("/routes", r#"{"paths": ["/new"]}"#).header("Content-Type", "application/json");
    let refused = node.ask_admin(&route);
    assert_eq!((refused.status, refused.message().as_str()), (503, "The database is not in reach"));
    assert_eq!(node.ask_admin(&Request::get("/status")).json()["database"]["reachable"], false);
    server.launch();
    import(&settings, &answering(202));
    eventually(Duration::from_secs(20), || status(&node) == 202);
    assert_eq!(node.ask_admin(&route).status, 201);
    let version = std::fs::read_to_string(&kept).unwrap();
    eventually(SOON, || std::fs::read_to_string(&kept).unwrap() != version);
}

#[test]
fn a_node_begins_with_what_a_replica_has_and_follows_the_server() {
    let (server, other) = (Arc::new(Server::with(&[])), Arc::new(Server::with(&[])));
    // What lags behind is stood in for by another server.
    let (database, replica) = (Server::database_in(&server), Server::database_in(&other));
    for (database, status) in [(&database, 202), (&replica, 201)] {
        bootstrap(database);
        import(&database.settings(), &answering(status));
    }
    import(&database.settings(), &answering(203));
    let mut settings = database.settings().to_vec();
    settings.push(("pg_ro_host", "127.0.0.1".to_owned()));
    settings.push(("pg_ro_port", other.port().to_string()));
    settings.push(("pg_ro_database", replica.name().to_owned()));
    server.kill();
    let node = on(&settings).start();
    assert_eq!(status(&node), 201);
    server.launch();
    eventually(Duration::from_secs(20), || status(&node) == 203);
    other.kill();
    let node = on(&settings).start();
    assert_eq!(status(&node), 203, "without the replica it is read from the server");
    eventually(SOON, || node.log().contains("the replica (pg_ro_host) is not read from"));
}

#[test]
fn without_a_copy_a_node_does_not_start_while_its_postgres_is_gone() {
    let server = Arc::new(Server::with(&[]));
    let database = Server::database_in(&server);
    server.kill();
    let failure = on(&database.settings()).fails();
    assert!(failure.stderr.contains("cannot connect to the PostgreSQL"), "{failure:?}");
    assert!(failure.stderr.contains("no configuration was ever in force here"), "{failure:?}");
}

#[test]
fn what_is_broken_in_the_store_never_replaces_what_is_in_force() {
    let database = bootstrapped();
    import(&database.settings(), &answering(201));
    let node = on(&database.settings()).start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let break_it = async {
        let store = Shared::new(reached(&database), Seal::none());
        let version = store.load().await.unwrap().version;
        let id = uuid::Uuid::from_u128(5);
        let plugin = json!({ "id": id, "name": "request-termination", "config": { "status_code": "fine" } });
        let changes = vec![Change::put(Kind::Plugins, id, plugin), Change::from(consumer(1, "anna"))];
        let version = store.commit(Commit::of(version, changes)).await.unwrap();
        (store, version, id)
    };
    let (store, version, id): (_, Version, _) = runtime.block_on(break_it);
    eventually(SOON, || {
        ["the configuration before stays in force", "status_code"].iter().all(|part| node.log().contains(part))
    });
    assert_eq!(status(&node), 201);
    let mend = store.commit(Commit::of(version, vec![Change::delete(Kind::Plugins, id)]));
    runtime.block_on(mend).unwrap();
    import(&database.settings(), &answering(202));
    eventually(Duration::from_secs(20), || status(&node) == 202);
}

#[test]
fn a_database_that_was_not_prepared_is_told() {
    let database = Server::database();
    let failure = on(&database.settings()).fails();
    assert!(
        failure.stderr.contains("Database needs bootstrapping; run 'towergate migrations bootstrap'"),
        "{failure:?}"
    );
    let mut settings = database.settings().to_vec();
    settings.retain(|(name, _)| *name != "pg_password");
    settings.push(("pg_password", "wrong and secret".to_owned()));
    let failure = on(&settings).fails();
    assert!(failure.stderr.contains("password authentication failed"), "{failure:?}");
    assert!(!failure.stderr.contains("secret"), "{failure:?}");
}

#[test]
fn a_start_brings_the_database_up_to_date_if_it_is_told_to() {
    let database = bootstrapped();
    // As a database is that was made by a version before the first step.
    database.ask("DELETE FROM towergate_migrations");
    let failure = on(&database.settings()).fails();
    assert!(
        failure.stderr.contains("New migrations available; run 'towergate migrations up' to proceed"),
        "{failure:?}"
    );
    let start = || on(&database.settings()).argument("--run-migrations");
    // Two that begin at once, and one that finds it done.
    let nodes =
        std::thread::scope(|scope| [(); 2].map(|()| scope.spawn(|| start().start())).map(|node| node.join().unwrap()));
    import(&database.settings(), &answering(201));
    for node in nodes.into_iter().chain([start().start()]) {
        eventually(SOON, || status(&node) == 201);
    }
}

#[test]
fn a_node_with_sqlite_has_its_configuration_again_whatever_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("configuration.sqlite").display().to_string();
    let settings =
        [("database", "sqlite".to_owned()), ("sqlite_path", path.clone()), ("store_encryption_key", "5".repeat(64))];
    let mut node = on(&settings).start();
    assert_eq!(status(&node), 404);
    import(&settings, &answering(201));
    eventually(SOON, || status(&node) == 201);
    import(&settings, &answering(202));
    node.end_by("KILL");
    let node = on(&settings).start();
    assert_eq!(status(&node), 202);
    let failure = on(&[("database", "sqlite".to_owned()), ("sqlite_path", path)]).fails();
    assert!(failure.stderr.contains("no key is set; see store_encryption_key"), "{failure:?}");
}

#[test]
fn without_a_database_what_was_last_in_force_is_there_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let alone = || {
        let prefix = folder.path().display().to_string();
        Gateway::with("").setting("declarative_config", "").setting("prefix", &prefix).start()
    };
    let mut node = alone();
    assert_eq!(status(&node), 404);
    assert_eq!(node.post_document(&answering(201)).status, 201);
    let hash = node.configuration_hash();
    // A broken one changes nothing, here nor there.
    assert_eq!(node.post_document("routes: 1").status, 400);
    node.end_by("KILL");
    let node = alone();
    assert_eq!(status(&node), 201);
    assert_eq!(node.configuration_hash(), hash);
    let again = Request::post("/config?check_hash=1", answering(201)).header("Content-Type", "application/yaml");
    assert_eq!(node.ask_admin(&again).status, 304);
    drop(node);
    // A declarative file counts more than what was kept.
    let prefix = folder.path().display().to_string();
    let mut node = Gateway::with(&answering(203)).setting("prefix", &prefix).start();
    assert_eq!(status(&node), 203);
    node.terminate();
    assert_eq!(status(&alone()), 203);
}

#[test]
fn a_postgres_is_spoken_to_over_tls_and_known_by_its_certificate() {
    let authority = Authority::new("Databases");
    let certificate = authority.issue(&["127.0.0.1"]);
    let server = Server::prepared(&["ssl=on", "ssl_cert_file={folder}/server.crt", "ssl_key_file={folder}/server.key"]);
    server.give("server.crt", &certificate.certificate);
    server.give("server.key", &certificate.key);
    server.launch();
    let database = Server::database_in(&Arc::new(server));
    let with = |trusted: &str| {
        let mut settings = database.settings().to_vec();
        settings.extend([("pg_ssl", "on"), ("pg_ssl_verify", "on")].map(|(name, value)| (name, value.to_owned())));
        settings.push(("lua_ssl_trusted_certificate", trusted.to_owned()));
        settings
    };
    let output = command(&with(&authority.pem), &["migrations", "bootstrap"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    import(&with(&authority.pem), &answering(201));
    let node = on(&with(&authority.pem)).start();
    assert_eq!(status(&node), 201);
    let is_encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                        WHERE application_name = 'towergate'";
    assert_eq!(database.ask(is_encrypted), "t");
    let failure = on(&with(&Authority::new("Others").pem)).fails();
    assert!(failure.stderr.contains("cannot connect to the PostgreSQL"), "{failure:?}");
}
