//! `towergate migrations` and `towergate config db_import|db_export`.

use std::process::{Command, Output};

use serde_json::{Value, json};
use towergate_tests::{Database, Postgres as Server, binary, run_with};

use crate::nodes::answering;

fn run(database: &Database, arguments: &[&str]) -> (Option<i32>, String) {
    run_also(database, arguments, &[])
}

fn run_also(database: &Database, arguments: &[&str], more: &[(&str, &str)]) -> (Option<i32>, String) {
    let settings = database.settings();
    let settings: Vec<_> =
        settings.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect();
    said(&run_with(arguments, &settings))
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), text.concat().trim_end().to_owned())
}

#[test]
fn migrations_say_what_kong_says() {
    let database = Server::database();
    let name = database.name();
    let bootstrapped = format!(
        "Bootstrapping database...\nmigrating towergate on database '{name}'...\n\
         towergate migrated up to: 000_base (executed)\n1 migration processed\nDatabase is up-to-date"
    );
    let needed = "Database needs bootstrapping; run 'towergate migrations bootstrap'";
    let first = "Error: Cannot run migrations: database needs bootstrapping; run 'towergate migrations bootstrap'";
    for (arguments, code, words) in [
        (&["list"] as &[&str], 3, needed),
        (&["up"], 1, first),
        (&["finish"], 1, "Error: Cannot run migrations; run 'towergate migrations bootstrap' instead"),
        (&["reset", "-y"], 1, "Database not bootstrapped, nothing to reset"),
        (&["bootstrap", "-q"], 0, ""),
        (&["reset"], 1, "Error: not a tty: invoke 'reset' non-interactively with the --yes flag"),
        (&["reset", "--yes"], 0, "Resetting database...\nDatabase successfully reset"),
        (&["bootstrap"], 0, &bootstrapped),
        (&["bootstrap"], 0, "Database already bootstrapped"),
        (&["list"], 0, "Executed migrations:\ntowergate: 000_base"),
        (&["up"], 0, "Database is already up-to-date"),
        (&["finish", "--lock-timeout", "5", "--db-timeout", "5"], 0, "No pending migrations to finish"),
    ] {
        let arguments: Vec<_> = ["migrations"].iter().chain(arguments).copied().collect();
        assert_eq!(run(&database, &arguments), (Some(code), words.to_owned()), "{arguments:?}");
    }
    let (code, status) = run(&database, &["migrations", "status"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        serde_json::from_str::<Value>(&status).unwrap(),
        json!({
            "needs_bootstrap": false,
            "executed_migrations": [{ "subsystem": "towergate", "migrations": ["000_base"] }],
            "pending_migrations": [],
            "new_migrations": [],
        })
    );
}

#[test]
fn a_start_brings_the_tables_up_to_date_if_it_is_told_to() {
    let database = Server::database();
    let first = "Error: Cannot run migrations: database needs bootstrapping; run 'towergate migrations bootstrap'";
    let listen = [("proxy_listen", "off"), ("admin_listen", "off"), ("status_listen", "off")];
    let (code, words) = run_also(&database, &["start", "--run-migrations", "--db-timeout", "5"], &listen);
    assert_eq!((code, words.lines().last()), (Some(1), Some(first)), "{words}");
}

#[test]
fn what_was_left_half_way_is_told_by_the_exit_code() {
    let database = Server::database();
    run(&database, &["migrations", "bootstrap"]);
    database.ask("UPDATE towergate_migrations SET finished = false");
    let pending =
        "\nPending migrations:\ntowergate: 000_base\nRun 'towergate migrations finish' when ready".trim_start();
    let (code, said) = run(&database, &["migrations", "list"]);
    assert_eq!((code, said.trim_start()), (Some(4), pending));
    let (code, said) = run(&database, &["migrations", "up"]);
    let refused = "Error: Database has pending migrations; run 'towergate migrations finish'";
    assert_eq!((code, said.as_str()), (Some(1), refused));
    assert_eq!(run(&database, &["migrations", "finish"]).0, Some(0));
    database.ask("DELETE FROM towergate_migrations");
    assert_eq!(run(&database, &["migrations", "status"]).0, Some(5));
    let (code, said) = run(&database, &["migrations", "list"]);
    assert_eq!(code, Some(5));
    assert!(said.ends_with("Run 'towergate migrations up' to proceed"), "{said}");
    assert_eq!(run(&database, &["migrations", "up"]).0, Some(0));
    assert_eq!(run(&database, &["migrations", "list"]).0, Some(0));
    // What somebody has damaged is mended.
    database.ask("DROP TABLE towergate_changes");
    assert_eq!(run(&database, &["migrations", "up", "-f"]).0, Some(0));
    assert_eq!(database.ask("SELECT count(*) FROM towergate_changes"), "0");
}

#[test]
fn of_two_that_bootstrap_at_once_one_finds_it_done() {
    let database = Server::database();
    let settings = database.settings();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..4)
            .map(|_| {
                let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
                scope.spawn(move || said(&run_with(&["migrations", "bootstrap"], &settings)))
            })
            .collect();
        for one in running {
            let (code, said) = one.join().unwrap();
            assert_eq!(code, Some(0), "{said}");
        }
    });
    assert_eq!(database.ask("SELECT count(*) FROM towergate_migrations"), "1");
}

#[test]
fn the_tables_of_a_kong_in_the_same_database_are_left_alone() {
    let database = Server::database();
    database.ask("CREATE TABLE services (id uuid, name text); CREATE TABLE schema_meta (key text); INSERT INTO services (name) VALUES ('kept')");
    for arguments in [["migrations", "bootstrap"], ["migrations", "up"], ["migrations", "finish"]] {
        assert_eq!(run(&database, &arguments).0, Some(0));
    }
    let tables =
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_stat_user_tables WHERE relname NOT LIKE 'towergate%'";
    assert_eq!(database.ask(tables), "schema_meta services");
    assert_eq!(run(&database, &["migrations", "reset", "-y"]).0, Some(0));
    assert_eq!(database.ask("SELECT name FROM services"), "kept");
    assert_eq!(database.ask("SELECT count(*) FROM pg_stat_user_tables"), "2");
}

#[test]
fn a_schema_of_its_own_is_made() {
    let database = Server::database();
    let schema = [("pg_schema", "the \"gateway\"")];
    assert_eq!(run_also(&database, &["migrations", "bootstrap"], &schema).0, Some(0));
    assert_eq!(database.ask("SELECT count(*) FROM \"the \"\"gateway\"\"\".towergate_migrations"), "1");
    assert_eq!(run(&database, &["migrations", "list"]).0, Some(3));
    assert_eq!(run_also(&database, &["migrations", "list"], &schema).0, Some(0));
}

#[test]
fn what_is_imported_can_be_exported_and_imported_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, exported) = (path("kong.yml"), path("exported.yml"));
    let document = "_format_version: \"3.0\"
services:
- {name: users, url: \"http://users:3000\", routes: [{name: users, paths: [/users]}]}
consumers:
- username: anna
  basicauth_credentials: [{username: anna, password: open sesame}]
plugins:
- {name: cors, config: {origins: [\"*\"]}}
";
    std::fs::write(&file, document).unwrap();
    let [first, second] = [(); 2].map(|()| {
        let database = Server::database();
        assert_eq!(run(&database, &["migrations", "bootstrap"]).0, Some(0));
        database
    });
    let (code, said) = run(&first, &["config", "db_import", &file]);
    let imported = "parse successful, beginning import\nimport successful: 5 entities are new or changed";
    assert_eq!((code, said.as_str()), (Some(0), imported));
    let (code, said) = run(&first, &["config", "db_export", &exported]);
    assert_eq!((code, said), (Some(0), format!("exported 5 entities to {exported}")));
    let refused = format!("Error: {exported} already exists.\nWill not overwrite it.");
    assert_eq!(run(&first, &["config", "db_export", &exported]), (Some(1), refused));
    assert_eq!(run(&second, &["config", "db_import", &exported]).0, Some(0));
    // Passwords were hashed once, by the first.
    let all = "SELECT kind, id, entity::jsonb FROM towergate_entities ORDER BY kind, id";
    assert_eq!(first.ask(all), second.ask(all));
    assert_eq!(
        run(&second, &["config", "db_export", "-"]).1.trim_end(),
        std::fs::read_to_string(&exported).unwrap().trim_end()
    );
    // What is there already does not change, and is not committed once more.
    let version = "SELECT version FROM towergate_state";
    assert_eq!(run(&second, &["config", "db_import", &exported]).0, Some(0));
    assert_eq!(second.ask(version), "1");
}

#[test]
fn an_import_tells_what_it_is_at_on_a_terminal_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    std::fs::write(&file, answering(201)).unwrap();
    let import = format!("'{}' config db_import '{}'", binary().display(), file.display());
    let said = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("KONG_DATABASE", "sqlite").env("KONG_PREFIX", folder.path());
        said(&command.stdin(std::process::Stdio::null()).output().expect("it can be run (Debian: bsdutils)"))
    };
    let (code, on_a_terminal) = said("script", &["-qec", &import, "/dev/null"]);
    assert_eq!(code, Some(0), "{on_a_terminal}");
    for step in
        ["parsing …", "checking 2 entities beside 0 of the database …", "writing 2 entities …", "import successful"]
    {
        assert!(on_a_terminal.contains(step), "{step}: {on_a_terminal:?}");
    }
    let unchanged = "parse successful, beginning import\nimport successful: 0 entities are new or changed";
    assert_eq!(said("sh", &["-c", &import]), (Some(0), unchanged.to_owned()), "and nothing of it elsewhere");
}

#[test]
fn an_import_is_all_or_nothing_and_fits_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    let database = Server::database();
    run(&database, &["migrations", "bootstrap"]);
    let import = |document: &str| {
        std::fs::write(&file, document).unwrap();
        run(&database, &["config", "db_import", file.to_str().unwrap()])
    };
    assert_eq!(import(&answering(201)).0, Some(0));
    let (code, said) = import("_format_version: \"3.0\"\nservices: [{name: users, protocol: gopher}]");
    assert_eq!(code, Some(1));
    assert!(said.starts_with("Error: Failed parsing:\n") && said.contains("gopher"), "{said}");
    // A name that another entity of the database has.
    let same_name = "_format_version: \"3.0\"\nroutes: [{id: 4e13f54a-bbf1-47a8-8777-255fed7116f2, name: only, paths: [/x]}, {name: other, paths: [/y]}]";
    let (code, said) = import(same_name);
    assert_eq!(code, Some(1));
    assert!(said.contains("Failed importing:\n") && said.contains("uniqueness violation"), "{said}");
    assert_eq!(database.ask("SELECT version FROM towergate_state"), "1");
    let (code, said) = said_without(&["config", "db_import", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("only works with a database."), "{said}");
    assert_eq!(
        said_without(&["config", "db_export"]),
        (Some(1), "Error: 'towergate config db_export' only works with a database.".to_owned())
    );
}

#[test]
fn secrets_are_encrypted_from_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, old, new) = (path("kong.yml"), path("old"), path("new"));
    let document = "_format_version: \"3.0\"\nconsumers: [{username: anna, keyauth_credentials: [{key: open sesame}]}]";
    for (file, text) in [(&file, document), (&old, &"1".repeat(64)), (&new, &("2".repeat(64) + "\n"))] {
        std::fs::write(file, text).unwrap();
    }
    let database = Server::database();
    run(&database, &["migrations", "bootstrap"]);
    assert_eq!(run(&database, &["config", "db_import", &file]).0, Some(0));
    let kept = || database.ask("SELECT string_agg(entity::text, ' ') FROM towergate_entities");
    assert!(kept().contains("sesame"));
    let encrypt = |keys: &str| run_also(&database, &["config", "db_encrypt"], &[("store_encryption_key", keys)]);
    let done = (Some(0), "wrote 2 entities, their secrets encrypted".to_owned());
    assert_eq!(encrypt(&old), done);
    assert!(!kept().contains("sesame"));
    // From the old key to the new one, which alone is enough then.
    assert_eq!(encrypt(&format!("{new}, {old}")), done);
    let exported = run_also(&database, &["config", "db_export", "-"], &[("store_encryption_key", &new)]);
    assert!(exported.1.contains("open sesame"), "{exported:?}");
    for (keys, words) in [
        (old.as_str(), "and the keys that are set are others ("),
        ("", "and no key is set; see store_encryption_key"),
        ("1234", "store_encryption_key: a key must be 32 bytes in hexadecimal or base64"),
        ("/nowhere/key", "store_encryption_key: cannot read /nowhere/key: No such file"),
    ] {
        let (code, said) = encrypt(keys);
        assert_eq!(code, Some(1));
        assert!(said.contains(words), "{said}");
    }
}

fn said_without(arguments: &[&str]) -> (Option<i32>, String) {
    said(&run_with(arguments, &[("database", "off")]))
}
