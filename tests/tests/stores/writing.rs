//! Writes through the Admin API of gateways on a store: what was answered is kept, and rules hold across nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use towergate_tests::{Connection, Gateway, Request, SOON, eventually};

use crate::nodes::{bootstrapped, on};

fn consumer(name: &str) -> Request {
    Request::post("/consumers", json!({ "username": name }).to_string()).header("Content-Type", "application/json")
}

/// The names of all consumers that a node knows.
fn names(node: &Gateway) -> BTreeSet<String> {
    let page = node.ask_admin(&Request::get("/consumers?size=1000")).json();
    let all = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    all.iter().map(|consumer| consumer["username"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_node_killed_while_it_is_written_to_has_all_that_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("configuration.sqlite").display().to_string();
    let settings = [("database", "sqlite".to_owned()), ("sqlite_path", path)];
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        let mut node = on(&settings).start();
        assert!(acknowledged.is_subset(&names(&node)), "{acknowledged:?} was answered, {:?} is kept", names(&node));
        let admin = node.admin();
        let writing = std::thread::spawn(move || {
            let mut answered = Vec::new();
            for number in 0.. {
                let name = format!("c{round}-{number}");
                let connection = Connection::try_open(admin).ok();
                let answer = connection.and_then(|mut admin| admin.try_request(&consumer(&name)).ok());
                match answer {
                    Some(answer) if answer.status == 201 => answered.push(name),
                    _ => return answered,
                }
            }
            unreachable!("the gateway is killed before")
        });
        eventually(SOON, || names(&node).len() > acknowledged.len() + 2);
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..50)));
        node.end_by("KILL");
        acknowledged.extend(writing.join().unwrap());
    }
    assert!(acknowledged.len() >= 8, "{acknowledged:?}");
}

#[test]
fn nodes_that_are_written_to_at_once_lose_nothing_and_give_a_name_once() {
    let database = bootstrapped();
    let nodes = [(); 2].map(|()| on(&database.settings()).setting("db_update_frequency", "600").start());
    // Each node gets names of its own, and all get these.
    const CONTESTED: usize = 8;
    let statuses: Vec<(u16, u16)> = std::thread::scope(|scope| {
        let writers: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(node, gateway)| {
                scope.spawn(move || {
                    let write = |name: String| gateway.ask_admin(&consumer(&name)).status;
                    let pair = |number| (write(format!("n{node}-{number}")), write(format!("contested-{number}")));
                    (0..CONTESTED).map(pair).collect::<Vec<_>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|(own, _)| *own == 201), "{statuses:?}");
    for number in 0..CONTESTED {
        let mut both = [statuses[number].1, statuses[CONTESTED + number].1];
        both.sort_unstable();
        assert_eq!(both, [201, 409], "contested-{number}");
    }
    let own = (0..2).flat_map(|node| (0..CONTESTED).map(move |number| format!("n{node}-{number}")));
    let expected: BTreeSet<_> = own.chain((0..CONTESTED).map(|number| format!("contested-{number}"))).collect();
    for node in &nodes {
        eventually(SOON, || names(node) == expected);
    }
}
