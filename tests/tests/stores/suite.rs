//! What every store does: the same tests over all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use towergate_config::Kind;
use towergate_store::{Change, Commit, CommitError, News, Seal, SealKey, Snapshot, Store, Trouble, Version};

use crate::place::{Place, awkward, consumer, delete, key_of, put};

macro_rules! over_all_stores {
    ($($test:ident),* $(,)?) => {
        mod off {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::off()).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::postgres()).await;
            })*
        }
    };
}

over_all_stores!(
    a_new_store_is_empty,
    what_is_committed_is_there_also_after_it_was_opened_again,
    who_has_not_seen_the_last_commit_cannot_commit,
    each_change_is_told_once_in_its_last_state,
    everything_can_be_replaced,
    more_changes_than_are_worth_telling_are_told_as_everything,
    the_hash_is_that_of_the_last_commit,
    who_waits_for_a_change_is_told,
    of_several_writers_none_loses_anything,
    secrets_are_not_to_be_read_in_it,
    ten_thousand_entities_are_replaced_at_once,
);

pub(crate) async fn loaded(store: &Arc<dyn Store>) -> Snapshot {
    store.load().await.unwrap()
}

async fn a_new_store_is_empty(place: Place) {
    let store = place.open().await;
    assert_eq!(loaded(&store).await, Snapshot::default());
    assert_eq!(store.since(Version(0)).await.unwrap(), News::Changes { version: Version(0), changes: vec![] });
    assert!(store.reachable().await);
}

async fn what_is_committed_is_there_also_after_it_was_opened_again(place: Place) {
    let store = place.open().await;
    let entities = [awkward(3), key_of(9, "b"), key_of(8, "a"), consumer(1, "anna")];
    assert_eq!(store.commit(put(0, entities.clone())).await.unwrap(), Version(1));
    let [plugin, last_key, first_key, consumer] = entities;
    // Each after those it refers to, then by id; byte for byte as it was, the order of fields included.
    let entities = vec![consumer, plugin, first_key, last_key];
    let expected = Snapshot { version: Version(1), hash: None, entities };
    let text =
        |snapshot: &Snapshot| snapshot.entities.iter().map(|entity| entity.value.to_string()).collect::<Vec<_>>();
    let kept = loaded(&store).await;
    assert_eq!(kept, expected);
    assert_eq!(text(&kept), text(&expected));
    drop(store);
    let again = loaded(&place.open().await).await;
    assert_eq!(again, expected);
    assert_eq!(text(&again), text(&expected));
}

async fn who_has_not_seen_the_last_commit_cannot_commit(place: Place) {
    let store = place.open().await;
    store.commit(put(0, [consumer(1, "anna")])).await.unwrap();
    for seen in [0, 2] {
        let refused = store.commit(put(seen, [consumer(2, "bert")])).await;
        assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
    }
    let kept = Snapshot { version: Version(1), hash: None, entities: vec![consumer(1, "anna")] };
    assert_eq!(loaded(&store).await, kept);
    store.commit(put(1, [consumer(2, "bert")])).await.unwrap();
}

async fn each_change_is_told_once_in_its_last_state(place: Place) {
    let store = place.open().await;
    store.commit(put(0, [consumer(1, "anna"), consumer(2, "bert")])).await.unwrap();
    store.commit(put(1, [consumer(1, "andrea"), consumer(1, "anne"), key_of(3, "k")])).await.unwrap();
    store.commit(delete(2, Kind::Consumers, 2)).await.unwrap();
    store.commit(delete(3, Kind::Consumers, 99)).await.unwrap();
    let told = |changes: Vec<Change>| News::Changes { version: Version(4), changes };
    let (anne, key) = (Change::from(consumer(1, "anne")), Change::from(key_of(3, "k")));
    let (gone, never) =
        (Change::delete(Kind::Consumers, consumer(2, "").id), Change::delete(Kind::Consumers, consumer(99, "").id));
    for (version, changes) in [
        (0, vec![anne.clone(), gone.clone(), never.clone(), key.clone()]),
        (1, vec![anne, gone.clone(), never.clone(), key]),
        (2, vec![gone, never.clone()]),
        (3, vec![never]),
        (4, vec![]),
    ] {
        assert_eq!(store.since(Version(version)).await.unwrap(), told(changes), "after {version}");
    }
    // Somebody who knows a version that never was (the store was put back from a copy) begins anew.
    assert_eq!(store.since(Version(9)).await.unwrap(), News::Everything(loaded(&store).await));
}

async fn everything_can_be_replaced(place: Place) {
    let store = place.open().await;
    store.commit(put(0, [consumer(1, "anna"), consumer(2, "bert")])).await.unwrap();
    let all = vec![consumer(2, "berta"), consumer(3, "carl")];
    let version = store.commit(Commit::of_all(Version(1), all.clone())).await.unwrap();
    let expected = Snapshot { version, hash: None, entities: all };
    assert_eq!(loaded(&store).await, expected);
    assert_eq!(store.since(Version(1)).await.unwrap(), News::Everything(expected));
    let late = store.commit(Commit::of_all(Version(1), vec![])).await;
    assert!(matches!(late, Err(CommitError::Conflict)), "{late:?}");
    store.commit(Commit::of_all(version, vec![])).await.unwrap();
    assert_eq!(loaded(&store).await.entities, []);
    store.commit(put(3, [consumer(4, "dora")])).await.unwrap();
    let changes = vec![Change::from(consumer(4, "dora"))];
    assert_eq!(store.since(Version(3)).await.unwrap(), News::Changes { version: Version(4), changes });
}

async fn more_changes_than_are_worth_telling_are_told_as_everything(place: Place) {
    let store = place.open().await;
    store.commit(put(0, [consumer(1, "anna")])).await.unwrap();
    store.commit(put(1, (1..=1_500).map(|number| consumer(number, &format!("c{number}"))))).await.unwrap();
    let News::Everything(snapshot) = store.since(Version(1)).await.unwrap() else { panic!("change by change") };
    assert_eq!((snapshot.version, snapshot.entities.len()), (Version(2), 1_500));
    store.commit(delete(2, Kind::Consumers, 1)).await.unwrap();
    let changes = vec![Change::delete(Kind::Consumers, consumer(1, "").id)];
    assert_eq!(store.since(Version(2)).await.unwrap(), News::Changes { version: Version(3), changes });
}

async fn the_hash_is_that_of_the_last_commit(place: Place) {
    let store = place.open().await;
    store.commit(Commit::of_all(Version(0), vec![consumer(1, "anna")]).with_hash("abc")).await.unwrap();
    assert_eq!(loaded(&place.open().await).await.hash.as_deref(), Some("abc"));
    let store = place.open().await;
    store.commit(put(1, [consumer(2, "bert")])).await.unwrap();
    assert_eq!(loaded(&store).await.hash, None);
}

async fn who_waits_for_a_change_is_told(place: Place) {
    let store = place.open().await;
    store.commit(put(0, [consumer(1, "anna")])).await.unwrap();
    // It has another version than 0 already.
    assert_eq!(store.changed(Version(0)).await.unwrap(), Version(1));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move {
            // Whoever gives up waiting loses nothing.
            let _ = tokio::time::timeout(Duration::from_millis(20), store.changed(Version(1))).await;
            store.changed(Version(1)).await.unwrap()
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.commit(put(1, [consumer(1, "anne")])).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it is told").unwrap();
    assert_eq!(told, Version(2));
}

async fn of_several_writers_none_loses_anything(place: Place) {
    const WRITERS: u128 = 6;
    const EACH: u128 = 5;
    let one = place.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        // A file without a database is one process's, the others are everybody's.
        let store = if matches!(place, Place::Off(_)) { one.clone() } else { place.open().await };
        tasks.spawn(async move {
            for number in 0..EACH {
                let entity = consumer(writer * 100 + number, &format!("c{writer}-{number}"));
                loop {
                    let seen = store.load().await.unwrap().version;
                    match store.commit(put(seen.0, [entity.clone()])).await {
                        Ok(version) => break assert_eq!(version, seen.next()),
                        Err(CommitError::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let kept = loaded(&one).await;
    assert_eq!((kept.version, kept.entities.len()), (Version(30), 30));
}

async fn secrets_are_not_to_be_read_in_it(place: Place) {
    let key = |digit: &str| SealKey::parse(&digit.repeat(64)).unwrap();
    let store = place.open_with(Seal::new([key("1")])).await.unwrap();
    let all = [consumer(1, "anna"), key_of(2, "open sesame")];
    store.commit(put(0, all.clone())).await.unwrap();
    assert_eq!(loaded(&store).await.entities, all);
    drop(store);
    let content = place.content();
    assert!(content.contains("anna") && !content.contains("sesame"), "{content}");
    // A new key takes over, and the old one still opens what it has closed.
    let rotated = place.open_with(Seal::new([key("2"), key("1")])).await.unwrap();
    assert_eq!(loaded(&rotated).await.entities, all);
    drop(rotated);
    for wrong in [Seal::none(), Seal::new([key("2")])] {
        let refused = match place.open_with(wrong).await {
            Ok(store) => store.load().await.map(drop),
            Err(error) => Err(error),
        };
        let refused = refused.unwrap_err();
        assert_eq!(refused.trouble(), Trouble::Key);
        assert!(refused.to_string().contains("see store_encryption_key"), "{refused}");
    }
}

async fn ten_thousand_entities_are_replaced_at_once(place: Place) {
    let store = place.open().await;
    let tags = "a tag, so that it is about as long as a route".repeat(10);
    let all: Vec<_> = (1..=10_000).map(|number| consumer(number, &format!("c{number} {tags}"))).collect();
    for version in 0..2 {
        let begun = Instant::now();
        store.commit(Commit::of_all(Version(version), all.clone())).await.unwrap();
        let took = begun.elapsed();
        eprintln!("{}: replaced in {took:?}", store.kind());
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    let begun = Instant::now();
    assert_eq!(loaded(&store).await.entities, all);
    eprintln!("{}: loaded in {:?}", store.kind(), begun.elapsed());
}

/// What changed long ago is told as everything, and is not kept for ever.
#[tokio::test]
async fn changes_in_a_database_are_forgotten_after_ten_thousand_versions() {
    let place = Place::postgres();
    let Place::Postgres(database) = &place else { unreachable!() };
    let store = place.open().await;
    store.commit(put(0, [consumer(1, "anna")])).await.unwrap();
    database.ask("UPDATE towergate_state SET version = 10005");
    store.commit(put(10_005, [consumer(2, "bert")])).await.unwrap();
    let changes = vec![Change::from(consumer(2, "bert"))];
    assert_eq!(store.since(Version(6)).await.unwrap(), News::Changes { version: Version(10_006), changes });
    assert!(matches!(store.since(Version(5)).await.unwrap(), News::Everything(_)));
    assert_eq!(database.ask("SELECT version FROM towergate_changes"), "10006");
}
