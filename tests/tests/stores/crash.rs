//! Whoever writes is killed at any moment, again and again: nothing acknowledged is lost, nothing is half there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use towergate_config::Kind;
use towergate_store::{Commit, Off, Seal, Sqlite, Store, Version};
use towergate_tests::{Database, Postgres as Server};

use crate::place::{Place, consumer, key_of, put, reached};

/// How often the writer is killed.
const KILLS: usize = 8;

/// Where the writer writes to, for the process that [`writer`] is run in.
const PLACE: &str = "STORES_WRITE_TO";

/// The process that is killed: it is this test executable, asked for this test alone. Each commit puts a
/// consumer and its key, and is told on standard output once it is acknowledged.
#[tokio::test]
async fn writer() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let store: Arc<dyn Store> = match place.split_once(' ').expect("a store and where it is") {
        ("off", path) => Arc::new(Off::open(path, Seal::none()).unwrap()),
        ("sqlite", path) => Arc::new(Sqlite::open(path.as_ref(), Seal::none(), Duration::from_secs(1)).unwrap()),
        (_, url) => {
            let (port, database) = url.split_once('/').unwrap();
            Arc::new(towergate_store::Postgres::new(
                crate::place::reached_at(port.parse().unwrap(), database),
                Seal::none(),
            ))
        }
    };
    let mut version = store.load().await.unwrap().version;
    loop {
        let number = u128::from(version.0) + 1;
        version = store.commit(pair(version, number)).await.unwrap();
        writeln!(std::io::stdout(), "committed {version}").unwrap();
    }
}

fn pair(seen: Version, number: u128) -> Commit {
    put(seen.0, [consumer(number, &format!("c{number}")), key_of(number, &format!("k{number}"))])
}

struct Writer {
    child: Child,
    said: BufReader<ChildStdout>,
    acknowledged: u64,
}

impl Writer {
    fn start(place: &Place) -> Self {
        let place = match place {
            Place::Off(_) => format!("off {}", place.path().display()),
            Place::Sqlite(_) => format!("sqlite {}", place.path().display()),
            Place::Postgres(database) => format!("postgres {}/{}", database.server().port(), database.name()),
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::writer", "--exact", "--nocapture"])
            .env(PLACE, place)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said, acknowledged: 0 }
    }

    /// Lets it acknowledge some more; answers whether it is still there.
    fn wait_for(&mut self, more: u64) -> bool {
        for _ in 0..more {
            if !self.hear() {
                return false;
            }
        }
        true
    }

    fn hear(&mut self) -> bool {
        let mut line = String::new();
        loop {
            line.clear();
            if self.said.read_line(&mut line).unwrap_or(0) == 0 {
                return false;
            }
            // What the test runner itself says stands before it, on the same line.
            if let Some((_, version)) = line.trim_end().rsplit_once("committed ")
                && line.ends_with('\n')
            {
                self.acknowledged = version.parse().unwrap();
                return true;
            }
        }
    }

    /// Kills it somewhere in the middle of what it does; answers the last commit that was acknowledged.
    fn kill(mut self, after: Duration) -> u64 {
        std::thread::sleep(after);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // What it had said before is still in the pipe.
        while self.hear() {}
        self.acknowledged
    }
}

/// Each commit is there as a whole or not at all, and no number is left out.
async fn check(store: &Arc<dyn Store>, acknowledged: u64) {
    let kept = store.load().await.unwrap();
    assert!(kept.version.0 >= acknowledged, "{} kept, {acknowledged} acknowledged", kept.version);
    assert!(kept.version.0 <= acknowledged + 1, "{} kept, {acknowledged} acknowledged", kept.version);
    let of_kind = |kind| {
        let ids = kept.entities.iter().filter(|entity| entity.kind == kind).map(|entity| entity.id.as_u128());
        ids.collect::<Vec<_>>()
    };
    let expected: Vec<_> = (1..=u128::from(kept.version.0)).collect();
    assert_eq!(of_kind(Kind::Consumers), expected);
    assert_eq!(of_kind(Kind::KeyauthCredentials), expected);
}

async fn kill_the_writer_again_and_again(place: Place) {
    drop(place.open().await);
    for _ in 0..KILLS {
        let mut writer = Writer::start(&place);
        assert!(writer.wait_for(2), "the writer has ended by itself");
        let acknowledged = writer.kill(Duration::from_micros(fastrand::u64(0..20_000)));
        check(&place.open().await, acknowledged).await;
    }
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_acknowledged_off() {
    kill_the_writer_again_and_again(Place::off()).await;
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_acknowledged_sqlite() {
    kill_the_writer_again_and_again(Place::sqlite()).await;
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_acknowledged_postgres() {
    kill_the_writer_again_and_again(Place::postgres()).await;
}

/// The server is killed under the writer, and started again.
#[tokio::test]
async fn a_killed_postgres_loses_nothing_acknowledged() {
    let server = Arc::new(Server::with(&[]));
    let database = Server::database_in(&server);
    let place = Place::Postgres(database);
    drop(place.open().await);
    for _ in 0..3 {
        let mut writer = Writer::start(&place);
        assert!(writer.wait_for(5), "the writer has ended by itself");
        std::thread::sleep(Duration::from_micros(fastrand::u64(0..20_000)));
        server.kill();
        // It ends when its commit fails.
        while writer.hear() {}
        let _ = writer.child.wait();
        server.launch();
        check(&place.open().await, writer.acknowledged).await;
    }
}

/// A store that is open all the while says that it cannot, and then can again, by itself.
#[tokio::test]
async fn a_store_outlives_its_postgres() {
    let server = Arc::new(Server::with(&[]));
    let database = Server::database_in(&server);
    let store = open(&database).await;
    store.commit(put(0, [consumer(1, "anna")])).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.changed(Version(1)).await.unwrap() }
    });
    server.kill();
    // Its processes may answer until they have seen that it is gone.
    let begun = Instant::now();
    while store.reachable().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is still reached");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let error = store.load().await.unwrap_err();
    assert_eq!(error.trouble(), towergate_store::Trouble::Unreachable, "{error}");
    assert!(!error.to_string().contains(towergate_tests::postgres::PASSWORD));
    server.launch();
    assert!(store.reachable().await);
    // Somebody else commits; whoever waited through all of it is told once its connection is there again.
    open(&database).await.commit(put(1, [consumer(2, "bert")])).await.unwrap();
    let begun = Instant::now();
    let told = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it is told").unwrap();
    eprintln!("told {:?} after the commit", begun.elapsed());
    assert_eq!(told, Version(2));
    assert_eq!(store.load().await.unwrap().entities.len(), 2);
}

async fn open(database: &Database) -> Arc<dyn Store> {
    use towergate_store::{Migrate as _, Phase};
    let store = towergate_store::Postgres::new(reached(database), Seal::none());
    store.run(Phase::Bootstrap).await.unwrap();
    Arc::new(store)
}
