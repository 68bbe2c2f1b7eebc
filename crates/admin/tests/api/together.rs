//! Many at once, and several nodes on one store.

use std::sync::Arc;

use serde_json::json;
use towergate_store::Off;

use crate::api::{Api, Writable};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_many_write() {
    let api = Api::new();
    let writers: Vec<_> = (0..50)
        .map(|number| {
            let api = api.clone();
            tokio::spawn(async move { api.add("/services", json!({"name": format!("s{number}"), "host": "h"})).await })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer fails");
    }
    assert_eq!(api.get("/services?size=1000").await.body["data"].as_array().map(Vec::len), Some(50));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_gets_a_name() {
    let store = Arc::new(Writable(Off::in_memory()));
    let nodes = [Api::over(store.clone()), Api::over(store)];
    let writers: Vec<_> = (0..20)
        .map(|number: usize| {
            let api = nodes[number % 2].clone();
            tokio::spawn(async move { api.write("POST", "/consumers", json!({"username": "alice"})).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for writer in writers {
        statuses.push(writer.await.expect("no writer fails"));
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[19]), (201, 409, 409), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_cannot_lose_its_end_meanwhile() {
    let store = Arc::new(Writable(Off::in_memory()));
    let (one, other) = (Api::over(store.clone()), Api::over(store));
    for _ in 0..20 {
        let service = one.add("/services", json!({"host": "h"})).await["id"].as_str().unwrap().to_owned();
        let path = format!("/services/{service}");
        let route = json!({"paths": ["/"], "service": {"id": service}});
        let (deleted, routed) = tokio::join!(one.ask("DELETE", &path), other.write("POST", "/routes", route));
        match (deleted.status, routed.status) {
            (204, 400) | (400, 201) => {}
            outcome => panic!("{outcome:?}: {} {}", deleted.body, routed.body),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_on_all_nodes_follow_each_other() {
    let store = Arc::new(Writable(Off::in_memory()));
    let nodes = [Api::over(store.clone()), Api::over(store.clone()), Api::over(store)];
    let writers: Vec<_> = (0..30)
        .map(|number: usize| {
            let api = nodes[number % 3].clone();
            tokio::spawn(async move { api.add("/services", json!({"name": format!("s{number}"), "host": "h"})).await })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer fails");
    }
    for node in &nodes {
        let count = || async { node.get("/services?size=1000").await.body["data"].as_array().map_or(0, Vec::len) };
        let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        while count().await < 30 && tokio::time::Instant::now() < limit {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(count().await, 30);
    }
}
