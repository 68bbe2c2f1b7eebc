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
    let port = u16::try_from(from.whole("pg_port")).ok().filter(|port| *port > 0).unwrap_or_else(|| {
        let what = format!("pg_port must be a port number from 1 to 65535, got '{}'", from.text("pg_port"));
        from.report("pg_port", what);
        5432
    });
    Postgres {
        host: from.text("pg_host"),
        port,
        database: from.text("pg_database"),
        schema: from.given("pg_schema"),
        user: from.text("pg_user"),
        password: from.given("pg_password"),
        timeout: Duration::from_millis(from.whole("pg_timeout")),
        ssl: from.switch("pg_ssl"),
        ssl_verify: from.switch("pg_ssl_verify"),
    }
}

pub(super) fn keeping(from: &Resolver<'_>) -> Keeping {
    Keeping {
        update_frequency: from.seconds("db_update_frequency").unwrap_or_default().max(MOST_OFTEN),
        encryption_keys: from.list("store_encryption_key"),
    }
}
