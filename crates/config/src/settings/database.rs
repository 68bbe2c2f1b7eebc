//! Where the configuration is kept: Kong's `database`, `pg_*` and `db_*`, and what is ours.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::resolve::Resolver;

/// Where the configuration is kept (`database`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// In memory, from files or the Admin API; the last one in a file of the prefix. The default.
    Off,
    /// In an SQLite file, for one node (ours; `sqlite_path`). Default `configuration.sqlite` in the prefix.
    Sqlite(PathBuf),
    /// In a PostgreSQL that nodes share.
    Postgres(Box<Postgres>),
}

/// How a PostgreSQL is reached and used.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    /// Its name or address, or the folder of its socket (`pg_host`). Default `127.0.0.1`.
    pub host: String,
    /// Its port (`pg_port`). Default 5432.
    pub port: u16,
    /// The database (`pg_database`). Default `kong`.
    pub database: String,
    /// The schema of the tables (`pg_schema`); none is the first of the user's search path.
    pub schema: Option<String>,
    /// Who we are (`pg_user`). Default `kong`.
    pub user: String,
    /// How we prove it (`pg_password`).
    pub password: Option<String>,
    /// How long it may take to connect, and to answer (`pg_timeout`). Default 5 s.
    pub timeout: Duration,
    /// Whether TLS is spoken (`pg_ssl`). Default no.
    pub ssl: bool,
    /// Whether its certificate must be by somebody trusted, for its name (`pg_ssl_verify`). Default no.
    pub ssl_verify: bool,
    /// A replica to read from (`pg_ro_host`; whatever `pg_ro_…` does not say is as above). Default none.
    pub replica: Option<Box<Postgres>>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, database, user, .. } = self;
        f.debug_struct("Postgres")
            .field("host", host)
            .field("port", port)
            .field("database", database)
            .field("user", user)
            .finish_non_exhaustive()
    }
}

/// How a store is used, whichever it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Keeping {
    /// How often it is asked for changes, where it does not tell them by itself
    /// (`db_update_frequency`). Default 5 s.
    pub update_frequency: Duration,
    /// Keys for the secrets in it (ours; `store_encryption_key`), each 32 bytes in hexadecimal or
    /// base64, or a file that holds them so. The first encrypts, all decrypt. Default none: not encrypted.
    pub encryption_keys: Vec<String>,
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").field("update_frequency", &self.update_frequency).finish_non_exhaustive()
    }
}

/// More often than this a database is not asked.
const MOST_OFTEN: Duration = Duration::from_millis(100);

pub(super) fn database(from: &mut Resolver<'_>, prefix: &Path) -> Database {
    match from.text("database").as_str() {
        "sqlite" => Database::Sqlite(prefix.join(from.text("sqlite_path"))),
        "postgres" => Database::Postgres(Box::new(postgres(from))),
        "cassandra" => {
            let what = "database=cassandra is not supported, as in Kong since 3.4; use 'postgres', 'sqlite' or 'off'";
            from.report("database", what.to_owned());
            Database::Off
        }
        _ => Database::Off,
    }
}

fn postgres(from: &mut Resolver<'_>) -> Postgres {
    let mut main = Postgres {
        host: from.text("pg_host"),
        port: port(from, "pg_port"),
        database: from.text("pg_database"),
        schema: from.given("pg_schema"),
        user: from.text("pg_user"),
        password: from.given("pg_password"),
        timeout: Duration::from_millis(from.whole("pg_timeout")),
        ssl: from.switch("pg_ssl"),
        ssl_verify: from.switch("pg_ssl_verify"),
        replica: None,
    };
    main.replica = replica(from, &main).map(Box::new);
    main
}

/// As in Kong there is one if its host is given.
fn replica(from: &mut Resolver<'_>, main: &Postgres) -> Option<Postgres> {
    let host = from.given("pg_ro_host")?;
    let switch = |name: &str, otherwise| if from.is_given(name) { from.switch(name) } else { otherwise };
    let (ssl, ssl_verify) = (switch("pg_ro_ssl", main.ssl), switch("pg_ro_ssl_verify", main.ssl_verify));
    let timeout = from.given("pg_ro_timeout").map(|_| Duration::from_millis(from.whole("pg_ro_timeout")));
    Some(Postgres {
        host,
        port: if from.is_given("pg_ro_port") { port(from, "pg_ro_port") } else { main.port },
        database: from.given("pg_ro_database").unwrap_or_else(|| main.database.clone()),
        schema: from.given("pg_ro_schema").or_else(|| main.schema.clone()),
        user: from.given("pg_ro_user").unwrap_or_else(|| main.user.clone()),
        password: from.given("pg_ro_password").or_else(|| main.password.clone()),
        timeout: timeout.unwrap_or(main.timeout),
        ssl,
        ssl_verify,
        replica: None,
    })
}

fn port(from: &mut Resolver<'_>, name: &str) -> u16 {
    u16::try_from(from.whole(name)).ok().filter(|port| *port > 0).unwrap_or_else(|| {
        let what = format!("{name} must be a port number from 1 to 65535, got '{}'", from.text(name));
        from.report(name, what);
        5432
    })
}

pub(super) fn keeping(from: &Resolver<'_>) -> Keeping {
    Keeping {
        update_frequency: from.seconds("db_update_frequency").unwrap_or_default().max(MOST_OFTEN),
        encryption_keys: from.list("store_encryption_key"),
    }
}
