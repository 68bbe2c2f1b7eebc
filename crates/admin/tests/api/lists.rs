//! Pages, tags, and what a list is asked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::Api;

async fn services(count: usize) -> Api {
    let api = Api::new();
    for number in 0..count {
        let tags = if number % 2 == 0 { json!(["even", "all"]) } else { json!(["odd", "all"]) };
        api.add("/services", json!({"name": format!("s{number}"), "host": "h", "tags": tags})).await;
    }
    api
}

#[tokio::test]
async fn pages_lead_to_the_next_one() {
    let api = services(7).await;
    let (mut path, mut ids, mut sizes) = ("/services?size=3&tags=all".to_owned(), Vec::new(), Vec::new());
    loop {
        let page = api.get(&path).await.body;
        let data = page["data"].as_array().expect("a list");
        sizes.push(data.len());
        ids.extend(data.iter().map(|service| service["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => {
                assert!(next.starts_with("/services?offset=") && next.ends_with("&tags=all&size=3"), "{next}");
                assert!(page["offset"].is_string());
                path = next.to_owned();
            }
            None => break assert_eq!((page.get("next"), page.get("offset")), (Some(&Value::Null), None)),
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    let sorted: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(sorted.into_iter().collect::<Vec<_>>(), ids, "sorted by id, each once");
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_ended_whatever_happens() {
    let api = services(4).await;
    let first = api.get("/services?size=2").await.body;
    let last = first["data"][1]["id"].as_str().unwrap();
    assert_eq!(api.ask("DELETE", &format!("/services/{last}")).await.status, 204);
    let second = api.get(first["next"].as_str().unwrap()).await.body;
    assert_eq!(second["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn children_have_pages_too() {
    let api = services(1).await;
    for number in 0..3 {
        api.add("/services/s0/routes", json!({"paths": [format!("/{number}")]})).await;
    }
    let page = api.get("/services/s0/routes?size=2").await.body;
    let next = page["next"].as_str().expect("there is more");
    assert!(next.starts_with("/services/s0/routes?offset="), "{next}");
    assert_eq!(api.get(next).await.body["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn tags_choose() {
    let api = services(4).await;
    for (query, count) in
        [("tags=even", 2), ("tags=even,all", 2), ("tags=even,odd", 0), ("tags=even/odd", 4), ("tags=none", 0)]
    {
        let found = api.get(&format!("/services?{query}")).await;
        assert_eq!(found.body["data"].as_array().map(Vec::len), Some(count), "{query}: {}", found.body);
    }
    let tags = api.get("/tags").await.body;
    assert_eq!(tags["data"].as_array().map(Vec::len), Some(8));
    let odd = api.get("/tags/odd?size=1").await.body;
    assert_eq!((&odd["data"][0]["entity_name"], &odd["data"][0]["tag"]), (&json!("services"), &json!("odd")));
    assert_eq!(odd["next"], "/tags/odd?offset=1");
    assert_eq!(api.get("/tags/nothing").await.body, json!({"data": [], "next": null}));
}

#[tokio::test]
async fn what_a_list_cannot_be_asked() {
    let api = services(1).await;
    let size = "size must be an integer between 1 and 1000";
    for (query, code, name, text) in [
        ("size=0", 9, "invalid size", size),
        ("size=1001", 9, "invalid size", size),
        ("size=x", 9, "invalid size", "size must be a number"),
        ("offset=x", 7, "invalid offset", "'x' is not a valid offset: bad base64 encoding"),
        ("tags=", 11, "invalid options", "invalid option (tags: cannot be null)"),
        ("tags=a,b/c", 11, "invalid options", "invalid option (tags: invalid filter syntax)"),
    ] {
        let answer = api.get(&format!("/services?{query}")).await;
        assert_eq!(answer.refusal(), (400, code, name, text), "{query}");
    }
    assert_eq!(api.get("/services?tags=").await.body["options"], json!({"tags": "cannot be null"}));
}

#[tokio::test]
async fn consumers_are_found_by_their_id_elsewhere() {
    let api = Api::new();
    let consumer = api.add("/consumers", json!({"custom_id": "x y"})).await;
    assert_eq!(api.get("/consumers?custom_id=x+y").await.body, json!({"data": [consumer], "next": null}));
    assert_eq!(api.get("/consumers?custom_id=z").await.body, json!({"data": [], "next": null}));
    let empty = api.get("/consumers?custom_id=").await;
    assert_eq!((empty.status, empty.body), (400, json!({"message": "custom_id must be an unempty string"})));
}
