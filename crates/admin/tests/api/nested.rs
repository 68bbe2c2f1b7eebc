//! Entities under their parents, and parents through their children.

use serde_json::json;

use crate::api::Api;

async fn filled() -> Api {
    let api = Api::new();
    for name in ["a", "b"] {
        api.add("/services", json!({"name": name, "host": "h"})).await;
        api.add("/consumers", json!({"username": name})).await;
    }
    api
}

#[tokio::test]
async fn children_belong_to_their_parent() {
    let api = filled().await;
    let service = api.get("/services/a").await.body["id"].clone();
    let route = api.add("/services/a/routes", json!({"name": "r", "paths": ["/"]})).await;
    assert_eq!(route["service"], json!({"id": service}));
    assert_eq!(api.get("/services/a/routes").await.body, json!({"data": [route], "next": null}));
    assert_eq!(api.get("/services/b/routes").await.body, json!({"data": [], "next": null}));
    assert_eq!(api.get("/services/a/routes/r").await.body, route);
    let not_found = json!({"message": "Not found"});
    for (method, path) in [
        ("GET", "/services/b/routes/r"),
        ("GET", "/services/a/routes/x"),
        ("GET", "/services/x/routes"),
        ("GET", "/services/x/routes/r"),
        ("DELETE", "/services/b/routes/r"),
        ("DELETE", "/services/x/routes/r"),
    ] {
        let answer = api.ask(method, path).await;
        assert_eq!((answer.status, answer.body), (404, not_found.clone()), "{method} {path}");
    }
    for (method, path) in
        [("POST", "/services/x/routes"), ("PUT", "/services/x/routes/r"), ("PATCH", "/services/b/routes/r")]
    {
        let answer = api.write(method, path, json!({"paths": ["/"]})).await;
        assert_eq!((answer.status, answer.body), (404, not_found.clone()), "{method} {path}");
    }
}

#[tokio::test]
async fn children_are_changed_under_their_parent() {
    let api = filled().await;
    let put = api.write("PUT", "/services/a/routes/r", json!({"paths": ["/1"]})).await;
    assert_eq!((put.status, &put.body["name"]), (200, &json!("r")), "{}", put.body);
    let patch = api.write("PATCH", "/services/a/routes/r", json!({"paths": ["/2"]})).await;
    assert_eq!((patch.status, &patch.body["paths"], &patch.body["id"]), (200, &json!(["/2"]), &put.body["id"]));
    let moved = api.write("PATCH", "/services/a/routes/r", json!({"service": {"name": "b"}})).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(api.get("/services/a/routes/r").await.status, 404);
    assert_eq!(api.ask("DELETE", "/services/b/routes/r").await.status, 204);
    assert_eq!(api.get("/routes/r").await.status, 404);
}

#[tokio::test]
async fn a_parent_is_reached_through_its_child() {
    let api = filled().await;
    api.add("/services/a/routes", json!({"name": "r", "paths": ["/"]})).await;
    let service = api.get("/services/a").await.body;
    assert_eq!(api.get("/routes/r/service").await.body, service);
    let patch = api.write("PATCH", "/routes/r/service", json!({"retries": 9})).await;
    assert_eq!((patch.status, &patch.body["retries"], &patch.body["id"]), (200, &json!(9), &service["id"]));
    let put = api.write("PUT", "/routes/r/service", json!({"name": "c", "host": "new"})).await;
    assert_eq!((put.status, &put.body["id"], &put.body["retries"]), (200, &service["id"], &json!(5)));
    let delete = api.ask("DELETE", "/routes/r/service").await;
    assert_eq!((delete.status, delete.body), (405, json!({"message": "Method not allowed"})));
    let key = api.add("/consumers/a/key-auth", json!({"key": "k"})).await;
    assert_eq!(api.get("/key-auths/k/consumer").await.body["username"], "a");
    assert_eq!(key["consumer"]["id"], api.get("/consumers/a").await.body["id"]);
}

#[tokio::test]
async fn a_parent_is_made_through_its_child() {
    let api = Api::new();
    api.add("/routes", json!({"name": "r", "paths": ["/"]})).await;
    for (method, status) in [("GET", 404), ("DELETE", 404)] {
        assert_eq!(api.ask(method, "/routes/r/service").await.status, status, "{method}");
    }
    assert_eq!(api.write("PATCH", "/routes/r/service", json!({})).await.status, 404);
    let put = api.write("PUT", "/routes/r/service", json!({"name": "new", "host": "h"})).await;
    assert_eq!(put.status, 200, "{}", put.body);
    assert_eq!(api.get("/routes/r").await.body["service"]["id"], put.body["id"]);
}

#[tokio::test]
async fn credentials_hang_on_consumers() {
    let api = filled().await;
    for (path, body, key) in [
        ("key-auth", json!({"key": "k"}), "k"),
        ("basic-auth", json!({"username": "u", "password": "p"}), "u"),
        ("hmac-auth", json!({"username": "u"}), "u"),
        ("jwt", json!({"key": "k"}), "k"),
        ("oauth2", json!({"name": "n", "client_id": "i"}), "i"),
        ("acls", json!({"group": "g"}), "g"),
    ] {
        let made = api.add(&format!("/consumers/a/{path}"), body).await;
        let one = format!("/consumers/a/{path}/{key}");
        assert_eq!(api.get(&one).await.body, made, "{path}");
        assert_eq!(api.get(&format!("/consumers/b/{path}/{key}")).await.status, 404, "{path}");
        assert_eq!(api.ask("DELETE", &one).await.status, 204, "{path}");
        assert_eq!(api.get(&one).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_group_is_put_by_its_name() {
    let api = filled().await;
    let put = api.write("PUT", "/consumers/a/acls/gold", json!({})).await;
    assert_eq!((put.status, &put.body["group"]), (200, &json!("gold")), "{}", put.body);
    assert_eq!(api.write("PUT", "/consumers/a/acls/gold", json!({"tags": ["t"]})).await.body["id"], put.body["id"]);
    assert_eq!(api.get("/acls").await.body["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn targets_are_found_by_their_address() {
    let api = Api::new();
    for upstream in ["u", "v"] {
        api.add("/upstreams", json!({"name": upstream})).await;
    }
    let target = api.add("/upstreams/u/targets", json!({"target": "a.test", "weight": 7})).await;
    assert_eq!(target["target"], "a.test:8000");
    api.add("/upstreams/v/targets", json!({"target": "a.test:8000"})).await;
    let one = "/upstreams/u/targets/a.test:8000";
    assert_eq!(api.get(one).await.body, target);
    assert_eq!(api.get("/upstreams/u/targets/b.test:1").await.status, 404);
    for method in ["PATCH", "PUT"] {
        let changed = api.write(method, one, json!({"tags": [method]})).await;
        assert_eq!((changed.status, &changed.body["weight"]), (200, &json!(7)), "{method}: {}", changed.body);
    }
    for path in ["/upstreams/u/targets", "/upstreams/u/targets/all"] {
        assert_eq!(api.get(path).await.body["data"].as_array().map(Vec::len), Some(1), "{path}");
    }
    let twice = api.write("POST", "/upstreams/u/targets", json!({"target": "a.test:8000"})).await;
    assert_eq!(twice.status, 409, "{}", twice.body);
    assert_eq!(api.ask("DELETE", one).await.status, 204);
    assert_eq!(api.get(one).await.status, 404);
    for path in ["/targets", "/snis/x/certificate"] {
        assert_eq!(api.get(path).await.status, 404, "{path}: Kong has no such endpoint");
    }
}

#[tokio::test]
async fn health_has_pages_as_targets_have() {
    let api = Api::new();
    api.add("/upstreams", json!({"name": "u.test"})).await;
    for number in 1..=3 {
        api.add("/upstreams/u.test/targets", json!({"target": format!("127.0.0.1:{number}")})).await;
    }
    let names = |page: &serde_json::Value| -> Vec<_> {
        page["data"].as_array().expect("a list").iter().map(|target| target["target"].clone()).collect()
    };
    let all = api.get("/upstreams/u.test/health").await.body;
    assert_eq!((all["next"].clone(), all.get("offset")), (json!(null), None));
    assert_eq!(names(&all), names(&api.get("/upstreams/u.test/targets").await.body), "in the same order");
    let first = api.get("/upstreams/u.test/health?size=2").await.body;
    let next = first["next"].as_str().expect("there is more");
    assert!(next.starts_with("/upstreams/u.test/health?offset=") && first["offset"].is_string(), "{first}");
    let second = api.get(next).await.body;
    assert_eq!([names(&first), names(&second)].concat(), names(&all));
    assert!(first["node_id"].is_string() && first["node_id"] == second["node_id"]);
    assert_eq!(api.get("/upstreams/u.test/health?size=0").await.refusal().1, 9);
    let whole = api.get("/upstreams/u.test/health?balancer_health=1&size=1").await.body;
    assert!(whole["data"].is_object() && whole["next"].is_null(), "{whole}");
}

#[tokio::test]
async fn consumers_are_in_groups() {
    let api = filled().await;
    let (a, gold) = (api.get("/consumers/a").await.body, api.add("/consumer_groups", json!({"name": "gold"})).await);
    let added = api.write("POST", "/consumer_groups/gold/consumers", json!({"consumer": "a"})).await;
    assert_eq!((added.status, added.body), (201, json!({"consumer_group": gold, "consumers": [a]})));
    let other = api.write("POST", "/consumers/b/consumer_groups", json!({"group": ["gold"]})).await;
    assert_eq!((other.status, &other.body["consumer_groups"]), (201, &json!([gold])), "{}", other.body);
    assert_eq!(api.get("/consumer_groups/gold/consumers").await.body["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(api.get("/consumers/a/consumer_groups").await.body, json!({"data": [gold], "next": null}));
    assert_eq!(api.get("/consumer_groups/gold/consumers/a").await.body, json!({"consumer": a}));
    let twice = api.write("POST", "/consumer_groups/gold/consumers", json!({"consumer": "a"})).await;
    assert_eq!(twice.status, 409, "{}", twice.body);
    assert_eq!(api.ask("DELETE", "/consumers/a/consumer_groups/gold").await.status, 204);
    assert_eq!(api.get("/consumer_groups/gold/consumers/a").await.status, 404);
    assert_eq!(api.ask("DELETE", "/consumer_groups/gold/consumers").await.status, 204);
    assert_eq!(api.get("/consumers/b/consumer_groups").await.body["data"], json!([]));
    for (path, body, status) in [
        ("/consumer_groups/x/consumers", json!({"consumer": "a"}), 404),
        ("/consumer_groups/gold/consumers", json!({"consumer": "x"}), 404),
        ("/consumer_groups/gold/consumers", json!({}), 400),
        ("/consumer_groups/gold/consumers", json!({"consumer": 1}), 400),
    ] {
        assert_eq!(api.write("POST", path, body).await.status, status, "{path}");
    }
}
