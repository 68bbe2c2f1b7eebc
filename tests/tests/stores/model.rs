//! Whatever is committed in whatever order, a store is what a few lines say it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use towergate_config::Kind;
use towergate_store::{Change, Changes, Commit, CommitError, News, Store, Version};
use uuid::Uuid;

use crate::place::{Place, consumer, id, key_of};

/// One thing that is done to a store.
#[derive(Clone, Debug)]
enum Step {
    /// Commits these on top of the version so many before the newest.
    Some { behind: u64, changes: Vec<(bool, u8, Option<u8>)> },
    /// Replaces everything by consumers with these numbers.
    All { behind: u64, numbers: Vec<u8> },
    /// The follower of this number follows.
    Follow(usize),
    /// The store is opened again.
    Open,
}

fn step() -> impl Strategy<Value = Step> {
    // Most commits are on top of the newest version.
    let behind = || prop_oneof![4 => Just(0_u64), 1 => 1..3_u64];
    let change = (any::<bool>(), 0..6_u8, proptest::option::weighted(0.7, any::<u8>()));
    prop_oneof![
        6 => (behind(), proptest::collection::vec(change, 0..5)).prop_map(|(behind, changes)| Step::Some { behind, changes }),
        1 => (behind(), proptest::collection::vec(0..6_u8, 0..4)).prop_map(|(behind, numbers)| Step::All { behind, numbers }),
        4 => (0..3_usize).prop_map(Step::Follow),
        1 => Just(Step::Open),
    ]
}

/// Entities by what sorts them as a store does.
type Entities = BTreeMap<(usize, Uuid), (Kind, Value)>;

/// A store in a few lines; a follower is one as well.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    version: u64,
    entities: Entities,
}

impl Model {
    fn take(&mut self, changes: &[Change]) {
        for Change { kind, id, entity } in changes {
            let place = (kind.position(), *id);
            match entity {
                Some(value) => drop(self.entities.insert(place, (*kind, value.clone()))),
                None => drop(self.entities.remove(&place)),
            }
        }
    }

    fn follow(&mut self, news: News) {
        match news {
            News::Changes { version, changes } => {
                self.take(&changes);
                self.version = version.0;
            }
            News::Everything(snapshot) => {
                *self = Self { version: snapshot.version.0, entities: BTreeMap::new() };
                self.take(&snapshot.entities.into_iter().map(Change::from).collect::<Vec<_>>());
            }
        }
    }
}

fn change((is_consumer, number, value): &(bool, u8, Option<u8>)) -> Change {
    let number = u128::from(*number);
    let entity = |value: &u8| match is_consumer {
        true => consumer(number, &format!("c{value}")),
        false => key_of(number, &format!("k{value}")),
    };
    let kind = if *is_consumer { Kind::Consumers } else { Kind::KeyauthCredentials };
    Change { kind, id: id(number), entity: value.as_ref().map(entity).map(|entity| entity.value) }
}

/// A commit if it is one.
fn commit(step: &Step, version: u64) -> Option<Commit> {
    match step {
        Step::Some { behind, changes } => {
            Some(Commit::of(Version(version.saturating_sub(*behind)), changes.iter().map(change).collect()))
        }
        Step::All { behind, numbers } => {
            let numbers: std::collections::BTreeSet<_> = numbers.iter().map(|number| u128::from(*number)).collect();
            let all = numbers.into_iter().map(|number| consumer(number, "all")).collect();
            Some(Commit::of_all(Version(version.saturating_sub(*behind)), all))
        }
        Step::Follow(_) | Step::Open => None,
    }
}

async fn check(place: &Place, steps: Vec<Step>) {
    let mut store = place.open().await;
    let empty = store.load().await.unwrap();
    // One place for all cases: each begins where the one before has ended.
    let base = store.commit(Commit::of_all(empty.version, vec![])).await.unwrap().0;
    let mut model = Model { version: base, ..Model::default() };
    let mut followers = [(); 3].map(|()| model.clone());
    for step in steps {
        if let Some(commit) = commit(&step, model.version) {
            take(&store, &mut model, commit).await;
        }
        match step {
            Step::Follow(follower) => {
                let follower = &mut followers[follower];
                follower.follow(store.since(Version(follower.version)).await.unwrap());
                assert_eq!(*follower, model);
            }
            Step::Open => {
                drop(store);
                store = place.open().await;
            }
            Step::Some { .. } | Step::All { .. } => {}
        }
    }
    let snapshot = store.load().await.unwrap();
    let sorted: Vec<_> = snapshot.entities.iter().map(|entity| (entity.kind.position(), entity.id)).collect();
    assert_eq!(sorted, model.entities.keys().copied().collect::<Vec<_>>());
    let mut whole = Model::default();
    whole.follow(News::Everything(snapshot));
    assert_eq!(whole, model);
}

async fn take(store: &Arc<dyn Store>, model: &mut Model, commit: Commit) {
    let (seen, changes) = (commit.seen.0, commit.changes.clone());
    match store.commit(commit).await {
        Ok(version) => {
            assert_eq!((seen, version.0), (model.version, model.version + 1));
            model.version += 1;
            match changes {
                Changes::Some(changes) => model.take(&changes),
                Changes::All(entities) => {
                    model.entities.clear();
                    model.take(&entities.into_iter().map(Change::from).collect::<Vec<_>>());
                }
            }
        }
        Err(CommitError::Conflict) => assert_ne!(seen, model.version),
        Err(CommitError::Store(error)) => panic!("{error}"),
    }
}

fn run(place: &Place, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let tried = TestRunner::new(config).run(&proptest::collection::vec(step(), 1..30), |steps| {
        runtime.block_on(check(place, steps));
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}

#[test]
fn off_is_the_model() {
    run(&Place::off(), 100);
}

#[test]
fn sqlite_is_the_model() {
    run(&Place::sqlite(), 40);
}

#[test]
fn postgres_is_the_model() {
    run(&Place::postgres(), 30);
}
